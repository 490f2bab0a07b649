#include "core/run/manifest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/file/descriptor.h"
#include "core/file/folder.h"
#include "core/file/relative.h"
#include "core/json/json.h"
#include "core/run/report_file.h"

#define MANIFEST_BYTES_MAX ((size_t)1 << 30) /* names of columns: 512 bytes, 65,536 a table */

/* Each writer below ends with a comma; closing an object or array removes the last one. */
static void key(struct buf *b, const char *name)
{
    json_write_string(b, str_c(name));
    buf_addc(b, ':');
}

static void text(struct buf *b, const char *name, const char *value)
{
    key(b, name);
    if (value)
        json_write_bytes(b, str_c(value)); /* paths may be any bytes */
    else
        buf_adds(b, "null");
    buf_addc(b, ',');
}

/* The JSON text of a path that is not UTF-8 cannot be used to open it, so its bytes are added. */
static void path_bytes(struct buf *b, const char *path)
{
    size_t n = strlen(path);
    if (utf8_valid(path, n))
        return;
    key(b, "path_base64");
    buf_addc(b, '"');
    char *room = buf_reserve(b, (n + 2) / 3 * 4 + 1); /* EVP_EncodeBlock() writes a NUL, too */
    if (room)
        b->len +=
            (size_t)EVP_EncodeBlock((unsigned char *)room, (const unsigned char *)path, (int)n);
    buf_adds(b, "\",");
}

static void flag(struct buf *b, const char *name, bool value)
{
    key(b, name);
    buf_adds(b, value ? "true," : "false,");
}

static void count(struct buf *b, const char *name, uint64_t value)
{
    key(b, name);
    buf_addf(b, "%llu,", (unsigned long long)value);
}

static void open_in(struct buf *b, const char *name, char bracket)
{
    if (name)
        key(b, name);
    buf_addc(b, bracket);
}

static void close_in(struct buf *b, char bracket)
{
    if (b->len && b->data[b->len - 1] == ',')
        b->len--;
    buf_addc(b, bracket);
    buf_addc(b, ',');
}

static void write_beyond(struct buf *b, const struct beyond *beyond)
{
    if (!beyond->leads)
        return;
    open_in(b, "beyond_max_columns", '{');
    count(b, "codes", beyond->codes);
    count(b, "members", beyond->members);
    count(b, "leads", beyond->leads);
    text(b, "first_lead", beyond->first);
    close_in(b, '}');
}

static void write_counts(struct buf *b, const struct run_cfg *cfg, const struct run_result *r)
{
    uint64_t gone = 0;
    open_in(b, "ids", '{');
    count(b, "read", r->ids.read);
    count(b, "unique", r->ids.unique);
    count(b, "duplicates", r->ids.duplicates);
    close_in(b, '}');
    open_in(b, "ledger", '{');
    count(b, "exported", r->ledger.exported);
    count(b, "unchanged", r->ledger.unchanged);
    count(b, "missing", r->ledger.missing);
    if (run_result_gone(cfg, r, &gone))
        count(b, "gone", gone);
    count(b, "failed", r->ledger.failed);
    count(b, "pending", r->ledger.pending);
    close_in(b, '}');
}

static void latency(struct buf *b, const char *name, double ms)
{
    key(b, name);
    buf_addf(b, "%.3f,", ms);
}

static void write_requests(struct buf *b, const struct http_stats *s, bool is_merged)
{
    open_in(b, "requests", '{');
    count(b, "total", s->requests);
    count(b, "retries", s->retries);
    open_in(b, "statuses", '{');
    for (size_t status = 0; status < sizeof s->statuses / sizeof *s->statuses; status++) {
        char name[8];
        if (!s->statuses[status])
            continue;
        (void)snprintf(name, sizeof name, "%zu", status);
        count(b, name, s->statuses[status]);
    }
    close_in(b, '}');
    open_in(b, "latency_ms", '{');
    if (!is_merged) { /* percentiles do not add up */
        latency(b, "p50", s->latency_p50_ms);
        latency(b, "p90", s->latency_p90_ms);
        latency(b, "p99", s->latency_p99_ms);
    }
    latency(b, "max", s->latency_max_ms);
    close_in(b, '}');
    close_in(b, '}');
}

/* Paths of a shard's or a merge's outputs are relative to the manifest, so that all may be moved together. */
static void write_path(struct buf *b, const struct run_cfg *cfg, const char *path)
{
    struct buf relative;
    struct err ignored;
    bool is_file = !outfile_is_url(path) && descriptor_written(path) < 0;
    char *folder = NULL;
    buf_init(&relative, MANIFEST_BYTES_MAX);
    if (is_file && (cfg->shard.of || cfg->merged_of) && !outfile_is_url(cfg->manifest_path)) {
        folder = folder_of(cfg->manifest_path);
        enum rc rc = folder ? relative_path(path, folder, &relative, &ignored) : RC_NOMEM;
        if (rc == RC_OK)
            path = buf_cstr(&relative);
        else if (rc == RC_NOMEM) /* as it was given, it would be another file */
            b->rc = b->rc == RC_OK ? RC_NOMEM : b->rc;
    }
    text(b, "path", path);
    path_bytes(b, path);
    free(folder);
    buf_free(&relative);
}

static void write_columns(struct buf *b, const struct sink_file *f)
{
    open_in(b, "columns", '[');
    for (size_t i = 0; i < f->n_columns; i++) {
        json_write_string(b, f->columns[i]);
        buf_addc(b, ',');
    }
    close_in(b, ']');
}

static void write_file(struct buf *b, const struct run_cfg *cfg, const struct sink_file *f)
{
    open_in(b, NULL, '{');
    write_path(b, cfg, f->path);
    text(b, "table", f->table);
    count(b, "rows", f->rows);
    count(b, "bytes", f->bytes);
    text(b, "sha256", f->sha256[0] ? f->sha256 : NULL);
    write_columns(b, f);
    close_in(b, '}');
}

static void write_misfits(struct buf *b, const struct sink_result *s)
{
    open_in(b, "misfits", '[');
    for (size_t i = 0; i < s->n_misfits; i++) {
        open_in(b, NULL, '{');
        text(b, "table", s->misfits[i].table);
        text(b, "column", s->misfits[i].column);
        if (s->misfits[i].type)
            text(b, "type", s->misfits[i].type);
        count(b, "count", s->misfits[i].n);
        close_in(b, '}');
    }
    close_in(b, ']');
}

static void write_sink(struct buf *b, const struct run_cfg *cfg, size_t sink,
                       const struct run_result *r)
{
    const struct sink_result *s = &r->sinks[sink];
    bool published = r->published;
    open_in(b, NULL, '{');
    text(b, "sink", cfg->sinks[sink].cfg.spec);
    if (s->is_delivery) {
        count(b, "deliveries", s->deliveries);
        count(b, "delivered", s->delivered);
        count(b, "failed", s->failed);
    } else if (s->is_database) {
        count(b, "inserted", published ? s->inserted : 0);
        count(b, "updated", published ? s->updated : 0);
        count(b, "deleted", published ? s->deleted : 0);
        count(b, "gone", s->gone);
        if (cfg->sinks[sink].cfg.shard && published) {
            count(b, "shards_merged", s->merged);
            text(b, "waits_for_shards", s->due ? s->waits_for : NULL);
        }
    } else {
        open_in(b, "files", '[');
        for (size_t i = 0; published && i < s->n_files; i++)
            write_file(b, cfg, &s->files[i]);
        close_in(b, ']');
    }
    if (s->is_typed)
        write_misfits(b, s);
    close_in(b, '}');
}

/* A file that is not a sink's. */
static void write_single(struct buf *b, const struct run_cfg *cfg, const char *name,
                         const struct sink_file *f)
{
    open_in(b, name, '{');
    write_path(b, cfg, f->path);
    count(b, "rows", f->rows);
    count(b, "bytes", f->bytes);
    text(b, "sha256", f->sha256);
    close_in(b, '}');
}

/* The counts in the manifest are those of the shard's own leads. The other members are for leadpipe merge. */
static void write_shard(struct buf *b, const struct run_cfg *cfg, const struct run_result *r)
{
    if (cfg->merged_of)
        count(b, "merged_from", cfg->merged_of);
    if (!cfg->shard.of)
        return;
    open_in(b, "shard", '{');
    count(b, "index", cfg->shard.index);
    count(b, "of", cfg->shard.of);
    count(b, "other_ids", r->ids.others);
    if (r->list_digest[0])
        text(b, "list", r->list_digest);
    for (size_t i = 0; r->published && i < cfg->n_sinks; i++) {
        if (run_sink_is_companion(&cfg->sinks[i]) && r->sinks[i].n_files)
            write_single(b, cfg, "leads", &r->sinks[i].files[0]);
    }
    if (r->published && r->failed_list.path)
        write_single(b, cfg, "failed", &r->failed_list);
    if (r->published && r->missing_list.path)
        write_single(b, cfg, "missing", &r->missing_list);
    close_in(b, '}');
}

static void write_all(struct buf *b, const struct run_cfg *cfg, const struct run_result *r)
{
    char started_at[25], ended_at[25];
    clock_format(r->started_wall_ms, started_at);
    clock_format(r->ended_wall_ms, ended_at);
    open_in(b, NULL, '{');
    text(b, "run_id", r->run_id);
    text(b, "version", cfg->version);
    text(b, "provider", cfg->profile->name.ptr);
    text(b, "server", cfg->server);
    text(b, "started_at", started_at);
    text(b, "ended_at", ended_at);
    count(b, "exit_status", (uint64_t)r->exit_status);
    flag(b, "published", r->published);
    open_in(b, "arguments", '[');
    for (size_t i = 0; i < cfg->n_arguments; i++) {
        json_write_bytes(b, str_c(cfg->arguments[i]));
        buf_addc(b, ',');
    }
    close_in(b, ']');
    write_shard(b, cfg, r);
    write_counts(b, cfg, r);
    write_beyond(b, &r->beyond);
    write_requests(b, &r->http, cfg->merged_of > 0);
    open_in(b, "sinks", '[');
    for (size_t i = 0; i < cfg->n_sinks; i++)
        if (!run_sink_is_companion(&cfg->sinks[i]))
            write_sink(b, cfg, i, r);
    close_in(b, ']');
    close_in(b, '}');
    if (b->len)
        b->data[b->len - 1] = '\n'; /* the last comma */
}

enum rc manifest_write(struct outfile **out, const struct run_cfg *cfg,
                       const struct run_result *result, struct err *e)
{
    struct buf b;
    buf_init(&b, MANIFEST_BYTES_MAX);
    write_all(&b, cfg, result);
    enum rc rc = report_file_write(out, cfg, cfg->manifest_path, &b, e);
    buf_free(&b);
    return rc;
}
