/* leadpipe merge */
#include "merge/merge.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cmd/command_line.h"
#include "cmd/commands.h"
#include "cmd/signals.h"
#include "core/base/stop_timer.h"

struct merge_options {
    struct text_list sinks;
    const char *failed, *missing, *manifest;
    bool quiet;
};

#define AT(type, member) OPTION_AT(struct merge_options, type, member)
#define EXAMPLE "for example: leadpipe merge -t csv:out/all/ out/shard-*/manifest.json"

const struct option_spec merge_option_specs[] = {
    {
        .name = "to",
        .letter = 't',
        .arg = "SINK",
        AT(LIST, sinks),
        .flags = OPTION_REQUIRED | OPTION_SINK,
        .help =
            "which outputs of the shards to combine, and where to write them: "
            "KIND[,OPTION...]:TARGET, with the options that the shards had; csv, ndjson, msgpack "
            "or parquet; repeatable",
    },
    {
        .name = "failed",
        AT(TEXT, failed),
        .file = FILE_WRITTEN,
        .help = "write the failed leads of all shards to FILE",
    },
    {
        .name = "missing",
        AT(TEXT, missing),
        .file = FILE_WRITTEN,
        .help = "write the missing leads of all shards to FILE",
    },
    {
        .name = "manifest",
        AT(TEXT, manifest),
        .file = FILE_WRITTEN,
        .help = "write a manifest of the whole as JSON, after all outputs",
    },
    {
        .name = "quiet",
        .letter = 'q',
        AT(FLAG, quiet),
        .help = "show only errors",
    },
    {.name = NULL},
};

/* ---- how it went ----------------------------------------------------------------------------- */

static void say_files(struct messages *m, const struct run_result *r, size_t n_sinks)
{
    for (size_t i = 0; i < n_sinks; i++) {
        for (size_t k = 0; k < r->sinks[i].n_files; k++) {
            const struct sink_file *file = &r->sinks[i].files[k];
            messages_writef(m, LOG_LEVEL_INFO, NULL, "%s: %" PRIu64 " rows", file->path,
                            file->rows);
        }
    }
}

static int say_result(struct messages *m, const struct merge_options *o, const struct merge *merge)
{
    const struct run_result *r = merge_result(merge);
    const struct run_cfg *cfg = merge_run_cfg(merge);
    if (!o->quiet)
        messages_writef(m, LOG_LEVEL_INFO, NULL,
                        "%u shards: %" PRIu64 " leads: %" PRIu64 " exported, %" PRIu64
                        " unchanged, %" PRIu64 " missing, %" PRIu64 " failed",
                        cfg->merged_of, r->ids.unique, r->ledger.exported, r->ledger.unchanged,
                        r->ledger.missing, r->ledger.failed);
    if (!o->quiet && r->published)
        say_files(m, r, cfg->n_sinks);
    if (r->withheld == WITHHELD_NONE_FOUND)
        messages_writef(m, LOG_LEVEL_ERROR, NULL,
                        "no shard has found a lead: %" PRIu64 " missing, %" PRIu64
                        " failed; nothing was published, and earlier outputs are unchanged",
                        r->ledger.missing, r->ledger.failed);
    else if (r->withheld)
        messages_writef(m, LOG_LEVEL_ERROR, NULL,
                        "%" PRIu64 " of %" PRIu64 " leads are missing, and the shards had "
                        "--max-missing: at most %" PRIu64 " are allowed in all; nothing was "
                        "published, and earlier outputs are unchanged",
                        r->ledger.missing, r->ids.unique, r->missing_allowed);
    return r->exit_status;
}

static int say_error(struct messages *m, enum rc rc, const struct err *e)
{
    int number = atomic_load(signals_flag());
    if (number && rc == RC_STOPPED) {
        messages_writef(m, LOG_LEVEL_ERROR, NULL, "stopped by %s; nothing was published",
                        signals_name(number));
        return EXIT_STATUS_SIGNAL + number;
    }
    messages_write(m, LOG_LEVEL_ERROR, NULL, e->msg);
    return rc == RC_USAGE || rc == RC_BUSY ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum rc parse_specs(struct sink_spec *specs, size_t *n, const struct text_list *texts,
                           struct err *e)
{
    for (; *n < texts->n; ++*n) {
        enum rc rc = sink_spec_parse(&specs[*n], texts->items[*n], e);
        if (rc != RC_OK) {
            err_prefix(e, "--to");
            return rc;
        }
    }
    return RC_OK;
}

static int merge_with(struct messages *m, const struct merge_options *o, struct merge_cfg *cfg)
{
    struct merge *merge = NULL;
    struct stop_timer stop = {.fd = -1};
    struct err e;
    enum rc rc = stop_timer_open(&stop, &e);
    cfg->stop = &stop;
    if (rc == RC_OK) {
        signals_watch_flag(&stop);
        rc = merge_new(&merge, cfg, &e);
    }
    if (rc == RC_OK)
        rc = merge_run(merge, &e);
    int status = rc == RC_OK ? say_result(m, o, merge) : say_error(m, rc, &e);
    merge_free(merge);
    signals_watch_flag(NULL);
    stop_timer_close(&stop);
    cfg->stop = NULL;
    return status;
}

static int merge_options_run(struct messages *m, const struct merge_options *o,
                             const struct text_list *manifests, int argc, char *argv[])
{
    struct err e;
    size_t n = 0;
    struct secrets *secrets = NULL;
    struct sink_spec *specs = calloc(o->sinks.n + 1, sizeof *specs);
    enum rc rc = specs && secrets_new(&secrets) == RC_OK ? RC_OK : err_nomem(&e);
    if (rc == RC_OK)
        rc = parse_specs(specs, &n, &o->sinks, &e);
    struct merge_cfg cfg = {
        .manifests = manifests->items,
        .n_manifests = manifests->n,
        .specs = specs,
        .n_specs = n,
        .failed_path = o->failed,
        .missing_path = o->missing,
        .manifest_path = o->manifest,
        .version = LEADPIPE_VERSION,
        .arguments = (const char *const *)argv,
        .n_arguments = (size_t)argc,
        .clock = &clock_system,
        .log = &m->hook,
        .secrets = secrets,
        .signal = signals_flag(),
    };
    int status = rc == RC_OK ? merge_with(m, o, &cfg) : say_error(m, rc, &e);
    for (size_t i = 0; i < n; i++)
        sink_spec_free(&specs[i]);
    free(specs);
    secrets_free(secrets);
    return status;
}

int command_merge(struct messages *m, int argc, char *argv[])
{
    struct merge_options o = {.quiet = false};
    struct text_list manifests = {NULL, 0};
    struct arena memory;
    struct err e;
    arena_init(&memory, SIZE_MAX / 2);
    struct option_reader r = {
        .table = merge_option_specs, .values = &o, .dashes = "--", .memory = &memory};
    enum rc rc = option_begin(&r, &e);
    if (rc == RC_OK)
        rc = command_line_read(&r, &manifests, argc, argv, &e);
    if (rc == RC_OK && o.sinks.n == 0)
        rc = err_set(&e, RC_USAGE, "-t SINK is required; " EXAMPLE);
    if (rc == RC_OK && manifests.n == 0)
        rc = err_set(&e, RC_USAGE, "the manifests of all shards are required; " EXAMPLE);
    if (rc == RC_OK)
        rc = option_check(&r, &e);
    int status =
        rc == RC_OK ? merge_options_run(m, &o, &manifests, argc, argv) : say_error(m, rc, &e);
    arena_free(&memory);
    return status;
}
