#include "sinks/postgres/runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "sinks/postgres/records.h"
#include "sinks/postgres/shards.h"

#define SQL_BYTES_MAX ((size_t)16 << 20)
#define RESUMABLE_FOR "7 days"
#define UNIQUE_VIOLATION "23505"

/* ---- the schema and the tables ---------------------------------------------------------------- */

static enum rc keep_schema(struct pg_place *p, struct str name, struct arena *memory, struct err *e)
{
    const char *copy = arena_strdup(memory, name);
    p->schema = (struct str){copy, name.len};
    return copy ? RC_OK : err_nomem(e);
}

static enum rc current_schema(struct pg_place *p, struct pg_link *l, struct arena *memory,
                              struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = pg_exec(l, "select pg_catalog.current_schema()", 0, NULL, &r, e);
    if (rc == RC_OK && (PQntuples(r) == 0 || PQgetisnull(r, 0, 0)))
        rc = err_set(
            e, RC_USAGE,
            "%s: no schema of the search path exists; create one, or give schema=", l->cfg.spec);
    if (rc == RC_OK)
        rc = keep_schema(p, str_c(PQgetvalue(r, 0, 0)), memory, e);
    PQclear(r);
    return rc;
}

static enum rc make_schema(struct pg_place *p, struct pg_link *l, const char *wanted,
                           struct arena *memory, struct err *e)
{
    bool there = false;
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    enum rc rc = keep_schema(p, str_c(wanted), memory, e);
    if (rc == RC_OK)
        rc = pg_ask_about(
            l, "select exists (select 1 from pg_catalog.pg_namespace where nspname = $1)", wanted,
            &there, e);
    if (rc == RC_OK && !there) {
        buf_adds(&sql, "create schema if not exists ");
        pg_put_column(&sql, p, p->schema);
        rc = pg_run_buf(l, &sql, e);
    }
    /* "if not exists" is no help where another session creates it at the same moment. By now it is there. */
    if (rc == RC_IO && strcmp(l->sqlstate, UNIQUE_VIOLATION) == 0)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

enum rc pg_find_schema(struct pg_place *p, struct pg_link *l, const char *wanted,
                       struct arena *memory, struct err *e)
{
    return wanted ? make_schema(p, l, wanted, memory, e) : current_schema(p, l, memory, e);
}

static enum rc are_there(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e)
{
    const char *const names[] = {SQL_TABLE_COLUMNS, SQL_TABLE_RUNS, PG_TABLE_LOADED};
    struct buf schema;
    buf_init(&schema, SQL_BYTES_MAX);
    buf_add_str(&schema, p->schema);
    const char *const values[] = {buf_cstr(&schema), names[0], names[1], names[2]};
    PGresult *r = NULL;
    enum rc rc = pg_exec(
        l,
        "select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = "
        "c.relnamespace where n.nspname = $1 and c.relname in ($2, $3, $4)",
        4, values, &r, e);
    *out = rc == RC_OK && *PQgetvalue(r, 0, 0) == '3';
    PQclear(r);
    buf_free(&schema);
    return rc;
}

enum rc pg_runs_have(const struct pg_place *p, struct pg_link *l, const char *columns, bool *out,
                     struct err *e)
{
    struct buf schema;
    buf_init(&schema, SQL_BYTES_MAX);
    buf_add_str(&schema, p->schema);
    const char *const values[] = {buf_cstr(&schema), SQL_TABLE_RUNS, columns};
    PGresult *r = NULL;
    enum rc rc = pg_exec(
        l,
        "select not exists (select 1 from pg_catalog.unnest(pg_catalog.string_to_array($3, ', ')) w(name) where not exists ("
        "select 1 from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join "
        "pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2 "
        "and a.attname::text operator(pg_catalog.=) w.name and not a.attisdropped))",
        3, values, &r, e);
    *out = rc == RC_OK && *PQgetvalue(r, 0, 0) == 't';
    PQclear(r);
    buf_free(&schema);
    return rc;
}

enum rc pg_make_own_tables(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    char number[24];
    bool there = false;
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    enum rc rc = are_there(p, l, &there, e);
    if (rc == RC_OK && !there)
        rc = pg_lock_number("tables", p->schema, number, e);
    if (rc == RC_OK && !there) {
        buf_addf(&sql,
                 "begin; select pg_catalog.pg_advisory_xact_lock(%s); create table if not exists ",
                 number);
        pg_put_name(&sql, p, STR(SQL_TABLE_COLUMNS));
        buf_adds(&sql, " (table_name text, column_name text, source text not null, "
                       "primary key (table_name, column_name)); create table if not exists ");
        pg_put_name(&sql, p, STR(SQL_TABLE_RUNS));
        buf_adds(
            &sql,
            " (token text primary key, run_id text not null, sink text not null, "
            "status text not null, part bigint not null default 0, "
            "leads bigint not null default 0, rows bigint not null default 0, "
            "rows_inserted bigint, rows_updated bigint, rows_deleted bigint, leads_gone bigint, "
            "resumable boolean not null default false, started_at timestamptz not null, "
            "updated_at timestamptz not null, ended_at timestamptz, " PG_RECORD_COLUMNS
            ", " PG_SHARD_COLUMNS "); create unlogged table if not exists ");
        pg_put_name(&sql, p, STR(PG_TABLE_LOADED));
        buf_adds(&sql, " (tables text primary key, about text not null); commit");
        rc = pg_run_buf(l, &sql, e);
    }
    buf_free(&sql);
    return rc;
}

/* ---- the row of a run ------------------------------------------------------------------------- */

static void put_where(struct buf *b, const struct pg_place *p)
{
    buf_addf(b, " where token = '%s'", p->token);
}

enum rc pg_run_read(const struct pg_place *p, struct pg_link *l, struct pg_run *out, struct err *e)
{
    static const char *const statuses[] = {[PG_RUN_LOADING] = "loading",
                                           [PG_RUN_LOADED] = "loaded",
                                           [PG_RUN_DONE] = "done",
                                           [PG_RUN_ABANDONED] = "abandoned"};
    struct buf sql;
    PGresult *r = NULL;
    *out = (struct pg_run){.status = PG_RUN_NONE};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select status, part, leads, rows from ");
    pg_put_name(&sql, p, STR(SQL_TABLE_RUNS));
    put_where(&sql, p);
    enum rc rc = pg_ask(l, &sql, &r, e);
    if (rc == RC_OK && PQntuples(r) > 0) {
        for (size_t i = PG_RUN_LOADING; i <= PG_RUN_ABANDONED; i++) {
            if (strcmp(PQgetvalue(r, 0, 0), statuses[i]) == 0)
                out->status = (enum pg_status)i;
        }
        out->part = strtoull(PQgetvalue(r, 0, 1), NULL, 10);
        out->leads = strtoull(PQgetvalue(r, 0, 2), NULL, 10);
        out->rows = strtoull(PQgetvalue(r, 0, 3), NULL, 10);
    }
    PQclear(r);
    buf_free(&sql);
    return rc;
}

enum rc pg_run_begin(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct buf sql;
    char started[25];
    clock_format(p->started_us / 1000, started);
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "insert into ");
    pg_put_name(&sql, p, STR(SQL_TABLE_RUNS));
    buf_addf(&sql, " (token, run_id, sink, status, started_at, updated_at%s) values ('%s', ",
             p->shard ? ", shard, shards, shard_group" : "", p->token);
    sql_literal(&sql, str_c(p->run_id));
    buf_adds(&sql, ", ");
    sql_literal(&sql, str_c(l->cfg.spec));
    buf_addf(&sql, ", 'loading', '%s', pg_catalog.now()", started);
    if (p->shard)
        buf_addf(&sql, ", %" PRIu32 ", %" PRIu32 ", '%s'", p->shard->index, p->shard->of, p->group);
    buf_adds(
        &sql,
        ") on conflict (token) do update set status = 'loading', part = 0, leads = 0, rows = 0, "
        "resumable = false, updated_at = pg_catalog.now(), ended_at = null");
    enum rc rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

void pg_put_run_progress(struct buf *b, const struct pg_place *p, const struct pg_run *run,
                         bool resumable)
{
    buf_adds(b, "update ");
    pg_put_name(b, p, STR(SQL_TABLE_RUNS));
    buf_addf(b, " set part = %llu, leads = %llu, rows = %llu, updated_at = pg_catalog.now()%s",
             (unsigned long long)run->part, (unsigned long long)run->leads,
             (unsigned long long)run->rows, resumable ? ", resumable = true" : "");
    put_where(b, p);
    buf_addc(b, ';');
}

void pg_put_run_done(struct buf *b, const struct pg_place *p, const struct sql_outcome *outcome)
{
    buf_adds(b, "update ");
    pg_put_name(b, p, STR(SQL_TABLE_RUNS));
    buf_addf(
        b,
        " set status = 'done', rows_inserted = %llu, rows_updated = %llu, rows_deleted = %llu, "
        "leads_gone = %llu, updated_at = pg_catalog.now(), ended_at = pg_catalog.now()",
        (unsigned long long)outcome->rows[SQL_MERGE_INSERT],
        (unsigned long long)outcome->rows[SQL_MERGE_UPDATE],
        (unsigned long long)outcome->rows[SQL_MERGE_DELETE], (unsigned long long)outcome->gone);
    put_where(b, p);
    buf_addc(b, ';');
}

void pg_put_run_abandoned(struct buf *b, const struct pg_place *p)
{
    buf_adds(b, "update ");
    pg_put_name(b, p, STR(SQL_TABLE_RUNS));
    buf_adds(
        b, " set status = 'abandoned', updated_at = pg_catalog.now(), ended_at = pg_catalog.now()");
    put_where(b, p);
    buf_adds(b, " and status = 'loading';"); /* it may have come to its end meanwhile */
}

/* ---- staging tables that nobody needs ----------------------------------------------------------- */

enum rc pg_put_drops(struct buf *b, const struct pg_place *p, struct pg_link *l, const char *token,
                     struct err *e)
{
    struct buf schema;
    buf_init(&schema, SQL_BYTES_MAX);
    buf_add_str(&schema, p->schema);
    const char *const values[] = {buf_cstr(&schema), token};
    PGresult *r = NULL;
    enum rc rc = pg_exec(
        l,
        "select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = "
        "c.relnamespace where n.nspname = $1 and c.relkind = 'r' and "
        "c.relname like '\\_leadpipe\\_' || $2 || '\\_%'",
        2, values, &r, e);
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++) {
        buf_adds(b, "drop table ");
        pg_put_name(b, p, str_c(PQgetvalue(r, i, 0)));
        buf_addc(b, ';');
    }
    PQclear(r);
    buf_free(&schema);
    return rc;
}

enum rc pg_staged_part(const struct pg_place *p, struct pg_link *l, bool *exists, uint64_t *part,
                       struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select pg_catalog.max(" PG_STAGED_PART ") from ");
    pg_put_parts(&sql, p);
    enum rc rc = pg_ask(l, &sql, &r, e);
    *exists = rc == RC_OK && !PQgetisnull(r, 0, 0);
    *part = *exists ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    if (rc == RC_IO && strcmp(l->sqlstate, "42P01") == 0) /* there is no such table */
        rc = RC_OK;
    PQclear(r);
    buf_free(&sql);
    return rc;
}

/* Under its lock: nobody is at work on it. */
static enum rc sweep_one(const struct pg_place *p, struct pg_link *l, const char *token,
                         struct err *e)
{
    struct pg_place dead = *p;
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    (void)snprintf(dead.token, sizeof dead.token, "%s", token);
    buf_adds(&sql, "begin; set local lock_timeout to '1s';");
    enum rc rc = pg_put_drops(&sql, p, l, token, e);
    pg_put_run_abandoned(&sql, &dead);
    buf_adds(&sql, "commit");
    if (rc == RC_OK)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    if (rc != RC_IO)
        return rc;
    log_msg(l->cfg.log, LOG_LEVEL_DEBUG, NULL,
            "the staging tables of an earlier run cannot be removed: %s", e->msg);
    return pg_run(l, "rollback", e);
}

/* A run that could be resumed, were its staging tables not empty. */
static enum rc is_lost(const struct pg_place *p, struct pg_link *l, const char *token, bool *out,
                       struct err *e)
{
    struct pg_place dead = *p;
    bool exists = false;
    uint64_t part = 0;
    (void)snprintf(dead.token, sizeof dead.token, "%s", token);
    enum rc rc = pg_staged_part(&dead, l, &exists, &part, e);
    *out = rc == RC_OK && !exists;
    return rc;
}

/* Under its lock: a shard may have become loaded since it was listed, and its staging tables are the set's now. */
static enum rc is_still_loading(const struct pg_place *p, struct pg_link *l, const char *token,
                                bool *out, struct err *e)
{
    struct pg_place dead = *p;
    struct pg_run run;
    (void)snprintf(dead.token, sizeof dead.token, "%s", token);
    enum rc rc = pg_run_read(&dead, l, &run, e);
    *out = rc == RC_OK && run.status == PG_RUN_LOADING;
    return rc;
}

static enum rc try_one(const struct pg_place *p, struct pg_link *l, const char *token, bool old,
                       struct err *e)
{
    bool got = false;
    bool drops = false;
    enum rc rc = pg_try_lock_run(l, token, &got, e);
    if (rc != RC_OK || !got)
        return rc;
    rc = is_still_loading(p, l, token, &drops, e);
    if (rc == RC_OK && drops && !old)
        rc = is_lost(p, l, token, &drops, e);
    if (rc == RC_OK && drops)
        rc = sweep_one(p, l, token, e);
    return rc == RC_OK ? pg_unlock_run(l, token, e) : rc;
}

static enum rc sweep_loading(const struct pg_place *p, struct pg_link *l,
                             const char *discarded_run_id, struct err *e)
{
    struct buf sql;
    PGresult *r = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(
        &sql,
        "select token, not resumable or updated_at < pg_catalog.now() - interval '" RESUMABLE_FOR
        "' or run_id = ");
    sql_literal(&sql, str_c(discarded_run_id));
    buf_adds(&sql, " from ");
    pg_put_name(&sql, p, STR(SQL_TABLE_RUNS));
    buf_addf(&sql,
             " where status = 'loading' and token <> '%s' order by 2 desc, updated_at limit 100",
             p->token);
    enum rc rc = pg_ask(l, &sql, &r, e);
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++) {
        if (pg_is_token(PQgetvalue(r, i, 0)))
            rc = try_one(p, l, PQgetvalue(r, i, 0), *PQgetvalue(r, i, 1) == 't', e);
    }
    PQclear(r);
    buf_free(&sql);
    return rc;
}

enum rc pg_sweep(const struct pg_place *p, struct pg_link *l, const char *discarded_run_id,
                 struct err *e)
{
    enum rc rc = sweep_loading(p, l, discarded_run_id, e);
    return rc == RC_OK ? pg_shards_sweep(p, l, e) : rc;
}
