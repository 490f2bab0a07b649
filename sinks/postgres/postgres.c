/* The sink "postgres": tables of a PostgreSQL database. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/units.h"
#include "core/sink.h"
#include "sinks/postgres/command.h"
#include "sinks/postgres/postgres_internal.h"
#include "sinks/postgres/records.h"
#include "sinks/postgres/remembered.h"
#include "sinks/postgres/rights.h"
#include "sinks/postgres/user_table.h"
#include "sinks/registry.h"

#define COLUMNS_MAX 1500   /* PostgreSQL has 1,600; some are the sink's */
#define KEY_BYTES_MAX 2000 /* of an index row, of which PostgreSQL allows 2,704 */

static unsigned pg_needs(const struct sink_cfg *cfg)
{
    (void)cfg;
    return SINK_WANTS_ROWS | SINK_WANTS_MISSING;
}

static enum rc pg_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    (void)cfg;
    (void)out;
    (void)e;
    return RC_OK;
}

/* ---- the sink ------------------------------------------------------------------------------- */

/* Hexadecimal digits from the run, and from which of its sinks it is. */
static enum rc make_token(struct pg_place *p, const struct sink_cfg *cfg, struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[80];
    int n = snprintf(text, sizeof text, "%.32s/%u", p->run_id, cfg->index);
    if (n < 0 || EVP_Digest(text, (size_t)n, digest, NULL, EVP_sha256(), NULL) != 1)
        return err_nomem(e);
    for (size_t i = 0; i < (PG_TOKEN_BYTES - 1) / 2; i++)
        (void)snprintf(p->token + 2 * i, 3, "%02x", digest[i]);
    return RC_OK;
}

enum rc pg_init(struct postgres *s, const struct sink_cfg *cfg, const char *run_id,
                int64_t started_ms, struct err *e)
{
    const char *password;
    s->cfg = *cfg;
    s->stop.fd = -1;
    s->load.spool.fd = -1;
    arena_init(&s->memory, PG_MEMORY_MAX);
    pg_misfits_init(&s->misfits);
    buf_init(&s->mark, SINK_TEXT_BYTES_MAX);
    enum rc rc = pg_make_relations(&s->place, &s->cfg, &s->memory, e);
    (void)snprintf(s->place.run_id, sizeof s->place.run_id, "%s", run_id);
    s->place.started_us = started_ms * 1000;
    s->place.host = &s->cfg.host;
    s->place.queue = cfg->queue;
    s->place.shard = cfg->shard;
    if (rc == RC_OK)
        rc = make_token(&s->place, cfg, e);
    if (rc == RC_OK)
        rc = pg_remembered_name(&s->place, e);
    if (rc == RC_OK)
        rc = stop_timer_open(&s->stop, e);
    if (rc == RC_OK)
        rc = pg_take_password(cfg, &password, e);
    if (rc != RC_OK)
        return rc;
    s->link = (struct pg_link){.wait_ms = -1};
    s->link.cfg = (struct pg_link_cfg){.conninfo = cfg->target,
                                       .password = password,
                                       .spec = cfg->spec,
                                       .secrets = cfg->secrets,
                                       .log = cfg->log,
                                       .clock = cfg->clock,
                                       .run_stop = cfg->stop,
                                       .stop = &s->stop};
    return RC_OK;
}

void pg_release(struct postgres *s)
{
    pg_misfits_free(&s->misfits);
    pg_load_free(&s->load);
    pg_link_close(&s->link);
    stop_timer_close(&s->stop);
    buf_free(&s->mark);
    arena_free(&s->memory);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* How each column is staged, given what is there. */
static enum rc plan_table(struct postgres *s, size_t table, struct err *e)
{
    const struct sql_relation *r = &s->place.relations.items[table];
    struct pg_load_table *t = &s->load.tables[table];
    struct pg_table now;
    enum rc rc = pg_table_load(&now, &s->link, &s->place, r->name, e);
    if (rc != RC_OK)
        return rc;
    rc = pg_check_table(&s->place, r, &now, &s->link, e);
    for (size_t i = 0; rc == RC_OK && i < r->n_columns; i++) {
        const struct sql_mapped *mapped;
        enum column_type type = r->columns[i].type;
        rc = sql_column_map_find(&now.map, r->columns[i].wanted, r->columns[i].source, &mapped, e);
        if (rc == RC_OK)
            rc = pg_staged_type(&s->place, r, i, pg_table_column(&now, mapped->column), s->cfg.spec,
                                &type, e);
        if (rc == RC_OK && type != r->columns[i].type)
            typed_table_set_type(t->typed, i, type);
    }
    if (rc == RC_OK)
        rc = pg_check_end(&s->place, r, &now, &s->link, e);
    pg_table_free(&now);
    return rc;
}

enum rc pg_connect(struct postgres *s, struct err *e)
{
    const struct pg_opts *opts = s->cfg.opts;
    enum rc rc = s->was_there ? RC_NET : pg_link_open(&s->link, e);
    if (rc == RC_NET && (s->was_there || strstr(e->msg, "starting up")))
        rc = pg_link_open_again(&s->link, clock_mono_us(s->cfg.clock), PG_AWAY_MS, e);
    s->was_there = rc == RC_OK; /* else it was waited for as long as it may be */
    if (rc == RC_OK)
        rc = pg_find_schema(&s->place, &s->link, opts->schema, &s->memory, e);
    return rc;
}

static enum rc begin(struct postgres *s, const struct sink_mark *from, struct err *e)
{
    const struct pg_opts *opts = s->cfg.opts;
    enum rc rc = pg_connect(s, e);
    if (rc == RC_OK)
        rc = pg_make_own_tables(&s->place, &s->link, e);
    if (rc == RC_OK && s->place.queue)
        rc = pg_records_make(&s->place, &s->link, e);
    if (rc == RC_OK)
        rc = pg_shards_open(&s->place, &s->link, e);
    if (rc == RC_OK)
        rc = pg_load_new(&s->load, &s->place, s->cfg.profile, &s->link,
                         from ? from->text : STR_NONE, e);
    s->load.rows_max = (size_t)opts->commit_rows;
    for (size_t i = 0; rc == RC_OK && i < s->place.relations.n; i++)
        rc = plan_table(s, i, e);
    if (rc == RC_OK)
        rc = pg_lock_run(&s->place, &s->link, e);
    if (rc == RC_OK)
        rc = pg_claim_tables(&s->place, &s->link, e);
    if (rc == RC_OK)
        rc = pg_sweep(&s->place, &s->link, s->cfg.discarded_run_id, e);
    if (rc == RC_OK)
        rc = pg_shards_begin(&s->place, &s->link, !from, e);
    if (rc == RC_OK)
        rc = pg_load_recall(&s->load, e);
    if (rc == RC_OK && from)
        return pg_load_resume(&s->load, e);
    if (rc == RC_OK)
        rc = pg_run_begin(&s->place, &s->link, e);
    if (rc == RC_OK)
        rc = pg_load_create(&s->load, e);
    if (rc == RC_OK)
        pg_spool_open(&s->load.spool);
    return rc;
}

static void pg_close(struct sink *sink);

/* *was_there: the server has been there before, and then: now or before. */
static enum rc open_once(struct sink **out, const struct sink_cfg *cfg,
                         const struct sink_mark *from, bool *was_there, struct err *e)
{
    struct postgres *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->sink.ops = &sink_postgres;
    s->keeps = from != NULL;
    enum rc rc = pg_init(s, cfg, cfg->run_id, cfg->started_ms, e);
    s->was_there = *was_there;
    if (rc == RC_OK)
        rc = begin(s, from, e);
    *was_there = s->was_there;
    s->created = rc == RC_OK;
    if (rc != RC_OK) {
        pg_close(&s->sink);
        return rc;
    }
    *out = &s->sink;
    return RC_OK;
}

/* All that it does may be done again: a connection that is lost meanwhile is made again. */
static enum rc pg_open(struct sink **out, const struct sink_cfg *cfg, const struct sink_mark *from,
                       struct err *e)
{
    bool was_there = false;
    enum rc rc = open_once(out, cfg, from, &was_there, e);
    for (unsigned i = 1; rc == RC_NET && was_there && i < PG_TRIES; i++)
        rc = open_once(out, cfg, from, &was_there, e);
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static bool has_long_key(const struct postgres *s, const struct lead *lead)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->place.relations.n_lead_keys; i++)
        bytes += row_key_value(s->cfg.profile, lead, i).len;
    return bytes > KEY_BYTES_MAX;
}

/* What a database cannot hold is a failed lead, and not the end of the run. */
static const struct verdict *verdict_of(const struct postgres *s, const struct lead *lead)
{
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    static const struct verdict too_long = {
        .kind = VERDICT_FAILED,
        .attempts = 1,
        .code = "key_too_long",
        .error = "the ID and its parameters are too long for a key of PostgreSQL (2000 bytes)"};
    static const struct verdict too_wide = {
        .kind = VERDICT_FAILED,
        .attempts = 1,
        .code = "row_too_wide",
        .error =
            "a row of it has more values than fit into one of PostgreSQL, which has 8 KB and needs 18 "
            "bytes even for a value that it stores elsewhere; use a smaller --max-columns, such as 300"};
    if (has_long_key(s, lead))
        return &too_long;
    return pg_load_fits(&s->load, lead) ? &accepted : &too_wide;
}

static enum rc pg_put(struct sink *sink, const struct lead *const leads[], size_t n, struct err *e)
{
    struct postgres *s = pg_of(sink);
    for (size_t i = 0; i < n; i++) {
        const struct verdict *v = verdict_of(s, leads[i]);
        enum rc rc = v->kind == VERDICT_ACCEPTED ? pg_load_put(&s->load, leads[i], e) : RC_OK;
        if (rc != RC_OK)
            return rc;
        s->cfg.host.settle(s->cfg.host.ctx, sink, leads[i], v);
    }
    return RC_OK;
}

static enum rc pg_put_missing(struct sink *sink, const struct lead *const leads[], size_t n,
                              struct err *e)
{
    struct postgres *s = pg_of(sink);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        if (!has_long_key(s, leads[i])) /* then no table has it */
            rc = pg_load_put_missing(&s->load, leads[i], e);
    }
    return rc;
}

static enum rc pg_mark(struct sink *sink, struct sink_mark *out, struct err *e)
{
    struct postgres *s = pg_of(sink);
    s->load.resumable = true;
    enum rc rc = pg_load_flush(&s->load, e);
    if (rc != RC_OK)
        return rc;
    buf_clear(&s->mark);
    pg_load_mark(&s->load, &s->mark);
    if (buf_rc(&s->mark) != RC_OK)
        return err_nomem(e);
    s->keeps = true;
    out->text = buf_str(&s->mark);
    return RC_OK;
}

/* ---- the end -------------------------------------------------------------------------------- */

static enum rc pg_recorded(struct sink *sink, sink_recall_fn *recall, void *ctx, struct err *e)
{
    struct postgres *s = pg_of(sink);
    return pg_records_recall(&s->place, &s->link, &s->memory, recall, ctx, e);
}

static enum rc pg_confirm(struct sink *sink, struct err *e)
{
    struct postgres *s = pg_of(sink);
    struct buf sql;
    buf_init(&sql, PG_MEMORY_MAX);
    pg_put_record_confirmed(&sql, &s->place);
    enum rc rc = sql.len ? pg_run_buf(&s->link, &sql, e) : RC_OK;
    buf_free(&sql);
    return rc;
}

static void pg_stop(struct sink *sink, int64_t grace_ms)
{
    stop_timer_start(&pg_of(sink)->stop, grace_ms);
}

static void pg_result(const struct sink *sink, struct sink_result *out)
{
    const struct postgres *s = (const struct postgres *)sink;
    *out = (struct sink_result){.is_database = true,
                                .is_typed = !s->place.all_text,
                                .misfits = s->misfits.items,
                                .n_misfits = s->misfits.n,
                                .inserted = s->outcome.rows[SQL_MERGE_INSERT],
                                .updated = s->outcome.rows[SQL_MERGE_UPDATE],
                                .deleted = s->outcome.rows[SQL_MERGE_DELETE],
                                .held = s->outcome.held,
                                .gone = s->outcome.gone,
                                .gone_allowed = s->outcome.gone_allowed,
                                .due = s->set.shown.due,
                                .merged = s->set.shown.merged,
                                .none_found = s->set.shown.none_found};
    (void)snprintf(out->waits_for, sizeof out->waits_for, "%s", s->set.shown.waits_for);
}

static void pg_close(struct sink *sink)
{
    struct postgres *s = pg_of(sink);
    struct err ignored;
    if (s->created && !s->keeps && !s->committed)
        (void)pg_drop(s, &ignored); /* what stays is dropped by a later run */
    pg_release(s);
    free(s);
}

/* ---- before a run ----------------------------------------------------------------------------- */

#define PROBE_WAIT_MS 30000

static enum rc probe(struct postgres *s, const struct findings *f, struct err *e)
{
    const struct pg_opts *opts = s->cfg.opts;
    enum rc rc = pg_link_open(&s->link, e);
    return rc == RC_OK ? pg_probe_rights(&s->place, &s->link, opts->schema, f, e) : rc;
}

static void pg_probe(const struct sink_cfg *cfg, const struct findings *f)
{
    static const char no_run[] = "00000000000000000000000000000000";
    struct err e;
    struct postgres *s = calloc(1, sizeof *s);
    enum rc rc = s ? pg_init(s, cfg, no_run, 0, &e) : err_nomem(&e);
    if (s && rc == RC_OK) {
        s->link.wait_ms = PROBE_WAIT_MS;
        rc = probe(s, f, &e);
    }
    if (rc != RC_OK)
        findings_add(f, FINDING_FAIL, sink_postgres.name, "%s%s", e.msg,
                     rc == RC_NET ? "; is the server running, and does its address lead to it?"
                                  : "");
    if (s)
        pg_release(s);
    free(s);
}

const struct sink_ops sink_postgres = {
    .name = "postgres",
    .help = PG_HELP,
    .opts = pg_opt_specs,
    .opts_size = sizeof(struct pg_opts),
    .eighths = 24,
    .columns_max = COLUMNS_MAX,
    .shards = SINK_SHARDS_TOGETHER,
    .check = pg_check,
    .recorded = pg_recorded,
    .confirm = pg_confirm,
    .probe = pg_probe,
    .needs = pg_needs,
    .paths = pg_paths,
    .open = pg_open,
    .put = pg_put,
    .put_missing = pg_put_missing,
    .mark = pg_mark,
    .prepare = pg_prepare,
    .commit = pg_commit,
    .abort = pg_abort,
    .recover = pg_recover,
    .on_stop = SINK_STOP_KEEP,
    .stop = pg_stop,
    .result = pg_result,
    .close = pg_close,
};
