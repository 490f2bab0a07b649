/* The end of a run: how it went, and what becomes visible. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file/outfile.h"
#include "core/file/renames.h"
#include "core/run/manifest.h"
#include "core/run/run_internal.h"
#include "core/run/run_record.h"

#define RENAMES_BYTES_MAX ((size_t)16 << 20)
#define RECORD_BYTES_MAX ((size_t)64 << 20)

/* ---- how it went ---------------------------------------------------------------------------- */

static bool came_to_end(const struct run_result *out)
{
    return out->error.rc == RC_OK && !out->signal;
}

/* Of several: the signal's before an error's before that of leads. */
static int exit_status_of(const struct run *r, const struct run_result *out)
{
    if (out->signal)
        return EXIT_STATUS_SIGNAL + out->signal;
    /* The input turned out to be of another form than it was said to be. */
    if (out->error.rc == RC_USAGE)
        return EXIT_STATUS_USAGE;
    if (out->error.rc != RC_OK)
        return EXIT_STATUS_STOPPED;
    bool short_input = r->cfg->has_expect && r->cfg->expect != out->ids.unique;
    return out->ledger.failed || out->withheld || short_input ? EXIT_STATUS_LEADS : EXIT_STATUS_OK;
}

/* A share is rounded down: of 40 IDs 12% are 4. */
static uint64_t missing_allowed(const struct portion *limit, uint64_t unique)
{
    if (limit->kind == PORTION_ANY)
        return UINT64_MAX;
    if (limit->kind == PORTION_COUNT)
        return limit->n;
    return unique / PORTION_WHOLE * limit->n + unique % PORTION_WHOLE * limit->n / PORTION_WHOLE;
}

/* A wrong server, path or parameter answers like one that has none of the leads: then the earlier
 * outputs are better than empty ones. What a sink refused was found; no IDs at all may be right,
 * unless some were expected. */
static enum withheld why_withheld(const struct run *r, const struct run_result *out)
{
    const struct ledger_counts *l = &out->ledger;
    bool any_found = l->exported || l->unchanged || l->failed_by_sink;
    bool any_wanted = out->ids.unique || (r->cfg->has_expect && r->cfg->expect);
    if (any_wanted && !any_found)
        return WITHHELD_NONE_FOUND;
    return l->missing > missing_allowed(&r->cfg->max_missing, out->ids.unique) ? WITHHELD_MISSING
                                                                               : WITHHELD_NOT;
}

/* The first error is the run's. What failed once may say so again. */
static void note_error(struct run_result *out, const struct err *e)
{
    if (out->error.rc == RC_OK)
        out->error = *e;
    else if (strcmp(out->error.msg, e->msg) != 0 && out->n_more_errors < RUN_MORE_ERRORS_MAX)
        out->more_errors[out->n_more_errors++] = *e;
}

/* ---- with a state ---------------------------------------------------------------------------- */

static enum rc sink_renames(struct run *r, struct buf *out, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_sinks; i++) {
        if (r->sinks[i].ops->renames)
            rc = r->sinks[i].ops->renames(r->sinks[i].sink, out, e);
    }
    return rc;
}

/* Outputs that are withheld only go away. */
static enum rc sink_removals(struct run *r, struct buf *out, struct err *e)
{
    struct buf renames;
    buf_init(&renames, RENAMES_BYTES_MAX);
    enum rc rc = sink_renames(r, &renames, e);
    if (rc == RC_OK && buf_rc(&renames) != RC_OK)
        rc = err_nomem(e);
    struct str list = buf_str(&renames);
    struct file_rename one;
    while (rc == RC_OK && renames_take(&list, &one))
        renames_put_removal(out, one.from.ptr);
    buf_free(&renames);
    return rc;
}

/* The names that are about to change, in that order. */
static enum rc list_renames(struct run *r, const struct run_result *result,
                            struct outfile *manifest, struct buf *out, struct err *e)
{
    enum rc rc = result->withheld ? sink_removals(r, out, e) : sink_renames(r, out, e);
    if (rc != RC_OK)
        return rc;
    ledger_renames(r->outcomes.ledger, out);
    if (manifest)
        outfile_renames(manifest, out);
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

/* The state relies on the unfinished names: they must be on disk before it. */
static enum rc sync_names(const struct file_rename *renames, size_t n, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = outfile_sync_folder(renames[i].from.ptr, e);
    return rc;
}

static enum rc note_renames(struct run *r, struct str list, struct str record, struct err *e)
{
    size_t n = 0;
    struct file_rename one;
    for (struct str rest = list; renames_take(&rest, &one);)
        n++;
    struct file_rename *renames = calloc(n + 1, sizeof *renames);
    if (!renames)
        return err_nomem(e);
    for (size_t i = 0; renames_take(&list, &renames[i]);)
        i++;
    enum rc rc = sync_names(renames, n, e);
    if (rc == RC_OK)
        rc = state_publish(r->resume.state, renames, n, record, e);
    free(renames);
    return rc;
}

/* While their sinks still have them locked. */
static enum rc remove_files(struct str list, struct err *e)
{
    struct file_rename one;
    while (renames_take(&list, &one)) {
        if (one.to.len == 0 && unlink(one.from.ptr) != 0 && errno != ENOENT)
            return err_sys(e, RC_IO, errno, "%s", one.from.ptr);
    }
    return RC_OK;
}

/* From here on the run is over: should it be cut off, the next one makes visible what is not. */
static enum rc note_end(struct run *r, const struct run_result *out, struct outfile *manifest,
                        struct err *e)
{
    struct buf renames;
    struct buf record;
    buf_init(&renames, RENAMES_BYTES_MAX);
    buf_init(&record, RECORD_BYTES_MAX);
    run_record_write(&record, r->cfg, out);
    enum rc rc =
        buf_rc(&record) == RC_OK ? list_renames(r, out, manifest, &renames, e) : err_nomem(e);
    if (rc == RC_OK)
        rc = note_renames(r, buf_str(&renames), buf_str(&record), e);
    if (rc == RC_OK && out->withheld)
        rc = remove_files(buf_str(&renames), e);
    buf_free(&renames);
    buf_free(&record);
    return rc;
}

/* ---- a run that came to its end -------------------------------------------------------------- */

static enum rc writes_files(const struct sink_worker *w, bool *out, struct err *e)
{
    struct buf paths;
    buf_init(&paths, RENAMES_BYTES_MAX);
    enum rc rc = w->ops->paths(&w->cfg, &paths, e);
    if (rc == RC_OK && buf_rc(&paths) != RC_OK)
        rc = err_nomem(e);
    *out = rc == RC_OK && paths.len && outfile_is_file(paths.data);
    buf_free(&paths);
    return rc;
}

/* Streams before files: their readers may be gone, and then no file may have changed. *files_begun:
 * from now on some may have. */
static enum rc publish_sinks(struct run *r, bool *files_begun, struct err *e)
{
    bool of_files[RUN_SINKS_MAX];
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_sinks; i++)
        rc = writes_files(&r->sinks[i], &of_files[i], e);
    for (int files = 0; files <= 1; files++) {
        for (size_t i = 0; rc == RC_OK && i < r->n_sinks; i++) {
            const struct sink_worker *w = &r->sinks[i];
            if (of_files[i] != files || !w->ops->publish)
                continue;
            *files_begun |= files;
            rc = w->ops->publish(w->sink, e);
        }
    }
    return rc;
}

/* All that may fail for want of space comes before the first name changes. */
static enum rc prepare(struct run *r, struct run_result *out, struct outfile **manifest,
                       struct err *e)
{
    out->published = !out->withheld; /* so the manifest says */
    enum rc rc = ledger_complete(r->outcomes.ledger, e);
    if (rc == RC_OK && r->cfg->manifest_path)
        rc = manifest_write(manifest, r->cfg, out, e);
    if (rc == RC_OK && r->resume.state)
        rc = note_end(r, out, *manifest, e);
    out->published = false;
    return rc;
}

/* Outputs, then the lists, then the manifest: a reader that waits for that one sees a complete
 * set. */
static enum rc make_visible(struct run *r, struct run_result *out, struct outfile *manifest,
                            struct err *e)
{
    enum rc rc = out->withheld ? RC_OK : publish_sinks(r, &out->in_part, e);
    out->published = rc == RC_OK && !out->withheld;
    out->in_part &= rc != RC_OK;
    if (rc == RC_OK)
        rc = ledger_publish(r->outcomes.ledger, true, e);
    if (rc == RC_OK && manifest)
        rc = outfile_publish(manifest, e);
    return rc;
}

static void publish(struct run *r, struct run_result *out)
{
    struct outfile *manifest = NULL;
    struct err e;
    enum rc rc = prepare(r, out, &manifest, &e);
    if (rc == RC_OK)
        rc = make_visible(r, out, manifest, &e);
    if (rc == RC_OK && r->resume.state)
        rc = state_finish(r->resume.state, !out->withheld, &e);
    outfile_close(manifest, false);
    if (rc != RC_OK)
        note_error(out, &e);
}

/* ---- a run that was stopped ------------------------------------------------------------------ */

/* They may be what fills the disk, and the lists and the manifest need some of it. A run with a
 * state goes on with them. */
static void drop_outputs(struct run *r)
{
    for (size_t i = 0; i < r->n_sinks; i++) {
        r->sinks[i].ops->close(r->sinks[i].sink);
        r->sinks[i].sink = NULL;
        r->results[i].files = NULL;
        r->results[i].n_files = 0;
    }
}

static enum rc write_manifest(struct run *r, const struct run_result *out, struct err *e)
{
    struct outfile *manifest = NULL;
    enum rc rc = manifest_write(&manifest, r->cfg, out, e);
    if (rc == RC_OK)
        rc = outfile_publish(manifest, e);
    outfile_close(manifest, false);
    return rc;
}

/* Nothing that was made takes the place of what is there, but for lists that have rows, and the
 * manifest, which tells so. */
static void end_stopped(struct run *r, struct run_result *out)
{
    struct err e;
    /* Already at its end: the same command makes visible what is not, its manifest included. */
    bool at_end = r->resume.state && state_phase(r->resume.state) == STATE_PUBLISHING;
    /* What came since the last checkpoint: answers to deliveries, above all. */
    if (r->resume.state && !at_end && state_settle(r->resume.state, &e) != RC_OK)
        note_error(out, &e);
    if (!r->resume.state && !out->published)
        drop_outputs(r);
    if (!out->refused && ledger_complete(r->outcomes.ledger, &e) != RC_OK)
        note_error(out, &e);
    if (!out->refused && ledger_publish(r->outcomes.ledger, false, &e) != RC_OK)
        note_error(out, &e);
    out->exit_status = exit_status_of(r, out);
    bool tells = r->cfg->manifest_path && out->exit_status != EXIT_STATUS_USAGE && !at_end;
    if (tells && write_manifest(r, out, &e) != RC_OK)
        note_error(out, &e);
}

/* ---- the end of a run ------------------------------------------------------------------------ */

/* Stopped before the IDs that were done had been read again: they are there all the same. */
static void count_unread(const struct run *r, struct run_result *out)
{
    uint64_t known = r->sequencer.tally.sums.high;
    if (out->ids.unique >= known)
        return;
    out->ids.unique = known;
    out->ids.read = known + out->ids.duplicates;
}

static void collect(struct run *r, struct run_result *out)
{
    out->signal = atomic_load(&r->control.signal_number);
    out->error = control_error(&r->control); /* the state's thread may still fail */
    out->refused = out->error.rc == RC_USAGE && r->fetcher.requested == 0;
    out->ids = intake_counts(&r->intake);
    count_unread(r, out);
    out->ids_ended = atomic_load(&r->intake.has_ended);
    out->ledger = ledger_counts(r->outcomes.ledger, out->ids.unique);
    out->mended = r->sequencer.tally.sums.mended;
    out->other_ids = r->sequencer.tally.sums.other_ids;
    out->beyond = r->sequencer.beyond;
    out->first_failure = ledger_first_failure(r->outcomes.ledger);
    for (size_t i = 0; i < r->n_sinks; i++)
        r->sinks[i].ops->result(r->sinks[i].sink, &r->results[i]);
    out->sinks = r->results;
}

void run_publish(struct run *r, struct run_result *out)
{
    collect(r, out);
    out->ended_wall_ms = clock_wall_ms(r->cfg->clock);
    out->seconds = (double)run_active_ms(r) / 1e3;
    if (came_to_end(out)) {
        out->withheld = why_withheld(r, out);
        if (out->withheld == WITHHELD_MISSING)
            out->missing_allowed = missing_allowed(&r->cfg->max_missing, out->ids.unique);
        out->exit_status = exit_status_of(r, out);
        publish(r, out);
        if (out->error.rc == RC_STOPPED) /* the signal came while a reader was waited for */
            out->signal = atomic_load(&r->control.signal_number);
    }
    if (!came_to_end(out))
        end_stopped(r, out);
}

void run_report_unopened(struct run *r, const struct err *why)
{
    struct err e;
    struct run_result out = {
        .started_wall_ms = r->resume.started_wall_ms,
        .ended_wall_ms = clock_wall_ms(r->cfg->clock),
        .exit_status = EXIT_STATUS_STOPPED,
        .error = *why,
        .sinks = r->results,
    };
    memcpy(out.run_id, r->resume.run_id, sizeof out.run_id);
    if (r->cfg->manifest_path && write_manifest(r, &out, &e) != RC_OK)
        log_msg(r->cfg->log, LOG_LEVEL_ERROR, NULL, "%s", e.msg);
}
