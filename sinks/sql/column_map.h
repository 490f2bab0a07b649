/* Which column of a table belongs to which source, over all runs into the same tables.
 *
 * The database remembers it in _leadpipe_columns (table_name, column_name, source): a source keeps its
 * column, also where its name came to be "name_2" because of another one. A column that was in a table
 * of the user's when leadpipe first wrote to it is there with an empty source: the first source that
 * wants its name takes it; in a later run only while the column has no values, which would be overwritten. One that
 * the user adds to a table later is not there, and is left alone.
 *
 * Pure; one thread at a time. */
#ifndef LEADPIPE_SINKS_SQL_COLUMN_MAP_H
#define LEADPIPE_SINKS_SQL_COLUMN_MAP_H

#include "core/base/arena.h"
#include "core/base/log.h"
#include "sinks/sql/dialect.h"

struct sql_mapped {
    struct str column; /* in the database, without quotes */
    struct str source; /* empty: nobody's yet; absent: the user's own */
    bool exists;       /* the table has it */
    bool
        is_fixed; /* nothing can be written there: a generated column; it is nobody's but the user's */
    bool is_new; /* _leadpipe_columns has yet to remember it, or its source */
    struct str
        instead_of; /* of one that is new: the user's own column that has the name; absent: there is none */
};

/* Has a column of the table a value that is not null? */
typedef enum rc sql_column_has_values(void *ctx, struct str column, bool *out, struct err *e);

struct sql_column_map {
    const struct sql_dialect *dialect;
    struct arena memory;
    struct sql_mapped *items;
    size_t n, cap;
    bool is_remembered; /* _leadpipe_columns has columns of this table */
    sql_column_has_values *has_values;
    void *ctx;
};

void sql_column_map_init(struct sql_column_map *m, const struct sql_dialect *d,
                         sql_column_has_values *has_values, void *ctx);
void sql_column_map_free(struct sql_column_map *m);

/* First all that _leadpipe_columns has of the table, then all columns that the table has. RC_NOMEM. */
enum rc sql_column_map_remember(struct sql_column_map *m, struct str column, struct str source,
                                struct err *e);
enum rc sql_column_map_exists(struct sql_column_map *m, struct str column, bool is_fixed,
                              struct err *e);
/* Then, where the table was not remembered: what it has is for whoever wants it. */
void sql_column_map_adopt(struct sql_column_map *m);

/* The column of a source, which it keeps. *out is valid until the next call. RC_NOMEM; as has_values(). */
enum rc sql_column_map_find(struct sql_column_map *m, struct str wanted, struct str source,
                            const struct sql_mapped **out, struct err *e);

/* Says, of a column that is new, that the user's own keeps its name; else nothing. */
void sql_warn_of_user_column(const struct sql_mapped *mapped, struct str table,
                             const struct log_hook *log, const char *subject);

/* The column that the table has for a source, or would give it now: NULL where it has none. Changes
 * nothing; valid until the next call. */
const struct sql_mapped *sql_column_map_present(const struct sql_column_map *m, struct str wanted,
                                                struct str source);

#endif
