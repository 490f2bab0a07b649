#include "sinks/postgres/catalog.h"

#include <stdlib.h>

#define MEMORY_MAX ((size_t)64 << 20)
#define SQL_BYTES_MAX ((size_t)1 << 20)

static struct str value_at(const PGresult *r, int row, int column)
{
    return (struct str){PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column)};
}

static enum rc ask(struct pg_link *l, const struct pg_place *p, const char *sql, struct str name,
                   PGresult **out, struct err *e)
{
    struct buf schema;
    struct buf table;
    buf_init(&schema, SQL_BYTES_MAX);
    buf_init(&table, SQL_BYTES_MAX);
    buf_add_str(&schema, p->schema);
    buf_add_str(&table, name);
    const char *const values[] = {buf_cstr(&schema), buf_cstr(&table)};
    enum rc rc = buf_rc(&schema) == RC_OK && buf_rc(&table) == RC_OK
                     ? pg_exec(l, sql, 2, values, out, e)
                     : err_nomem(e);
    buf_free(&schema);
    buf_free(&table);
    return rc;
}

/* ---- columns -------------------------------------------------------------------------------- */

static const char columns_sql[] =
    "select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), "
    "pg_catalog.format_type(base.oid, null), t.typcategory, t.typtype, "
    "a.attgenerated <> '' or a.attidentity = 'a', c.relkind, "
    "a.attnotnull and not a.atthasdef and a.attidentity = '', not l.collisdeterministic, "
    "base.oid < 16384::oid " /* FirstNormalObjectId */
    "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and "
    "not a.attisdropped left join pg_catalog.pg_type t on t.oid = a.atttypid "
    "left join lateral (with recursive d(oid, of) as (select t.oid, t.typbasetype union all " /* domains over domains */
    "select u.oid, u.typbasetype from d join pg_catalog.pg_type u on u.oid = d.of) "
    "select d.oid from d where d.of = 0::oid) base on true "
    "left join pg_catalog.pg_collation l on l.oid = a.attcollation "
    "where n.nspname = $1 and c.relname = $2 order by a.attnum";

static bool keep(struct pg_table *t, struct str text, struct str *out)
{
    *out = (struct str){arena_strdup(&t->memory, text), text.len};
    return out->ptr != NULL;
}

static enum rc add_column(struct pg_table *t, const PGresult *r, int row, struct err *e)
{
    struct pg_column *c = &t->columns[t->n_columns];
    *c = (struct pg_column){.category = *PQgetvalue(r, row, 3),
                            .is_domain = *PQgetvalue(r, row, 4) == 'd',
                            .must_be_given = *PQgetvalue(r, row, 7) == 't',
                            .is_loose = *PQgetvalue(r, row, 8) == 't',
                            .is_builtin = *PQgetvalue(r, row, 9) == 't'};
    bool is_fixed = *PQgetvalue(r, row, 5) == 't';
    if (!keep(t, value_at(r, row, 0), &c->name) || !keep(t, value_at(r, row, 1), &c->type) ||
        !keep(t, value_at(r, row, 2), &c->base))
        return err_nomem(e);
    t->n_columns++;
    return sql_column_map_exists(&t->map, c->name, is_fixed, e);
}

static enum rc load_columns(struct pg_table *t, struct pg_link *l, const struct pg_place *p,
                            struct str name, struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = ask(l, p, columns_sql, name, &r, e);
    if (rc != RC_OK)
        return rc;
    int n = PQntuples(r);
    t->exists = n > 0;
    if (t->exists && !strchr("rp", *PQgetvalue(r, 0, 6)))
        rc = err_set(e, RC_USAGE, "%s: " STR_FMT "." STR_FMT " exists, but is not a table",
                     l->cfg.spec, STR_ARG(p->schema), STR_ARG(name));
    t->columns = arena_array(&t->memory, (size_t)n + 1, sizeof *t->columns);
    if (!t->columns) {
        PQclear(r);
        return err_nomem(e);
    }
    for (int i = 0; rc == RC_OK && i < n; i++) {
        if (!PQgetisnull(r, i, 0))
            rc = add_column(t, r, i, e);
    }
    PQclear(r);
    return rc;
}

static enum rc load_remembered(struct pg_table *t, struct pg_link *l, const struct pg_place *p,
                               struct str name, struct err *e)
{
    struct buf sql;
    struct buf table;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&table, SQL_BYTES_MAX);
    buf_adds(&sql, "select column_name, source from ");
    pg_put_name(&sql, p, STR(SQL_TABLE_COLUMNS));
    buf_adds(&sql, " where table_name = $1");
    buf_add_str(&table, name);
    const char *const values[] = {buf_cstr(&table)};
    enum rc rc = buf_rc(&sql) == RC_OK && buf_rc(&table) == RC_OK
                     ? pg_exec(l, buf_cstr(&sql), 1, values, &r, e)
                     : err_nomem(e);
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++)
        rc = sql_column_map_remember(&t->map, value_at(r, i, 0), value_at(r, i, 1), e);
    PQclear(r);
    buf_free(&sql);
    buf_free(&table);
    return rc;
}

static enum rc has_values(void *table, struct str column, bool *out, struct err *e)
{
    const struct pg_table *t = table;
    struct buf sql;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select 1 from ");
    pg_put_name(&sql, t->place, t->name);
    buf_adds(&sql, " where ");
    sql_quote(&sql, t->place->dialect, column);
    buf_adds(&sql, " is not null limit 1");
    enum rc rc = pg_ask(t->link, &sql, &r, e);
    *out = rc == RC_OK && PQntuples(r) > 0;
    PQclear(r);
    buf_free(&sql);
    return rc;
}

enum rc pg_table_load(struct pg_table *t, struct pg_link *l, const struct pg_place *p,
                      struct str name, struct err *e)
{
    *t = (struct pg_table){.link = l, .place = p, .name = name};
    arena_init(&t->memory, MEMORY_MAX);
    sql_column_map_init(&t->map, p->dialect, has_values, t);
    enum rc rc = load_remembered(t, l, p, name, e);
    if (rc == RC_OK)
        rc = load_columns(t, l, p, name, e);
    if (rc == RC_OK)
        sql_column_map_adopt(&t->map);
    else
        pg_table_free(t);
    return rc;
}

void pg_table_free(struct pg_table *t)
{
    sql_column_map_free(&t->map);
    arena_free(&t->memory);
    *t = (struct pg_table){0};
}

const struct pg_column *pg_table_column(const struct pg_table *t, struct str name)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (str_eq(t->columns[i].name, name))
            return &t->columns[i];
    }
    return NULL;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static const char keys_sql[] =
    "select i.indexrelid, a.attname, not l.collisdeterministic from pg_catalog.pg_index i "
    "join pg_catalog.pg_class c on c.oid = i.indrelid "
    "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "cross join lateral pg_catalog.generate_series(0, i.indnkeyatts - 1) k(i) "
    "join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[k.i] "
    "left join pg_catalog.pg_collation l on l.oid = i.indcollation[k.i] "
    "where n.nspname = $1 and c.relname = $2 and i.indisunique and i.indisvalid and i.indimmediate "
    "and i.indpred is null and i.indexprs is null order by 1";

static bool is_among(struct str name, const struct str *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(columns[i], name))
            return true;
    }
    return false;
}

/* An index has no column twice that counts. */
enum rc pg_table_find_key(struct pg_link *l, const struct pg_place *p, struct str name,
                          const struct str *columns, size_t n, enum pg_key *out, struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = ask(l, p, keys_sql, name, &r, e);
    *out = PG_KEY_NONE;
    for (int first = 0, i = 0; rc == RC_OK && *out != PG_KEY_EXACT && i < PQntuples(r); first = i) {
        size_t ours = 0;
        bool is_loose = false;
        for (; i < PQntuples(r) && str_eq(value_at(r, i, 0), value_at(r, first, 0)); i++) {
            ours += is_among(value_at(r, i, 1), columns, n);
            is_loose = is_loose || *PQgetvalue(r, i, 2) == 't';
        }
        if (ours == n && (size_t)(i - first) == n)
            *out = is_loose ? PG_KEY_LOOSE : PG_KEY_EXACT;
    }
    PQclear(r);
    return rc;
}

/* ---- rights --------------------------------------------------------------------------------- */

enum rc pg_table_rights(struct pg_table *t, struct pg_link *l, const struct pg_place *p,
                        struct str name, struct pg_rights *out, struct err *e)
{
    static const char sql[] =
        "select pg_catalog.pg_has_role(c.relowner, 'usage'), "
        "pg_catalog.has_any_column_privilege(c.oid, 'select'), "
        "pg_catalog.has_any_column_privilege(c.oid, 'insert'), "
        "pg_catalog.has_any_column_privilege(c.oid, 'update'), "
        "pg_catalog.has_table_privilege(c.oid, 'delete'), pg_catalog.row_security_active(c.oid), "
        "pg_catalog.pg_get_userbyid(c.relowner), current_user "
        "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = $1 and c.relname = $2";
    PGresult *r = NULL;
    *out = (struct pg_rights){
        .owns = true, .reads = true, .inserts = true, .updates = true, .deletes = true};
    enum rc rc = ask(l, p, sql, name, &r, e);
    if (rc == RC_OK && PQntuples(r) > 0) {
        out->owns = *PQgetvalue(r, 0, 0) == 't';
        out->reads = *PQgetvalue(r, 0, 1) == 't';
        out->inserts = *PQgetvalue(r, 0, 2) == 't';
        out->updates = *PQgetvalue(r, 0, 3) == 't';
        out->deletes = *PQgetvalue(r, 0, 4) == 't';
        out->is_filtered = *PQgetvalue(r, 0, 5) == 't';
        if (!keep(t, value_at(r, 0, 6), &out->owner) || !keep(t, value_at(r, 0, 7), &out->role))
            rc = err_nomem(e);
    }
    PQclear(r);
    return rc;
}
