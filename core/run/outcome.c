#include "core/run/outcome.h"

#include <stdlib.h>
#include <string.h>

/* ---- finishing ------------------------------------------------------------------------------ */

/* Wakes the loop, which may have room to start another lead now. */
void outcome_release_memory(struct outcomes *o, struct lead *lead)
{
    if (!lead->run->memory.held_bytes && !lead->run->memory.charge)
        return;
    memory_hold(o->memory, lead, 0);
    memory_charge_as(o->memory, lead, 0);
    control_wake(o->control);
}

/* What sinks have of a missing lead stays as it is, unless the lead was sent before the run was resumed, or was reported to
 * a sink, which may have deleted it. In these cases it must be sent again if the provider has it again. */
static enum state_acceptance acceptance_of(const struct outcomes *o, const struct lead *lead)
{
    const struct run_lead *r = lead->run;
    bool was_sent = r->reported_missing || (o->resume && resume_was_sent(o->resume, lead->seq));
    if (r->outcome == OUTCOME_MISSING && !was_sent)
        return STATE_AS_BEFORE;
    bool is_sent = r->outcome == OUTCOME_EXPORTED && !atomic_load(&r->outdated);
    return is_sent || r->outcome == OUTCOME_UNCHANGED ? STATE_ACCEPTED : STATE_NOT_ACCEPTED;
}

/* For --changed-only: notes what all sinks have now, or that it is unknown. */
static void note_accepted(struct outcomes *o, const struct lead *lead)
{
    struct state_content content = {.acceptance = acceptance_of(o, lead)};
    struct err e;
    enum outcome outcome = lead->run->outcome;
    bool decides = outcome == OUTCOME_EXPORTED || outcome == OUTCOME_FAILED;
    bool corrects = (o->resume && outcome != OUTCOME_PENDING) || lead->run->reported_missing;
    if (!decides && !corrects)
        return;
    memcpy(content.key, lead->key, sizeof content.key);
    memcpy(content.fingerprint, lead->content_hash, sizeof content.fingerprint);
    if (state_note_accepted(o->state, &content, 1, &e) != RC_OK)
        control_fail(o->control, &e);
}

static void list_lead(struct outcomes *o, const struct lead *lead)
{
    struct err e;
    if (ledger_list_lead(o->ledger, lead, &e) != RC_OK)
        control_fail(o->control, &e);
}

/* Lists and counts it, once. */
static void count(struct outcomes *o, struct lead *lead)
{
    struct run_lead *r = lead->run;
    bool is_listed = r->outcome == OUTCOME_FAILED || r->outcome == OUTCOME_MISSING;
    if (r->counted)
        return;
    r->counted = true;
    if (is_listed &&
        r->failure.stage != STAGE_SINK) /* a sink's failure was listed with its verdict */
        list_lead(o, lead);
    if (is_listed &&
        r->failure.stage != STAGE_INPUT) /* bad lines were reported when they were read */
        log_msg(o->control->log, o->warns ? LOG_LEVEL_WARN_ALWAYS : LOG_LEVEL_INFO, lead->id.ptr,
                "%s", r->failure.error);
    ledger_count_lead(o->ledger, lead);
}

/* Its message does not come again. One that is in a list which is not there yet comes, if the run is killed. */
static void settle_message(struct outcomes *o, const struct lead *lead)
{
    enum outcome outcome = lead->run->outcome;
    bool waits = (outcome == OUTCOME_FAILED && o->lists_failed) ||
                 (outcome == OUTCOME_MISSING && o->lists_missing);
    if (waits && o->queue->ops->hold_back)
        o->queue->ops->hold_back(o->queue);
    else if (outcome != OUTCOME_PENDING && !waits)
        o->queue->ops->settle(o->queue, lead->run->item);
}

void outcome_finish(struct outcomes *o, struct lead *lead)
{
    struct run_lead *r = lead->run;
    count(o, lead);
    if (o->state)
        note_accepted(o, lead);
    if (o->queue)
        settle_message(o, lead);
    outcome_release_memory(o, lead);
    free(r->failure_text);
    lead_free(lead);
}

/* ---- sinks ---------------------------------------------------------------------------------- */

void outcome_hold(struct lead *lead, unsigned n_sinks)
{
    atomic_init(&lead->run->readers, n_sinks);
    atomic_init(&lead->run->holders, n_sinks * 2);
}

void outcome_hold_missing(struct outcomes *o, struct lead *lead, unsigned n_sinks)
{
    count(o, lead);
    lead->run->reported_missing = true;
    atomic_init(&lead->run->readers, 0);
    atomic_init(&lead->run->holders, n_sinks);
}

void outcome_hold_failed(struct outcomes *o, struct lead *lead, unsigned n_sinks)
{
    count(o, lead);
    atomic_init(&lead->run->readers, 0);
    atomic_init(&lead->run->holders, n_sinks);
}

void outcome_release(struct outcomes *o, struct lead *lead)
{
    struct run_lead *r = lead->run;
    if (atomic_fetch_sub(&r->holders, 1) != 1)
        return;
    if (r->outcome == OUTCOME_PENDING && !atomic_load(&r->undecided))
        r->outcome = OUTCOME_EXPORTED;
    outcome_finish(o, lead);
}

static char *join_texts(const char *first, const char *second, char **second_copy)
{
    size_t first_len = strlen(first) + 1, second_len = strlen(second) + 1;
    char *both = malloc(first_len + second_len);
    if (!both)
        return NULL;
    memcpy(both, first, first_len);
    *second_copy = both + first_len;
    memcpy(*second_copy, second, second_len);
    return both;
}

/* Only the first sink that fails a lead sets the reason. */
static void note_refusal(struct outcomes *o, struct run_lead *r, const char *spec,
                         const struct verdict *v)
{
    if (atomic_exchange(&r->refusals, 1))
        return;
    char *error = NULL;
    char *code = join_texts(v->code ? v->code : "", v->error ? v->error : "", &error);
    if (code) {
        secrets_redact(o->control->secrets, code, strlen(code) + 1);
        secrets_redact(o->control->secrets, error, strlen(error) + 1);
        utf8_scrub(code);
        utf8_scrub(error);
    }
    r->failure_text = code;
    r->failure = (struct failure){
        .stage = STAGE_SINK,
        .sink = spec,
        .http_status = v->http_status,
        .code = v->code ? code : NULL,
        .error = error ? error : rc_text(RC_NOMEM),
        .attempts = v->attempts,
    };
    r->outcome = OUTCOME_FAILED;
    list_lead(o, &r->lead);
}

void outcome_settle(struct outcomes *o, const struct lead *lead, unsigned sink, const char *spec,
                    const struct verdict *v)
{
    struct run_lead *r = lead->run;
    unsigned bit = 1u << sink;
    if (atomic_fetch_or(&r->verdicts, bit) & bit)
        return;
    if (v->kind == VERDICT_FAILED)
        note_refusal(o, r, spec, v);
    else if (v->kind == VERDICT_PENDING)
        atomic_store(&r->undecided, true);
    else if (v->kind == VERDICT_OUTDATED)
        atomic_store(&r->outdated, true);
    outcome_release(o, &r->lead);
}
