/* The sink "sqlite": tables of an SQLite database.
 *
 * Rows are staged beside it (stage.h). At the end, where the database is there, prepare() merges them in
 * one transaction, which commit() commits: readers see the old tables or the new ones. Where it is not
 * there, prepare() makes it under another name, and commit() renames it.
 *
 * The run of a shard does so only if it is the last one of its set, with the rows of all of them. Otherwise commit() gives
 * what it has staged another name, and the last one takes it in (shard_set.h). The lock of the shards is kept from prepare()
 * to close(), so that there is one last one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/units.h"
#include "sinks/registry.h"
#include "sinks/sql/record.h"
#include "sinks/sqlite/fresh.h"
#include "sinks/sqlite/merge.h"
#include "sinks/sqlite/records.h"
#include "sinks/sqlite/sqlite_internal.h"

#define COLUMNS_EIGHTHS 8                         /* of put(): texts that SQLite copies */
#define COLUMNS_MAX (2000 - SQLITE_OTHER_COLUMNS) /* SQLITE_MAX_COLUMN (limits.html) */

#define AT(type, member) OPTION_AT(struct sqlite_opts, type, member)

static const struct option_spec sqlite_opt_specs[] = {
    SQL_OPTION_MODE(AT(CHOICE, mode)),
    SQL_OPTION_DELETES(AT(CHOICE, deletes)),
    TYPED_OPTION_TYPES(AT(CHOICE, types)),
    {.name = NULL},
};

/* ---- before the run ------------------------------------------------------------------------- */

static enum rc sqlite_check(const struct sink_cfg *cfg, struct err *e)
{
    struct sqlite_place place;
    bool exists = false;
    enum rc rc = sqlite_place_make(&place, cfg, e);
    if (rc == RC_OK)
        rc = sqlite_target_check(&place, &exists, e);
    sqlite_place_free(&place);
    return rc;
}

static unsigned sqlite_needs(const struct sink_cfg *cfg)
{
    (void)cfg;
    return SINK_WANTS_ROWS | SINK_WANTS_MISSING;
}

static enum rc sqlite_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    (void)e;
    buf_add(out, cfg->target, strlen(cfg->target) + 1);
    return RC_OK;
}

static enum rc sqlite_beside(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    struct sqlite_place place;
    enum rc rc = sqlite_place_make(&place, cfg, e);
    if (rc == RC_OK)
        rc = sqlite_place_beside(&place, out, e);
    sqlite_place_free(&place);
    return rc;
}

/* ---- the sink ------------------------------------------------------------------------------- */

static struct sqlite *sqlite_of(struct sink *s)
{
    return (struct sqlite *)s;
}

void sqlite_sink_free(struct sqlite *s, bool remove)
{
    sqlite_stage_close(&s->stage, remove);
    sqlite_shard_set_free(&s->shards);
    stop_timer_close(&s->stop);
    sqlite_place_free(&s->place);
    buf_free(&s->mark);
    free(s->misfits);
    free(s);
}

enum rc sqlite_sink_new(struct sqlite **out, const struct sink_cfg *cfg, struct str run_id,
                        int64_t started_ms, struct err *e)
{
    struct sqlite *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->cfg = *cfg;
    buf_init(&s->mark, SINK_TEXT_BYTES_MAX);
    s->file.path = cfg->target;
    s->files = &s->file;
    *out = s;
    s->stop.fd = -1;
    enum rc rc = sqlite_place_make(&s->place, &s->cfg, e);
    if (rc == RC_OK)
        rc = stop_timer_open(&s->stop, e);
    if (rc == RC_OK)
        rc = sqlite_place_set_run(&s->place, cfg, run_id, started_ms, e);
    s->place.queue = cfg->queue;
    s->stage.db = (struct sqlite_db){.stop = cfg->stop, .own_stop = &s->stop};
    if (rc == RC_OK && cfg->shard)
        rc = sqlite_shard_set_init(&s->shards, &s->cfg, started_ms, &s->place, &s->stage, e);
    return rc;
}

/* Opens the database where it is there. */
enum rc sqlite_sink_attach(struct sqlite *s, struct err *e)
{
    bool exists = false;
    sqlite_fresh_settle(&s->place);
    enum rc rc = sqlite_target_check(&s->place, &exists, e);
    if (rc != RC_OK || !exists)
        return rc;
    rc = sqlite_target_attach(&s->place, &s->stage.db, s->place.path, e);
    s->stage.is_attached = rc == RC_OK;
    return rc;
}

/* Does nothing without shards. */
enum rc sqlite_sink_lock(struct sqlite *s, struct err *e)
{
    return s->cfg.shard ? sqlite_shard_files_lock(&s->shards.files, e) : RC_OK;
}

/* Whoever has not locked the other shards out must leave this file alone. */
static bool has_fresh(const struct sqlite *s)
{
    return !s->cfg.shard || s->shards.files.lock >= 0;
}

static enum rc begin(struct sqlite *s, struct err *e)
{
    enum rc rc = RC_OK;
    if (s->cfg.shard)
        rc = sqlite_fresh_remove(&s->place, e);
    if (rc == RC_OK && s->cfg.shard)
        rc = sqlite_shard_set_begin(&s->shards, e);
    return rc == RC_OK ? sqlite_stage_begin(&s->stage, e) : rc;
}

static enum rc sqlite_open(struct sink **out, const struct sink_cfg *cfg,
                           const struct sink_mark *from, struct err *e)
{
    struct sqlite *s = NULL;
    enum rc rc = sqlite_sink_new(&s, cfg, str_c(cfg->run_id), cfg->started_ms, e);
    if (!s)
        return rc;
    s->sink.ops = &sink_sqlite;
    s->keeps = from != NULL;
    if (rc == RC_OK)
        rc = sqlite_sink_lock(s, e);
    if (rc == RC_OK)
        rc = sqlite_stage_open(&s->stage, &s->place, cfg, !from, e);
    s->stage.db.own_stop = &s->stop;
    if (rc == RC_OK)
        rc = sqlite_sink_attach(s, e);
    if (rc == RC_OK)
        rc = from ? sqlite_stage_resume(&s->stage, cfg, from->text, e) : begin(s, e);
    if (rc != RC_OK) {
        sqlite_sink_free(s, !from);
        return rc;
    }
    if (cfg->shard)
        sqlite_shard_files_free(&s->shards.files);
    *out = &s->sink;
    return RC_OK;
}

static enum rc sqlite_put(struct sink *sink, const struct lead *const leads[], size_t n,
                          struct err *e)
{
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    struct sqlite *s = sqlite_of(sink);
    for (size_t i = 0; i < n; i++) {
        enum rc rc = sqlite_stage_put(&s->stage, leads[i], e);
        if (rc != RC_OK)
            return rc;
        s->cfg.host.settle(s->cfg.host.ctx, sink, leads[i], &accepted);
    }
    return RC_OK;
}

static enum rc sqlite_put_missing(struct sink *sink, const struct lead *const leads[], size_t n,
                                  struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = sqlite_stage_put_missing(&sqlite_of(sink)->stage, leads[i], e);
    return rc;
}

static enum rc sqlite_mark(struct sink *sink, struct sink_mark *out, struct err *e)
{
    struct sqlite *s = sqlite_of(sink);
    enum rc rc = sqlite_stage_commit(&s->stage, e);
    if (rc != RC_OK)
        return rc;
    buf_clear(&s->mark);
    sqlite_stage_mark(&s->stage, &s->mark);
    if (buf_rc(&s->mark) != RC_OK)
        return err_nomem(e);
    out->text = buf_str(&s->mark);
    s->keeps = true;
    return RC_OK;
}

/* ---- a database that is not there yet --------------------------------------------------------- */

/* Nobody sees it before it is complete, so it needs no journal on the way there. */
static enum rc make_fresh(struct sqlite *s, struct err *e)
{
    const struct sqlite_db *d = &s->stage.db;
    char sql[256];
    bool done = false;
    enum rc rc = sqlite_fresh_remove(&s->place, e);
    if (rc == RC_OK)
        rc = sqlite_target_attach(&s->place, d, s->place.fresh, e);
    if (rc != RC_OK)
        return rc;
    (void)snprintf(sql, sizeof sql,
                   "pragma out.journal_mode = off; pragma out.synchronous = off; "
                   "pragma out.application_id = %d",
                   SQLITE_APPLICATION_ID);
    rc = sqlite_run(d, sql, e);
    if (rc == RC_OK)
        rc = sqlite_merge(&s->stage, &s->outcome, &done, e);
    if (rc == RC_OK)
        rc = sqlite_run(d, "commit; pragma out.journal_mode = wal; detach out", e);
    if (rc == RC_OK)
        rc = sqlite_fresh_sync(&s->place, e);
    s->is_fresh = rc == RC_OK;
    return rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

static enum rc roll_back(struct sqlite *s, struct err *e)
{
    if (!s->stage.db.db || sqlite3_get_autocommit(s->stage.db.db))
        return RC_OK;
    return sqlite_run(&s->stage.db, "rollback", e);
}

/* Its transaction, in which everything is written, stays open. */
static enum rc merge_existing(struct sqlite *s, bool *done, struct err *e)
{
    int moved = 0;
    if (sqlite3_file_control(s->stage.db.db, "out", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
        moved)
        return err_set(e, RC_IO, "%s: was moved or removed during the run", s->cfg.spec);
    enum rc rc = sqlite_merge(&s->stage, &s->outcome, done, e);
    s->is_open = rc == RC_OK && s->outcome.gone <= s->outcome.gone_allowed;
    return rc;
}

/* It may take long: a run that is stopped does not wait for its end. */
enum rc sqlite_sink_merge(struct sqlite *s, bool *done, struct err *e)
{
    struct err ignored;
    *done = false;
    sqlite_db_heed_stop(&s->stage.db, true);
    enum rc rc = s->stage.is_attached ? merge_existing(s, done, e) : make_fresh(s, e);
    sqlite_db_heed_stop(&s->stage.db, false);
    if (!s->is_open)
        (void)roll_back(s, &ignored);
    if (rc != RC_OK && !s->stage.is_attached)
        (void)sqlite_fresh_remove(&s->place, &ignored);
    return rc;
}

static void sqlite_stop(struct sink *sink, int64_t grace_ms)
{
    stop_timer_start(&sqlite_of(sink)->stop, grace_ms);
}

static enum rc find_misfits(struct sqlite *s, struct err *e)
{
    struct typed_table **tables = calloc(s->stage.n_tables + 1, sizeof *tables);
    if (!tables)
        return err_nomem(e);
    for (size_t i = 0; i < s->stage.n_tables; i++)
        tables[i] = s->stage.tables[i].typed;
    enum rc rc = typed_table_misfits(tables, s->stage.n_tables, &s->misfits, &s->n_misfits);
    free(tables);
    return rc == RC_OK ? rc : err_nomem(e);
}

static enum rc sqlite_recorded(struct sink *sink, sink_recall_fn *recall, void *ctx, struct err *e)
{
    const struct sqlite *s = sqlite_of(sink);
    return s->stage.is_attached ? sqlite_records_recall(&s->place, &s->stage.db, recall, ctx, e)
                                : RC_OK;
}

static enum rc sqlite_confirm(struct sink *sink, struct err *e)
{
    struct sqlite *s = sqlite_of(sink);
    if (!s->place.record.len)
        return RC_OK;
    enum rc rc = s->stage.is_attached ? RC_OK : sqlite_sink_attach(s, e);
    return rc == RC_OK ? sqlite_record_confirm(&s->place, &s->stage.db, e) : rc;
}

/* What a shard has staged, and has recorded, is merged with what the others have, or waits for them. */
enum rc sqlite_sink_merge_set(struct sqlite *s, bool *done, struct err *e)
{
    enum rc rc = sqlite_shard_set_was_done(&s->shards, done, e);
    if (rc != RC_OK || *done)
        return rc;
    rc = sqlite_shard_set_find(&s->shards, e);
    if (rc != RC_OK || s->shards.none_found)
        return rc;
    s->waits = !sqlite_shard_set_is_last(&s->shards);
    if (s->waits)
        return RC_OK;
    sqlite_db_heed_stop(&s->stage.db, true);
    rc = sqlite_shard_set_take_in(&s->shards, e);
    sqlite_db_heed_stop(&s->stage.db, false);
    return rc == RC_OK ? sqlite_sink_merge(s, done, e) : rc;
}

static enum rc end_shard(struct sqlite *s, bool *done, struct err *e)
{
    enum rc rc = sqlite_shard_set_record(&s->shards, e);
    return rc == RC_OK ? sqlite_sink_merge_set(s, done, e) : rc;
}

/* "1 RUN_ID STARTED_MS\n" */
static enum rc sqlite_prepare_end(struct sink *sink, struct buf *text, struct err *e)
{
    struct sqlite *s = sqlite_of(sink);
    bool done = false;
    enum rc rc = sqlite_stage_commit(&s->stage, e);
    if (rc == RC_OK)
        rc = sqlite_sink_lock(s, e);
    if (rc == RC_OK && !s->stage.is_attached)
        rc = sqlite_sink_attach(s, e);
    if (rc == RC_OK)
        rc = find_misfits(s, e);
    if (rc == RC_OK)
        rc = sql_record_take(&s->cfg, &s->place.memory, &s->place.record, e);
    if (rc == RC_OK)
        rc = s->cfg.shard ? end_shard(s, &done, e) : sqlite_sink_merge(s, &done, e);
    if (rc == RC_USAGE) /* the tables were others when the run began */
        rc = e->rc = RC_IO;
    s->file.rows = s->outcome.rows[SQL_MERGE_INSERT] + s->outcome.rows[SQL_MERGE_UPDATE];
    if (rc != RC_OK || !text)
        return rc;
    buf_addf(text, SQLITE_TEXT_VERSION " %s %" PRId64 "\n", s->cfg.run_id, s->cfg.started_ms);
    s->keeps = true;
    return RC_OK;
}

/* One that stays is recognised, and does not count (shard_files.h). */
static void remove_taken(struct sqlite *s)
{
    struct err e;
    if (s->cfg.shard && sqlite_shard_set_remove_taken(&s->shards, &e) != RC_OK)
        log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.spec, "%s", e.msg);
}

enum rc sqlite_sink_commit(struct sink *sink, struct err *e)
{
    struct sqlite *s = sqlite_of(sink);
    enum rc rc = RC_OK;
    if (s->is_fresh)
        rc = sqlite_fresh_publish(&s->place, e);
    else if (s->is_open)
        rc = sqlite_run(&s->stage.db, "commit", e);
    else if (s->waits)
        rc = sqlite_shard_set_keep(&s->shards, e);
    s->is_done = rc == RC_OK;
    if (rc == RC_OK && (s->is_fresh || s->is_open))
        remove_taken(s);
    return rc;
}

static enum rc sqlite_abort(struct sink *sink, struct err *e)
{
    struct sqlite *s = sqlite_of(sink);
    enum rc rc = roll_back(s, e);
    s->is_done = true;
    return rc == RC_OK && has_fresh(s) ? sqlite_fresh_remove(&s->place, e) : rc;
}

void sqlite_sink_result(const struct sink *sink, struct sink_result *out)
{
    const struct sqlite *s = (const struct sqlite *)sink;
    *out = (struct sink_result){
        .files = s->files,
        .n_files = 1,
        .is_typed = !s->place.all_text,
        .misfits = s->misfits,
        .n_misfits = s->n_misfits,
        .is_database = true,
        .inserted = s->outcome.rows[SQL_MERGE_INSERT],
        .updated = s->outcome.rows[SQL_MERGE_UPDATE],
        .deleted = s->outcome.rows[SQL_MERGE_DELETE],
        .held = s->outcome.held,
        .gone = s->outcome.gone,
        .gone_allowed = s->outcome.gone_allowed,
        .none_found = s->shards.none_found,
    };
    if (s->waits)
        sql_shards_due(&s->shards.seen, out);
    else if (s->cfg.shard)
        out->merged = s->shards.seen.n;
}

static void sqlite_close(struct sink *sink)
{
    struct sqlite *s = sqlite_of(sink);
    struct err ignored;
    bool remove = s->is_done || !s->keeps;
    (void)roll_back(s, &ignored);
    if (remove && s->stage.db.db && has_fresh(s))
        (void)sqlite_fresh_remove(&s->place, &ignored);
    sqlite_sink_free(s, remove);
}

const struct sink_ops sink_sqlite = {
    .name = "sqlite",
    .help =
        "tables of an SQLite database: FILE.db is created if it does not exist; all new rows appear "
        "in it at once, at the end of the run",
    .opts = sqlite_opt_specs,
    .opts_size = sizeof(struct sqlite_opts),
    .target = NAMES_FILES,
    .eighths = COLUMNS_EIGHTHS,
    .columns_max = COLUMNS_MAX,
    .commits_at_once = true,
    .shards = SINK_SHARDS_TOGETHER,
    .check = sqlite_check,
    .recorded = sqlite_recorded,
    .confirm = sqlite_confirm,
    .needs = sqlite_needs,
    .paths = sqlite_paths,
    .beside = sqlite_beside,
    .open = sqlite_open,
    .put = sqlite_put,
    .put_missing = sqlite_put_missing,
    .mark = sqlite_mark,
    .prepare = sqlite_prepare_end,
    .commit = sqlite_sink_commit,
    .abort = sqlite_abort,
    .recover = sqlite_sink_recover,
    .on_stop = SINK_STOP_KEEP,
    .stop = sqlite_stop,
    .result = sqlite_sink_result,
    .close = sqlite_close,
};
