/* The end of a run: its result, and which outputs become visible. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file/outfile.h"
#include "core/run/manifest.h"
#include "core/run/run_internal.h"
#include "core/run/run_record.h"
#include "core/run/run_republish.h"
#include "core/run/schema_file.h"

#define RECORD_BYTES_MAX ((size_t)64 << 20)

/* ---- how it went ---------------------------------------------------------------------------- */

static bool reached_end(const struct run_result *out)
{
    return out->error.rc == RC_OK && !out->signal;
}

/* If several apply: a signal comes before an error, and an error before failed leads. */
static int exit_status_of(const struct run *r, const struct run_result *out)
{
    if (out->signal)
        return EXIT_STATUS_SIGNAL + out->signal;
    /* The input was found not to be in the expected format. */
    if (out->error.rc == RC_USAGE)
        return EXIT_STATUS_USAGE;
    if (out->error.rc != RC_OK)
        return EXIT_STATUS_STOPPED;
    bool short_input = r->cfg->has_expect && r->cfg->expect != out->ids.expected;
    bool may_lack = short_input || out->list_may_lack;
    bool withheld = out->withheld && out->withheld != WITHHELD_NOTHING_READ;
    return out->ledger.failed || withheld || may_lack ? EXIT_STATUS_LEADS : EXIT_STATUS_OK;
}

/* Would a sink mark or delete more leads than --max-gone allows? */
static bool too_many_gone(const struct run *r)
{
    for (size_t i = 0; i < r->n_sinks; i++) {
        if (r->results[i].is_database && r->results[i].gone > r->results[i].gone_allowed)
            return true;
    }
    return false;
}

/* Will the outputs of all shards become one set, by leadpipe merge or in a database? */
static bool is_part_of_set(const struct run *r)
{
    bool is = false;
    for (size_t i = 0; i < r->n_sinks; i++)
        is |= run_sink_is_companion(&r->cfg->sinks[i]) || r->cfg->sinks[i].cfg.shard;
    return is;
}

/* Has no shard of a set found a lead, as the last one knows? */
static bool none_found_in_set(const struct run *r)
{
    bool none = false;
    for (size_t i = 0; i < r->n_sinks; i++)
        none |= r->results[i].is_database && r->results[i].none_found;
    return none;
}

/* A wrong server, path or parameter looks like a provider that has none of the leads. Then earlier outputs are
 * better than empty ones. An empty input is accepted, unless --expect says otherwise. A shard may happen to have
 * none of the leads that exist: where shards are merged, it is the merge, or the last shard, that withholds. */
static enum withheld why_withheld(const struct run *r, const struct run_result *out)
{
    const struct ledger_counts *l = &out->ledger;
    if (r->intake.shared && !out->ids.read && !(r->cfg->has_expect && r->cfg->expect))
        return WITHHELD_NOTHING_READ;
    bool is_empty = !out->ids.unique && !out->ids.others && r->cfg->has_expect && r->cfg->expect;
    bool is_judged = out->ids.unique && !is_part_of_set(r);
    if (((is_empty || is_judged) && !ledger_any_found(l)) || none_found_in_set(r))
        return WITHHELD_NONE_FOUND;
    if (l->missing > portion_of(&r->cfg->max_missing, out->ids.unique))
        return WITHHELD_MISSING;
    return too_many_gone(r) ? WITHHELD_GONE : WITHHELD_NOT;
}

/* The first error is the run's; repeated ones are not added. */
static void note_error(struct run_result *out, const struct err *e)
{
    if (out->error.rc == RC_OK)
        out->error = *e;
    else if (strcmp(out->error.msg, e->msg) != 0 && out->n_more_errors < RUN_MORE_ERRORS_MAX)
        out->more_errors[out->n_more_errors++] = *e;
}

/* Files about the run; published after everything that they describe. */
struct reports {
    struct outfile *schema, *manifest; /* NULL: not wanted */
};

/* ---- with a state ---------------------------------------------------------------------------- */

/* From here on the run is over: if it is cut off, the next run finishes publishing. The state records how, for the
 * sinks, the lists, the schema file and the manifest. */
static enum rc note_end(struct run *r, const struct run_result *out, const struct reports *reports,
                        struct err *e)
{
    struct buf lists;
    struct buf last;
    struct buf record;
    buf_init(&lists, SINK_TEXT_BYTES_MAX);
    buf_init(&last, SINK_TEXT_BYTES_MAX);
    buf_init(&record, RECORD_BYTES_MAX);
    run_record_write(&record, r->cfg, out);
    enum rc rc = ledger_prepare(r->outcomes.ledger, &lists, e);
    if (rc == RC_OK && reports->schema)
        rc = outfile_prepare(reports->schema, &last, e);
    if (rc == RC_OK && reports->manifest)
        rc = outfile_prepare(reports->manifest, &last, e);
    if (rc == RC_OK && (buf_rc(&lists) != RC_OK || buf_rc(&last) != RC_OK || buf_rc(&record)))
        rc = err_nomem(e);
    if (rc == RC_OK) {
        struct str texts[RUN_TEXTS_MAX];
        for (size_t i = 0; i < r->n_sinks; i++) {
            texts[i] = buf_str(&r->sinks[i].text);
            r->sinks[i].must_stay = true;
        }
        texts[r->n_sinks + RUN_TEXT_LISTS] = buf_str(&lists);
        texts[r->n_sinks + RUN_TEXT_REPORTS] = buf_str(&last);
        if (r->intake.listed)
            rc = list_source_keep(r->intake.listed, out->ids.unique, e);
        if (rc == RC_OK)
            rc = state_publish(r->state, texts, r->n_sinks + RUN_TEXTS_MORE, buf_str(&record), e);
    }
    buf_free(&lists);
    buf_free(&last);
    buf_free(&record);
    return rc;
}

/* ---- a run that reached its end -------------------------------------------------------------- */

/* Takes back all outputs if they are withheld; otherwise makes them visible. Sinks without files come first,
 * because they can still fail (a reader or a server may be gone), and then no file must have changed.
 * *files_begun: some files may have changed. */
static enum rc end_sinks(struct run *r, bool withheld, bool *files_begun, struct err *e)
{
    size_t order[RUN_SINKS_MAX];
    size_t n_without_files = 0;
    enum rc rc = run_commit_order(r->cfg, order, &n_without_files, e);
    for (size_t i = 0; rc == RC_OK && i < r->n_sinks; i++) {
        struct sink_worker *w = &r->sinks[order[i]];
        bool changes_files = !withheld && i >= n_without_files;
        *files_begun |= changes_files && !w->ops->commits_at_once;
        rc = withheld ? sink_worker_abort(w, e) : sink_worker_commit(w, e);
        *files_begun |= changes_files && rc == RC_OK;
    }
    return rc;
}

/* Everything that needs disk space is done before the first file is renamed. */
static enum rc prepare(struct run *r, struct run_result *out, struct reports *reports,
                       struct err *e)
{
    out->published = !out->withheld; /* for the manifest, which is written now */
    enum rc rc = ledger_complete(r->outcomes.ledger, e);
    if (r->cfg->shard.of && rc == RC_OK) {
        (void)ledger_list_file(r->outcomes.ledger, false, &out->failed_list);
        (void)ledger_list_file(r->outcomes.ledger, true, &out->missing_list);
    }
    if (rc == RC_OK && r->cfg->schema_path && !out->withheld)
        rc = schema_file_write(&reports->schema, r->cfg, out, r->sequencer.schema, e);
    if (rc == RC_OK && r->cfg->manifest_path)
        rc = manifest_write(&reports->manifest, r->cfg, out, e);
    if (rc == RC_OK && r->state)
        rc = note_end(r, out, reports, e);
    out->published = false;
    return rc;
}

/* Outputs, then the lists and the schema, then the manifest, so that a reader that waits for the manifest finds a complete
 * set. If the sink records what was read, a run that is killed after the sink's commit is not repeated: so the lists come
 * first. */
static enum rc make_visible(struct run *r, struct run_result *out, const struct reports *reports,
                            struct err *e)
{
    bool lists_first = run_queue_is_recorded(r->cfg) && !out->withheld;
    enum rc rc = lists_first ? ledger_publish(r->outcomes.ledger, true, e) : RC_OK;
    if (rc == RC_OK)
        rc = end_sinks(r, out->withheld != WITHHELD_NOT, &out->in_part, e);
    out->published = rc == RC_OK && !out->withheld;
    out->in_part &= rc != RC_OK;
    if (rc == RC_OK && !lists_first)
        rc = ledger_publish(r->outcomes.ledger, true, e);
    if (rc == RC_OK && reports->schema)
        rc = outfile_publish(reports->schema, e);
    if (rc == RC_OK && reports->manifest)
        rc = outfile_publish(reports->manifest, e);
    return rc;
}

static bool is_lacking(const char *path, const struct outfile *f)
{
    return path && !(f && outfile_is_published(f));
}

static void note_lists(const struct run *r, struct run_result *out)
{
    out->lacks &= ~(unsigned)(ABOUT_FAILED | ABOUT_MISSING);
    out->lacks |= ledger_lacks(r->outcomes.ledger, false) ? ABOUT_FAILED : 0;
    out->lacks |= ledger_lacks(r->outcomes.ledger, true) ? ABOUT_MISSING : 0;
}

/* Which files about the run stay as they were, or missing, although its outputs are new? */
static void note_lacks(const struct run *r, struct run_result *out, const struct reports *reports)
{
    out->lacks = is_lacking(r->cfg->schema_path, reports->schema) ? ABOUT_SCHEMA : 0;
    out->lacks |= is_lacking(r->cfg->manifest_path, reports->manifest) ? ABOUT_MANIFEST : 0;
    note_lists(r, out);
}

/* A database that has lost its connection in the second phase has merged once more, and may have found that other shards have
 * been done since the first one, or have begun anew. */
static void collect_again(struct run *r)
{
    for (size_t i = 0; i < r->n_sinks; i++) {
        if (r->results[i].is_database)
            r->sinks[i].ops->result(r->sinks[i].sink, &r->results[i]);
    }
}

/* Reports leads that were requested although they are no longer listed; without that, the counts could not be explained. */
static void tell_once_more(const struct run *r)
{
    uint64_t n = r->intake.listed ? list_source_once_more(r->intake.listed) : 0;
    if (n)
        log_msg(r->cfg->log, LOG_LEVEL_INFO, r->cfg->state_path,
                "%llu lead%s that the previous run listed %s no longer listed, and requested once "
                "more",
                (unsigned long long)n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
}

/* Offsets are committed last: if that fails, leads are exported once more, and none is lost. What is withheld is read
 * again, but what was delivered is there. */
static enum rc commit_queue(struct run *r, const struct run_result *out, struct err *e)
{
    struct id_source *q = r->intake.shared;
    if (!q || r->intake.commits == SOURCE_COMMITS_BY_SINK ||
        (out->withheld && r->intake.commits == SOURCE_COMMITS_AT_END))
        return RC_OK;
    if (out->ledger.failed && !r->cfg->failed_path)
        log_msg(r->cfg->log, LOG_LEVEL_WARN_ALWAYS, r->cfg->queue.name,
                "the messages of failed leads are not read again either; use --failed FILE to "
                "list these leads");
    enum rc rc = q->ops->commit(q, true, e);
    if (rc != RC_OK && out->published)
        err_prefix(e, run_queue_is_recorded(r->cfg)
                          ? "the output is published, and the next run continues behind it"
                          : "the outputs are published, but their messages will be read again");
    return rc;
}

/* What the sink has recorded has been committed. If it cannot note that, its record says no more than the queue does. */
static void confirm_record(struct run *r)
{
    const struct sink_worker *w = &r->sinks[0];
    struct err e;
    if (run_queue_is_recorded(r->cfg) && w->ops->confirm(w->sink, &e) != RC_OK)
        log_msg(r->cfg->log, LOG_LEVEL_INFO, NULL, "%s", e.msg);
}

/* There was no message: files stay as they are, the lists and the manifest, too. */
static void publish_nothing(struct run *r, struct run_result *out)
{
    struct err e;
    for (size_t i = 0; i < r->n_sinks; i++) {
        if (sink_worker_abort(&r->sinks[i], &e) != RC_OK)
            note_error(out, &e);
    }
    if (commit_queue(r, out, &e) != RC_OK)
        note_error(out, &e);
}

static void publish(struct run *r, struct run_result *out)
{
    struct reports reports = {NULL, NULL};
    struct err e;
    if (out->withheld == WITHHELD_NOTHING_READ) {
        publish_nothing(r, out);
        return;
    }
    tell_once_more(r);
    const struct id_source *q = r->intake.shared;
    enum rc rc = q ? q->ops->check(r->intake.shared, &e) : RC_OK;
    if (rc == RC_OK)
        rc = prepare(r, out, &reports, &e);
    if (rc == RC_OK)
        rc = make_visible(r, out, &reports, &e);
    collect_again(r);
    if (rc == RC_OK && r->state)
        rc = state_finish(r->state, !out->withheld, &e);
    if (rc == RC_OK)
        rc = commit_queue(r, out, &e);
    if (rc == RC_OK && out->published)
        confirm_record(r);
    if (out->published)
        note_lacks(r, out, &reports);
    outfile_close(reports.schema, false);
    outfile_close(reports.manifest, false);
    if (rc != RC_OK)
        note_error(out, &e);
}

/* ---- a run that was stopped ------------------------------------------------------------------ */

/* Aborts sinks, because their unfinished output may be what fills the disk, and the lists and the manifest need space.
 * Output that a state may refer to stays, for the run that resumes. */
static void drop_outputs(struct run *r, struct run_result *out)
{
    struct err e;
    for (size_t i = 0; i < r->n_sinks; i++) {
        if (!r->sinks[i].must_stay && sink_worker_abort(&r->sinks[i], &e) != RC_OK)
            note_error(out, &e);
        if (r->state)
            continue;
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

/* What was delivered before the run was stopped is not read again. */
static enum rc commit_settled(struct run *r, struct err *e)
{
    struct id_source *q = r->intake.shared;
    if (!q || r->intake.commits != SOURCE_COMMITS_SETTLED)
        return RC_OK;
    return q->ops->commit(q, false, e);
}

/* The run stopped early: nothing replaces existing outputs, except for lists that have rows, and the manifest, which says
 * so. */
static void end_stopped(struct run *r, struct run_result *out)
{
    struct err e;
    /* It had begun publishing: the same command publishes the rest, including the manifest. */
    bool at_end = r->state && state_phase(r->state) == STATE_PUBLISHING;
    /* Records what happened since the last checkpoint, especially responses to deliveries. */
    if (r->state && !at_end && state_settle(r->state, &e) != RC_OK)
        note_error(out, &e);
    if (!out->published)
        drop_outputs(r, out);
    if (!out->refused && ledger_complete(r->outcomes.ledger, &e) != RC_OK)
        note_error(out, &e);
    if (!out->refused && ledger_publish(r->outcomes.ledger, false, &e) != RC_OK)
        note_error(out, &e);
    if (out->published)
        note_lists(r, out);
    if (!out->published && commit_settled(r, &e) != RC_OK)
        note_error(out, &e);
    out->exit_status = exit_status_of(r, out);
    bool reports = r->cfg->manifest_path && out->exit_status != EXIT_STATUS_USAGE && !at_end;
    if (!reports)
        return;
    if (write_manifest(r, out, &e) == RC_OK)
        out->lacks &= ~(unsigned)ABOUT_MANIFEST;
    else
        note_error(out, &e);
}

/* ---- the end of a run ------------------------------------------------------------------------ */

/* If the run was stopped before the IDs that were done had been read again, they are counted nevertheless. */
static void count_unread(const struct run *r, struct run_result *out)
{
    uint64_t known = r->sequencer.progress.sums.high;
    if (out->ids.unique >= known)
        return;
    out->ids.unique = known;
    out->ids.read = known + out->ids.duplicates;
}

static void collect(struct run *r, struct run_result *out)
{
    out->signal = atomic_load(&r->control.signal_number);
    out->error = control_error(&r->control); /* the state's thread may have failed meanwhile */
    out->refused = out->error.rc == RC_USAGE && r->fetcher.requested == 0;
    out->ids = intake_counts(&r->intake);
    count_unread(r, out);
    out->ids_ended = atomic_load(&r->intake.has_ended);
    out->list_may_lack = listing_may_lack(&r->fetcher.listing);
    out->ledger = ledger_counts(r->outcomes.ledger, out->ids.unique);
    run_sample_figures(r, &out->http);
    if (r->loop.figures)
        figures_compare_columns(r->loop.figures, r->cfg->profile, r->sequencer.schema);
    out->figures = r->loop.figures;
    (void)snprintf(out->list_digest, sizeof out->list_digest, "%s", intake_list_digest(&r->intake));
    out->replaced = r->sequencer.progress.sums.replaced;
    out->other_ids = r->sequencer.progress.sums.other_ids;
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
    if (reached_end(out)) {
        out->withheld = why_withheld(r, out);
        if (out->withheld == WITHHELD_MISSING)
            out->missing_allowed = portion_of(&r->cfg->max_missing, out->ids.unique);
        out->exit_status = exit_status_of(r, out);
        publish(r, out);
        if (out->error.rc == RC_STOPPED) /* the signal arrived while the run waited for a reader */
            out->signal = atomic_load(&r->control.signal_number);
    }
    if (!reached_end(out))
        end_stopped(r, out);
}

void run_report_unopened(struct run *r, const struct err *why)
{
    struct err e;
    struct run_result out = {
        .started_wall_ms = r->resume.started_wall_ms,
        .ended_wall_ms = clock_wall_ms(r->cfg->clock),
        .signal = atomic_load(&r->control.signal_number),
        .error = *why,
        .sinks = r->results,
    };
    out.exit_status = exit_status_of(r, &out);
    memcpy(out.run_id, r->resume.run_id, sizeof out.run_id);
    if (!r->cfg->manifest_path)
        return;
    (void)run_targets_make_folders(&r->targets, &e); /* else the manifest says so */
    if (write_manifest(r, &out, &e) != RC_OK)
        log_msg(r->cfg->log, LOG_LEVEL_ERROR, NULL, "%s", e.msg);
}
