#include "core/run/run_republish.h"

#include <string.h>

#include "core/file/descriptor.h"
#include "core/file/outfile.h"
#include "core/file/outfile_recover.h"
#include "core/run/run_record.h"

#define PATHS_BYTES_MAX ((size_t)16 << 20)
#define RECORD_ARENA_BYTES_MAX ((size_t)256 << 20)

/* ---- the sinks -------------------------------------------------------------------------------- */

static enum rc writes_files(const struct run_sink_cfg *sink, bool *out, struct err *e)
{
    struct buf paths;
    buf_init(&paths, PATHS_BYTES_MAX);
    enum rc rc = sink->ops->paths(&sink->cfg, &paths, e);
    if (rc == RC_OK && buf_rc(&paths) != RC_OK)
        rc = err_nomem(e);
    *out = rc == RC_OK && paths.len && outfile_is_file(paths.data);
    buf_free(&paths);
    return rc;
}

enum rc run_commit_order(const struct run_cfg *cfg, size_t order[], size_t *n_without_files,
                         struct err *e)
{
    size_t with_files[RUN_SINKS_MAX];
    size_t n = 0;
    size_t n_files = 0;
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        bool has_files = false;
        enum rc rc = writes_files(&cfg->sinks[i], &has_files, e);
        if (rc != RC_OK)
            return rc;
        if (has_files)
            with_files[n_files++] = i;
        else
            order[n++] = i;
    }
    *n_without_files = n;
    for (size_t i = 0; i < n_files; i++)
        order[n + i] = with_files[i];
    return RC_OK;
}

static enum rc recover_sink(const struct resume_plan *p, size_t i, const struct sink_recovery *r,
                            struct err *e)
{
    const struct run_sink_cfg *sink = &p->cfg->sinks[i];
    if (sink->ops->recover)
        return sink->ops->recover(&sink->cfg, r, e);
    if (r->text.len == 0)
        return RC_OK;
    return err_set(e, RC_SYNTAX, "%s: has nothing to finish, but the state says how",
                   sink->cfg.spec);
}

/* `results`: of the record; NULL: only checks. *files_begun: some files may have changed, now or before. */
static enum rc recover_sinks(const struct resume_plan *p, bool withheld,
                             struct sink_result *results, bool *files_begun, struct err *e)
{
    size_t order[RUN_SINKS_MAX];
    size_t n_without_files;
    enum rc rc = run_commit_order(p->cfg, order, &n_without_files, e);
    for (size_t i = 0; rc == RC_OK && i < p->cfg->n_sinks; i++) {
        const struct sink_recovery recovery = {.text = p->run.texts[order[i]],
                                               .takes_back = withheld,
                                               .only_check = !results,
                                               .result = results ? &results[order[i]] : NULL};
        bool changes_files = results && !withheld && i >= n_without_files;
        *files_begun |= changes_files && !p->cfg->sinks[order[i]].ops->commits_at_once;
        rc = recover_sink(p, order[i], &recovery, e);
        *files_begun |= changes_files && rc == RC_OK;
    }
    return rc;
}

/* ---- the lists and the manifest --------------------------------------------------------------- */

/* An output that goes to a stream is not renamed. */
static void add_file(struct buf *paths, const char *path)
{
    if (path && outfile_is_file(path))
        buf_add(paths, path, strlen(path) + 1);
}

static enum rc recover_files(const struct resume_plan *p, const char *first, const char *second,
                             struct str text, bool only_check, struct err *e)
{
    struct buf paths;
    buf_init(&paths, PATHS_BYTES_MAX);
    add_file(&paths, first);
    add_file(&paths, second);
    enum rc rc = buf_rc(&paths) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK) {
        const struct outfile_recovery files = {
            .places = p->cfg->places,
            .subject = p->cfg->state_path,
            .advice =
                "give the same --failed, --missing, --schema and --manifest again, or --fresh to "
                "discard that run",
            .paths = buf_str(&paths),
            .text = text,
            .only_check = only_check,
        };
        rc = outfile_recover(&files, e);
    }
    buf_free(&paths);
    return rc;
}

static const char *if_stream(const char *path)
{
    return path && !outfile_is_file(path) ? path : NULL;
}

static unsigned stream_lists(const struct run_cfg *cfg)
{
    return (if_stream(cfg->failed_path) ? ABOUT_FAILED : 0U) |
           (if_stream(cfg->missing_path) ? ABOUT_MISSING : 0U);
}

/* *lacks: enum run_about, of those that may not be published if it fails. */
static enum rc recover_about(const struct resume_plan *p, bool only_check, unsigned *lacks,
                             struct err *e)
{
    const struct str *more = p->run.texts + p->cfg->n_sinks;
    const struct run_cfg *cfg = p->cfg;
    unsigned reports =
        (cfg->schema_path ? ABOUT_SCHEMA : 0U) | (cfg->manifest_path ? ABOUT_MANIFEST : 0U);
    *lacks =
        reports | (cfg->failed_path ? ABOUT_FAILED : 0U) | (cfg->missing_path ? ABOUT_MISSING : 0U);
    const unsigned streams = stream_lists(cfg); /* to be written behind all others */
    enum rc rc =
        recover_files(p, cfg->failed_path, cfg->missing_path, more[RUN_TEXT_LISTS], only_check, e);
    if (rc != RC_OK)
        return rc;
    *lacks = reports | streams;
    rc = recover_files(p, cfg->schema_path, cfg->manifest_path, more[RUN_TEXT_REPORTS], only_check,
                       e);
    if (rc == RC_OK)
        *lacks = streams;
    return rc;
}

static enum rc of_state(const struct resume_plan *p, enum rc rc, struct err *e)
{
    if (rc != RC_SYNTAX)
        return rc;
    err_prefix(e, "%s: is damaged", p->cfg->state_path);
    return e->rc = RC_USAGE;
}

/* In the order in which a run publishes them. */
static enum rc recover_all(const struct resume_plan *p, struct sink_result *sinks,
                           struct run_result *out, struct err *e)
{
    bool withheld = out->withheld != WITHHELD_NOT, files_begun = false;
    unsigned lacks = 0;
    enum rc rc = recover_sinks(p, withheld, sinks, &files_begun, e);
    out->in_part = files_begun && rc != RC_OK;
    if (rc == RC_OK) {
        out->published = !withheld;
        rc = recover_about(p, false, &lacks, e);
        out->lacks = withheld ? 0 : lacks;
    }
    if (rc == RC_USAGE && (files_begun || out->published))
        rc = e->rc = RC_IO; /* what is left is still to be done, by the same command */
    return of_state(p, rc, e);
}

/* Checks everything before anything changes. */
static enum rc check_all(const struct resume_plan *p, bool withheld, struct err *e)
{
    if (p->run.n_texts != p->cfg->n_sinks + RUN_TEXTS_MORE)
        return err_set(e, RC_USAGE,
                       "%s: is damaged: it does not say how to finish each of its outputs; restore "
                       "it, or remove it to start over",
                       p->cfg->state_path);
    bool none_begun = false;
    unsigned none_lacks;
    enum rc rc = recover_sinks(p, withheld, NULL, &none_begun, e);
    if (rc == RC_OK)
        rc = recover_about(p, true, &none_lacks, e);
    return of_state(p, rc, e);
}

enum rc run_republish_check(const struct resume_plan *p, struct err *e)
{
    struct run_result result = {.exit_status = 0};
    struct sink_result sinks[RUN_SINKS_MAX];
    struct arena arena;
    arena_init(&arena, RECORD_ARENA_BYTES_MAX);
    enum rc rc = run_record_read(p->cfg, p->run.record, &arena, sinks, &result, e);
    if (rc == RC_OK)
        rc = check_all(p, result.withheld != WITHHELD_NOT, e);
    arena_free(&arena);
    return rc;
}

/* ---- what has no name ------------------------------------------------------------------------ */

/* Writes lists that go to streams, in full: it is not known how much of them the earlier run has written. */
static enum rc write_stream_lists(const struct resume_plan *p, struct err *e)
{
    const struct ledger_cfg cfg = {
        .profile = p->cfg->profile,
        .places = p->cfg->places,
        .failed_path = if_stream(p->cfg->failed_path),
        .missing_path = if_stream(p->cfg->missing_path),
        .state = p->state,
        .clock = p->cfg->clock,
        .stop = p->cfg->stop,
    };
    struct ledger *lists = NULL;
    enum rc rc = ledger_new(&lists, &cfg, e);
    if (rc == RC_OK)
        rc = ledger_complete(lists, e);
    if (rc == RC_OK)
        rc = ledger_publish(lists, true, e);
    ledger_free(lists);
    return rc;
}

/* A manifest or schema that goes to a stream cannot be written again, because the state does not have all of its content
 * (names of columns, digests, statuses and latencies). */
static void warn_no_report(const struct run_cfg *cfg, const char *what, const char *path)
{
    if (if_stream(path))
        log_msg(
            cfg->log, LOG_LEVEL_WARN_ALWAYS, descriptor_label(descriptor_written(path), path),
            "there is no %s of this run, because it was interrupted while publishing its outputs",
            what);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum rc republish(const struct resume_plan *p, struct arena *arena,
                         struct sink_result *sinks, struct run_result *out, struct err *e)
{
    enum rc rc = run_record_read(p->cfg, p->run.record, arena, sinks, out, e);
    bool withheld = rc == RC_OK && out->withheld != WITHHELD_NOT;
    out->published = false;
    if (rc == RC_OK)
        rc = check_all(p, withheld, e);
    if (rc == RC_OK)
        rc = recover_all(p, sinks, out, e);
    if (rc == RC_OK)
        rc = write_stream_lists(p, e);
    if (rc == RC_OK)
        out->lacks = 0;
    return rc;
}

void run_republish(const struct resume_plan *p, const atomic_int *signal_number,
                   struct arena *arena, struct sink_result *sinks, struct run_result *out)
{
    struct err e;
    out->done_before = 0;
    arena_init(arena, RECORD_ARENA_BYTES_MAX);
    enum rc rc = republish(p, arena, sinks, out, &e);
    if (rc == RC_OK)
        rc = state_finish(p->state, out->withheld == WITHHELD_NOT, &e);
    if (rc == RC_OK) {
        warn_no_report(p->cfg, "schema", p->cfg->schema_path);
        warn_no_report(p->cfg, "manifest", p->cfg->manifest_path);
        return;
    }
    if (!out->published) /* the record may have been read in part */
        memset(sinks, 0, RUN_SINKS_MAX * sizeof *sinks);
    out->error = e;
    if (rc == RC_STOPPED) /* the signal arrived while the run waited for a reader */
        out->signal = atomic_load(signal_number);
    /* Also RC_BUSY: some files may have been renamed, and the same command finishes the rest. */
    out->exit_status = rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    if (out->signal)
        out->exit_status = EXIT_STATUS_SIGNAL + out->signal;
}
