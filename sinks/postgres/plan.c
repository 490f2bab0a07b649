#include "sinks/postgres/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "sinks/postgres/fit.h"
#include "sinks/postgres/user_table.h"

#define MEMORY_MAX ((size_t)256 << 20)

/* ---- columns -------------------------------------------------------------------------------- */

enum rc pg_plan_keep(struct pg_plan *m, struct buf *b, struct str *out, struct err *e)
{
    const char *copy = buf_rc(b) == RC_OK ? arena_strdup(&m->memory, buf_str(b)) : NULL;
    if (!copy)
        return err_nomem(e);
    *out = (struct str){copy, b->len};
    buf_clear(b);
    return RC_OK;
}

/* The table gets it, or _leadpipe_columns does. */
static void note_column(struct pg_plan *m, const struct sql_mapped *mapped, const char *type)
{
    sql_warn_of_user_column(mapped, m->relation->name, m->link->cfg.log, m->link->cfg.spec);
    if (!mapped->exists) {
        buf_adds(&m->ddl, m->ddl.len ? ", " : "");
        buf_adds(&m->ddl, m->now.exists ? "add column " : "");
        pg_put_column(&m->ddl, m->place, mapped->column);
        buf_addf(&m->ddl, " %s", type);
    }
    if (!mapped->is_new)
        return;
    buf_adds(&m->note, m->note.len ? ", (" : "(");
    sql_literal(&m->note, m->relation->name);
    buf_adds(&m->note, ", ");
    sql_literal(&m->note, mapped->column);
    buf_adds(&m->note, ", ");
    sql_literal(&m->note, mapped->source);
    buf_addc(&m->note, ')');
}

/* What a row that does not fit says of the column, whose value is null where the staged one does not fit. */
static enum rc note_misfit(struct pg_plan *m, const struct pg_column *has, const char *staged,
                           const struct sql_merge_column *column, struct err *e)
{
    struct pg_odd_column *odd = &m->odd[m->n_odd++];
    *odd = (struct pg_odd_column){
        .name = has->name, .type = has->type, .is_key = column->role == SQL_MERGE_KEY};
    buf_addf(&m->text, "s.%s is not null and ", staged);
    buf_add_str(&m->text, column->value);
    buf_adds(&m->text, " is null");
    enum rc rc = pg_plan_keep(m, &m->text, &odd->misfit, e);
    if (rc != RC_OK || m->place->all_text)
        return rc;
    buf_adds(&m->misfits, " || case when ");
    buf_add_str(&m->misfits, odd->misfit);
    buf_adds(&m->misfits, " then pg_catalog.jsonb_build_object(");
    sql_literal(&m->misfits, has->name);
    buf_addf(&m->misfits, ", s.%s) else '{}' end", staged);
    return RC_OK;
}

/* Compares text with text: between two types, somebody else's operator may fit better than the server's own. */
static const char *exactly(const struct pg_column *has)
{
    bool is_other = has && has->category == 'S' && !str_eq_c(has->type, "text");
    if (has && has->is_loose)
        return "::text collate \"C\"";
    return is_other ? "::text" : NULL;
}

static enum rc add_column(struct pg_plan *m, const struct sql_merge_column *column, struct err *e)
{
    if (m->merge.n_columns == m->cap)
        return err_set(e, RC_INTERNAL, "more columns than there are");
    m->columns[m->merge.n_columns++] = *column;
    return RC_OK;
}

/* A column whose values are staged in `staged`. */
static enum rc add_staged(struct pg_plan *m, struct str wanted, struct str source,
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
    struct sql_merge_column column = {.name = mapped->column,
                                      .role = is_key ? SQL_MERGE_KEY : SQL_MERGE_DATA,
                                      .exactly = exactly(has)};
    enum pg_fit fit = pg_fit_of(has, from);
    unsigned n = (unsigned)m->merge.n_columns;
    column.as_text = fit == PG_FIT_FUNCTION || fit == PG_FIT_PARSED || fit == PG_FIT_JSON;
    rc = pg_fit_make(m->link, fit, has, m->table, n, e);
    pg_fit_put(&m->text, fit, staged, has, m->table, n);
    if (rc == RC_OK)
        rc = pg_plan_keep(m, &m->text, &column.value, e);
    if (rc == RC_OK && pg_fit_may_refuse(fit, has))
        rc = note_misfit(m, has, staged, &column, e);
    buf_adds(&m->text, staged);
    if (rc == RC_OK)
        rc = pg_plan_keep(m, &m->text, &column.staged, e);
    return rc == RC_OK ? add_column(m, &column, e) : rc;
}

static enum rc add_fixed(struct pg_plan *m, bool keys, struct err *e)
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
static enum rc add_extras(struct pg_plan *m, struct err *e)
{
    PGresult *r = NULL;
    buf_adds(&m->text, "select ord, wanted, source from ");
    pg_put_described(&m->text, m->place);
    buf_addf(&m->text, " where tab = %zu order by ord", m->table);
    enum rc rc = pg_ask(m->link, &m->text, &r, e);
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

/* Columns of sources that no lead of this run has: null, as in a run in which others have it. */
static enum rc add_absent(struct pg_plan *m, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->now.map.n; i++) {
        const struct sql_mapped *mapped = &m->now.map.items[i];
        const struct pg_column *has = pg_table_column(&m->now, mapped->column);
        bool is_ours = mapped->source.ptr && mapped->source.len > 0;
        if (!is_ours || !has || sql_merge_writes(&m->merge, mapped->column))
            continue;
        struct sql_merge_column column = {
            .name = mapped->column, .role = SQL_MERGE_DATA, .as_text = true};
        buf_adds(&m->text, "cast(null as ");
        buf_add_str(&m->text, has->type);
        buf_addc(&m->text, ')');
        rc = pg_plan_keep(m, &m->text, &column.value, e);
        if (rc == RC_OK)
            rc = add_column(m, &column, e);
    }
    return rc;
}

/* `source`: SQL_SOURCE_RUN and the name; `value` is SQL. */
static enum rc add_run_column(struct pg_plan *m, const char *source, enum column_type type,
                              enum sql_merge_role role, struct str value, struct err *e)
{
    const struct sql_mapped *mapped;
    enum rc rc = sql_column_map_find(&m->now.map, str_c(source + strlen(SQL_SOURCE_RUN)),
                                     str_c(source), &mapped, e);
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
    struct sql_merge_column column = {.name = mapped->column,
                                      .role = role,
                                      .type = pg_type(m->place, type),
                                      .exactly = exactly(has)};
    rc = pg_plan_keep(m, &m->text, &column.value, e);
    return rc == RC_OK ? add_column(m, &column, e) : rc;
}

struct str pg_plan_deleted_at(const struct pg_plan *m)
{
    const struct sql_mapped *mapped = sql_column_map_present(
        &m->now.map, STR(SQL_COLUMN_DELETED_AT), STR(SQL_SOURCE_RUN SQL_COLUMN_DELETED_AT));
    return mapped ? mapped->column : STR_NONE;
}

static enum rc add_run_columns(struct pg_plan *m, struct err *e)
{
    char started[25];
    char text[64];
    enum rc rc = RC_OK;
    struct str misfits = STR_NONE;
    buf_adds(&m->text, m->misfits.len ? "nullif(coalesce(s." PG_STAGED_MISFITS ", '{}')"
                                      : "s." PG_STAGED_MISFITS);
    buf_add_str(&m->text, buf_str(&m->misfits));
    buf_adds(&m->text, m->misfits.len ? ", '{}')" : "");
    rc = pg_plan_keep(m, &m->text, &misfits, e);
    if (rc == RC_OK && !m->place->all_text)
        rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_MISFITS, TYPE_JSON, SQL_MERGE_DATA,
                            misfits, e);
    if (rc == RC_OK && !m->place->all_text)
        m->misfits_column = &m->columns[m->merge.n_columns - 1];
    clock_format(m->place->started_us / 1000, started);
    (void)snprintf(text, sizeof text, "'%s'", started);
    if (rc == RC_OK)
        rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_EXPORTED_AT, TYPE_TIMESTAMP, SQL_MERGE_RUN,
                            str_c(text), e);
    (void)snprintf(text, sizeof text, "'%.32s'", m->place->run_id);
    if (rc == RC_OK)
        rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_RUN_ID, TYPE_TEXT, SQL_MERGE_RUN,
                            str_c(text), e);
    bool has_deleted_at = m->place->deletes == SQL_DELETES_MARK || pg_plan_deleted_at(m).ptr;
    if (rc != RC_OK || m->table != 0 || !has_deleted_at)
        return rc;
    rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_DELETED_AT, TYPE_TIMESTAMP, SQL_MERGE_DATA,
                        STR("null"), e);
    if (rc == RC_OK)
        m->deleted_at = m->columns[m->merge.n_columns - 1].name;
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Columns that were there at first and nobody wanted; a user's table has them only once. */
static void note_unclaimed(struct pg_plan *m)
{
    for (size_t i = 0; i < m->now.map.n; i++) {
        const struct sql_mapped *mapped = &m->now.map.items[i];
        if (mapped->is_new && mapped->source.ptr && mapped->source.len == 0)
            note_column(m, mapped, "");
    }
}

static enum rc prepare_names(struct pg_plan *m, struct err *e)
{
    pg_put_name(&m->text, m->place, m->relation->name);
    enum rc rc = pg_plan_keep(m, &m->text, &m->merge.table, e);
    pg_put_staged(&m->text, m->place, m->table);
    if (rc == RC_OK)
        rc = pg_plan_keep(m, &m->text, &m->merge.staged, e);
    pg_put_staged(&m->text, m->place, 0);
    return rc == RC_OK ? pg_plan_keep(m, &m->text, &m->merge.leads, e) : rc;
}

static enum rc make(struct pg_plan *m, struct err *e)
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
    m->odd = arena_array(&m->memory, m->cap, sizeof *m->odd);
    if (rc == RC_OK && (!m->columns || !m->odd))
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

enum rc pg_plan_make(struct pg_plan *m, const struct pg_place *p, struct pg_link *l, size_t table,
                     struct err *e)
{
    *m = (struct pg_plan){
        .place = p, .link = l, .relation = &p->relations.items[table], .table = table};
    m->merge = (struct sql_merge){.dialect = p->dialect,
                                  .differs = " is distinct from ",
                                  .equals = " operator(pg_catalog.=) ",
                                  .n_lead_keys = p->relations.n_lead_keys,
                                  .has_key = m->relation->has_key};
    arena_init(&m->memory, MEMORY_MAX);
    buf_init(&m->ddl, PG_SQL_BYTES_MAX);
    buf_init(&m->note, PG_SQL_BYTES_MAX);
    buf_init(&m->misfits, PG_SQL_BYTES_MAX);
    buf_init(&m->text, PG_SQL_BYTES_MAX);
    return make(m, e);
}

void pg_plan_free(struct pg_plan *m)
{
    buf_free(&m->ddl);
    buf_free(&m->note);
    buf_free(&m->misfits);
    buf_free(&m->text);
    pg_table_free(&m->now);
    pg_table_free(&m->staged);
    arena_free(&m->memory);
}
