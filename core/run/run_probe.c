#include "core/run/run_probe.h"

#include <string.h>

#include "core/base/checked.h"
#include "core/base/random_hex.h"
#include "core/file/outfile.h"
#include "core/run/run_check.h"
#include "core/run/run_probe_state.h"
#include "core/run/run_space.h"
#include "core/run/run_targets.h"

#define PATHS_BYTES_MAX ((size_t)1024 * 1024)

struct probing {
    const struct run_cfg *cfg; /* with the targets filled in */
    const struct findings *to;
    struct findings counting;
    struct run_files files;
    struct run_space space;
    struct run_status status; /* of the state */
    bool has_status;
    unsigned failures;
};

static void count(void *ctx, enum finding_level level, const char *subject, const char *text)
{
    struct probing *p = ctx;
    p->failures += level == FINDING_FAIL;
    p->to->add(p->to->ctx, level, subject, text);
}

/* ---- state ---------------------------------------------------------------------------------- */

static void probe_state(struct probing *p, const struct run_file *file)
{
    struct err e;
    if (run_check_add_option(&p->files, p->cfg->places, file, &e) != RC_OK) {
        findings_add(&p->counting, FINDING_FAIL, "state", "%s", e.msg);
        return;
    }
    p->has_status = run_probe_state(p->cfg, &p->status, &p->counting);
    p->space.has_last_run = p->has_status && (p->status.state.phase == STATE_FINISHED ||
                                              p->status.state.phase == STATE_PUBLISHING);
    run_space_add_bytes(&p->space, file->path, 0); /* the state grows in place: no second copy */
}

/* The size of the local files that the last run wrote for this sink, according to the state. */
static uint64_t bytes_of_last_run(const struct probing *p, size_t sink)
{
    uint64_t sum = 0;
    if (!p->has_status || p->status.n_sinks != p->cfg->n_sinks)
        return 0;
    const struct sink_result *r = &p->status.sinks[sink];
    for (size_t i = 0; i < r->n_files; i++) {
        if (!outfile_is_url(r->files[i].path) && !u64_add(sum, r->files[i].bytes, &sum))
            return 0;
    }
    return sum;
}

/* ---- sinks ---------------------------------------------------------------------------------- */

/* Reports on a sink's outputs: one point for all local files, and one for each other place. */
static void probe_paths(struct probing *p, const struct run_sink_cfg *sink, const struct buf *paths)
{
    size_t n = 0;
    uint64_t bytes = 0, last_bytes = bytes_of_last_run(p, (size_t)(sink - p->cfg->sinks));
    const char *first = NULL;
    for (size_t at = 0; at < paths->len; at += strlen(paths->data + at) + 1) {
        const char *path = paths->data + at;
        bool is_other_bucket = outfile_is_url(path) && first && outfile_is_url(first);
        if (!is_other_bucket)
            (void)outfile_probe(p->cfg->places, path, sink->ops->name, &p->counting);
        bytes += run_space_add(&p->space, path);
        first = first ? first : path;
        n++;
    }
    /* A target with {date} does not exist yet, so the last run's sizes are used. */
    if (first && last_bytes > bytes)
        run_space_add_bytes(&p->space, first, last_bytes - bytes);
    if (n && !outfile_is_url(first))
        findings_add(&p->counting, FINDING_OK, sink->ops->name, "%s: %zu %s be written",
                     sink->cfg.spec, n, n == 1 ? "output can" : "outputs can");
}

static void probe_sink(struct probing *p, const struct run_sink_cfg *sink)
{
    struct buf paths;
    struct err e;
    buf_init(&paths, PATHS_BYTES_MAX);
    enum rc rc = run_check_sink(p->cfg, sink, &e);
    if (rc == RC_OK)
        rc = run_check_add_sink(&p->files, sink, p->cfg->state_path != NULL, &e);
    if (rc == RC_OK)
        rc = sink->ops->paths(&sink->cfg, &paths, &e);
    if (rc != RC_OK)
        findings_add(&p->counting, FINDING_FAIL, sink->ops->name, "%s", e.msg);
    else
        probe_paths(p, sink, &paths);
    if (rc == RC_OK && sink->ops->probe)
        sink->ops->probe(&sink->cfg, &p->counting);
    buf_free(&paths);
}

/* ---- files of options ----------------------------------------------------------------------- */

static void probe_file(struct probing *p, const struct run_file *file)
{
    struct err e;
    if (file->use != FILE_WRITTEN)
        return;
    enum rc rc = run_check_add_option(&p->files, p->cfg->places, file, &e);
    if (rc != RC_OK) {
        findings_add(&p->counting, FINDING_FAIL, "output", "%s", e.msg);
        return;
    }
    (void)run_space_add(&p->space, file->path);
    if (!outfile_probe(p->cfg->places, file->path, "output", &p->counting))
        findings_add(&p->counting, FINDING_OK, "output", "--%s: %s can be written", file->option,
                     file->path);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void probe_all(struct probing *p)
{
    struct err e;
    if (run_files_add_standard(&p->files, &e) != RC_OK) {
        findings_add(&p->counting, FINDING_FAIL, "output", "%s", e.msg);
        return;
    }
    for (size_t i = 0; i < p->cfg->n_files; i++) {
        if (p->cfg->files[i].use == FILE_DATABASE)
            probe_state(p, &p->cfg->files[i]);
    }
    for (size_t i = 0; i < p->cfg->n_sinks; i++)
        if (!run_sink_is_companion(&p->cfg->sinks[i]))
            probe_sink(p, &p->cfg->sinks[i]);
    for (size_t i = 0; i < p->cfg->n_files; i++)
        probe_file(p, &p->cfg->files[i]);
    /* Checks that concern several outputs; skipped after a failure, which they would only report again. */
    if (p->failures == 0 && run_check(p->cfg, &e) != RC_OK)
        findings_add(&p->counting, FINDING_FAIL, "job", "%s", e.msg);
    run_space_report(&p->space, &p->counting);
}

void run_probe(const struct run_cfg *cfg, const struct findings *f)
{
    struct probing p = {.to = f};
    struct run_targets targets = {0};
    char run_id[RANDOM_HEX_CHARS + 1];
    struct err e;
    p.counting = (struct findings){.ctx = &p, .add = count};
    run_check_complete(cfg);
    enum rc rc = random_hex(run_id, &e);
    if (rc == RC_OK)
        rc = run_targets_fill(&targets, cfg, run_id, clock_wall_ms(cfg->clock), &e);
    p.cfg = &targets.cfg;
    if (rc == RC_OK)
        probe_all(&p);
    else
        findings_add(f, FINDING_FAIL, "job", "%s", e.msg);
    if (p.has_status)
        run_status_free(&p.status);
    run_files_free(&p.files);
    run_targets_free(&targets);
}
