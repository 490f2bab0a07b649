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

/* A missing lead leaves the sinks with what they have, unless it was sent before the run was resumed. */
static enum state_acceptance acceptance_of(const struct outcomes *o, const struct lead *lead)
{
    if (lead->outcome == OUTCOME_MISSING && !(o->resume && resume_was_sent(o->resume, lead->seq)))
        return STATE_AS_BEFORE;
    bool is_sent = lead->outcome == OUTCOME_EXPORTED && !atomic_load(&lead->outdated);
    return is_sent || lead->outcome == OUTCOME_UNCHANGED ? STATE_ACCEPTED : STATE_NOT_ACCEPTED;
}

/* For --changed-only: what all sinks have now, or that nobody knows. */
static void note_accepted(struct outcomes *o, const struct lead *lead)
{
    struct state_content content = {.acceptance = acceptance_of(o, lead)};
    struct err e;
    bool decides = lead->outcome == OUTCOME_EXPORTED || lead->outcome == OUTCOME_FAILED;
    bool corrects = o->resume && lead->outcome != OUTCOME_PENDING;
    if (!decides && !corrects)
        return;
    memcpy(content.key, lead->key, sizeof content.key);
    memcpy(content.fingerprint, lead->fingerprint, sizeof content.fingerprint);
    if (state_note_accepted(o->state, &content, 1, &e) != RC_OK)
        control_fail(o->control, &e);
}

static void note_in_ledger(struct outcomes *o, const struct lead *lead)
{
    struct err e;
    if (ledger_note(o->ledger, lead, &e) != RC_OK)
        control_fail(o->control, &e);
}

void outcome_finish(struct outcomes *o, struct lead *lead)
{
    bool is_listed = lead->outcome == OUTCOME_FAILED || lead->outcome == OUTCOME_MISSING;
    if (is_listed && !lead->counted) {
        if (lead->failure.stage != STAGE_SINK) /* else it was noted when the sink said so */
            note_in_ledger(o, lead);
        if (lead->failure.stage != STAGE_INPUT) /* else that was said when the line was read */
            log_msg(o->control->log, LOG_LEVEL_INFO, lead->id.ptr, "%s", lead->failure.error);
    }
    if (!lead->counted)
        ledger_record(o->ledger, lead);
    if (o->state)
        note_accepted(o, lead);
    outcome_release_memory(o, lead);
    lead_free(lead);
}

/* ---- sinks ---------------------------------------------------------------------------------- */

void outcome_hold(struct lead *lead, unsigned n_sinks)
{
    atomic_init(&lead->readers, n_sinks);
    atomic_init(&lead->holders, n_sinks * 2);
}

void outcome_release(struct outcomes *o, struct lead *lead)
{
    if (atomic_fetch_sub(&lead->holders, 1) != 1)
        return;
    if (lead->outcome == OUTCOME_PENDING && !atomic_load(&lead->undecided))
        lead->outcome = OUTCOME_EXPORTED;
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
static void note_refusal(struct outcomes *o, struct lead *lead, const char *spec,
                         const struct verdict *v)
{
    if (atomic_exchange(&lead->refusals, 1))
        return;
    char *error = NULL;
    lead->failure_text = join_texts(v->code ? v->code : "", v->error ? v->error : "", &error);
    if (lead->failure_text) {
        secrets_redact(o->control->secrets, lead->failure_text, strlen(lead->failure_text) + 1);
        secrets_redact(o->control->secrets, error, strlen(error) + 1);
        utf8_scrub(lead->failure_text);
        utf8_scrub(error);
    }
    lead->failure = (struct failure){
        .stage = STAGE_SINK,
        .sink = spec,
        .http_status = v->http_status,
        .code = lead->failure_text && v->code ? lead->failure_text : NULL,
        .error = error ? error : rc_text(RC_NOMEM),
        .attempts = v->attempts,
    };
    lead->outcome = OUTCOME_FAILED;
    note_in_ledger(o, lead);
}

void outcome_settle(struct outcomes *o, struct lead *lead, unsigned sink, const char *spec,
                    const struct verdict *v)
{
    unsigned bit = 1u << sink;
    if (atomic_fetch_or(&lead->verdicts, bit) & bit)
        return;
    if (v->kind == VERDICT_FAILED)
        note_refusal(o, lead, spec, v);
    else if (v->kind == VERDICT_PENDING)
        atomic_store(&lead->undecided, true);
    else if (v->kind == VERDICT_OUTDATED)
        atomic_store(&lead->outdated, true);
    outcome_release(o, lead);
}
