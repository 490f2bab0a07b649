/* The tables of a profile as a database has them: their names, and the columns that they have whatever
 * the payloads are. Pure; one thread at a time. */
#ifndef LEADPIPE_SINKS_SQL_RELATION_H
#define LEADPIPE_SINKS_SQL_RELATION_H

#include "core/lead.h"
#include "sinks/sql/dialect.h"

/* What rows of a database end with. */
#define SQL_COLUMN_MISFITS "_misfits"
#define SQL_COLUMN_EXPORTED_AT "_exported_at"
#define SQL_COLUMN_RUN_ID "_run_id"
/* Of the table of the leads themselves, where deleted leads are marked. */
#define SQL_COLUMN_DELETED_AT "_deleted_at"

/* The source of each of these four, for column_map.h: this before its name. */
#define SQL_SOURCE_RUN "run "

/* Tables of the sink's own, in the same schema: which source each column belongs to, and the runs. */
#define SQL_TABLE_COLUMNS "_leadpipe_columns"
#define SQL_TABLE_RUNS "_leadpipe_runs"

struct sql_column {
    struct str wanted; /* its name, unless the database has another column of that name */
    struct str source; /* where its values come from: sql_source_*() */
    enum column_type type;
    bool is_key;
};

struct sql_relation {
    struct str name; /* in the database, without quotes */
    const struct table_spec *spec;
    struct sql_column *columns; /* the columns of table_column.h, in their order */
    size_t n_columns;
    bool has_key; /* else nothing keeps the rows of a lead apart */
};

struct sql_relations {
    struct sql_relation *items; /* one for each of profile->tables */
    size_t n;
    size_t n_lead_keys; /* the first columns of every table, which identify a lead */
};

/* All of it lives in `memory`. `prefix` comes before the name of each table; NULL: none. `all_text`: every
 * column is TYPE_TEXT. RC_NOMEM; RC_USAGE: two tables come to have one name, or one of the sink's own. */
enum rc sql_relations_make(struct sql_relations *out, struct arena *memory,
                           const struct sql_dialect *d, const struct profile *p, const char *prefix,
                           bool all_text, struct err *e);

/* Appends the text that identifies where the values of a column come from, over all runs and in every
 * version of a profile: the path of a member, of an element for positions, counts and pivots. It is
 * printable ASCII and UTF-8, of at most SQL_SOURCE_BYTES_MAX bytes. RC_NOMEM. */
#define SQL_SOURCE_BYTES_MAX 1024
enum rc sql_source_column(struct buf *b, const struct table_column *column, struct err *e);
enum rc sql_source_extra(struct buf *b, const struct table_spec *t,
                         const struct column_origin *origin, struct err *e);

#endif
