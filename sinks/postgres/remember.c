#include "sinks/postgres/remember.h"

#include <inttypes.h>
#include <stdlib.h>

#define WORTH                                                                                      \
    "50" /* leads in the table for one in the run: a look at all rows is not worth while for fewer */

static void put_table(struct buf *b, const struct pg_remember *m, size_t table)
{
    pg_put_name(b, m->place, m->place->relations.items[table].name);
}

/* ---- before the merge --------------------------------------------------------------------------- */

/* Tables that are there keep their columns until the end of the transaction. */
static enum rc lock_table(struct pg_remember *m, struct buf *sql, size_t table, struct err *e)
{
    struct pg_access access;
    put_table(sql, m, table);
    enum rc rc = pg_access_of(m->link, sql, &access, e);
    m->was_there[table] = access.exists;
    if (rc != RC_OK || !access.reads)
        return rc;
    buf_adds(sql, "lock table only ");
    put_table(sql, m, table);
    buf_adds(sql, " in access share mode");
    rc = pg_run_buf(m->link, sql, e);
    buf_clear(sql);
    return rc;
}

/* Of all tables that are there it can be found out who wrote their rows. */
static bool can_be_read(const struct pg_remember *m, const struct pg_remembered *now)
{
    bool all = true;
    for (size_t i = 0; i < m->place->relations.n; i++)
        all = all && (!m->was_there[i] || now->tables[i].oid != 0);
    return all;
}

/* Do the leads of the run make up enough of those in the table? As far as the server knows how many there are. */
static enum rc is_worth_it(struct pg_remember *m, struct buf *sql, bool *out, struct err *e)
{
    buf_adds(sql, "select (select pg_catalog.count(*) from ");
    pg_put_fingerprints(sql, m->place);
    buf_adds(sql, ")::float8 operator(pg_catalog.*) " WORTH
                  "::float8 operator(pg_catalog.>=) coalesce((select "
                  "c.reltuples::float8 from pg_catalog.pg_class c join "
                  "pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = ");
    sql_literal(sql, m->place->schema);
    buf_adds(sql, " and c.relname = ");
    sql_literal(sql, m->place->relations.items[0].name);
    buf_adds(sql, "), 0::float8)");
    return pg_ask_bool(m->link, sql, out, e);
}

/* Whose rows there are before this merge finds out what differs from them. */
static enum rc take_writers(struct pg_remember *m, struct buf *sql, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->place->relations.n; i++) {
        if (m->r.tables[i].oid == 0)
            continue;
        buf_clear(sql);
        put_table(sql, m, i);
        rc = buf_rc(sql) == RC_OK
                 ? pg_remembered_add_writers(&m->r, m->link, buf_str(sql), &m->r.tables[i].rows, e)
                 : err_nomem(e);
    }
    buf_clear(sql);
    if (rc == RC_LIMIT) {
        m->how = PG_FORGETS;
        return RC_OK;
    }
    return rc;
}

static enum rc decide(struct pg_remember *m, struct buf *sql, struct err *e)
{
    struct pg_remembered now = {.since = 0};
    bool is_worth = false;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->place->relations.n; i++)
        rc = lock_table(m, sql, i, e);
    if (rc == RC_OK)
        rc = pg_remembered_read(&m->r, m->place, m->link, &m->is_known, e);
    if (rc == RC_OK)
        rc = pg_remembered_describe(&now, m->place, m->link, e);
    bool goes_on = rc == RC_OK && m->is_known && !m->place->begins_anew &&
                   pg_remembered_same_tables(&m->r, &now, m->place);
    if (goes_on)
        m->how = PG_GOES_ON;
    if (rc != RC_OK || goes_on)
        return rc;
    rc = can_be_read(m, &now) ? is_worth_it(m, sql, &is_worth, e) : RC_OK;
    if (rc != RC_OK || !is_worth)
        return rc;
    m->how = PG_BEGINS;
    pg_remembered_free(&m->r);
    m->r = now;
    return take_writers(m, sql, e);
}

static enum rc look_at_staged(struct pg_remember *m, struct buf *sql, struct err *e)
{
    struct pg_access staged;
    pg_put_fingerprints(sql, m->place);
    enum rc rc = pg_access_of(m->link, sql, &staged, e);
    m->is_staged = rc == RC_OK && staged.exists;
    if (!m->is_staged)
        return rc;
    buf_adds(sql, "select exists (select 1 from ");
    pg_put_same(sql, m->place);
    buf_addc(sql, ')');
    return pg_ask_bool(m->link, sql, &m->has_same, e);
}

enum rc pg_remember_begin(struct pg_remember *m, const struct pg_place *p, struct pg_link *l,
                          struct err *e)
{
    struct buf sql;
    *m = (struct pg_remember){.place = p, .link = l, .how = PG_FORGETS};
    buf_init(&sql, PG_SQL_BYTES_MAX);
    enum rc rc = pg_remembered_usable(p, l, &m->usable, e);
    if (rc == RC_OK && p->mode == SQL_MODE_UPSERT && !p->shard)
        rc = look_at_staged(m, &sql, e);
    if (rc == RC_OK && m->is_staged && m->usable.texts)
        rc = decide(m, &sql, e);
    buf_free(&sql);
    return rc;
}

void pg_remember_free(struct pg_remember *m)
{
    pg_remembered_free(&m->r);
}

/* ---- tables ------------------------------------------------------------------------------------- */

/* "exists (select 1 from SAME as k where not exists (select 1 from ": the parentheses are open still. */
static void put_same_without(struct buf *b, const struct pg_remember *m)
{
    buf_adds(b, "exists (select 1 from ");
    pg_put_same(b, m->place);
    buf_adds(b, " as k where not exists (select 1 from ");
}

/* Has somebody deleted one of the leads, or another run of this program written it? */
static enum rc lacks_any(const struct pg_remember *m, const struct pg_plan *plan, bool *out,
                         struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    buf_adds(&sql, "select ");
    put_same_without(&sql, m);
    buf_add_str(&sql, plan->merge.table);
    buf_adds(&sql, " as t where ");
    sql_merge_same(&sql, &plan->merge, "k", plan->merge.n_lead_keys);
    buf_adds(&sql, ")) or ");
    put_same_without(&sql, m);
    pg_put_loaded(&sql, m->place);
    buf_adds(
        &sql,
        " as f where f.lead operator(pg_catalog.=) k.lead and f.rows operator(pg_catalog.=) k.rows))");
    enum rc rc = pg_ask_bool(m->link, &sql, out, e);
    buf_free(&sql);
    return rc;
}

enum rc pg_remember_check(const struct pg_remember *m, const struct pg_plan *plan, struct err *e)
{
    bool lacks = !plan->now.exists || !m->usable.fingerprints;
    enum rc rc = RC_OK;
    if (!m->has_same || m->place->was_checked)
        return RC_OK;
    if (plan->table == 0 && !lacks)
        rc = lacks_any(m, plan, &lacks, e);
    if (rc != RC_OK || !lacks)
        return rc;
    return err_set(e, RC_END,
                   "%s: table " STR_FMT
                   ": leads that were not loaded again have been deleted or written meanwhile",
                   m->link->cfg.spec, STR_ARG(plan->relation->name));
}

enum rc pg_remember_adopted(struct pg_remember *m, const struct pg_plan *plan, uint64_t *rows,
                            struct err *e)
{
    enum rc rc = pg_remembered_add_writers(&m->r, m->link, plan->merge.staged, rows, e);
    if (rc != RC_LIMIT)
        return rc;
    struct buf sql;
    PGresult *r = NULL;
    m->how = PG_FORGETS;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    buf_adds(&sql, "select pg_catalog.count(*) from ");
    buf_add_str(&sql, plan->merge.staged);
    rc = pg_ask(m->link, &sql, &r, e);
    if (rc == RC_OK)
        *rows = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

enum rc pg_remember_put_known(struct pg_remember *m, struct pg_plan *plan, struct err *e)
{
    plan->merge.only = STR_NONE;
    if (m->how == PG_FORGETS || !plan->now.exists)
        return RC_OK;
    /* In a "case": otherwise the server expects hardly any rows of each writer, though one may have written all of them. */
    buf_adds(&plan->text, "case when t.xmin operator(pg_catalog.=) any ('{");
    for (size_t i = 0; i < m->r.n_writers; i++)
        buf_addf(&plan->text, "%s%" PRIu32, i ? "," : "", m->r.writers[i]);
    buf_adds(&plan->text, "}'::xid[]) then true else false end");
    return pg_plan_keep(plan, &plan->text, &plan->merge.only, e);
}

void pg_remember_forget(struct pg_remember *m)
{
    m->how = PG_FORGETS;
}

/* Values that do not fit the types of a user's table are counted in the merge, and so must be loaded each time. Rows without a key
 * are written whoever has written those before. */
void pg_remember_table(struct pg_remember *m, const struct pg_plan *plan,
                       const struct sql_outcome *before, const struct sql_outcome *after)
{
    m->r.tables[plan->table].rows += after->rows[SQL_MERGE_INSERT] - before->rows[SQL_MERGE_INSERT];
    m->r.tables[plan->table].rows -= after->rows[SQL_MERGE_DELETE] - before->rows[SQL_MERGE_DELETE];
    if (plan->n_odd > 0 || !plan->merge.has_key)
        m->how = PG_FORGETS;
}

/* ---- behind them -------------------------------------------------------------------------------- */

static enum rc forget(struct pg_remember *m, struct buf *sql, struct err *e)
{
    buf_clear(sql);
    buf_adds(sql, "delete from ");
    pg_put_name(sql, m->place, STR(PG_TABLE_LOADED));
    buf_adds(sql, " where tables = ");
    pg_put_set_name(sql, m->place);
    if (m->usable.fingerprints) {
        buf_adds(sql, "; delete from ");
        pg_put_loaded(sql, m->place);
    }
    return pg_run_buf(m->link, sql, e);
}

static enum rc note_writer(struct pg_remember *m, const struct sql_outcome *out, struct err *e)
{
    PGresult *r = NULL;
    uint64_t rows = 0;
    enum rc rc = pg_exec(m->link, "select pg_catalog.pg_current_xact_id()::text", 0, NULL, &r, e);
    uint64_t now = rc == RC_OK ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    PQclear(r);
    if (m->how == PG_BEGINS)
        pg_remembered_start(&m->r, now);
    for (size_t i = 0; i < SQL_MERGE_STEPS; i++)
        rows += out->rows[i];
    return rc == RC_OK && rows > 0 ? pg_remembered_add_writer(&m->r, (uint32_t)now, e) : rc;
}

static void put_insert(struct buf *b, const struct pg_remember *m)
{
    buf_adds(b, "insert into ");
    pg_put_loaded(b, m->place);
    buf_adds(b, " (lead, rows) select lead, rows from ");
    pg_put_fingerprints(b, m->place);
    buf_adds(b, " where rows is not null");
}

static enum rc begin_fingerprints(struct pg_remember *m, struct buf *sql, struct err *e)
{
    const bool is_there = m->usable.fingerprints;
    buf_adds(sql, is_there ? "delete from " : "create unlogged table ");
    pg_put_loaded(sql, m->place);
    buf_adds(sql, is_there ? "" : " (lead uuid not null, rows uuid not null)");
    enum rc rc = pg_run_buf(m->link, sql, e);
    buf_clear(sql);
    put_insert(sql, m);
    if (rc == RC_OK)
        rc = pg_count(m->link, sql, &m->r.leads, e);
    buf_clear(sql);
    buf_adds(sql, "create index on ");
    pg_put_loaded(sql, m->place);
    buf_adds(sql, " (lead)");
    return rc == RC_OK && !is_there ? pg_run_buf(m->link, sql, e) : rc;
}

/* Those that are missing have none. */
static enum rc add_fingerprints(struct pg_remember *m, struct buf *sql, struct err *e)
{
    uint64_t deleted = 0;
    uint64_t inserted = 0;
    buf_adds(sql, "delete from ");
    pg_put_loaded(sql, m->place);
    buf_adds(sql, " k using ");
    pg_put_fingerprints(sql, m->place);
    buf_adds(sql, " s where k.lead operator(pg_catalog.=) s.lead");
    enum rc rc = pg_count(m->link, sql, &deleted, e);
    buf_clear(sql);
    put_insert(sql, m);
    if (rc == RC_OK)
        rc = pg_count(m->link, sql, &inserted, e);
    m->r.leads += inserted;
    m->r.leads -= deleted < m->r.leads ? deleted : m->r.leads;
    return rc;
}

static enum rc keep(struct pg_remember *m, struct buf *sql, const struct sql_outcome *out,
                    struct err *e)
{
    enum rc rc = m->how == PG_BEGINS ? begin_fingerprints(m, sql, e) : add_fingerprints(m, sql, e);
    if (rc == RC_OK)
        rc = note_writer(m, out, e);
    if (rc == RC_OK)
        rc = pg_remembered_describe(&m->r, m->place, m->link, e);
    buf_clear(sql);
    pg_remembered_put(sql, &m->r, m->place);
    return rc == RC_OK ? pg_run_buf(m->link, sql, e) : rc;
}

enum rc pg_remember_end(struct pg_remember *m, const struct sql_outcome *out, struct err *e)
{
    struct buf sql;
    enum rc rc = RC_OK;
    if (!m->usable.texts)
        return RC_OK;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    if (m->how == PG_GOES_ON && !m->usable.fingerprints) /* somebody has removed them */
        m->how = PG_FORGETS;
    if (m->how != PG_FORGETS)
        rc = keep(m, &sql, out, e);
    if (rc == RC_LIMIT) {
        m->how = PG_FORGETS;
        rc = RC_OK;
    }
    if (rc == RC_OK && m->how == PG_FORGETS)
        rc = forget(m, &sql, e);
    buf_free(&sql);
    return rc;
}
