/* Opening a state: is there a run to go on with, may it, and where do its stages begin? */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/run/run_internal.h"

/* ---- may it go on? -------------------------------------------------------------------------- */

static bool term_equal(const struct state_term *a, const struct state_term *b)
{
    return str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

/* Is there one of that name among them, from number `from` on? */
static bool has_term(const struct state_term *terms, size_t n, size_t from, struct str name)
{
    for (size_t i = from; i < n; i++) {
        if (str_eq(terms[i].name, name))
            return true;
    }
    return false;
}

static const char *const go_on_text =
    "the command as it was goes on with that run, --fresh forgets it";

static enum rc refuse_value(const struct run *r, const struct state_term *then,
                            const struct state_term *now, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s holds an unfinished run of another command: " STR_FMT " was " STR_FMT
                   " and is now " STR_FMT "; %s",
                   r->cfg->state_path, STR_ARG(now->name), STR_ARG(then->value),
                   STR_ARG(now->value), go_on_text);
}

static enum rc refuse_one(const struct run *r, const struct state_term *one, bool was_given,
                          struct err *e)
{
    return err_set(
        e, RC_USAGE,
        "%s holds an unfinished run of another command: " STR_FMT "%s" STR_FMT " was %s; %s",
        r->cfg->state_path, STR_ARG(one->name), one->value.len ? " " : "", STR_ARG(one->value),
        was_given ? "given then and is not now" : "not given then", go_on_text);
}

static enum rc compare_terms(const struct run *r, const struct state_run *then, struct err *e)
{
    const struct run_cfg *now = r->cfg;
    size_t i = 0;
    while (i < then->n_terms && i < now->n_terms && term_equal(&then->terms[i], &now->terms[i]))
        i++;
    if (i == then->n_terms && i == now->n_terms)
        return RC_OK;
    if (i == now->n_terms)
        return refuse_one(r, &then->terms[i], true, e);
    if (i == then->n_terms)
        return refuse_one(r, &now->terms[i], false, e);
    if (str_eq(then->terms[i].name, now->terms[i].name))
        return refuse_value(r, &then->terms[i], &now->terms[i], e);
    /* One more of something that may be said again, or one less. */
    return has_term(now->terms, now->n_terms, i, then->terms[i].name)
               ? refuse_one(r, &now->terms[i], false, e)
               : refuse_one(r, &then->terms[i], true, e);
}

static enum rc damaged(const struct run *r, const char *what, struct err *e)
{
    return err_set(e, RC_USAGE, "%s: is damaged: %s; restore it, or remove it to begin anew",
                   r->cfg->state_path, what);
}

/* Does what was done fit this command, which is the one that did it? */
static enum rc check_run(struct run *r, struct err *e)
{
    const struct state_checkpoint *c = &r->resume.run.checkpoint;
    bool has_checkpoint = c->n_marks > 0;
    if (has_checkpoint ? c->n_marks != r->n_outlets : c->tally.high > 0)
        return damaged(r, "it has not one mark for each sink", e);
    bool astray = false; /* of a sink that is not there, or writes files */
    enum rc rc = state_has_deliveries(r->state, (unsigned)r->n_outlets, UINT_MAX, &astray, e);
    for (unsigned i = 0; rc == RC_OK && !astray && i < r->n_outlets; i++) {
        if (r->outlets[i].ops->renames)
            rc = state_has_deliveries(r->state, i, i, &astray, e);
    }
    return rc == RC_OK && astray ? damaged(r, "a delivery belongs to no sink that delivers", e)
                                 : rc;
}

/* Nothing of it is done: then it does not matter what it was. */
static enum rc is_blank(struct run *r, const struct state_run *then, bool *out, struct err *e)
{
    bool found = then->checkpoint.n_marks > 0;
    enum rc rc = found ? RC_OK : state_has_deliveries(r->state, 0, UINT_MAX, &found, e);
    *out = !found;
    return rc;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void on_failed(void *ctx, const struct err *e)
{
    run_fatal(ctx, e);
}

static enum rc begin_run(struct run *r, struct err *e)
{
    return state_begin(r->state, r->run_id, r->started_wall_ms, r->cfg->terms, r->cfg->n_terms, e);
}

static enum rc go_on(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    memcpy(r->run_id, m->run.run_id, sizeof r->run_id);
    r->started_wall_ms = m->run.started_wall_ms;
    r->active_before_ms = m->run.checkpoint.tally.active_ms;
    m->totals = m->run.checkpoint.totals;
    if (!beyond_read(&r->beyond, &m->totals))
        return err_set(e, RC_USAGE, "%s is damaged: its totals are malformed", r->cfg->state_path);
    m->loaded = true;
    char started_at[25];
    clock_format(r->started_wall_ms, started_at);
    log_msg(r->cfg->log, LOG_LEVEL_INFO, r->cfg->state_path, "going on with the run of %s",
            started_at);
    return tally_load(&r->tally, &m->run.checkpoint) == RC_OK ? RC_OK : err_nomem(e);
}

/* An unfinished run is there. */
static enum rc load_run(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    bool blank = false;
    enum rc rc = state_load(r->state, &m->run, e);
    if (rc == RC_OK && state_phase(r->state) == STATE_RUNNING)
        rc = is_blank(r, &m->run, &blank, e);
    if (rc == RC_OK && blank)
        return begin_run(r, e);
    if (rc == RC_OK)
        rc = compare_terms(r, &m->run, e);
    if (rc == RC_OK)
        rc = check_run(r, e);
    if (rc == RC_OK)
        rc = go_on(r, e);
    r->republish = rc == RC_OK && state_phase(r->state) == STATE_PUBLISHING;
    return r->republish ? run_republish_check(r, e) : rc;
}

static enum rc accept_by(struct run *r, struct err *e)
{
    struct str sinks[RUN_SINKS_MAX];
    bool has_accepted = false;
    for (size_t i = 0; i < r->n_outlets; i++)
        sinks[i] = str_c(r->cfg->sinks[i].identity);
    enum rc rc = state_has_accepted(r->state, &has_accepted, e);
    /* What was accepted must be kept up to date by runs that do not ask for it, too. */
    r->notes_accepted = r->cfg->changed_only || has_accepted;
    if (rc == RC_OK && r->notes_accepted)
        rc = state_accept_by(r->state, sinks, r->n_outlets, e);
    return rc;
}

enum rc resume_open(struct run *r, struct err *e)
{
    const struct state_cfg cfg = {.path = r->cfg->state_path, .failed = on_failed, .ctx = r};
    enum rc rc = state_open(&r->state, &cfg, e);
    if (rc == RC_OK && r->cfg->fresh)
        rc = state_forget(r->state, e);
    if (rc != RC_OK)
        return rc;
    enum state_phase phase = state_phase(r->state);
    if (phase == STATE_RUNNING || phase == STATE_PUBLISHING)
        rc = load_run(r, e);
    else
        rc = begin_run(r, e);
    return rc == RC_OK && !r->republish ? accept_by(r, e) : rc;
}

void resume_free(struct run *r)
{
    struct resume *m = &r->resume;
    for (size_t i = m->next_early; i < m->n_early; i++)
        lead_free(m->early[i]);
    free(m->early);
    free(m->owed);
    free(m->sent);
    tally_free(&r->tally);
    state_close(r->state);
}

/* ---- restoring ------------------------------------------------------------------------------ */

static enum rc restore_columns(struct run *r, struct err *e)
{
    const struct state_checkpoint *c = &r->resume.run.checkpoint;
    for (size_t i = 0; i < c->n_columns; i++) {
        const struct state_column *column = &c->columns[i];
        const struct source source = {.scope = column->scope,
                                      .occurrence = column->occurrence,
                                      .key = column->key,
                                      .member = column->member};
        enum rc rc = schema_restore(r->schema, column->table, &source, e);
        if (rc != RC_OK) {
            err_prefix(e, "%s: is damaged", r->cfg->state_path);
            return rc == RC_NOMEM ? rc : (e->rc = RC_USAGE);
        }
    }
    return RC_OK;
}

/* Every lead that is done has one outcome: it was handed to the sinks, or is missing, or unchanged, or
 * failed before it came to them. */
static enum rc check_outcomes(const struct run *r, struct err *e)
{
    const struct resume *m = &r->resume;
    const struct state_tally *done = &r->tally.sums;
    uint64_t failed = m->failures.n - m->failures.by_sink;
    uint64_t outcomes = done->handed + done->missing + done->unchanged; /* each is below 2^53 */
    if (failed <= tally_done(&r->tally) && outcomes == tally_done(&r->tally) - failed &&
        m->failures.by_sink <= done->handed)
        return RC_OK;
    return damaged(r, "the outcomes of its leads do not add up", e);
}

enum rc resume_restore(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    if (!m->loaded)
        return RC_OK;
    enum rc rc = state_rewind(r->state, e);
    if (rc == RC_OK)
        rc = restore_columns(r, e);
    if (rc == RC_OK)
        rc = state_kept_places(r->state, &m->kept, &m->n_kept, e);
    if (rc == RC_OK)
        rc = state_count_failures(r->state, &m->failures, e);
    return rc == RC_OK ? check_outcomes(r, e) : rc;
}

const struct sink_mark *resume_mark(const struct run *r, size_t sink, struct sink_mark *mark)
{
    const struct state_checkpoint *c = &r->resume.run.checkpoint;
    if (!r->resume.loaded || sink >= c->n_marks)
        return NULL;
    mark->text = c->marks[sink];
    return mark;
}

enum rc resume_count(struct run *r, struct err *e)
{
    struct resume *m = &r->resume;
    const struct state_tally *done = &r->tally.sums;
    char first[512];
    if (!m->loaded)
        return RC_OK;
    resume_sort_sent(m);
    enum rc rc = state_first_failure(r->state, first, sizeof first, e);
    if (rc != RC_OK)
        return rc;
    uint64_t delivered = done->handed - m->failures.by_sink;
    uint64_t undecided = m->n_owed - m->owed_failed; /* with a sink, whose verdict is not known */
    if (undecided > delivered)
        return damaged(r, "more leads are with a sink than were handed to it", e);
    const struct ledger_counts counts = {
        .exported = delivered - undecided,
        .unchanged = done->unchanged,
        .missing = done->missing,
        .failed = m->failures.n,
        .failed_by_sink = m->failures.by_sink,
    };
    ledger_go_on(r->ledger, &counts, first);
    return RC_OK;
}
