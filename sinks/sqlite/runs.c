#include "sinks/sqlite/runs.h"

#include <inttypes.h>
#include <stdio.h>

#include "sinks/sqlite/shard_files.h"

#define TEXTS 4
#define NUMBERS 5

enum rc sqlite_runs_make_tables(const struct sqlite_db *d, struct err *e)
{
    return sqlite_run(
        d,
        "create table if not exists out." SQL_TABLE_COLUMNS
        " (table_name text not null, column_name text not null, source text not null, "
        "primary key (table_name, column_name));"
        "create table if not exists out." SQL_TABLE_RUNS
        " (token text primary key, run_id text not null, sink text not null, "
        "status text not null, leads integer not null, rows_inserted integer not null, "
        "rows_updated integer not null, rows_deleted integer not null, "
        "leads_gone integer not null, started_at text not null, "
        "ended_at text not null)",
        e);
}

/* A database that an earlier version has made, or in which no shard has been, has no such columns. */
static enum rc has_shard_columns(const struct sqlite_db *d, bool *out, struct err *e)
{
    return sqlite_has_row(d, "select 1 from pragma_table_info(?1, 'out') where name = 'loaded_at'",
                          STR(SQL_TABLE_RUNS), out, e);
}

static enum rc add_shard_columns(const struct sqlite_db *d, struct err *e)
{
    bool has = false;
    enum rc rc = has_shard_columns(d, &has, e);
    if (rc != RC_OK || has)
        return rc;
    return sqlite_run(d,
                      "alter table out." SQL_TABLE_RUNS " add column shard integer;"
                      "alter table out." SQL_TABLE_RUNS " add column shards integer;"
                      "alter table out." SQL_TABLE_RUNS " add column shard_run text;"
                      "alter table out." SQL_TABLE_RUNS " add column shard_group text;"
                      "alter table out." SQL_TABLE_RUNS " add column shard_set text;"
                      "alter table out." SQL_TABLE_RUNS " add column loaded_at text",
                      e);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc insert(const struct sqlite_db *d, const struct str texts[TEXTS],
                      const uint64_t numbers[NUMBERS], struct err *e)
{
    static const char sql[] =
        "insert into out." SQL_TABLE_RUNS
        " (token, run_id, sink, started_at, leads, rows_inserted, rows_updated, rows_deleted, "
        "leads_gone, status, ended_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'done', "
        "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))";
    sqlite3_stmt *stmt = NULL;
    enum rc rc = sqlite_prepare(d, sql, &stmt, e);
    if (rc != RC_OK)
        return rc;
    int code = SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && i < TEXTS; i++)
        code = sqlite_bind_str(stmt, i + 1, texts[i]);
    for (int i = 0; code == SQLITE_OK && i < NUMBERS; i++)
        code = sqlite3_bind_int64(stmt, TEXTS + 1 + i, (sqlite3_int64)numbers[i]);
    rc = sqlite_rc(d, code == SQLITE_OK ? sqlite3_step(stmt) : code, e);
    (void)sqlite3_finalize(stmt);
    return rc;
}

/* Which shard a run was, in its row. */
static enum rc update_shard(const struct sqlite_db *d, const struct sqlite_shard_record *r,
                            struct err *e)
{
    static const char sql[] = "update out." SQL_TABLE_RUNS
                              " set shard = ?1, shards = ?2, shard_run = ?4, shard_group = ?5, "
                              "shard_set = ?6, loaded_at = ?7 where token = ?3";
    char loaded_at[SQLITE_TIME_BYTES];
    sqlite3_stmt *stmt = NULL;
    sqlite_time_text(r->loaded_ms * 1000, loaded_at);
    const struct str texts[] = {r->token, r->name.len ? r->name : STR_NONE, r->group, r->set,
                                str_c(loaded_at)};
    enum rc rc = sqlite_prepare(d, sql, &stmt, e);
    if (rc != RC_OK)
        return rc;
    int code = sqlite3_bind_int64(stmt, 1, r->index);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(stmt, 2, r->of);
    for (int i = 0; code == SQLITE_OK && i < (int)(sizeof texts / sizeof *texts); i++)
        code = sqlite_bind_str(stmt, i + 3, texts[i]);
    rc = sqlite_rc(d, code == SQLITE_OK ? sqlite3_step(stmt) : code, e);
    (void)sqlite3_finalize(stmt);
    return rc;
}

static enum rc write_other(const struct sqlite_stage *s, const struct sqlite_shard_record *r,
                           struct err *e)
{
    const struct str texts[TEXTS] = {r->token, r->run_id, str_c(s->place->spec), r->started_at};
    const uint64_t numbers[NUMBERS] = {r->leads};
    enum rc rc = insert(&s->db, texts, numbers, e);
    return rc == RC_OK ? update_shard(&s->db, r, e) : rc;
}

enum rc sqlite_runs_write(struct sqlite_stage *s, const struct sql_outcome *out, struct err *e)
{
    const struct sqlite_place *p = s->place;
    const struct str texts[TEXTS] = {str_c(p->token), str_c(p->run_id), str_c(p->spec),
                                     str_c(p->started_at)};
    const uint64_t numbers[NUMBERS] = {s->leads, out->rows[SQL_MERGE_INSERT],
                                       out->rows[SQL_MERGE_UPDATE], out->rows[SQL_MERGE_DELETE],
                                       out->gone};
    enum rc rc = insert(&s->db, texts, numbers, e);
    if (rc != RC_OK || !s->own)
        return rc;
    rc = add_shard_columns(&s->db, e);
    if (rc == RC_OK)
        rc = update_shard(&s->db, s->own, e);
    for (size_t i = 0; rc == RC_OK && i < s->n_others; i++)
        rc = write_other(s, &s->others[i].record, e);
    return rc;
}

enum rc sqlite_runs_have_shard(const struct sqlite_db *d, const struct sqlite_shard_record *r,
                               bool *out, struct err *e)
{
    char sql[160];
    *out = false;
    enum rc rc = has_shard_columns(d, out, e);
    if (rc != RC_OK || !*out)
        return rc;
    (void)snprintf(sql, sizeof sql,
                   "select 1 from out." SQL_TABLE_RUNS " where shard_set = ?1 and shard = %" PRIu32
                   " and status = 'done'",
                   r->index);
    return sqlite_has_row(d, sql, r->set, out, e);
}
