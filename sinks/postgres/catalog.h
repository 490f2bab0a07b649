/* What the server has of a table: its columns, their types, its unique keys; and what _leadpipe_columns
 * remembers of it. */
#ifndef LEADPIPE_SINKS_POSTGRES_CATALOG_H
#define LEADPIPE_SINKS_POSTGRES_CATALOG_H

#include "sinks/postgres/link.h"
#include "sinks/postgres/place.h"
#include "sinks/sql/column_map.h"

struct pg_column {
    struct str name;
    struct str type; /* as format_type() has it: "character varying(20)" */
    struct str base; /* without modifiers; of a domain what it is one of */
    char category;   /* pg_type.typcategory */
    bool is_domain;
    bool is_builtin;    /* its base is the server's own, and no extension's or user's */
    bool must_be_given; /* it is not null, and has no default */
    bool is_loose;      /* its collation is not deterministic: different texts may be equal */
};

struct pg_table {
    bool exists;
    struct arena memory;
    struct pg_column *columns;
    size_t n_columns;
    struct sql_column_map map;
    struct pg_link *link; /* what has_values() of the map asks with, and of which table */
    const struct pg_place *place;
    struct str name;
};

/* Zero it before the first. It must stay where it is, and `l`, `p` and `name` as long. RC_USAGE: there is something of that name that is no table. */
enum rc pg_table_load(struct pg_table *t, struct pg_link *l, const struct pg_place *p,
                      struct str name, struct err *e);
void pg_table_free(struct pg_table *t);

/* NULL: the table has no such column. */
const struct pg_column *pg_table_column(const struct pg_table *t, struct str name);

/* Does the table have a unique index over exactly these columns, with collations that tell all texts apart? */
enum pg_key { PG_KEY_NONE, PG_KEY_LOOSE, PG_KEY_EXACT };
enum rc pg_table_find_key(struct pg_link *l, const struct pg_place *p, struct str name,
                          const struct str *columns, size_t n, enum pg_key *out, struct err *e);

/* What the connection's role may do with a table that exists. The texts live as long as `t`. */
struct pg_rights {
    bool owns; /* as the owner, or a member of it */
    bool reads, inserts, updates, deletes;
    bool is_filtered;       /* a policy says which rows it sees (row level security) */
    struct str owner, role; /* names */
};
enum rc pg_table_rights(struct pg_table *t, struct pg_link *l, const struct pg_place *p,
                        struct str name, struct pg_rights *out, struct err *e);

#endif
