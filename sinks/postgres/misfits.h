/* How many values did not fit their columns: those that were found while the rows were loaded, and those that
 * do not fit columns to which the user's own tables give another type, which the merge finds. */
#ifndef LEADPIPE_SINKS_POSTGRES_MISFITS_H
#define LEADPIPE_SINKS_POSTGRES_MISFITS_H

#include "sinks/postgres/load.h"
#include "sinks/postgres/plan.h"

struct pg_misfits {
    struct sink_misfits
        *items; /* owned; their texts: of the profile, of the typed tables, or below */
    size_t n, cap;
    size_t n_loaded; /* of them, that were found while loading */
    struct arena memory;
};

void pg_misfits_init(struct pg_misfits *m);
void pg_misfits_free(struct pg_misfits *m);

/* Those of the load, which must outlive the list. RC_NOMEM. */
enum rc pg_misfits_begin(struct pg_misfits *m, const struct pg_load *load, struct err *e);

/* A merge begins, perhaps not the first one: without what another one found. */
void pg_misfits_merge(struct pg_misfits *m);

/* Adds those of one table, in the merge's transaction. RC_USAGE: there are some, and with types=text no column
 * "_misfits" to hold them; or a value of the key does not fit. */
enum rc pg_misfits_find(struct pg_misfits *m, struct pg_plan *plan, struct err *e);

/* The merge is done: in order of the tables. RC_NOMEM. */
enum rc pg_misfits_sort(struct pg_misfits *m, const struct sql_relations *relations, struct err *e);

#endif
