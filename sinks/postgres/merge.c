#include "sinks/postgres/merge.h"

#include <stdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "sinks/postgres/adopt.h"
#include "sinks/postgres/combine.h"
#include "sinks/postgres/plan.h"
#include "sinks/postgres/records.h"
#include "sinks/postgres/remember.h"

/* ---- the table itself ------------------------------------------------------------------------- */

static enum rc make_table(struct pg_plan *m, struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    if (buf_rc(&m->ddl) != RC_OK || buf_rc(&m->note) != RC_OK)
        return err_nomem(e);
    if (!m->adopts && (!m->now.exists || m->ddl.len)) {
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
    enum rc rc = pg_ask(m->link, &m->text, &r, e);
    if (rc == RC_OK)
        *out = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
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

/* Makes a table of what a query finds. The server uses several processors for such a statement, but only one
 * for a statement that writes to rows that are there; and nearly all rows of a night are neither changed nor
 * deleted. */
static enum rc find(struct pg_plan *m, struct buf *query, struct str *table, uint64_t *rows,
                    struct err *e)
{
    buf_adds(&m->text, "create unlogged table ");
    buf_add_str(&m->text, *table);
    buf_adds(&m->text, " with (autovacuum_enabled = false) as ");
    buf_add_str(&m->text, buf_str(query));
    enum rc rc = buf_rc(query) == RC_OK ? pg_count(m->link, &m->text, rows, e) : err_nomem(e);
    buf_clear(&m->text);
    return rc;
}

static enum rc find_surplus(struct pg_plan *m, uint64_t *rows, struct err *e)
{
    struct buf query;
    struct str table;
    buf_init(&query, PG_SQL_BYTES_MAX);
    pg_put_surplus(&m->text, m->place, m->table);
    enum rc rc = pg_plan_keep(m, &m->text, &table, e);
    sql_merge_select_surplus(&query, &m->merge, m->place->mode);
    if (rc == RC_OK && query.len > 0)
        rc = find(m, &query, &table, rows, e);
    m->merge.surplus = table;
    buf_free(&query);
    return rc;
}

static enum rc find_changed(struct pg_plan *m, uint64_t *rows, struct err *e)
{
    struct buf query;
    struct str table;
    buf_init(&query, PG_SQL_BYTES_MAX);
    pg_put_changed(&m->text, m->place, m->table);
    enum rc rc = pg_plan_keep(m, &m->text, &table, e);
    sql_merge_select_changed(&query, &m->merge);
    if (rc == RC_OK)
        rc = find(m, &query, &table, rows, e);
    m->merge.changed = table;
    buf_free(&query);
    return rc;
}

static enum rc write_step(struct pg_plan *m, bool empty, enum sql_merge_step step,
                          struct sql_outcome *out, struct err *e)
{
    sql_merge_step(&m->text, &m->merge, m->place->mode, empty, step);
    enum rc rc = pg_count(m->link, &m->text, &out->rows[step], e);
    buf_clear(&m->text);
    return rc;
}

/* Rows that are there are written in two steps: first those whose writers are known, then all, if there are more of them. That there
 * are others must not be forgotten, which would happen when their rows are written. !*knows: nobody keeps in mind who they are, and
 * all rows are written. */
static enum rc write_known(struct pg_plan *m, struct pg_remember *remember,
                           enum sql_merge_step step, bool *knows, struct sql_outcome *out,
                           struct err *e)
{
    enum rc rc = pg_remember_put_known(remember, m, e);
    *knows = m->merge.only.ptr != NULL;
    if (rc == RC_OK)
        rc = write_step(m, false, step, out, e);
    m->merge.only = STR_NONE;
    return rc;
}

static enum rc write_others(struct pg_plan *m, struct pg_remember *remember,
                            enum sql_merge_step step, struct sql_outcome *out, struct err *e)
{
    pg_remember_forget(remember);
    return write_step(m, false, step, out, e);
}

static enum rc delete_surplus(struct pg_plan *m, struct pg_remember *remember, uint64_t surplus,
                              struct sql_outcome *out, struct err *e)
{
    const uint64_t before = out->rows[SQL_MERGE_DELETE];
    bool knows = false;
    enum rc rc = write_known(m, remember, SQL_MERGE_DELETE, &knows, out, e);
    bool is_all = !knows || out->rows[SQL_MERGE_DELETE] - before == surplus;
    return rc != RC_OK || is_all ? rc : write_others(m, remember, SQL_MERGE_DELETE, out, e);
}

static enum rc write_changed(struct pg_plan *m, struct pg_remember *remember, uint64_t changed,
                             struct sql_outcome *out, struct err *e)
{
    const struct sql_outcome before = *out;
    bool knows = false;
    enum rc rc = write_known(m, remember, SQL_MERGE_UPDATE, &knows, out, e);
    if (rc == RC_OK)
        rc = write_step(m, false, SQL_MERGE_INSERT, out, e);
    uint64_t written = out->rows[SQL_MERGE_UPDATE] - before.rows[SQL_MERGE_UPDATE] +
                       out->rows[SQL_MERGE_INSERT] - before.rows[SQL_MERGE_INSERT];
    bool is_all = !knows || written == changed;
    return rc != RC_OK || is_all ? rc : write_others(m, remember, SQL_MERGE_UPDATE, out, e);
}

/* For the server's plans: how many rows are staged of how many leads. Where it takes the rows that are left
 * of a join for very few, it looks for the lead of each among all staged ones: the index makes that quick. */
static enum rc describe_staged(struct pg_plan *m, struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    if (m->table == 0) {
        buf_adds(&sql, "create unique index on ");
        buf_add_str(&sql, m->merge.staged);
        for (size_t i = 0; i < m->merge.n_lead_keys; i++) {
            buf_adds(&sql, i ? ", " : " (");
            buf_add_str(&sql, m->columns[i].staged);
        }
        buf_adds(&sql, ");");
    }
    buf_adds(&sql, "analyze ");
    buf_add_str(&sql, m->merge.staged);
    for (size_t i = 0; i < m->merge.n_keys; i++) {
        buf_adds(&sql, i ? ", " : " (");
        buf_add_str(&sql, m->columns[i].staged);
    }
    buf_addc(&sql, ')');
    enum rc rc = pg_run_buf(m->link, &sql, e);
    buf_free(&sql);
    return rc;
}

/* Into a table that has rows. */
static enum rc write_difference(struct pg_plan *m, struct pg_remember *remember,
                                struct sql_outcome *out, struct err *e)
{
    uint64_t surplus = 0;
    uint64_t changed = 0;
    enum rc rc = describe_staged(m, e);
    if (rc == RC_OK)
        rc = find_surplus(m, &surplus, e);
    if (rc == RC_OK && surplus > 0)
        rc = delete_surplus(m, remember, surplus, out, e);
    if (rc == RC_OK)
        rc = find_changed(m, &changed, e);
    return rc == RC_OK && changed > 0 ? write_changed(m, remember, changed, out, e) : rc;
}

static enum rc write_rows(struct pg_plan *m, struct pg_remember *remember, struct sql_outcome *out,
                          struct err *e)
{
    bool empty = false;
    if (m->adopts)
        return pg_adopt(m, remember, &out->rows[SQL_MERGE_INSERT], e);
    enum rc rc = is_empty(m, &empty, e);
    if (rc == RC_OK && !empty && m->merge.has_key && m->place->mode != SQL_MODE_APPEND)
        return write_difference(m, remember, out, e);
    for (size_t step = 0; rc == RC_OK && step < SQL_MERGE_STEPS; step++)
        rc = write_step(m, empty, (enum sql_merge_step)step, out, e);
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

static enum rc take_gone(struct pg_plan *m, uint64_t *rows, struct sql_outcome *out, struct err *e)
{
    struct sql_gone gone;
    char started[25];
    enum rc rc = gone_of(m, &gone, e);
    if (rc != RC_OK)
        return rc;
    clock_format(m->place->started_us / 1000, started);
    gone.deleted_at = m->deleted_at;
    enum sql_merge_step step =
        sql_gone_step(&m->text, &gone, m->place->deletes, m->table == 0, started);
    *rows = 0;
    rc = pg_count(m->link, &m->text, rows, e);
    out->rows[step] += *rows;
    buf_clear(&m->text);
    return rc;
}

/* Rows whose writers are known first, as above. */
static enum rc take_known_gone(struct pg_plan *m, struct pg_remember *remember,
                               struct sql_outcome *out, struct err *e)
{
    uint64_t others = 0;
    enum rc rc = pg_remember_put_known(remember, m, e);
    bool knows = m->merge.only.ptr && m->place->deletes != SQL_DELETES_IGNORE;
    if (rc == RC_OK && knows)
        rc = take_gone(m, &others, out, e);
    m->merge.only = STR_NONE;
    if (rc == RC_OK)
        rc = take_gone(m, &others, out, e);
    if (knows && others > 0)
        pg_remember_forget(remember);
    return rc;
}

/* A part of the leads in the tables, up to which it is quicker to find the rows of theirs first. */
#define FEW 4

static enum rc are_few(struct pg_plan *m, const struct sql_outcome *out, bool *few, struct err *e)
{
    uint64_t staged = 0;
    buf_adds(&m->text, "select pg_catalog.count(*) from ");
    buf_add_str(&m->text, m->merge.leads);
    enum rc rc = ask_count(m, &staged, e);
    *few = staged <= out->held / FEW;
    return rc;
}

static enum rc write_table(struct pg_plan *m, struct pg_remember *remember, struct sql_outcome *out,
                           struct err *e)
{
    const struct sql_outcome before = *out;
    enum rc rc = make_table(m, e);
    if (rc == RC_OK)
        rc = write_rows(m, remember, out, e);
    if (rc == RC_OK)
        rc = take_known_gone(m, remember, out, e);
    pg_remember_table(remember, m, &before, out);
    return rc == RC_OK ? make_key(m, e) : rc;
}

/* What the tables of a merge have in common. */
struct merging {
    const struct pg_place *staged; /* where the rows are that come into the tables */
    struct pg_link *link;
    struct pg_remember remember;
    struct sql_outcome *out;
    struct pg_misfits *misfits;
    bool adopts, few;
};

static bool too_many_gone(const struct merging *g)
{
    return g->out->gone > g->out->gone_allowed;
}

static enum rc merge_planned(struct merging *g, struct pg_plan *m, struct err *e)
{
    enum rc rc = pg_remember_check(&g->remember, m, e);
    if (rc == RC_OK && m->table == 0)
        rc = check_gone(m, g->out, e);
    if (rc == RC_OK && m->table == 0)
        rc = are_few(m, g->out, &g->few, e);
    m->merge.few = g->few;
    if (rc == RC_OK)
        rc = pg_misfits_find(g->misfits, m, e);
    return rc == RC_OK && !too_many_gone(g) ? write_table(m, &g->remember, g->out, e) : rc;
}

static enum rc merge_table(struct merging *g, size_t table, struct err *e)
{
    struct pg_plan m;
    enum rc rc = pg_plan_make(&m, g->staged, g->link, table, e);
    m.adopts = g->adopts;
    if (rc == RC_OK)
        rc = merge_planned(g, &m, e);
    if (rc == RC_IO) {
        pg_add_advice(g->link, e);
        err_prefix(e, "table " STR_FMT, STR_ARG(m.relation->name));
    }
    pg_plan_free(&m);
    return rc;
}

/* ---- all tables ------------------------------------------------------------------------------- */

static enum rc check_staged(const struct pg_place *p, struct pg_link *l, const struct pg_run *run,
                            struct err *e)
{
    bool exists = false;
    uint64_t part = 0;
    enum rc rc = pg_staged_part(p, l, &exists, &part, e);
    bool has_some =
        run->part > 0; /* not when they were to be loaded again, and only the tables were made */
    if (rc != RC_OK || (exists && has_some && part >= run->part))
        return rc;
    return err_set(
        e, RC_CLOSED,
        "%s: the rows that this run had loaded are no longer in the database (a crash of "
        "the server empties the staging tables)",
        l->cfg.spec);
}

/* `set`: of the shards; NULL: the run does all leads. */
static enum rc finish(const struct pg_place *p, struct pg_link *l, const struct pg_set *set,
                      const struct pg_place *staged, const struct sql_outcome *out, struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    enum rc rc = pg_put_drops(&sql, p, l, staged->token, e);
    for (size_t i = 0; rc == RC_OK && set && set->n > 1 && i < set->n; i++)
        rc = pg_put_drops(&sql, p, l, set->items[i].token, e);
    pg_put_run_done(&sql, p, out);
    pg_put_record(&sql, p);
    if (set)
        pg_put_shards_done(&sql, p, set);
    if (rc == RC_OK)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

/* `staged`: where the rows are that come into the tables. */
static enum rc merge_tables(const struct pg_place *p, struct pg_link *l, const struct pg_set *set,
                            const struct pg_place *staged, struct sql_outcome *out,
                            struct pg_misfits *misfits, struct err *e)
{
    struct merging g = {.staged = staged, .link = l, .out = out, .misfits = misfits};
    enum rc rc = pg_remember_begin(&g.remember, p, l, e);
    if (rc == RC_OK && staged == p)
        rc = pg_adopt_may(p, l, &g.adopts, e);
    for (size_t i = 0; rc == RC_OK && i < p->relations.n && !too_many_gone(&g); i++)
        rc = merge_table(&g, i, e);
    if (rc == RC_OK)
        rc = pg_misfits_sort(misfits, &p->relations, e);
    if (rc == RC_OK && !too_many_gone(&g))
        rc = pg_remember_end(&g.remember, out, e);
    if (rc == RC_OK && !too_many_gone(&g))
        rc = finish(p, l, set, staged, out, e);
    pg_remember_free(&g.remember);
    return rc;
}

/* ---- shards ---------------------------------------------------------------------------------- */

static enum rc end_without(const struct pg_place *p, struct pg_link *l, bool was_done,
                           struct err *e)
{
    struct buf sql;
    enum rc rc = RC_OK;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    if (was_done) {
        rc = pg_put_drops(&sql, p, l, p->token, e);
        pg_put_shard_done_before(&sql, p);
    } else {
        pg_put_shard_loaded(&sql, p);
    }
    if (rc == RC_OK)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

static enum rc lock_tables(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    enum pg_patience before = l->patience;
    l->patience = p->is_committing ? PG_GIVES_UP : PG_WAITS_SILENTLY;
    enum rc rc = pg_lock_merge(p, l, e);
    l->patience = before;
    return rc;
}

/* All are loaded. */
static enum rc merge_set(const struct pg_place *p, struct pg_link *l, const struct pg_set *set,
                         struct sql_outcome *out, struct pg_set_outcome *what,
                         struct pg_misfits *misfits, struct err *e)
{
    struct pg_place all;
    what->shown.none_found = set->leads == 0 && !pg_set_is_of_nothing(p);
    if (what->shown.none_found)
        return RC_OK;
    enum rc rc = lock_tables(p, l, e);
    if (rc == RC_OK && set->n == 1)
        rc = merge_tables(p, l, set, p, out, misfits, e);
    else if (rc == RC_OK && (rc = pg_combine(&all, p, l, set, e)) == RC_OK)
        rc = merge_tables(p, l, set, &all, out, misfits, e);
    what->shown.merged = set->n;
    return rc;
}

static enum rc end_shard(const struct pg_place *p, struct pg_link *l, const struct pg_run *run,
                         struct sql_outcome *out, struct pg_set_outcome *what,
                         struct pg_misfits *misfits, struct err *e)
{
    struct pg_set set;
    enum rc rc = pg_set_read(&set, p, l, run, e);
    bool is_last = rc == RC_OK && !set.was_done && set.loaded.n == set.loaded.of;
    if (rc == RC_OK && !set.was_done)
        sql_shards_due(&set.loaded, &what->shown);
    if (is_last)
        rc = pg_set_check(&set, p, l, e);
    bool is_whole = is_last && rc == RC_OK && set.whole.n == set.whole.of;
    if (is_last && rc == RC_OK && !is_whole) {
        sql_shards_due(&set.whole, &what->shown);
        memcpy(what->lost, what->shown.waits_for, sizeof what->lost);
    }
    if (rc == RC_OK)
        rc = is_whole ? merge_set(p, l, &set, out, what, misfits, e)
                      : end_without(p, l, set.was_done, e);
    pg_set_free(&set);
    return rc;
}

/* ---- the transaction ------------------------------------------------------------------------- */

/* Tables are joined as a whole, once a night: that may take more memory than a query of many at a time may by
 * default. Samples of the staged rows need not be large. */
static const char begin[] =
    "begin; select pg_catalog.set_config('work_mem', '32MB', true) "
    "where pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')) < "
    "pg_catalog.pg_size_bytes('32MB'); "
    "set local default_statistics_target to 10";

/* That a shard is loaded must outlive a crash of the server, which its rows do not: else nobody would miss them. */
static const char durable[] =
    "select pg_catalog.set_config('synchronous_commit', 'on', true) where "
    "pg_catalog.current_setting('synchronous_commit') = 'off'";

/* For the merge of another run, or for another shard, which may take long. */
static enum rc begin_locked(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    l->patience = p->is_committing ? PG_GIVES_UP : PG_WAITS_SILENTLY;
    enum rc rc = pg_run(l, begin, e);
    if (rc == RC_OK && p->shard)
        rc = pg_run(l, durable, e);
    if (rc == RC_OK)
        rc = p->shard ? pg_lock_shards(l, p->group, e) : pg_lock_merge(p, l, e);
    l->patience = PG_GIVES_UP;
    return rc;
}

enum rc pg_merge(const struct pg_place *p, struct pg_link *l, struct sql_outcome *out,
                 struct pg_set_outcome *set, struct pg_misfits *misfits, bool *done, struct err *e)
{
    struct pg_run run;
    *out = (struct sql_outcome){.held = 0};
    *set = (struct pg_set_outcome){.lost = ""};
    pg_misfits_merge(misfits);
    enum rc rc = begin_locked(p, l, e);
    if (rc == RC_OK)
        rc = pg_run_read(p, l, &run, e);
    *done = rc == RC_OK && run.status == PG_RUN_DONE;
    if (rc != RC_OK || *done)
        return rc;
    rc = check_staged(p, l, &run, e);
    if (rc == RC_OK)
        rc = pg_records_compare(p, l, e);
    if (rc == RC_OK)
        rc = p->shard ? end_shard(p, l, &run, out, set, misfits, e)
                      : merge_tables(p, l, NULL, p, out, misfits, e);
    l->patience = PG_WAITS_AND_TELLS; /* a commit that is given up may have been done */
    return rc;
}
