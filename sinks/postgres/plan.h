/* What a run's merge does to one table: the columns that it gets, and the value of each in a row that is
 * written, from what the database has. */
#ifndef LEADPIPE_SINKS_POSTGRES_PLAN_H
#define LEADPIPE_SINKS_POSTGRES_PLAN_H

#include "sinks/postgres/catalog.h"
#include "sinks/sql/merge.h"

#define PG_SQL_BYTES_MAX ((size_t)64 << 20)

/* A column of the user's that has another type than ours. */
struct pg_odd_column {
    struct str name, type;
    struct str misfit; /* SQL: the staged row s has a value that does not fit */
    bool is_key;
};

struct pg_plan {
    const struct pg_place *place;
    struct pg_link *link;
    const struct sql_relation *relation;
    size_t table; /* its index */
    struct pg_table now, staged;
    struct arena memory;
    struct sql_merge merge;
    struct sql_merge_column *columns; /* merge.columns */
    size_t cap;
    const struct sql_merge_column *misfits_column; /* of `columns`; NULL: none */
    bool adopts;           /* the staging table becomes the table: adopt.h */
    struct str deleted_at; /* the column for when a lead was found gone, where there will be one */
    struct buf ddl;        /* columns that are missing, as "name type", with commas */
    struct buf note;       /* rows for _leadpipe_columns, with commas */
    struct buf misfits;    /* what columns of other types add to a row's "_misfits" */
    struct pg_odd_column *odd;
    size_t n_odd;
    struct buf text; /* scratch: empty between two calls */
};

/* In the merge's transaction. RC_USAGE: a table of the user's cannot be used. pg_plan_free() is due in any
 * case. */
enum rc pg_plan_make(struct pg_plan *m, const struct pg_place *p, struct pg_link *l, size_t table,
                     struct err *e);
void pg_plan_free(struct pg_plan *m);

/* The column for when a lead was found gone, if the table has had one so far; absent: none. */
struct str pg_plan_deleted_at(const struct pg_plan *m);

/* A copy of what is in `b`, which lives as long as the plan; empties `b`. RC_NOMEM. */
enum rc pg_plan_keep(struct pg_plan *m, struct buf *b, struct str *out, struct err *e);

#endif
