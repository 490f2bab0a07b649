/* The end of a run: how it went, and what becomes visible. */
#include <stdio.h>
#include <stdlib.h>

#include "outfile.h"
#include "renames.h"
#include "run_internal.h"

#define RENAMES_BYTES_MAX ((size_t)16 << 20)
#define RECORD_BYTES_MAX ((size_t)64 << 20)

static enum rc publish_sinks(struct run *r, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_outlets; i++) {
        if (r->outlets[i].ops->publish)
            rc = r->outlets[i].ops->publish(r->outlets[i].sink, e);
    }
    return rc;
}

static int judge(const struct run *r, const struct run_result *out)
{
    /* The input turned out to be of another form than it was said to be. */
    if (out->error.rc == RC_USAGE)
        return EXIT_STATUS_USAGE;
    if (out->error.rc != RC_OK)
        return EXIT_STATUS_STOPPED;
    bool none_found = out->ids.unique && !out->ledger.exported && !out->ledger.unchanged;
    bool short_input = r->cfg->has_expect && r->cfg->expect != out->ids.unique;
    return out->ledger.failed || none_found || short_input ? EXIT_STATUS_LEADS : EXIT_STATUS_OK;
}

static void note_error(struct run_result *out, const struct err *e)
{
    if (out->error.rc == RC_OK)
        out->error = *e;
}

/* Outputs, then the failed list, then the manifest: who waits for that one sees a complete set. The
 * list is wanted of a run that was stopped, too. */
static void make_visible(struct run *r, struct run_result *out, bool listed,
                         struct outfile *manifest)
{
    struct err e;
    bool whole = out->error.rc == RC_OK && !out->signal;
    if (whole && publish_sinks(r, &e) != RC_OK)
        note_error(out, &e);
    else
        out->published = whole;
    if (listed && ledger_publish(r->ledger, &e) != RC_OK)
        note_error(out, &e);
    if (out->error.rc == RC_OK && manifest && outfile_publish(manifest, &e) != RC_OK)
        note_error(out, &e);
}

/* ---- with a state ---------------------------------------------------------------------------- */

/* The names that are about to change, in that order. */
static enum rc list_renames(struct run *r, struct outfile *manifest, struct buf *out, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_outlets; i++) {
        if (r->outlets[i].ops->renames)
            rc = r->outlets[i].ops->renames(r->outlets[i].sink, out, e);
    }
    if (rc != RC_OK)
        return rc;
    ledger_renames(r->ledger, out);
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
        rc = state_publish(r->state, renames, n, record, e);
    free(renames);
    return rc;
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
    enum rc rc = buf_rc(&record) == RC_OK ? list_renames(r, manifest, &renames, e) : err_nomem(e);
    if (rc == RC_OK)
        rc = note_renames(r, buf_str(&renames), buf_str(&record), e);
    buf_free(&renames);
    buf_free(&record);
    return rc;
}

/* ---- the end of a run ------------------------------------------------------------------------ */

/* All that may fail for want of space comes before the first name changes. */
static void publish(struct run *r, struct run_result *out)
{
    struct outfile *manifest = NULL;
    struct err e;
    bool listed = !out->refused && ledger_complete(r->ledger, &e) == RC_OK;
    if (!listed && !out->refused)
        note_error(out, &e);
    if (out->error.rc == RC_OK && !out->signal && r->cfg->manifest_path &&
        manifest_write(&manifest, r->cfg, out, &e) != RC_OK)
        note_error(out, &e);
    bool whole = out->error.rc == RC_OK && !out->signal;
    if (whole && r->state && note_end(r, out, manifest, &e) != RC_OK)
        note_error(out, &e);
    make_visible(r, out, listed, manifest);
    if (manifest)
        outfile_close(manifest, false);
    if (whole && r->state && out->error.rc == RC_OK && state_finish(r->state, &e) != RC_OK)
        note_error(out, &e);
    /* What came since the last checkpoint: answers to deliveries, above all. */
    if (!whole && r->state && state_settle(r->state, &e) != RC_OK)
        note_error(out, &e);
}

/* Stopped before the IDs that were done had been read again: they are there all the same. */
static void count_unread(const struct run *r, struct run_result *out)
{
    uint64_t known = r->tally.sums.high;
    if (out->ids.unique >= known)
        return;
    out->ids.unique = known;
    out->ids.read = known + out->ids.duplicates;
}

static void collect(struct run *r, struct run_result *out)
{
    out->signal = atomic_load(&r->signal_number);
    pthread_mutex_lock(&r->lock); /* the state's thread may still fail */
    out->error = r->fatal;
    pthread_mutex_unlock(&r->lock);
    out->refused = r->fatal.rc == RC_USAGE && r->requested == 0;
    out->ids = ids_counts(r->ids);
    count_unread(r, out);
    out->ids_ended = atomic_load(&r->ids_ended);
    out->ledger = ledger_counts(r->ledger, out->ids.unique);
    out->mended = r->tally.sums.mended;
    out->other_ids = r->tally.sums.other_ids;
    out->beyond = r->beyond;
    out->first_failure = ledger_first_failure(r->ledger);
    for (size_t i = 0; i < r->n_outlets; i++)
        r->outlets[i].ops->result(r->outlets[i].sink, &r->results[i]);
    out->sinks = r->results;
}

void run_publish(struct run *r, struct run_result *out)
{
    collect(r, out);
    out->ended_wall_ms = clock_wall_ms(r->cfg->clock);
    out->seconds = (double)run_active_ms(r) / 1e3;
    out->exit_status = judge(r, out);
    publish(r, out);
    if (out->error.rc != RC_OK)
        out->exit_status = judge(r, out);
    if (out->signal)
        out->exit_status = EXIT_STATUS_SIGNAL + out->signal;
}
