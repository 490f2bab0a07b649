/* The summary as one line of JSON, with the same names as in the manifest. */
#include <inttypes.h>
#include <stdio.h>

#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"
#include "cmd/escape.h"
#include "cmd/summary.h"

#define ERROR_BYTES_MAX ((size_t)1 << 16)

static void add_text(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, ",\"%s\":", name);
    if (value)
        json_write_bytes(out, str_c(value)); /* a path may be any bytes; JSON is UTF-8 */
    else
        buf_adds(out, "null");
}

static void add_count(struct buf *out, const char *name, uint64_t n)
{
    buf_addf(out, ",\"%s\":%" PRIu64, name, n);
}

static void add_counts(struct buf *out, const struct run_cfg *cfg, const struct run_result *r)
{
    uint64_t gone = 0;
    buf_addf(out,
             ",\"ids\":{\"read\":%" PRIu64 ",\"unique\":%" PRIu64 ",\"duplicates\":%" PRIu64 "}",
             r->ids.read, r->ids.unique, r->ids.duplicates);
    if (cfg->shard.of)
        buf_addf(out, ",\"shard\":{\"index\":%u,\"of\":%u,\"other_ids\":%" PRIu64 "}",
                 cfg->shard.index, cfg->shard.of, r->ids.others);
    buf_addf(out,
             ",\"ledger\":{\"exported\":%" PRIu64 ",\"unchanged\":%" PRIu64 ",\"missing\":%" PRIu64
             ",\"failed\":%" PRIu64 ",\"pending\":%" PRIu64,
             r->ledger.exported, r->ledger.unchanged, r->ledger.missing, r->ledger.failed,
             r->ledger.pending);
    if (run_result_gone(cfg, r, &gone))
        add_count(out, "gone", gone);
    buf_addc(out, '}');
    buf_addf(out, ",\"requests\":{\"total\":%" PRIu64 ",\"retries\":%" PRIu64 "}", r->http.requests,
             r->http.retries);
    add_count(out, "bytes_received", r->http.bytes_received);
    buf_addf(out, ",\"seconds\":%.3f", r->seconds);
    add_count(out, "replaced_characters", r->replaced);
    add_count(out, "other_ids", r->other_ids);
    if (r->beyond.leads) {
        buf_addf(out,
                 ",\"beyond_max_columns\":{\"codes\":%" PRIu64 ",\"members\":%" PRIu64
                 ",\"leads\":%" PRIu64,
                 r->beyond.codes, r->beyond.members, r->beyond.leads);
        add_text(out, "first_lead", r->beyond.first);
        buf_addc(out, '}');
    }
    if (r->resumed)
        add_count(out, "done_before", r->done_before);
}

static void add_misfits(struct buf *out, const struct sink_result *s)
{
    buf_adds(out, ",\"misfits\":[");
    for (size_t i = 0; i < s->n_misfits; i++) {
        buf_addf(out, "%s{\"count\":%" PRIu64, i ? "," : "", s->misfits[i].n);
        add_text(out, "table", s->misfits[i].table);
        add_text(out, "column", s->misfits[i].column);
        if (s->misfits[i].type)
            add_text(out, "type", s->misfits[i].type);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void add_due(struct buf *out, const struct sink_result *s)
{
    add_count(out, "shards_merged", s->merged);
    add_text(out, "waits_for_shards", s->due ? s->waits_for : NULL);
}

static void add_sink(struct buf *out, const struct sink_cfg *cfg, const struct sink_result *s,
                     bool published)
{
    const char *spec = cfg->spec;
    const char *other = s->is_database ? "database" : "files";
    buf_addf(out, "{\"kind\":\"%s\"", s->is_delivery ? "deliveries" : other);
    add_text(out, "sink", spec);
    if (s->is_delivery) {
        add_count(out, "deliveries", s->deliveries);
        add_count(out, "delivered", s->delivered);
        add_count(out, "failed", s->failed);
    } else if (s->is_database) {
        add_count(out, "inserted", published ? s->inserted : 0);
        add_count(out, "updated", published ? s->updated : 0);
        add_count(out, "deleted", published ? s->deleted : 0);
        add_count(out, "gone", s->gone);
        if (cfg->shard && published)
            add_due(out, s);
    } else {
        buf_adds(out, ",\"files\":[");
        for (size_t i = 0; published && i < s->n_files; i++) {
            buf_adds(out, i ? ",{\"rows\":" : "{\"rows\":");
            buf_addf(out, "%" PRIu64 ",\"bytes\":%" PRIu64, s->files[i].rows, s->files[i].bytes);
            add_text(out, "path", s->files[i].path);
            add_text(out, "table", s->files[i].table);
            buf_addc(out, '}');
        }
        buf_addc(out, ']');
    }
    if (s->is_typed)
        add_misfits(out, s);
    buf_addc(out, '}');
}

/* An error's text as messages show it: without secrets, and escaped. */
static void add_error(struct buf *out, struct secrets *secrets, const char *text)
{
    struct buf shown;
    char *copy = *text ? strdup(text) : NULL;
    buf_init(&shown, ERROR_BYTES_MAX);
    if (copy)
        secrets_redact(secrets, copy, strlen(copy) + 1);
    text_escape(&shown, copy ? copy : SECRETS_LEFT_OUT);
    add_text(out, "error", *text ? buf_cstr(&shown) : NULL);
    buf_free(&shown);
    free(copy);
}

void summary_json_refused(struct buf *out, const struct messages *m, int exit_status,
                          const char *error)
{
    messages_json_begin(out, m->clock, LOG_LEVEL_INFO, "summary", "the run did not begin");
    add_text(out, "run_id", NULL);
    add_count(out, "exit_status", (uint64_t)exit_status);
    buf_adds(out, ",\"published\":false");
    add_error(out, m->secrets, error);
    buf_adds(out, "}\n");
}

static void add_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char at[25];
    clock_format(wall_ms, at);
    buf_addf(out, ",\"%s\":\"%s\"", name, at);
}

void summary_json(struct buf *out, const struct run_cfg *cfg, const struct run_result *r)
{
    bool has_sent = !r->published && run_result_has_sent(r, cfg->n_sinks);
    const char *how = "the run stopped early, and its outputs were not published";
    char message[256];
    if (r->published && r->lacks)
        how = "the run published its outputs, but not every file about it";
    else if (r->published)
        how = "the run finished";
    else if (r->withheld)
        how = "the run finished, but its outputs were not published";
    else if (r->in_part)
        how = "the run stopped while its outputs were being published";
    (void)snprintf(message, sizeof message, "%s%s", how, has_sent ? "; " RUN_SENT_TEXT : "");
    messages_json_begin(out, cfg->clock, LOG_LEVEL_INFO, "summary", message);
    add_text(out, "run_id", r->run_id);
    add_count(out, "exit_status", (uint64_t)r->exit_status);
    buf_addf(out, ",\"published\":%s", r->published ? "true" : "false");
    add_error(out, cfg->secrets, r->error.rc == RC_OK ? "" : r->error.msg);
    add_time(out, "started_at", r->started_wall_ms);
    add_time(out, "ended_at", r->ended_wall_ms);
    add_counts(out, cfg, r);
    buf_adds(out, ",\"sinks\":[");
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        if (run_sink_is_companion(&cfg->sinks[i]))
            continue;
        if (i)
            buf_addc(out, ',');
        add_sink(out, &cfg->sinks[i].cfg, &r->sinks[i], r->published);
    }
    buf_adds(out, "]}\n");
}
