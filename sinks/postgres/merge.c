#include "sinks/postgres/merge.h"

#include <stdio.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "sinks/postgres/plan.h"

/* ---- the table itself ------------------------------------------------------------------------- */

static enum rc make_table(struct pg_plan *m, struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
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

/* Only once its rows are there, which is faster. */
static enum rc make_key(struct pg_plan *m, struct err *e)
{
    struct buf sql;
    if (m->now.exists || !m->relation->has_key)
        return RC_OK;
    buf_init(&sql, PG_SQL_BYTES_MAX);
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

static enum rc ask_count(struct pg_plan *m, uint64_t *out, struct err *e)
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

static enum rc is_empty(struct pg_plan *m, bool *out, struct err *e)
{
    uint64_t n = 0;
    enum rc rc = RC_OK;
    if (m->now.exists) {
        sql_merge_count_any(&m->text, &m->merge);
        rc = ask_count(m, &n, e);
    }
    *out = n == 0;
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc write_rows(struct pg_plan *m, struct sql_outcome *out, struct err *e)
{
    bool empty = false;
    enum rc rc = is_empty(m, &empty, e);
    for (size_t step = 0; rc == RC_OK && step < SQL_MERGE_STEPS; step++) {
        sql_merge_step(&m->text, &m->merge, m->place->mode, empty, (enum sql_merge_step)step);
        rc = pg_count(m->link, &m->text, &out->rows[step], e);
        buf_clear(&m->text);
    }
    return rc;
}

/* ---- leads that are gone ------------------------------------------------------------------------ */

static enum rc gone_of(struct pg_plan *m, struct sql_gone *out, struct err *e)
{
    *out = (struct sql_gone){.leads = &m->merge,
                             .provider = m->place->provider,
                             .deleted_at = pg_plan_deleted_at(m),
                             .has_history = m->place->mode == SQL_MODE_APPEND};
    pg_put_gone(&m->text, m->place);
    return pg_plan_keep(m, &m->text, &out->keys, e);
}

/* Of the table of the leads, before anything is written: how many are gone, and whether they may. */
static enum rc check_gone(struct pg_plan *m, struct sql_outcome *out, struct err *e)
{
    struct sql_gone gone;
    enum rc rc = gone_of(m, &gone, e);
    if (rc == RC_OK && m->now.exists) {
        sql_gone_count_held(&m->text, &gone);
        rc = ask_count(m, &out->held, e);
        sql_gone_count(&m->text, &gone);
        if (rc == RC_OK)
            rc = ask_count(m, &out->gone, e);
    }
    sql_gone_limit(out, m->place->deletes, m->place->max_gone);
    return rc;
}

static enum rc take_gone(struct pg_plan *m, struct sql_outcome *out, struct err *e)
{
    struct sql_gone gone;
    char started[25];
    enum rc rc = gone_of(m, &gone, e);
    if (rc != RC_OK)
        return rc;
    clock_format(m->place->started_us / 1000, started);
    gone.deleted_at = m->marks;
    enum sql_merge_step step =
        sql_gone_step(&m->text, &gone, m->place->deletes, m->table == 0, started);
    rc = pg_count(m->link, &m->text, &out->rows[step], e);
    buf_clear(&m->text);
    return rc;
}

static enum rc write_table(struct pg_plan *m, struct sql_outcome *out, struct err *e)
{
    enum rc rc = make_table(m, e);
    if (rc == RC_OK)
        rc = write_rows(m, out, e);
    if (rc == RC_OK)
        rc = take_gone(m, out, e);
    return rc == RC_OK ? make_key(m, e) : rc;
}

static enum rc merge_table(const struct pg_place *p, struct pg_link *l, size_t table,
                           struct sql_outcome *out, struct err *e)
{
    struct pg_plan m;
    enum rc rc = pg_plan_make(&m, p, l, table, e);
    if (rc == RC_OK && table == 0)
        rc = check_gone(&m, out, e);
    bool too_many = rc == RC_OK && out->gone > out->gone_allowed;
    if (rc == RC_OK && !too_many)
        rc = write_table(&m, out, e);
    pg_plan_free(&m);
    return rc;
}

/* ---- all tables ------------------------------------------------------------------------------- */

/* Without statistics the server takes them for nearly empty. */
static enum rc analyze(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
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
    uint64_t part = 0;
    enum rc rc = pg_staged_part(p, l, &exists, &part, e);
    if (rc != RC_OK || (exists && part >= run->part))
        return rc;
    return err_set(
        e, RC_CLOSED,
        "%s: the rows that this run had loaded are no longer in the database (a crash of "
        "the server empties the staging tables)",
        l->cfg.spec);
}

static enum rc finish(const struct pg_place *p, struct pg_link *l, const struct sql_outcome *out,
                      struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    enum rc rc = pg_put_drops(&sql, p, l, p->token, e);
    pg_put_run_done(&sql, p, out);
    if (rc == RC_OK)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

enum rc pg_merge(const struct pg_place *p, struct pg_link *l, struct sql_outcome *out, bool *done,
                 struct err *e)
{
    struct pg_run run;
    *out = (struct sql_outcome){.held = 0};
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
