#include "core/run/resume.h"

#include "core/run/figures.h"
#include "core/run/listing.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS INT64_C(3600000)
#define OLD_HOURS 12 /* of a run that is resumed: then it is said */

/* ---- may it be resumed? -------------------------------------------------------------------------- */

/* Is there a setting of that name, from index `from` on? */
static bool has_setting(const struct state_setting *settings, size_t n, size_t from,
                        struct str name)
{
    for (size_t i = from; i < n; i++) {
        if (str_eq(settings[i].name, name))
            return true;
    }
    return false;
}

static const char *const resume_advice =
    "run that command to resume it, or add --fresh to discard it";

static enum rc refuse_value(const struct resume_plan *p, const struct state_setting *then,
                            const struct state_setting *now, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s holds an unfinished run of another command: " STR_FMT " was " STR_FMT
                   " and is now " STR_FMT "; %s",
                   p->cfg->state_path, STR_ARG(now->name), STR_ARG(then->value),
                   STR_ARG(now->value), resume_advice);
}

static enum rc refuse_one(const struct resume_plan *p, const struct state_setting *one,
                          bool was_given, struct err *e)
{
    return err_set(
        e, RC_USAGE,
        "%s holds an unfinished run of another command: " STR_FMT "%s" STR_FMT " was %s; %s",
        p->cfg->state_path, STR_ARG(one->name), one->value.len ? " " : "", STR_ARG(one->value),
        was_given ? "given then but is not given now" : "not given then", resume_advice);
}

static enum rc compare_settings(const struct resume_plan *p, const struct state_run *then,
                                struct err *e)
{
    const struct run_cfg *now = p->cfg;
    size_t i = 0;
    while (i < then->n_settings && i < now->n_settings &&
           str_eq(then->settings[i].name, now->settings[i].name) &&
           str_eq(then->settings[i].value, now->settings[i].value))
        i++;
    if (i == then->n_settings && i == now->n_settings)
        return RC_OK;
    if (i == now->n_settings)
        return refuse_one(p, &then->settings[i], true, e);
    if (i == then->n_settings)
        return refuse_one(p, &now->settings[i], false, e);
    if (str_eq(then->settings[i].name, now->settings[i].name))
        return refuse_value(p, &then->settings[i], &now->settings[i], e);
    /* A repeatable option is given once more, or once less. */
    return has_setting(now->settings, now->n_settings, i, then->settings[i].name)
               ? refuse_one(p, &now->settings[i], false, e)
               : refuse_one(p, &then->settings[i], true, e);
}

static enum rc damaged(const struct resume_plan *p, const char *what, struct err *e)
{
    return err_set(e, RC_USAGE, "%s: is damaged: %s; restore it, or remove it to start over",
                   p->cfg->state_path, what);
}

/* Is what the state has consistent with this command, which is the same as that of the unfinished run? */
static enum rc check_run(struct resume_plan *p, struct err *e)
{
    const struct state_checkpoint *c = &p->run.checkpoint;
    bool has_checkpoint = c->n_marks > 0;
    if (has_checkpoint ? c->n_marks != p->cfg->n_sinks : c->progress.high > 0)
        return damaged(p, "it does not have one mark for each sink", e);
    bool astray = false; /* a delivery of a sink that does not exist, or writes files */
    enum rc rc = state_has_deliveries(p->state, (unsigned)p->cfg->n_sinks, UINT_MAX, &astray, e);
    for (unsigned i = 0; rc == RC_OK && !astray && i < p->cfg->n_sinks; i++) {
        if (p->cfg->sinks[i].ops->recover)
            rc = state_has_deliveries(p->state, i, i, &astray, e);
    }
    return rc == RC_OK && astray ? damaged(p, "a delivery belongs to no webhook sink", e) : rc;
}

/* Nothing of the run is done, so it need not be the same command. */
static enum rc is_blank(struct resume_plan *p, const struct state_run *then, bool *out,
                        struct err *e)
{
    bool found = then->checkpoint.n_marks > 0;
    enum rc rc = found ? RC_OK : state_has_deliveries(p->state, 0, UINT_MAX, &found, e);
    if (rc == RC_OK && !found)
        rc = state_has_list(p->state, &found, e);
    *out = !found;
    return rc;
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum rc begin_run(struct resume_plan *p, struct err *e)
{
    const struct lister_cfg *listing = p->cfg->listing;
    enum rc rc = p->figures ? figures_load_columns(p->figures, p->state, e) : RC_OK;
    if (rc == RC_OK && listing)
        rc = state_list_verify(p->state, e);
    if (rc == RC_OK)
        rc = state_begin(p->state, p->run_id, p->started_wall_ms, p->cfg->settings,
                         p->cfg->n_settings, e);
    return rc == RC_OK && listing ? listing_begin(listing, p->state, e) : rc;
}

/* Whoever starts a job every night may not expect that it continues the night before. */
static void warn_of_age(const struct resume_plan *p)
{
    int64_t hours = (clock_wall_ms(p->cfg->clock) - p->started_wall_ms) / HOUR_MS;
    uint64_t done = progress_done(&p->progress);
    if (hours >= OLD_HOURS && done > 0)
        log_msg(
            p->cfg->log, LOG_LEVEL_WARN_ALWAYS, p->cfg->state_path,
            "resuming a run that began %" PRId64 " hours ago: its %" PRIu64
            " leads that are done keep the content of that time; --fresh discards it and fetches "
            "all leads",
            hours, done);
}

static enum rc resume(struct resume_plan *p, struct err *e)
{
    memcpy(p->run_id, p->run.run_id, sizeof p->run_id);
    p->started_wall_ms = p->run.started_wall_ms;
    p->active_before_ms = p->run.checkpoint.progress.active_ms;
    p->totals = p->run.checkpoint.totals;
    if (!beyond_read(&p->beyond, &p->totals))
        return err_set(e, RC_USAGE, "%s is damaged: its totals are malformed", p->cfg->state_path);
    p->loaded = true;
    char started_at[25];
    clock_format(p->started_wall_ms, started_at);
    log_msg(p->cfg->log, LOG_LEVEL_INFO, p->cfg->state_path, "resuming the run of %s", started_at);
    if (progress_load(&p->progress, &p->run.checkpoint) != RC_OK)
        return err_nomem(e);
    warn_of_age(p);
    return RC_OK;
}

/* *blank: the unfinished run has nothing to resume. */
static enum rc may_resume(struct resume_plan *p, bool *blank, struct err *e)
{
    enum rc rc = RC_OK;
    *blank = false;
    if (state_phase(p->state) == STATE_RUNNING)
        rc = is_blank(p, &p->run, blank, e);
    if (rc != RC_OK || *blank)
        return rc;
    rc = compare_settings(p, &p->run, e);
    return rc == RC_OK ? check_run(p, e) : rc;
}

enum rc resume_may(const struct run_cfg *cfg, struct state *s, const struct state_run *run,
                   bool *is_blank, struct err *e)
{
    struct resume_plan p = {.cfg = cfg, .state = s, .run = *run};
    return may_resume(&p, is_blank, e);
}

/* The state has an unfinished run: resumes it, or refuses. */
static enum rc load_run(struct resume_plan *p, struct err *e)
{
    bool blank = false;
    enum rc rc = state_load(p->state, &p->run, e);
    if (rc == RC_OK)
        rc = may_resume(p, &blank, e);
    if (rc == RC_OK && blank)
        return begin_run(p, e);
    if (rc == RC_OK)
        rc = resume(p, e);
    p->republish = rc == RC_OK && state_phase(p->state) == STATE_PUBLISHING;
    return rc;
}

static enum rc accept_by(struct resume_plan *p, struct err *e)
{
    struct str sinks[RUN_SINKS_MAX];
    bool has_accepted = false;
    enum state_hash hash = p->has_fingerprints ? STATE_HASH_SHA256 : STATE_HASH_XXH3;
    for (size_t i = 0; i < p->cfg->n_sinks; i++)
        sinks[i] = str_c(p->cfg->sinks[i].identity);
    enum rc rc = state_has_accepted(p->state, &has_accepted, e);
    /* Runs without --changed-only must keep the accepted content up to date, too. */
    p->notes_accepted = p->cfg->changed_only || has_accepted;
    if (rc == RC_OK && p->notes_accepted)
        rc = state_accept_by(p->state, sinks, p->cfg->n_sinks, &hash, e);
    p->by_xxh3 = hash == STATE_HASH_XXH3;
    return rc;
}

/* Removes what the discarded run has left; its outputs may have had other names. */
static void note_discarded(struct resume_plan *p)
{
    struct state_run then;
    struct err ignored;
    enum state_phase phase = state_phase(p->state);
    if ((phase != STATE_RUNNING && phase != STATE_PUBLISHING) ||
        state_load(p->state, &then, &ignored) != RC_OK)
        return;
    memcpy(p->discarded_run_id, then.run_id, sizeof p->discarded_run_id);
    p->discarded_wall_ms = then.started_wall_ms;
}

enum rc resume_begin(struct resume_plan *p, struct err *e)
{
    enum rc rc = RC_OK;
    if (p->cfg->fresh) {
        note_discarded(p);
        rc = state_forget(p->state, e);
    }
    if (rc != RC_OK)
        return rc;
    enum state_phase phase = state_phase(p->state);
    if (phase == STATE_RUNNING || phase == STATE_PUBLISHING)
        rc = load_run(p, e);
    else
        rc = begin_run(p, e);
    return rc == RC_OK && !p->republish ? accept_by(p, e) : rc;
}

void resume_free(struct resume_plan *p)
{
    free(p->unacked);
    free(p->sent);
    progress_free(&p->progress);
}

/* ---- restoring ------------------------------------------------------------------------------ */

static enum rc restore_columns(const struct resume_plan *p, struct schema *schema, struct err *e)
{
    const struct state_checkpoint *c = &p->run.checkpoint;
    for (size_t i = 0; i < c->n_columns; i++) {
        const struct state_column *column = &c->columns[i];
        const struct column_origin origin = {.scope = column->scope,
                                             .occurrence = column->occurrence,
                                             .key = column->key,
                                             .member = column->member};
        enum rc rc = schema_restore(schema, column->table, &origin, e);
        if (rc != RC_OK) {
            err_prefix(e, "%s: is damaged", p->cfg->state_path);
            return rc == RC_NOMEM ? rc : (e->rc = RC_USAGE);
        }
    }
    return RC_OK;
}

/* Checks that every lead that is done has one outcome: handed to the sinks, missing, unchanged, or failed before the sinks.
 * `missing`: the number of leads in the list of missing leads. */
static enum rc check_outcomes(const struct resume_plan *p, uint64_t missing, struct err *e)
{
    const struct state_progress *done = &p->progress.sums;
    uint64_t failed = p->failures.n - p->failures.by_sink;
    uint64_t outcomes = done->handed + done->missing + done->unchanged; /* each is below 2^53 */
    if (failed <= progress_done(&p->progress) && outcomes == progress_done(&p->progress) - failed &&
        p->failures.by_sink <= done->handed && missing == done->missing)
        return RC_OK;
    return damaged(p, "the outcomes of its leads do not add up", e);
}

enum rc resume_restore(struct resume_plan *p, struct schema *schema, struct err *e)
{
    if (!p->loaded)
        return RC_OK;
    enum rc rc = state_rewind(p->state, e);
    if (rc == RC_OK)
        rc = restore_columns(p, schema, e);
    if (rc == RC_OK)
        rc = state_buffered_seqs(p->state, &p->buffered, &p->n_buffered, e);
    if (rc == RC_OK)
        rc = state_count_failures(p->state, &p->failures, e);
    uint64_t missing = 0;
    if (rc == RC_OK)
        rc = state_count_missing(p->state, &missing, e);
    return rc == RC_OK ? check_outcomes(p, missing, e) : rc;
}

const struct sink_mark *resume_mark(const struct resume_plan *p, size_t sink,
                                    struct sink_mark *mark)
{
    const struct state_checkpoint *c = &p->run.checkpoint;
    if (!p->loaded || sink >= c->n_marks)
        return NULL;
    mark->text = c->marks[sink];
    return mark;
}

enum rc resume_count(struct resume_plan *p, struct ledger *ledger, struct err *e)
{
    const struct state_progress *done = &p->progress.sums;
    char first[512];
    if (!p->loaded)
        return RC_OK;
    resume_sort_sent(p);
    enum rc rc = state_first_failure(p->state, first, sizeof first, e);
    if (rc != RC_OK)
        return rc;
    uint64_t delivered = done->handed - p->failures.by_sink;
    uint64_t undecided =
        p->n_unacked - p->unacked_failed; /* with a sink that has not given its verdict */
    if (undecided > delivered)
        return damaged(p, "a sink has more leads than it was given", e);
    const struct ledger_counts counts = {
        .exported = delivered - undecided,
        .unchanged = done->unchanged,
        .missing = done->missing,
        .failed = p->failures.n,
        .failed_by_sink = p->failures.by_sink,
    };
    ledger_resume(ledger, &counts, first);
    return p->figures ? figures_load_failures(p->figures, p->cfg->profile, p->state, e) : RC_OK;
}
