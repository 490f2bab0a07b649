#include "cmd/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/file/outfile.h"
#include "core/flatten/schema.h"
#include "cmd/escape.h"
#include "cmd/signals.h"

#define PATHS_BYTES_MAX ((size_t)1 << 20)
#define MISFITS_SHOWN_MAX 10 /* columns; the manifest has all of them */

/* ---- errors --------------------------------------------------------------------------------- */

static void print_failures(struct messages *m, const struct run_cfg *cfg,
                           const struct run_result *r)
{
    if (cfg->failed_path)
        messages_writef(m, LOG_LEVEL_ERROR, NULL,
                        "%" PRIu64 " failed (listed in %s); the first: %s", r->ledger.failed,
                        cfg->failed_path, r->first_failure);
    else
        messages_writef(
            m, LOG_LEVEL_ERROR, NULL, "%" PRIu64 " failed%s; the first: %s", r->ledger.failed,
            cfg->queue.has_no_end ? "" : " (use --failed FILE to list them)", r->first_failure);
}

static const char *stays(const struct run_cfg *cfg, const struct run_result *r)
{
    return run_result_has_sent(r, cfg->n_sinks)
               ? "nothing was published, and earlier outputs are unchanged, but " RUN_SENT_TEXT
               : "nothing was published, and earlier outputs are unchanged";
}

static void print_gone(struct messages *m, const struct run_cfg *cfg, const struct run_result *r)
{
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        const struct sink_result *s = &r->sinks[i];
        if (s->is_database && s->gone > s->gone_allowed)
            messages_writef(
                m, LOG_LEVEL_ERROR, cfg->sinks[i].cfg.spec,
                "%" PRIu64 " of the %" PRIu64
                " leads in its tables are gone from the provider, and at most %" PRIu64
                " may be marked or deleted in one run (--max-gone); %s; check the server "
                "and its parameters, or allow it with --max-gone 100%%",
                s->gone, s->held, s->gone_allowed, stays(cfg, r));
    }
}

/* Is that no lead was found said of all shards? */
static bool is_of_set(const struct run_result *r, size_t n_sinks)
{
    bool is = false;
    for (size_t i = 0; i < n_sinks; i++)
        is |= r->sinks[i].none_found;
    return is;
}

/* Why the outputs are withheld, and what may be wrong. */
static void print_withheld(struct messages *m, const struct run_cfg *cfg,
                           const struct run_result *r)
{
    const struct ledger_counts *l = &r->ledger;
    char share[32] = "";
    if (cfg->max_missing.kind == PORTION_SHARE &&
        portion_of(&cfg->max_missing, r->ids.unique) == r->missing_allowed)
        (void)snprintf(share, sizeof share, " (%.10g%%)",
                       (double)cfg->max_missing.n * 100 / PORTION_WHOLE);
    if (r->withheld == WITHHELD_GONE)
        print_gone(m, cfg, r);
    else if (r->withheld == WITHHELD_MISSING)
        messages_writef(
            m, LOG_LEVEL_ERROR, "--max-missing",
            "%" PRIu64 " of %" PRIu64 " lead%s missing, but at most %" PRIu64 "%s may be; %s%s",
            l->missing, r->ids.unique, r->ids.unique == 1 ? " is" : "s are", r->missing_allowed,
            share, cfg->missing_path ? "" : "use --missing FILE to list them; ", stays(cfg, r));
    else if (is_of_set(r, cfg->n_sinks))
        messages_writef(m, LOG_LEVEL_ERROR, NULL,
                        "no shard has found a lead (missing in this one: %" PRIu64
                        ", failed: %" PRIu64 "); check the server, the path and the parameters; %s",
                        l->missing, l->failed, stays(cfg, r));
    else if (r->withheld == WITHHELD_NOTHING_READ)
        messages_writef(m, LOG_LEVEL_INFO, cfg->queue.name,
                        "there was no message to be read; existing outputs are unchanged");
    else if (!r->ids.unique)
        messages_writef(m, LOG_LEVEL_ERROR, NULL, "there were no IDs; %s", stays(cfg, r));
    else if (!l->failed)
        messages_writef(
            m, LOG_LEVEL_ERROR, NULL,
            "no lead was found: %s returned 404 or 410 for every request (missing: %" PRIu64
            "); check the server, the path and the parameters (--server, --base-url, "
            "--param); %s",
            cfg->base_url, l->missing, stays(cfg, r));
    else
        messages_writef(m, LOG_LEVEL_ERROR, NULL,
                        "no lead was found (missing: %" PRIu64 ", failed: %" PRIu64 "); %s",
                        l->missing, l->failed, stays(cfg, r));
}

/* Could --state be used? It is refused for sinks that write to a stream. */
static bool can_have_state(const struct run_cfg *cfg)
{
    struct buf paths;
    struct err ignored = {0};
    bool all_files = !cfg->queue.open;
    buf_init(&paths, PATHS_BYTES_MAX);
    for (size_t i = 0; all_files && i < cfg->n_sinks; i++)
        all_files = cfg->sinks[i].ops->paths(&cfg->sinks[i].cfg, &paths, &ignored) == RC_OK;
    all_files = all_files && buf_rc(&paths) == RC_OK;
    for (size_t at = 0; all_files && at < paths.len; at += strlen(paths.data + at) + 1)
        all_files = outfile_is_file(paths.data + at);
    buf_free(&paths);
    return all_files;
}

/* Outputs are new although the run has failed: nobody should load earlier ones, or think that there are none. */
static void print_lacks(struct messages *m, const struct run_result *r)
{
    struct buf options;
    buf_init(&options, PATHS_BYTES_MAX);
    run_result_put_lacks(&options, r);
    messages_writef(m, LOG_LEVEL_ERROR, NULL, "the outputs are published, but not %s of %s",
                    r->lacks & (r->lacks - 1) ? "all of the files" : "the file",
                    buf_cstr(&options));
    buf_free(&options);
}

/* Which outputs a run that did not reach its end has changed. */
static void print_visible(struct messages *m, const struct run_cfg *cfg, const struct run_result *r)
{
    if (r->in_part)
        messages_write(m, LOG_LEVEL_ERROR, NULL,
                       "the run stopped while its output files were being published: some of them "
                       "may be new and others old");
    else if (r->published && r->lacks)
        print_lacks(m, r);
    else if (r->published && !cfg->queue.open) /* the error of a queue says so itself */
        messages_write(m, LOG_LEVEL_ERROR, NULL, "the outputs are published");
    else if (!r->published && !cfg->state_path && r->error.rc != RC_USAGE && r->error.rc != RC_AUTH)
        messages_writef(
            m, LOG_LEVEL_ERROR, NULL, "the run stopped early and no output file was published%s",
            can_have_state(cfg) ? "; with --state FILE the same command could resume it" : "");
}

void summary_errors(struct messages *m, const struct run_cfg *cfg, const struct run_result *r)
{
    bool whole = r->error.rc == RC_OK && !r->signal;
    if (r->error.rc != RC_OK)
        messages_write(m, LOG_LEVEL_ERROR, NULL, r->error.msg);
    for (size_t i = 0; i < r->n_more_errors; i++)
        messages_write(m, LOG_LEVEL_ERROR, NULL, r->more_errors[i].msg);
    if (r->signal)
        messages_writef(m, LOG_LEVEL_ERROR, NULL, "stopped by %s", signals_name(r->signal));
    if (!whole && cfg->state_path && r->error.rc != RC_USAGE)
        messages_writef(m, LOG_LEVEL_ERROR, NULL,
                        "run the same command again to resume from the state in %s",
                        cfg->state_path);
    if (!whole)
        print_visible(m, cfg, r);
    if (r->ledger.failed && r->error.rc != RC_AUTH && !r->refused)
        print_failures(m, cfg, r);
    if (whole && cfg->has_expect && cfg->expect != r->ids.expected)
        messages_writef(m, LOG_LEVEL_ERROR, "--expect",
                        "%" PRIu64 " unique ID%s expected, but %" PRIu64 " %s read", cfg->expect,
                        cfg->expect == 1 ? " was" : "s were", r->ids.expected,
                        r->ids.expected == 1 ? "was" : "were");
    if (whole && r->withheld)
        print_withheld(m, cfg, r);
}

/* ---- text ----------------------------------------------------------------------------------- */

void summary_bytes(char *out, size_t size, uint64_t bytes)
{
    units_bytes(out, size, bytes);
}

static double leads_per_s(const struct run_result *r)
{
    uint64_t done = r->ids.unique - r->ledger.pending;
    return r->seconds > 0 ? (double)done / r->seconds : 0;
}

static void text_resumed(struct buf *out, const struct run_result *r)
{
    char started_at[25];
    if (!r->resumed)
        return;
    clock_format(r->started_wall_ms, started_at);
    if (r->done_before)
        buf_addf(out, "resumed   the run of %s: %" PRIu64 " lead%s done\n", started_at,
                 r->done_before, r->done_before == 1 ? " was" : "s were");
    else
        buf_addf(out, "resumed   the run of %s\n", started_at);
}

static void text_counts(struct buf *out, const struct run_cfg *cfg, const struct run_result *r)
{
    uint64_t gone = 0;
    char bytes[32];
    summary_bytes(bytes, sizeof bytes, r->http.bytes_received);
    buf_addf(out, "IDs       %" PRIu64 " read, %" PRIu64 " unique, %" PRIu64 " duplicate%s%s\n",
             r->ids.read, r->ids.unique, r->ids.duplicates, r->ids.duplicates == 1 ? "" : "s",
             r->ids_ended ? "" : " (input not read to the end)");
    if (cfg->shard.of)
        buf_addf(out, "shard     %u of %u (from 0): %" PRIu64 " ID%s left to the other shards\n",
                 cfg->shard.index, cfg->shard.of, r->ids.others, r->ids.others == 1 ? "" : "s");
    buf_addf(out,
             "leads     %" PRIu64 " %s, %" PRIu64 " unchanged, %" PRIu64 " missing, %" PRIu64
             " failed, %" PRIu64 " pending\n",
             r->ledger.exported, run_result_exported(r, cfg->n_sinks), r->ledger.unchanged,
             r->ledger.missing, r->ledger.failed, r->ledger.pending);
    if (run_result_gone(cfg, r, &gone) && r->ledger.missing)
        buf_addf(out, "gone      %" PRIu64 " of the missing leads %s exported before\n", gone,
                 gone == 1 ? "was" : "were");
    buf_addf(out, "requests  %" PRIu64 ", including %" PRIu64 " %s; %s received\n",
             r->http.requests, r->http.retries, r->http.retries == 1 ? "retry" : "retries", bytes);
    buf_addf(out, "time      %.1f seconds, %.1f leads per second\n", r->seconds, leads_per_s(r));
}

static void text_notes(struct buf *out, const struct run_result *r)
{
    if (r->replaced)
        buf_addf(out, "note      invalid characters replaced with U+FFFD: %" PRIu64 "\n",
                 r->replaced);
    if (r->other_ids)
        buf_addf(out, "note      payloads whose own ID is not the requested one: %" PRIu64 "\n",
                 r->other_ids);
}

/* The table in which codes without a column have rows. */
static const char *codes_table(const struct profile *p)
{
    for (size_t i = 0; p->tables[0].n_pivots && i < p->n_tables; i++) {
        if (path_equal(&p->tables[i].each, &p->tables[0].pivots[0].each))
            return p->tables[i].name.ptr;
    }
    return "their own tables";
}

static void text_beyond(struct buf *out, const struct run_cfg *cfg, const struct beyond *b)
{
    if (!b->leads)
        return;
    buf_addf(out, "note      more columns than --max-columns %zu allows, first in lead ",
             cfg->max_columns);
    text_escape(out, b->first);
    buf_addf(out, " (%" PRIu64 " lead%s):\n", b->leads, b->leads == 1 ? "" : "s");
    if (b->codes)
        buf_addf(out, "            values of codes found only in %s: %" PRIu64 "\n",
                 codes_table(cfg->profile), b->codes);
    if (b->members)
        buf_addf(out,
                 "            values of members moved to " SCHEMA_OTHER_MEMBERS ": %" PRIu64 "\n",
                 b->members);
}

static void text_files(struct buf *out, const struct sink_result *s)
{
    for (size_t i = 0; i < s->n_files; i++) {
        const struct sink_file *f = &s->files[i];
        char bytes[32];
        summary_bytes(bytes, sizeof bytes, f->bytes);
        buf_adds(out, "            ");
        text_escape(out, strcmp(f->path, "-") == 0 ? "standard output" : f->path);
        buf_addf(out, ": %" PRIu64 " row%s, %s\n", f->rows, f->rows == 1 ? "" : "s", bytes);
    }
}

static void text_misfits(struct buf *out, const struct sink_result *s, bool published)
{
    for (size_t i = 0; i < s->n_misfits && i < MISFITS_SHOWN_MAX; i++) {
        buf_addf(out, "            values that do not fit the type of %s.", s->misfits[i].table);
        text_escape(out, s->misfits[i].column);
        if (s->misfits[i].type) {
            buf_adds(out, " (");
            text_escape(out, s->misfits[i].type);
            buf_addc(out, ')');
        }
        buf_addf(out, "%s: %" PRIu64 "\n", published ? ", now in _misfits" : "", s->misfits[i].n);
    }
    if (s->n_misfits > MISFITS_SHOWN_MAX)
        buf_addf(out, "            and values of %zu more columns\n",
                 s->n_misfits - MISFITS_SHOWN_MAX);
}

static void put_unpublished(struct buf *out, const struct run_result *r,
                            const struct sink_result *s)
{
    buf_adds(out, ": ");
    run_result_put_unpublished(out, r, s);
    buf_addc(out, '\n');
}

static void text_database(struct buf *out, bool is_shard, const struct sink_result *s)
{
    if (is_shard && s->due) {
        buf_adds(out, ": ");
        run_result_put_due(out, s);
        buf_addc(out, '\n');
        return;
    }
    if (is_shard && !s->merged)
        buf_adds(out, ": nothing to do: the leads of all shards are in the tables already\n");
    else
        buf_addf(out, ": %" PRIu64 " rows inserted, %" PRIu64 " updated, %" PRIu64 " deleted%s\n",
                 s->inserted, s->updated, s->deleted,
                 is_shard && s->merged > 1 ? ", of all shards" : "");
}

static void text_sink(struct buf *out, const struct sink_cfg *cfg, const struct sink_result *s,
                      const struct run_result *r)
{
    bool is_shard = cfg->shard != NULL;
    buf_adds(out, "sink      ");
    text_escape(out, cfg->spec);
    if (s->is_delivery)
        buf_addf(out, ": %" PRIu64 " deliver%s, %" PRIu64 " delivered, %" PRIu64 " failed\n",
                 s->deliveries, s->deliveries == 1 ? "y" : "ies", s->delivered, s->failed);
    else if (!r->published)
        put_unpublished(out, r, s);
    else if (s->is_database)
        text_database(out, is_shard, s);
    else
        buf_adds(out, ":\n");
    if (r->published && !s->is_database)
        text_files(out, s);
    text_misfits(out, s, r->published);
}

void summary_text(struct buf *out, const struct run_cfg *cfg, const struct run_result *r)
{
    text_resumed(out, r);
    text_counts(out, cfg, r);
    text_notes(out, r);
    text_beyond(out, cfg, &r->beyond);
    for (size_t i = 0; i < cfg->n_sinks; i++)
        if (!run_sink_is_companion(&cfg->sinks[i]))
            text_sink(out, &cfg->sinks[i].cfg, &r->sinks[i], r);
}
