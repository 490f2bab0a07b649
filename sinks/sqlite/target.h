/* The database that a run's rows come to: what is in it, and whether they may. "out" in the connection. */
#ifndef LEADPIPE_SINKS_SQLITE_TARGET_H
#define LEADPIPE_SINKS_SQLITE_TARGET_H

#include "core/base/application_id.h"
#include "sinks/sqlite/db.h"
#include "sinks/sqlite/place.h"
#include "sinks/sql/column_map.h"

/* How SQLite stores what is put into a column (datatype3.html, section 3.1). */
enum sqlite_affinity {
    AFFINITY_NONE,
    AFFINITY_TEXT,
    AFFINITY_INTEGER,
    AFFINITY_REAL,
    AFFINITY_NUMERIC
};

struct sqlite_column {
    struct str name; /* in lower case, as SQLite does not distinguish them */
    enum sqlite_affinity affinity;
};

struct sqlite_table {
    const struct sql_relation *relation;
    bool exists;
    bool is_strict; /* "create table ... strict" */
    struct arena memory;
    struct sqlite_column *columns;
    size_t n_columns, cap_columns;
    struct sql_column_map map;
    const struct sqlite_place *place; /* what has_values() of the map asks with */
    const struct sqlite_db *db;
};

/* Looks at the file without SQLite. *exists: it is there, with something in it. RC_USAGE: it is not an
 * SQLite database, or another program's. */
enum rc sqlite_target_check(const struct sqlite_place *p, bool *exists, struct err *e);

/* Opens the file at `path` as "out". */
enum rc sqlite_target_attach(const struct sqlite_place *p, const struct sqlite_db *d,
                             const char *path, struct err *e);

/* What "out" has of a table; nothing where `is_attached` is false. `t` must stay where it is, and `p` and `d` as long.
 * RC_USAGE: rows cannot be put there. */
enum rc sqlite_table_load(struct sqlite_table *t, const struct sqlite_place *p,
                          const struct sqlite_db *d, size_t table, bool is_attached, struct err *e);
/* Has the table, which exists or does not, room for so many columns more? RC_IO: SQLite allows fewer. */
enum rc sqlite_table_check_width(const struct sqlite_table *t, const struct sqlite_place *p,
                                 const struct sqlite_db *d, size_t more, struct err *e);
void sqlite_table_free(struct sqlite_table *t);

const struct sqlite_column *sqlite_table_column(const struct sqlite_table *t, struct str name);

/* The type of a column that the table gets for such values. */
const char *sqlite_table_type(const struct sqlite_table *t, enum column_type type);

/* What may be put into a column, which may be the user's, so that it stays what it is. */
struct sqlite_fit {
    enum column_type type;
    bool no_numerals; /* nor a text that SQLite would take for a number */
};

/* The column for values of a type from a source, and what of them fits. *out is valid until the next
 * call. */
enum rc sqlite_table_map(struct sqlite_table *t, const struct sqlite_place *p, struct str wanted,
                         struct str source, enum column_type type, const struct sql_mapped **out,
                         struct sqlite_fit *fit, struct err *e);

/* Is a run in _leadpipe_runs? */
enum rc sqlite_target_has_run(const struct sqlite_db *d, struct str token, bool *out,
                              struct err *e);

#endif
