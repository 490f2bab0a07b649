#include "core/run/outcome.h"

#include <stdlib.h>
#include <string.h>

/* ---- finishing ------------------------------------------------------------------------------ */

/* The loop may start another lead. */
void outcome_release_memory(struct outcomes *o, struct lead *lead)
{
    if (!lead->held_bytes && !lead->charge)
        return;
    memory_hold(o->memory, lead, 0);
    memory_charge_as(o->memory, lead, 0);
    control_wake(o->control);
}

/* A missing lead leaves the sinks with what they have, unless it was sent before the run was resumed, or it
 * was reported to a sink, which may have deleted it: should the provider have it again, it is sent again. */
static enum state_acceptance acceptance_of(const struct outcomes *o, const struct lead *lead)
{
    const struct lead_fate *fate = lead->fate;
    bool was_sent = fate->reported_missing || (o->resume && resume_was_sent(o->resume, lead->seq));
    if (fate->outcome == OUTCOME_MISSING && !was_sent)
        return STATE_AS_BEFORE;
    bool is_sent = fate->outcome == OUTCOME_EXPORTED && !atomic_load(&fate->outdated);
    return is_sent || fate->outcome == OUTCOME_UNCHANGED ? STATE_ACCEPTED : STATE_NOT_ACCEPTED;
}

/* For --changed-only: what all sinks have now, or that nobody knows. */
static void note_accepted(struct outcomes *o, const struct lead *lead)
{
    struct state_content content = {.acceptance = acceptance_of(o, lead)};
    struct err e;
    enum outcome outcome = lead->fate->outcome;
    bool decides = outcome == OUTCOME_EXPORTED || outcome == OUTCOME_FAILED;
    bool corrects = (o->resume && outcome != OUTCOME_PENDING) || lead->fate->reported_missing;
    if (!decides && !corrects)
        return;
    memcpy(content.key, lead->key, sizeof content.key);
    memcpy(content.fingerprint, lead->fingerprint, sizeof content.fingerprint);
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
    struct lead_fate *fate = lead->fate;
    bool is_listed = fate->outcome == OUTCOME_FAILED || fate->outcome == OUTCOME_MISSING;
    if (fate->counted)
        return;
    fate->counted = true;
    if (is_listed &&
        fate->failure.stage != STAGE_SINK) /* else it was noted when the sink said so */
        list_lead(o, lead);
    if (is_listed &&
        fate->failure.stage != STAGE_INPUT) /* else that was said when the line was read */
        log_msg(o->control->log, LOG_LEVEL_INFO, lead->id.ptr, "%s", fate->failure.error);
    ledger_count_lead(o->ledger, lead);
}

void outcome_finish(struct outcomes *o, struct lead *lead)
{
    struct lead_fate *fate = lead->fate;
    count(o, lead);
    if (o->state)
        note_accepted(o, lead);
    outcome_release_memory(o, lead);
    free(fate->failure_text);
    lead_free(lead);
}

/* ---- sinks ---------------------------------------------------------------------------------- */

void outcome_hold(struct lead *lead, unsigned n_sinks)
{
    atomic_init(&lead->fate->readers, n_sinks);
    atomic_init(&lead->fate->holders, n_sinks * 2);
}

void outcome_hold_missing(struct outcomes *o, struct lead *lead, unsigned n_sinks)
{
    count(o, lead);
    lead->fate->reported_missing = true;
    atomic_init(&lead->fate->readers, 0);
    atomic_init(&lead->fate->holders, n_sinks);
}

void outcome_release(struct outcomes *o, struct lead *lead)
{
    struct lead_fate *fate = lead->fate;
    if (atomic_fetch_sub(&fate->holders, 1) != 1)
        return;
    if (fate->outcome == OUTCOME_PENDING && !atomic_load(&fate->undecided))
        fate->outcome = OUTCOME_EXPORTED;
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

/* The first sink that fails a lead says why. */
static void note_refusal(struct outcomes *o, struct lead_fate *fate, const char *spec,
                         const struct verdict *v)
{
    if (atomic_exchange(&fate->refusals, 1))
        return;
    char *error = NULL;
    char *code = join_texts(v->code ? v->code : "", v->error ? v->error : "", &error);
    if (code) {
        secrets_redact(o->control->secrets, code, strlen(code) + 1);
        secrets_redact(o->control->secrets, error, strlen(error) + 1);
        utf8_scrub(code);
        utf8_scrub(error);
    }
    fate->failure_text = code;
    fate->failure = (struct failure){
        .stage = STAGE_SINK,
        .sink = spec,
        .http_status = v->http_status,
        .code = v->code ? code : NULL,
        .error = error ? error : rc_text(RC_NOMEM),
        .attempts = v->attempts,
    };
    fate->outcome = OUTCOME_FAILED;
    list_lead(o, &fate->lead);
}

void outcome_settle(struct outcomes *o, const struct lead *lead, unsigned sink, const char *spec,
                    const struct verdict *v)
{
    struct lead_fate *fate = lead->fate;
    unsigned bit = 1u << sink;
    if (atomic_fetch_or(&fate->verdicts, bit) & bit)
        return;
    if (v->kind == VERDICT_FAILED)
        note_refusal(o, fate, spec, v);
    else if (v->kind == VERDICT_PENDING)
        atomic_store(&fate->undecided, true);
    else if (v->kind == VERDICT_OUTDATED)
        atomic_store(&fate->outdated, true);
    outcome_release(o, &fate->lead);
}
