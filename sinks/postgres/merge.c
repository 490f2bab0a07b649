#include "sinks/postgres/merge.h"

#include <stdio.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "sinks/postgres/fit.h"
#include "sinks/sql/merge.h"

#define SQL_BYTES_MAX ((size_t)64 << 20)
#define MEMORY_MAX ((size_t)256 << 20)

/* One table's merge, while it is put together. */
struct merging {
    const struct pg_place *place;
    struct pg_link *link;
    const struct sql_relation *relation;
    struct str provider;
    size_t table; /* its index */
    struct pg_table now, staged;
    struct arena memory;
    struct sql_merge merge;
    struct sql_merge_column *columns; /* merge.columns */
    size_t cap;
    struct buf ddl;     /* columns that are missing, as "name type", with commas */
    struct buf note;    /* rows for _leadpipe_columns, with commas */
    struct buf misfits; /* what columns of other types add to a row's "_misfits" */
    struct buf text;    /* scratch */
    unsigned n_fits;    /* functions made */
};

/* ---- columns -------------------------------------------------------------------------------- */

static enum rc keep(struct merging *m, struct buf *b, struct str *out, struct err *e)
{
    const char *copy = buf_rc(b) == RC_OK ? arena_strdup(&m->memory, buf_str(b)) : NULL;
    if (!copy)
        return err_nomem(e);
    *out = (struct str){copy, b->len};
    buf_clear(b);
    return RC_OK;
}

/* The table gets it, or _leadpipe_columns does. */
static void note_column(struct merging *m, const struct sql_mapped *mapped, const char *type)
{
    if (!mapped->exists) {
        buf_adds(&m->ddl, m->ddl.len ? ", " : "");
        buf_adds(&m->ddl, m->now.exists ? "add column " : "");
        pg_put_column(&m->ddl, m->place, mapped->column);
        buf_addf(&m->ddl, " %s", type);
    }
    if (!mapped->is_new)
        return;
    buf_adds(&m->note, m->note.len ? ", (" : "(");
    pg_put_literal(&m->note, m->relation->name);
    buf_adds(&m->note, ", ");
    pg_put_literal(&m->note, mapped->column);
    buf_adds(&m->note, ", ");
    pg_put_literal(&m->note, mapped->source);
    buf_addc(&m->note, ')');
}

/* What a row that does not fit says of the column. */
static void note_misfit(struct merging *m, const struct sql_mapped *mapped, const char *staged,
                        struct str value)
{
    if (m->place->all_text)
        return;
    buf_addf(&m->misfits, " || case when s.%s is not null and ", staged);
    buf_add_str(&m->misfits, value);
    buf_adds(&m->misfits, " is null then jsonb_build_object(");
    pg_put_literal(&m->misfits, mapped->column);
    buf_addf(&m->misfits, ", s.%s) else '{}' end", staged);
}

static enum rc add_column(struct merging *m, const struct sql_merge_column *column, struct err *e)
{
    if (m->merge.n_columns == m->cap)
        return err_set(e, RC_INTERNAL, "more columns than there are");
    m->columns[m->merge.n_columns++] = *column;
    return RC_OK;
}

/* A column whose values are staged in `staged`. */
static enum rc add_staged(struct merging *m, struct str wanted, struct str source,
                          const char *staged, enum column_type type, bool is_key, struct err *e)
{
    const struct sql_mapped *mapped;
    enum rc rc = sql_column_map_find(&m->now.map, wanted, source, &mapped, e);
    if (rc != RC_OK)
        return rc;
    const struct pg_column *has = pg_table_column(&m->now, mapped->column);
    const struct pg_column *from = pg_table_column(&m->staged, str_c(staged));
    if (!from)
        return err_set(e, RC_USAGE, "%s: a staged column is not there", m->link->cfg.spec);
    note_column(m, mapped, pg_type(m->place, type));
    if (has && has->is_fixed)
        return RC_OK;
    struct sql_merge_column column = {.name = mapped->column,
                                      .role = is_key ? SQL_MERGE_KEY : SQL_MERGE_DATA};
    enum pg_fit fit = pg_fit_of(has, from);
    column.as_text = fit == PG_FIT_FUNCTION || fit == PG_FIT_JSON;
    if (fit == PG_FIT_FUNCTION)
        rc = pg_fit_make(m->link, has, m->table, m->n_fits, e);
    pg_fit_put(&m->text, fit, staged, has, m->table, m->n_fits);
    m->n_fits += fit == PG_FIT_FUNCTION;
    if (rc == RC_OK)
        rc = keep(m, &m->text, &column.value, e);
    if (rc == RC_OK && fit == PG_FIT_FUNCTION)
        note_misfit(m, mapped, staged, column.value);
    buf_adds(&m->text, staged);
    if (rc == RC_OK)
        rc = keep(m, &m->text, &column.staged, e);
    return rc == RC_OK ? add_column(m, &column, e) : rc;
}

static enum rc add_fixed(struct merging *m, bool keys, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->relation->n_columns; i++) {
        const struct sql_column *c = &m->relation->columns[i];
        char staged[32];
        (void)snprintf(staged, sizeof staged, PG_STAGED_COLUMN, i);
        if (c->is_key == keys)
            rc = add_staged(m, c->wanted, c->source, staged, c->type, c->is_key, e);
    }
    return rc;
}

/* Those that the run found, as it says itself. */
static enum rc add_extras(struct merging *m, struct err *e)
{
    PGresult *r = NULL;
    buf_adds(&m->text, "select ord, wanted, source from ");
    pg_put_described(&m->text, m->place);
    buf_addf(&m->text, " where tab = %zu order by ord", m->table);
    enum rc rc = buf_rc(&m->text) == RC_OK ? pg_exec(m->link, buf_cstr(&m->text), 0, NULL, &r, e)
                                           : err_nomem(e);
    buf_clear(&m->text);
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++) {
        char staged[32];
        (void)snprintf(staged, sizeof staged, PG_STAGED_EXTRA,
                       (size_t)strtoull(PQgetvalue(r, i, 0), NULL, 10));
        rc = add_staged(m, str_c(PQgetvalue(r, i, 1)), str_c(PQgetvalue(r, i, 2)), staged,
                        TYPE_TEXT, false, e);
    }
    PQclear(r);
    return rc;
}

static bool is_written(const struct merging *m, struct str column)
{
    for (size_t i = 0; i < m->merge.n_columns; i++) {
        if (str_eq(m->columns[i].name, column))
            return true;
    }
    return false;
}

/* Columns of sources that no lead of this run has: null, as in a run in which others have it. */
static enum rc add_absent(struct merging *m, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->now.map.n; i++) {
        const struct sql_mapped *mapped = &m->now.map.items[i];
        const struct pg_column *has = pg_table_column(&m->now, mapped->column);
        bool is_ours = mapped->source.ptr && mapped->source.len > 0;
        if (!is_ours || !has || has->is_fixed || is_written(m, mapped->column))
            continue;
        struct sql_merge_column column = {
            .name = mapped->column, .role = SQL_MERGE_DATA, .as_text = true};
        buf_adds(&m->text, "cast(null as ");
        buf_add_str(&m->text, has->type);
        buf_addc(&m->text, ')');
        rc = keep(m, &m->text, &column.value, e);
        if (rc == RC_OK)
            rc = add_column(m, &column, e);
    }
    return rc;
}

/* A column of the run's: `value` is SQL. */
static enum rc add_run_column(struct merging *m, const char *name, enum column_type type,
                              enum sql_merge_role role, struct str value, struct err *e)
{
    char source[64];
    const struct sql_mapped *mapped;
    (void)snprintf(source, sizeof source, "run %s", name);
    enum rc rc = sql_column_map_find(&m->now.map, str_c(name), str_c(source), &mapped, e);
    if (rc != RC_OK)
        return rc;
    const struct pg_column *has = pg_table_column(&m->now, mapped->column);
    type = m->place->all_text ? TYPE_TEXT : type;
    note_column(m, mapped, pg_type(m->place, type));
    buf_adds(&m->text, "cast(");
    buf_add_str(&m->text, value);
    buf_adds(&m->text, " as ");
    if (has)
        buf_add_str(&m->text, has->type);
    else
        buf_adds(&m->text, pg_type(m->place, type));
    buf_addc(&m->text, ')');
    struct sql_merge_column column = {.name = mapped->column, .role = role};
    rc = keep(m, &m->text, &column.value, e);
    return rc == RC_OK ? add_column(m, &column, e) : rc;
}

static enum rc add_run_columns(struct merging *m, struct err *e)
{
    char started[25];
    char text[64];
    enum rc rc = RC_OK;
    struct str misfits = STR_NONE;
    buf_adds(&m->text, m->misfits.len ? "nullif(coalesce(s." PG_STAGED_MISFITS ", '{}')"
                                      : "s." PG_STAGED_MISFITS);
    buf_add_str(&m->text, buf_str(&m->misfits));
    buf_adds(&m->text, m->misfits.len ? ", '{}')" : "");
    rc = keep(m, &m->text, &misfits, e);
    if (rc == RC_OK && !m->place->all_text)
        rc = add_run_column(m, SQL_COLUMN_MISFITS, TYPE_JSON, SQL_MERGE_DATA, misfits, e);
    clock_format(m->place->started_us / 1000, started);
    (void)snprintf(text, sizeof text, "'%s'", started);
    if (rc == RC_OK)
        rc = add_run_column(m, SQL_COLUMN_EXPORTED_AT, TYPE_TIMESTAMP, SQL_MERGE_RUN, str_c(text),
                            e);
    (void)snprintf(text, sizeof text, "'%.32s'", m->place->run_id);
    if (rc == RC_OK)
        rc = add_run_column(m, SQL_COLUMN_RUN_ID, TYPE_TEXT, SQL_MERGE_RUN, str_c(text), e);
    bool marks = m->place->deletes == SQL_DELETES_MARK ||
                 pg_table_column(&m->now, STR(SQL_COLUMN_DELETED_AT));
    if (rc == RC_OK && m->table == 0 && marks)
        rc = add_run_column(m, SQL_COLUMN_DELETED_AT, TYPE_TIMESTAMP, SQL_MERGE_DATA, STR("null"),
                            e);
    return rc;
}

/* ---- the table itself ------------------------------------------------------------------------- */

static enum rc make_table(struct merging *m, struct err *e)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    if (buf_rc(&m->ddl) != RC_OK || buf_rc(&m->note) != RC_OK)
        return err_nomem(e);
    if (!m->now.exists || m->ddl.len) {
        buf_adds(&sql, m->now.exists ? "alter table " : "create table ");
        buf_add_str(&sql, m->merge.table);
        buf_adds(&sql, m->now.exists ? " " : " (");
        buf_add_str(&sql, buf_str(&m->ddl));
        buf_adds(&sql, m->now.exists ? ";" : ");");
    }
    if (m->note.len) {
        buf_adds(&sql, "insert into ");
        pg_put_name(&sql, m->place, STR(SQL_TABLE_COLUMNS));
        buf_adds(&sql, " (table_name, column_name, source) values ");
        buf_add_str(&sql, buf_str(&m->note));
        buf_adds(&sql,
                 " on conflict (table_name, column_name) do update set source = excluded.source");
    }
    enum rc rc = pg_run_buf(m->link, &sql, e);
    buf_free(&sql);
    return rc;
}

/* Columns that were there at first and nobody wanted; a user's table has them only once. */
static void note_unclaimed(struct merging *m)
{
    for (size_t i = 0; i < m->now.map.n; i++) {
        const struct sql_mapped *mapped = &m->now.map.items[i];
        if (mapped->is_new && mapped->source.ptr && mapped->source.len == 0)
            note_column(m, mapped, "");
    }
}

/* Only once its rows are there, which is faster. */
static enum rc make_key(struct merging *m, struct err *e)
{
    struct buf sql;
    if (m->now.exists || !m->relation->has_key)
        return RC_OK;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "alter table ");
    buf_add_str(&sql, m->merge.table);
    buf_adds(&sql, " add primary key ");
    for (size_t i = 0; i < m->merge.n_keys; i++) {
        buf_adds(&sql, i ? ", " : "(");
        pg_put_column(&sql, m->place, m->columns[i].name);
    }
    if (m->place->mode == SQL_MODE_APPEND) {
        buf_adds(&sql, ", ");
        for (size_t i = m->merge.n_keys; i < m->merge.n_columns; i++) {
            if (m->columns[i].role == SQL_MERGE_RUN &&
                str_eq_c(m->columns[i].name, SQL_COLUMN_RUN_ID))
                pg_put_column(&sql, m->place, m->columns[i].name);
        }
    }
    buf_addc(&sql, ')');
    enum rc rc = pg_run_buf(m->link, &sql, e);
    buf_free(&sql);
    return rc;
}

static enum rc is_empty(struct merging *m, bool *out, struct err *e)
{
    PGresult *r = NULL;
    *out = !m->now.exists;
    if (!m->now.exists)
        return RC_OK;
    buf_adds(&m->text, "select not exists (select 1 from ");
    buf_add_str(&m->text, m->merge.table);
    buf_addc(&m->text, ')');
    enum rc rc = buf_rc(&m->text) == RC_OK ? pg_exec(m->link, buf_cstr(&m->text), 0, NULL, &r, e)
                                           : err_nomem(e);
    *out = rc == RC_OK && *PQgetvalue(r, 0, 0) == 't';
    PQclear(r);
    buf_clear(&m->text);
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc write_rows(struct merging *m, struct pg_outcome *out, struct err *e)
{
    bool all = false;
    struct buf *sql = &m->text;
    enum rc rc = is_empty(m, &all, e);
    bool merges = !all && m->place->mode != SQL_MODE_APPEND;
    if (rc == RC_OK && merges) {
        sql_merge_delete(sql, &m->merge, m->place->mode == SQL_MODE_REPLACE);
        rc = pg_count(m->link, sql, &out->deleted, e);
        buf_clear(sql);
    }
    if (rc == RC_OK && merges && m->merge.has_key) {
        sql_merge_update(sql, &m->merge);
        rc = pg_count(m->link, sql, &out->updated, e);
        buf_clear(sql);
    }
    if (rc == RC_OK) {
        sql_merge_insert(sql, &m->merge, !merges || !m->merge.has_key);
        rc = pg_count(m->link, sql, &out->inserted, e);
        buf_clear(sql);
    }
    return rc;
}

static enum rc prepare_names(struct merging *m, struct err *e)
{
    pg_put_name(&m->text, m->place, m->relation->name);
    enum rc rc = keep(m, &m->text, &m->merge.table, e);
    pg_put_staged(&m->text, m->place, m->table);
    if (rc == RC_OK)
        rc = keep(m, &m->text, &m->merge.staged, e);
    pg_put_staged(&m->text, m->place, 0);
    return rc == RC_OK ? keep(m, &m->text, &m->merge.leads, e) : rc;
}

static enum rc plan(struct merging *m, struct err *e)
{
    char name[64];
    enum rc rc = pg_table_load(&m->now, m->link, m->place, m->relation->name, e);
    (void)snprintf(name, sizeof name, "_leadpipe_%s_%zu", m->place->token, m->table);
    if (rc == RC_OK)
        rc = pg_table_load(&m->staged, m->link, m->place, str_c(name), e);
    if (rc == RC_OK)
        rc = pg_check_table(m->place, m->relation, &m->now, m->link, e);
    m->cap = m->staged.n_columns + m->now.map.n + 8;
    m->merge.columns = m->columns = arena_array(&m->memory, m->cap, sizeof *m->columns);
    if (rc == RC_OK && !m->columns)
        rc = err_nomem(e);
    if (rc == RC_OK)
        rc = prepare_names(m, e);
    if (rc == RC_OK)
        rc = add_fixed(m, true, e);
    m->merge.n_keys = m->merge.n_columns;
    if (rc == RC_OK)
        rc = add_fixed(m, false, e);
    if (rc == RC_OK)
        rc = add_extras(m, e);
    if (rc == RC_OK)
        rc = add_run_columns(m, e);
    if (rc == RC_OK)
        rc = add_absent(m, e);
    note_unclaimed(m);
    return rc;
}

/* ---- leads that are gone ------------------------------------------------------------------------ */

/* "t.key = l.key and ..." of the leads' own table, and that it is not marked. */
static void put_held(struct buf *b, const struct merging *m, bool has_deleted_at)
{
    for (size_t i = 0; i < m->merge.n_lead_keys; i++) {
        buf_adds(b, i ? " and t." : "t.");
        pg_put_column(b, m->place, m->columns[i].name);
        buf_adds(b, " = l.");
        buf_add_str(b, m->columns[i].staged);
    }
    buf_adds(b, has_deleted_at ? " and t." SQL_COLUMN_DELETED_AT " is null" : "");
}

static enum rc ask_count(struct merging *m, uint64_t *out, struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = buf_rc(&m->text) == RC_OK ? pg_exec(m->link, buf_cstr(&m->text), 0, NULL, &r, e)
                                           : err_nomem(e);
    if (rc == RC_OK)
        *out = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    buf_clear(&m->text);
    return rc;
}

static enum rc count_gone(struct merging *m, struct pg_outcome *out, struct err *e)
{
    bool marked = pg_table_column(&m->now, STR(SQL_COLUMN_DELETED_AT)) != NULL;
    if (!m->now.exists)
        return RC_OK;
    buf_adds(&m->text, "select count(*) from ");
    buf_add_str(&m->text, m->merge.table);
    buf_adds(&m->text, " as t where t.");
    pg_put_column(&m->text, m->place, m->columns[0].name);
    buf_adds(&m->text, " = ");
    pg_put_literal(&m->text, m->provider);
    buf_adds(&m->text, marked ? " and t." SQL_COLUMN_DELETED_AT " is null" : "");
    enum rc rc = ask_count(m, &out->held, e);
    buf_adds(&m->text, "select count(*) from (select distinct ");
    for (size_t i = 0; i < m->merge.n_lead_keys; i++) {
        buf_adds(&m->text, i ? ", " : "");
        buf_add_str(&m->text, m->columns[i].staged);
    }
    buf_adds(&m->text, " from ");
    pg_put_gone(&m->text, m->place);
    buf_adds(&m->text, ") as l where exists (select 1 from ");
    buf_add_str(&m->text, m->merge.table);
    buf_adds(&m->text, " as t where ");
    put_held(&m->text, m, marked);
    buf_addc(&m->text, ')');
    return rc == RC_OK ? ask_count(m, &out->gone, e) : rc;
}

/* Of the table of the leads, before anything is written: how many are gone, and whether they may. */
static enum rc weigh_gone(struct merging *m, struct pg_outcome *out, struct err *e)
{
    enum rc rc = count_gone(m, out, e);
    out->gone_allowed = m->place->deletes == SQL_DELETES_IGNORE
                            ? out->held
                            : sink_gone_allowed(&m->place->max_gone, out->held);
    return rc;
}

static enum rc take_gone(struct merging *m, struct pg_outcome *out, struct err *e)
{
    struct str gone = STR_NONE;
    char started[25];
    pg_put_gone(&m->text, m->place);
    enum rc rc = keep(m, &m->text, &gone, e);
    if (rc != RC_OK || m->place->deletes == SQL_DELETES_IGNORE)
        return rc;
    if (m->place->deletes == SQL_DELETES_DELETE) {
        sql_merge_delete_leads(&m->text, &m->merge, gone);
        rc = pg_count(m->link, &m->text, &out->deleted, e);
    } else if (m->table == 0) {
        clock_format(m->place->started_us / 1000, started);
        buf_adds(&m->text, "update ");
        buf_add_str(&m->text, m->merge.table);
        buf_addf(&m->text, " as t set " SQL_COLUMN_DELETED_AT " = '%s' from ", started);
        buf_add_str(&m->text, gone);
        buf_adds(&m->text, " as l where ");
        put_held(&m->text, m, true);
        rc = pg_count(m->link, &m->text, &out->updated, e);
    }
    buf_clear(&m->text);
    return rc;
}

static enum rc write_table(struct merging *m, struct pg_outcome *out, struct err *e)
{
    enum rc rc = make_table(m, e);
    if (rc == RC_OK)
        rc = write_rows(m, out, e);
    if (rc == RC_OK)
        rc = take_gone(m, out, e);
    return rc == RC_OK ? make_key(m, e) : rc;
}

static enum rc merge_table(const struct pg_place *p, struct pg_link *l, size_t table,
                           struct pg_outcome *out, struct err *e)
{
    struct merging m = {
        .place = p, .link = l, .relation = &p->relations.items[table], .table = table};
    m.provider = p->provider;
    m.merge = (struct sql_merge){.dialect = p->dialect,
                                 .differs = " is distinct from ",
                                 .n_lead_keys = p->relations.n_lead_keys,
                                 .has_key = m.relation->has_key};
    arena_init(&m.memory, MEMORY_MAX);
    buf_init(&m.ddl, SQL_BYTES_MAX);
    buf_init(&m.note, SQL_BYTES_MAX);
    buf_init(&m.misfits, SQL_BYTES_MAX);
    buf_init(&m.text, SQL_BYTES_MAX);
    enum rc rc = plan(&m, e);
    if (rc == RC_OK && table == 0)
        rc = weigh_gone(&m, out, e);
    bool too_many = rc == RC_OK && out->gone > out->gone_allowed;
    if (rc == RC_OK && !too_many)
        rc = write_table(&m, out, e);
    buf_free(&m.ddl);
    buf_free(&m.note);
    buf_free(&m.misfits);
    buf_free(&m.text);
    pg_table_free(&m.now);
    pg_table_free(&m.staged);
    arena_free(&m.memory);
    return rc;
}

/* ---- a table of the user's ---------------------------------------------------------------------- */

enum rc pg_staged_type(const struct pg_place *p, const struct sql_relation *r, size_t column,
                       const struct pg_column *has, const char *spec, enum column_type *out,
                       struct err *e)
{
    const struct sql_column *c = &r->columns[column];
    *out = c->type;
    if (!has)
        return RC_OK;
    bool is_text = pg_column_is_text(has);
    if (p->all_text && !is_text)
        return err_set(e, RC_USAGE,
                       "%s: types=text needs columns of type text, but " STR_FMT "." STR_FMT
                       " is of type " STR_FMT,
                       spec, STR_ARG(r->name), STR_ARG(has->name), STR_ARG(has->type));
    if (c->is_key) {
        bool fits = c->type == TYPE_INTEGER ? has->category == 'N' : has->category == 'S';
        if (fits && !has->is_domain && !has->is_fixed)
            return RC_OK;
        return err_set(e, RC_USAGE,
                       "%s: " STR_FMT "." STR_FMT " is part of the key and of type " STR_FMT
                       "; it must be of type %s",
                       spec, STR_ARG(r->name), STR_ARG(has->name), STR_ARG(has->type),
                       pg_type(p, c->type));
    }
    if (is_text)
        *out = TYPE_TEXT;
    else if (!pg_column_is(has, c->type))
        *out = TYPE_JSON;
    return RC_OK;
}

enum rc pg_check_table(const struct pg_place *p, const struct sql_relation *r, struct pg_table *t,
                       struct pg_link *l, struct err *e)
{
    struct str keys[PROFILE_COLUMNS_MAX];
    size_t n = 0;
    bool has_key = false;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_columns && n < PROFILE_COLUMNS_MAX - 1; i++) {
        const struct sql_mapped *mapped;
        if (!r->columns[i].is_key)
            continue;
        rc = sql_column_map_find(&t->map, r->columns[i].wanted, r->columns[i].source, &mapped, e);
        if (rc == RC_OK)
            keys[n++] = mapped->column;
    }
    if (rc != RC_OK || !t->exists || !r->has_key)
        return rc;
    if (p->mode == SQL_MODE_APPEND)
        keys[n++] = STR(SQL_COLUMN_RUN_ID);
    rc = pg_table_has_key(l, p, r->name, keys, n, &has_key, e);
    if (rc != RC_OK || has_key)
        return rc;
    struct buf names;
    buf_init(&names, SQL_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        buf_adds(&names, i ? ", " : "");
        buf_add_str(&names, keys[i]);
    }
    rc = err_set(e, RC_USAGE,
                 "%s: the table " STR_FMT "." STR_FMT " is there, but has no unique key over "
                 "(%s)%s; add one, or choose another schema= or prefix=",
                 l->cfg.spec, STR_ARG(p->schema), STR_ARG(r->name), buf_cstr(&names),
                 p->mode == SQL_MODE_APPEND ? ", which mode=append needs" : "");
    buf_free(&names);
    return rc;
}

/* ---- all tables ------------------------------------------------------------------------------- */

/* Without statistics the server takes them for nearly empty. */
static enum rc analyze(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    for (size_t i = 0; i < p->relations.n; i++) {
        const struct sql_relation *r = &p->relations.items[i];
        const char *comma = " (";
        buf_adds(&sql, "analyze ");
        pg_put_staged(&sql, p, i);
        for (size_t k = 0; k < r->n_columns; k++) {
            if (!r->columns[k].is_key)
                continue;
            buf_addf(&sql, "%s" PG_STAGED_COLUMN, comma, k);
            comma = ", ";
        }
        buf_adds(&sql, ");");
    }
    enum rc rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

static enum rc check_staged(const struct pg_place *p, struct pg_link *l, const struct pg_run *run,
                            struct err *e)
{
    bool exists = false;
    struct buf sql;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select max(" PG_STAGED_PART ") from ");
    pg_put_parts(&sql, p);
    enum rc rc = buf_rc(&sql) == RC_OK ? pg_exec(l, buf_cstr(&sql), 0, NULL, &r, e) : err_nomem(e);
    if (rc == RC_IO && strcmp(l->sqlstate, "42P01") != 0)
        return rc;
    exists = rc == RC_OK && !PQgetisnull(r, 0, 0) &&
             strtoull(PQgetvalue(r, 0, 0), NULL, 10) >= run->part;
    PQclear(r);
    buf_free(&sql);
    if (rc == RC_NET || rc == RC_STOPPED || rc == RC_NOMEM || exists)
        return rc;
    return err_set(e, RC_CLOSED,
                   "%s: the rows that this run had loaded are not in the database any "
                   "more (a crash of the server empties them)",
                   l->cfg.spec);
}

static enum rc finish(const struct pg_place *p, struct pg_link *l, const struct pg_outcome *out,
                      struct err *e)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    enum rc rc = pg_put_drops(&sql, p, l, p->token, e);
    pg_put_run_done(&sql, p, out);
    if (rc == RC_OK)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

enum rc pg_merge(const struct pg_place *p, struct pg_link *l, struct pg_outcome *out, bool *done,
                 struct err *e)
{
    struct pg_run run;
    *out = (struct pg_outcome){.inserted = 0};
    enum rc rc = pg_run(l, "begin", e);
    if (rc == RC_OK)
        rc = pg_lock_merge(p, l, e);
    if (rc == RC_OK)
        rc = pg_run_read(p, l, &run, e);
    *done = rc == RC_OK && run.status == PG_RUN_DONE;
    if (rc != RC_OK || *done)
        return rc;
    rc = check_staged(p, l, &run, e);
    if (rc == RC_OK)
        rc = analyze(p, l, e);
    for (size_t i = 0; rc == RC_OK && i < p->relations.n && out->gone <= out->gone_allowed; i++)
        rc = merge_table(p, l, i, out, e);
    return rc == RC_OK && out->gone <= out->gone_allowed ? finish(p, l, out, e) : rc;
}
