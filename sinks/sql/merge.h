/* Statements that bring the rows of a run, which lie in staging tables of the sink's, into a table: rows
 * that differ are written, rows that are the same are not touched. Text only; they run in one
 * transaction. In all of them "t" is a row of the table and "s" a staged one. */
#ifndef LEADPIPE_SINKS_SQL_MERGE_H
#define LEADPIPE_SINKS_SQL_MERGE_H

#include "sinks/sql/dialect.h"
#include "sinks/sql/load_options.h"

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
    const char *
        type; /* in the table, where a run adds the column and has one value for all rows; else NULL */
    bool as_text; /* compared as text: a type that may have no comparison */
    /* SQL that follows the table's column where it is compared: a type and a collation under which no two texts are
     * equal. NULL: the column's own are like that. */
    const char *exactly;
};

struct sql_merge {
    const struct sql_dialect *dialect;
    const char *differs; /* the operator: " is distinct from ", " is not " */
    const char *equals;  /* the operator between keys; NULL: " = " */
    struct str table;    /* as SQL: quoted, with its schema */
    struct str staged;   /* its staged rows, as SQL */
    struct str
        changed; /* those of them that are new or differ, as SQL; absent: that is found out row by
                           row as they are written */
    struct str
        surplus;      /* the keys of the rows to delete, as SQL, with columns named as staged keys;
                           absent: found out as they are deleted */
    struct str leads; /* the staged rows of the leads themselves, as SQL */
    const struct sql_merge_column *columns; /* keys first */
    size_t n_columns, n_keys, n_lead_keys;
    bool has_key; /* else all rows of a lead are written again */
    struct str
        only; /* a condition on the row "t", as SQL: others are not updated or deleted; absent: none */
    bool few; /* leads are staged, of those in the table: rows of others are left out first */
};

/* Is the column among those that are written? */
bool sql_merge_writes(const struct sql_merge *m, struct str column);

/* What a merge does to a table, in this order. */
enum sql_merge_step {
    SQL_MERGE_DELETE, /* rows of staged leads that are not staged themselves; in SQL_MODE_REPLACE, all that
                         are not staged */
    SQL_MERGE_UPDATE, /* rows that are there and differ */
    SQL_MERGE_INSERT, /* rows that are not there */
};

#define SQL_MERGE_STEPS 3

/* Appends the statement of a step; nothing where there is nothing to do. `is_empty`: the table has no
 * rows. Where nothing tells the rows of a lead apart, all of them are deleted and inserted again. */
void sql_merge_step(struct buf *b, const struct sql_merge *m, enum sql_mode mode, bool is_empty,
                    enum sql_merge_step step);

/* Where a database finds out faster first and writes then: append the queries for merge->changed and for
 * merge->surplus. Only for SQL_MODE_UPSERT and SQL_MODE_REPLACE, and only with a key. */
void sql_merge_select_changed(struct buf *b, const struct sql_merge *m);
/* Nothing where there cannot be any such row. */
void sql_merge_select_surplus(struct buf *b, const struct sql_merge *m, enum sql_mode mode);

/* Appends "and ...", where there is such a condition. */
void sql_merge_only(struct buf *b, const struct sql_merge *m);

/* Appends a query for a number: 0 where the table has no rows, else 1. */
void sql_merge_count_any(struct buf *b, const struct sql_merge *m);

/* Appends "t.key = s.key and ..." over the first `n` keys; `s` stands for the staged row. */
void sql_merge_same(struct buf *b, const struct sql_merge *m, const char *s, size_t n);

/* What came of it, and of leads that are gone (gone.h). */
struct sql_outcome {
    uint64_t rows[SQL_MERGE_STEPS];    /* written by each step; marked and deleted leads included */
    uint64_t held, gone, gone_allowed; /* leads, as in struct sink_result */
};

#endif
