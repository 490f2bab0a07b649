#include "sinks/sqlite/shard_record.h"

#include <inttypes.h>
#include <stdio.h>

#include "sinks/sql/shards.h"

#define TEXT_BYTES_MAX 4096 /* of one of its texts */
#define TEXTS 6
#define NUMBERS 6

/* ---- writing -------------------------------------------------------------------------------- */

static enum rc insert_record(struct sqlite_stage *s, const struct sqlite_shard_record *r,
                             struct err *e)
{
    static const char sql[] =
        "insert into main.shard (token, run_id, started_at, shard_group, shard_set, name, shard, shards, "
        "loaded_ms, leads, gone, list_is_empty) values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)";
    const struct str texts[TEXTS] = {r->token, r->run_id, r->started_at, r->group, r->set, r->name};
    const uint64_t numbers[NUMBERS] = {r->index, r->of,   (uint64_t)r->loaded_ms,
                                       r->leads, r->gone, r->list_is_empty};
    sqlite3_stmt *stmt = NULL;
    enum rc rc = sqlite_prepare(&s->db, sql, &stmt, e);
    if (rc != RC_OK)
        return rc;
    int code = SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && i < TEXTS; i++)
        code = sqlite_bind_str(stmt, i + 1, texts[i].ptr ? texts[i] : STR(""));
    for (int i = 0; code == SQLITE_OK && i < NUMBERS; i++)
        code = sqlite3_bind_int64(stmt, TEXTS + 1 + i, (sqlite3_int64)numbers[i]);
    rc = sqlite_rc(&s->db, code == SQLITE_OK ? sqlite3_step(stmt) : code, e);
    (void)sqlite3_finalize(stmt);
    return rc;
}

/* A run that was cut off may have written one before. */
static enum rc write_all(struct sqlite_stage *s, const struct sqlite_shard_record *r, struct err *e)
{
    enum rc rc = sqlite_run(
        &s->db,
        "drop table if exists main.shard; drop table if exists main.parts;"
        "create table main.shard (token, run_id, started_at, shard_group, shard_set, name, shard, shards, "
        "loaded_ms, leads, gone, list_is_empty);"
        "create table main.parts (tab primary key, n_rows, n_extras)",
        e);
    if (rc == RC_OK)
        rc = insert_record(s, r, e);
    for (size_t i = 0; rc == RC_OK && i < s->place->relations.n; i++) {
        buf_addf(&s->text,
                 "insert into main.parts values (%zu, (select count(*) from main.s%zu), "
                 "(select count(*) from main.extras where tab = %zu))",
                 i, i, i);
        rc = sqlite_run_buf(&s->db, &s->text, e);
    }
    return rc;
}

/* With this setting the commit flushes the whole file, also what was written without a flush before. */
enum rc sqlite_shard_record_write(struct sqlite_stage *s, const struct sqlite_shard_record *r,
                                  struct err *e)
{
    struct err ignored;
    enum rc rc = sqlite_run(&s->db, "pragma main.synchronous = full; begin", e);
    if (rc == RC_OK)
        rc = write_all(s, r, e);
    if (rc == RC_OK)
        rc = sqlite_run(&s->db, "commit", e);
    else if (!sqlite3_get_autocommit(s->db.db))
        (void)sqlite_run(&s->db, "rollback", &ignored);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reading {
    struct arena *memory;
    struct sqlite_shard_record *out;
    bool is_ok;
};

static enum rc take_text(const struct reading *g, sqlite3_stmt *stmt, int column, struct str *out,
                         bool *ok, struct err *e)
{
    *out = STR_NONE;
    *ok = *ok && sqlite3_column_type(stmt, column) == SQLITE_TEXT &&
          sqlite3_column_bytes(stmt, column) <= TEXT_BYTES_MAX;
    if (!*ok)
        return RC_OK;
    const char *copy = arena_strdup(g->memory, sqlite_text(stmt, column));
    if (!copy)
        return err_nomem(e);
    *out = str_c(copy);
    return RC_OK;
}

static uint64_t take_number(sqlite3_stmt *stmt, int column, uint64_t max, bool *ok)
{
    sqlite3_int64 n = sqlite3_column_int64(stmt, column);
    *ok =
        *ok && sqlite3_column_type(stmt, column) == SQLITE_INTEGER && n >= 0 && (uint64_t)n <= max;
    return *ok ? (uint64_t)n : 0;
}

static enum rc take_record(void *reading, sqlite3_stmt *stmt, struct err *e)
{
    struct reading *g = reading;
    struct sqlite_shard_record *r = g->out;
    struct str *const texts[TEXTS] = {&r->token, &r->run_id, &r->started_at,
                                      &r->group, &r->set,    &r->name};
    bool ok = true;
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < TEXTS; i++)
        rc = take_text(g, stmt, i, texts[i], &ok, e);
    r->index = (uint32_t)take_number(stmt, TEXTS, UINT32_MAX, &ok);
    r->of = (uint32_t)take_number(stmt, TEXTS + 1, UINT32_MAX, &ok);
    r->loaded_ms = (int64_t)take_number(stmt, TEXTS + 2, INT64_MAX, &ok);
    r->leads = take_number(stmt, TEXTS + 3, INT64_MAX, &ok);
    r->gone = take_number(stmt, TEXTS + 4, INT64_MAX, &ok);
    r->list_is_empty = take_number(stmt, TEXTS + 5, 1, &ok) == 1;
    g->is_ok = ok && r->index < r->of && r->set.len == SQL_SHARDS_DIGEST_CHARS;
    return rc == RC_OK ? RC_END : rc;
}

/* No such table, or column, where there should be one. */
static bool is_damage(const struct sqlite_db *d)
{
    return sqlite_db_is_damaged(d) || (sqlite3_errcode(d->db) & 0xff) == SQLITE_ERROR;
}

enum rc sqlite_shard_record_read(const struct sqlite_db *d, const char *schema,
                                 struct arena *memory, struct sqlite_shard_record *out,
                                 struct err *e)
{
    struct reading g = {.memory = memory, .out = out};
    char sql[256];
    *out = (struct sqlite_shard_record){.of = 0};
    (void)snprintf(sql, sizeof sql,
                   "select token, run_id, started_at, shard_group, shard_set, name, shard, shards, "
                   "loaded_ms, leads, gone, list_is_empty from %s.shard",
                   schema);
    enum rc rc = sqlite_each(d, sql, STR_NONE, take_record, &g, e);
    if ((rc == RC_OK && !g.is_ok) || (rc == RC_IO && is_damage(d)))
        return err_set(e, RC_SYNTAX, "%s: the record of a shard is damaged", d->subject);
    return rc;
}
