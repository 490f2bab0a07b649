/* The databases that tables can be created in, and how each wants names and types. */
#ifndef LEADPIPE_SINKS_SQL_DIALECT_H
#define LEADPIPE_SINKS_SQL_DIALECT_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/provider/table_column.h"

/* What a table's key becomes. */
enum sql_key {
    SQL_KEY_PRIMARY,      /* primary key (...) */
    SQL_KEY_NOT_ENFORCED, /* primary key (...) not enforced */
    SQL_KEY_ORDER, /* the order of a table that keeps the last row of each key (ClickHouse) */
};

struct sql_dialect {
    const char *name;
    char quote;            /* what stands around names */
    bool is_upper_case;    /* names without quotes are read in upper case: so are ours, in quotes */
    bool ignores_case;     /* of ASCII letters in names, quotes or not */
    size_t name_bytes_max; /* 0: more than any name has */
    const char *types[COLUMN_TYPES];
    const char *key_text;           /* the type of a text that is part of a key */
    const char *nullable[2];        /* before and behind the type of a column that may be null */
    const char *not_null;           /* behind the type of one that may not */
    const char *system_columns[12]; /* names that no column may have; NULL ends them */
    enum sql_key key;
};

/* Their names, in their order. */
#define SQL_DIALECTS "postgres|sqlite|bigquery|snowflake|redshift|clickhouse|duckdb"

/* The i-th; NULL beyond the last. */
const struct sql_dialect *sql_dialect(size_t i);

/* Appends a name as the database has it, without quotes. One that is too long is cut, at a character,
 * and ends with "_" and the first 8 hexadecimal digits of its SHA-256. RC_NOMEM, RC_LIMIT: of the
 * buffer. */
enum rc sql_name(struct buf *b, const struct sql_dialect *d, struct str name, struct err *e);

/* Do two names mean the same there? */
bool sql_is_same_name(const struct sql_dialect *d, struct str a, struct str b);

/* Appends it in quotes. */
void sql_quote(struct buf *b, const struct sql_dialect *d, struct str name);

/* Appends a text as a literal, for a database in which a backslash means nothing in one; no NUL in it. */
void sql_literal(struct buf *b, struct str text);

/* Appends "create table" for the columns of a table (table_column.h), and the three that rows of a
 * database end with: _misfits, _exported_at, _run_id. Names that the database does not allow, or that
 * came to be the same, get the lowest free "_n" from 2. RC_NOMEM, RC_LIMIT. */
enum rc sql_create_table(struct buf *b, const struct sql_dialect *d, const struct profile *p,
                         const struct table_spec *t, struct err *e);

#endif
