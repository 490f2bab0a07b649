/* Statements that bring the rows of a run, which lie in staging tables of the sink's, into a table: rows
 * that differ are written, rows that are the same are not touched. Text only; they run in one
 * transaction. In all of them "t" is a row of the table and "s" a staged one. */
#ifndef LEADPIPE_SINKS_SQL_MERGE_H
#define LEADPIPE_SINKS_SQL_MERGE_H

#include "sinks/sql/dialect.h"

enum sql_merge_role {
    SQL_MERGE_KEY,  /* identifies a row; the first ones identify a lead */
    SQL_MERGE_DATA, /* a row is written again where one of these differs ... */
    SQL_MERGE_RUN,  /* ... and then these are, too */
};

struct sql_merge_column {
    struct str name;  /* in the table, without quotes */
    struct str value; /* an expression over "s" */
    struct str
        staged; /* of a key: the staged column's name as SQL, the same in the leads' staged rows */
    enum sql_merge_role role;
    bool as_text; /* compared as text: a type that may have no comparison */
};

struct sql_merge {
    const struct sql_dialect *dialect;
    const char *differs;                    /* the operator: " is distinct from ", " is not " */
    struct str table;                       /* as SQL: quoted, with its schema */
    struct str staged;                      /* its staged rows, as SQL */
    struct str leads;                       /* the staged rows of the leads themselves, as SQL */
    const struct sql_merge_column *columns; /* keys first */
    size_t n_columns, n_keys, n_lead_keys;
    bool has_key; /* else all rows of a lead are written again */
};

/* Is the column among those that are written? */
bool sql_merge_writes(const struct sql_merge *m, struct str column);

/* Writes rows that are there and differ. Not for tables without a key. */
void sql_merge_update(struct buf *b, const struct sql_merge *m);

/* Adds rows; `all`: none of them can be there. */
void sql_merge_insert(struct buf *b, const struct sql_merge *m, bool all);

/* Takes out the rows of staged leads that are not staged themselves; without a key, all of their rows.
 * `others`: also those of all other leads. */
void sql_merge_delete(struct buf *b, const struct sql_merge *m, bool others);

/* Takes out all rows of the leads whose keys are in `gone` (as SQL), in columns named as staged keys. */
void sql_merge_delete_leads(struct buf *b, const struct sql_merge *m, struct str gone);

#endif
