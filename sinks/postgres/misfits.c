#include "sinks/postgres/misfits.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"

#define MEMORY_MAX ((size_t)16 << 20)

void pg_misfits_init(struct pg_misfits *m)
{
    *m = (struct pg_misfits){.items = NULL};
    arena_init(&m->memory, MEMORY_MAX);
}

void pg_misfits_free(struct pg_misfits *m)
{
    free(m->items);
    m->items = NULL;
    m->n = 0;
    arena_free(&m->memory);
}

enum rc pg_misfits_begin(struct pg_misfits *m, const struct pg_load *load, struct err *e)
{
    struct typed_table *tables[PROFILE_TABLES_MAX];
    for (size_t i = 0; i < load->profile->n_tables; i++)
        tables[i] = load->tables[i].typed;
    if (typed_table_misfits(tables, load->profile->n_tables, &m->items, &m->n) != RC_OK)
        return err_nomem(e);
    m->cap = m->n_loaded = m->n;
    return RC_OK;
}

/* Those of a merge have the type of the user's column. */
void pg_misfits_merge(struct pg_misfits *m)
{
    size_t n = m->n;
    m->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (!m->items[i].type)
            m->items[m->n++] = m->items[i];
    }
}

static enum rc add(struct pg_misfits *m, const struct pg_plan *plan, const struct pg_odd_column *c,
                   uint64_t n, struct err *e)
{
    struct sink_misfits *grown = list_grow(m->items, m->n, &m->cap, sizeof *grown);
    const char *column = arena_strdup(&m->memory, c->name);
    const char *type = arena_strdup(&m->memory, c->type);
    if (grown)
        m->items = grown;
    if (!grown || !column || !type)
        return err_nomem(e);
    grown[m->n++] = (struct sink_misfits){
        .table = plan->relation->spec->name.ptr, .column = column, .type = type, .n = n};
    return RC_OK;
}

static enum rc take(struct pg_misfits *m, const struct pg_plan *plan, const PGresult *r,
                    struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < plan->n_odd; i++) {
        const struct pg_odd_column *c = &plan->odd[i];
        uint64_t n = strtoull(PQgetvalue(r, 0, (int)i), NULL, 10);
        if (n > 0 && c->is_key)
            rc = err_set(e, RC_USAGE,
                         "%s: the type of " STR_FMT "." STR_FMT ", " STR_FMT ", does not hold %llu "
                         "of the values; the column is part of the key, and without its value no "
                         "later run would find the row; change its type to text",
                         plan->link->cfg.spec, STR_ARG(plan->relation->name), STR_ARG(c->name),
                         STR_ARG(c->type), (unsigned long long)n);
        else if (n > 0 && plan->place->all_text)
            rc = err_set(e, RC_USAGE,
                         "%s: the type of " STR_FMT "." STR_FMT ", " STR_FMT ", does not hold %llu "
                         "of the values, and with types=text there is no _misfits that would; make "
                         "it text",
                         plan->link->cfg.spec, STR_ARG(plan->relation->name), STR_ARG(c->name),
                         STR_ARG(c->type), (unsigned long long)n);
        else if (n > 0)
            rc = add(m, plan, c, n, e);
    }
    return rc;
}

enum rc pg_misfits_find(struct pg_misfits *m, struct pg_plan *plan, struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    if (plan->n_odd == 0)
        return RC_OK;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    for (size_t i = 0; i < plan->n_odd; i++) {
        buf_adds(&sql, i ? ", count(*) filter (where " : "select count(*) filter (where ");
        buf_add_str(&sql, plan->odd[i].misfit);
        buf_addc(&sql, ')');
    }
    buf_adds(&sql, " from ");
    buf_add_str(&sql, plan->merge.staged);
    buf_adds(&sql, " s");
    enum rc rc = pg_ask(plan->link, &sql, &r, e);
    if (rc == RC_OK)
        rc = take(m, plan, r, e);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

enum rc pg_misfits_sort(struct pg_misfits *m, const struct sql_relations *relations, struct err *e)
{
    if (m->n == m->n_loaded)
        return RC_OK;
    struct sink_misfits *sorted = calloc(m->n, sizeof *sorted);
    size_t n = 0;
    if (!sorted)
        return err_nomem(e);
    for (size_t t = 0; t < relations->n; t++) {
        for (size_t i = 0; i < m->n; i++) {
            if (strcmp(m->items[i].table, relations->items[t].spec->name.ptr) == 0)
                sorted[n++] = m->items[i];
        }
    }
    free(m->items);
    m->items = sorted;
    m->cap = m->n;
    return RC_OK;
}
