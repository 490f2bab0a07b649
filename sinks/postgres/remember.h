/* In the merge's transaction: what later runs remember of it (remembered.h). */
#ifndef LEADPIPE_SINKS_POSTGRES_REMEMBER_H
#define LEADPIPE_SINKS_POSTGRES_REMEMBER_H

#include "sinks/postgres/plan.h"
#include "sinks/postgres/remembered.h"

enum pg_remember_how {
    PG_FORGETS,
    PG_GOES_ON, /* what is remembered stays so; the leads of this run are added */
    PG_BEGINS,  /* only the leads of this run are remembered */
};

struct pg_remember {
    const struct pg_place *place;
    struct pg_link *link;
    enum pg_remember_how how;
    struct pg_usable usable; /* what is remembered */
    bool is_staged; /* which fingerprints leads have, and which of them were not loaded again */
    bool has_same;  /* there are such */
    bool was_there[PROFILE_TABLES_MAX]; /* the table, before the merge */
    bool is_known;                      /* something is remembered before the merge */
    struct pg_remembered r;
};

/* Before any table is looked at: whoever changes one after that is noticed by a later run. pg_remember_free() is due in any case. */
enum rc pg_remember_begin(struct pg_remember *m, const struct pg_place *p, struct pg_link *l,
                          struct err *e);
void pg_remember_free(struct pg_remember *m);

/* Before a table is written. RC_END: leads that were not loaded again are not in it any more. */
enum rc pg_remember_check(const struct pg_remember *m, const struct pg_plan *plan, struct err *e);

/* A staging table is about to become the table: sets *rows to how many it has. */
enum rc pg_remember_adopted(struct pg_remember *m, const struct pg_plan *plan, uint64_t *rows,
                            struct err *e);

/* Sets plan->merge.only: rows of known writers; where it is kept in mind who they are. */
enum rc pg_remember_put_known(struct pg_remember *m, struct pg_plan *plan, struct err *e);
/* Rows of others are written: the next run is to load all leads. */
void pg_remember_forget(struct pg_remember *m);

/* A table was written; `before` and `after`: what the outcome was then, and is now. */
void pg_remember_table(struct pg_remember *m, const struct pg_plan *plan,
                       const struct sql_outcome *before, const struct sql_outcome *after);

/* Behind the last table. */
enum rc pg_remember_end(struct pg_remember *m, const struct sql_outcome *out, struct err *e);

#endif
