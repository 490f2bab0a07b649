#include "core/run/sequencer.h"

#include <string.h>

enum rc sequencer_open(struct sequencer *s, const struct profile *profile, size_t n_slots,
                       size_t max_columns, struct err *e)
{
    if (ring_new(&s->ring, n_slots, s->keeps_order) != RC_OK ||
        schema_new(&s->schema, profile, max_columns) != RC_OK)
        return err_nomem(e);
    return RC_OK;
}

enum rc sequencer_resume(struct sequencer *s, const struct resume_plan *plan)
{
    s->beyond = plan->beyond;
    return plan->loaded ? progress_load(&s->progress, &plan->run.checkpoint) : RC_OK;
}

void sequencer_free(struct sequencer *s)
{
    ring_free(s->ring);
    schema_free(s->schema);
    progress_free(&s->progress);
}

/* ---- its thread ------------------------------------------------------------------------------ */

static bool resolve_columns(struct sequencer *s, struct lead *lead)
{
    struct err e;
    if (!lead->tables || schema_resolve(s->schema, lead, &e) == RC_OK) {
        if (lead->members_beyond && lead->arena.held_bytes > lead->run->memory.charge)
            memory_charge_as(s->memory, lead, lead->arena.held_bytes);
        return true;
    }
    lead_fail(lead, STAGE_FLATTEN, e.rc == RC_NOMEM ? "out_of_memory" : "too_complex", "%s", e.msg);
    return false;
}

/* Finishes leads whose content all sinks have already: they are unchanged. */
static void find_unchanged(struct sequencer *s, struct lead *const leads[], size_t n)
{
    struct state_content contents[SEQUENCER_BATCH];
    struct lead *asked[SEQUENCER_BATCH];
    bool same[SEQUENCER_BATCH] = {false};
    size_t n_asked = 0;
    struct err e;
    for (size_t i = 0; i < n; i++) {
        struct lead *lead = leads[i];
        if (!lead->run->ready || resume_was_sent(s->resume, lead->seq))
            continue;
        memcpy(contents[n_asked].key, lead->key, sizeof contents->key);
        memcpy(contents[n_asked].fingerprint, lead->content_hash, sizeof contents->fingerprint);
        asked[n_asked++] = lead;
    }
    if (n_asked && state_is_accepted(s->state, contents, n_asked, same, &e) != RC_OK)
        control_fail(s->control, &e);
    for (size_t i = 0; i < n_asked; i++) {
        if (!same[i])
            continue;
        asked[i]->run->ready = false;
        asked[i]->run->outcome = OUTCOME_UNCHANGED;
    }
}

/* The lead was fetched, but an earlier one was not, so it cannot go to the sinks. */
static void buffer_payload(struct sequencer *s, const struct lead *lead)
{
    struct state_buffered payload = {
        .seq = lead->seq, .http_status = lead->http_status, .attempts = lead->attempts};
    struct buf text;
    struct err e;
    buf_init(&text, SIZE_MAX / 2);
    memcpy(payload.key, lead->key, sizeof payload.key);
    payload.body = lead->original.len ? buf_str(&lead->original) : lead->doc.compact;
    if (!payload.body.ptr) {
        json_write(&text, lead->doc.root);
        payload.body = buf_str(&text);
    }
    enum rc rc = buf_rc(&text) == RC_OK ? state_buffer(s->state, &payload, &e) : err_nomem(&e);
    if (rc != RC_OK)
        control_fail(s->control, &e);
    buf_free(&text);
}

/* The lead is done, whatever the sinks will say. */
static void note_done(struct sequencer *s, const struct lead *lead)
{
    struct state_progress *sums = &s->progress.sums;
    sums->handed += lead->run->ready;
    sums->missing += lead->run->outcome == OUTCOME_MISSING;
    sums->unchanged += lead->run->outcome == OUTCOME_UNCHANGED;
    sums->replaced += lead->replaced;
    sums->other_ids += lead->has_other_id;
    beyond_note(&s->beyond, lead);
    if (progress_note(&s->progress, lead->seq, lead_number(lead), lead->key) != RC_OK)
        control_fail_nomem(s->control);
}

/* Its message is read again, and what became of it here would be reported twice. */
static void leave_to_next(struct sequencer *s, struct lead *lead)
{
    lead->run->ready = false;
    lead->run->outcome = OUTCOME_PENDING;
    outcome_finish(s->outcomes, lead);
}

/* Does the lead go to the sinks (ready, missing or failed)? If not, finishes it. */
static bool sort_lead(struct sequencer *s, struct lead *lead)
{
    struct run_lead *r = lead->run;
    bool unanswered = !r->ready && r->outcome == OUTCOME_PENDING;
    s->gap |= unanswered && s->keeps_order;
    if (s->gap && s->commits_place) {
        leave_to_next(s, lead);
        return false;
    }
    if (s->commits_place)
        s->items = r->item;
    bool stays = r->ready && s->gap;
    if (stays && s->state)
        buffer_payload(s, lead);
    if (!unanswered && !stays) {
        r->ready = r->ready && resolve_columns(s, lead);
        note_done(s, lead);
    }
    if (r->ready && !stays) {
        outcome_hold(lead, (unsigned)s->n_sinks);
        return true;
    }
    if (r->outcome == OUTCOME_MISSING && s->n_want_missing) {
        outcome_hold_missing(s->outcomes, lead, s->n_want_missing);
        return true;
    }
    if (r->outcome == OUTCOME_FAILED && s->n_want_failed) {
        outcome_hold_failed(s->outcomes, lead, s->n_want_failed);
        return true;
    }
    outcome_finish(s->outcomes, lead);
    return false;
}

static size_t sort_out(struct sequencer *s, struct lead *leads[], size_t n)
{
    size_t n_out = 0;
    if (s->finds_unchanged)
        find_unchanged(s, leads, n);
    for (size_t i = 0; i < n; i++) {
        struct lead *lead = leads[i];
        if (sort_lead(s, lead))
            leads[n_out++] = lead;
    }
    return n_out;
}

enum { WANTS_MISSING = 1, WANTS_FAILED = 2 };

static size_t kind_of(const struct sink_worker *sink)
{
    return (sink->wants_missing ? WANTS_MISSING : 0u) | (sink->wants_failed ? WANTS_FAILED : 0u);
}

static bool is_wanted(size_t kind, const struct lead *lead)
{
    if (lead->run->ready)
        return true;
    return kind & (lead->run->outcome == OUTCOME_FAILED ? WANTS_FAILED : WANTS_MISSING);
}

/* Hands the leads to the sinks. Which sinks get which leads is decided first, because a sink may finish leads at once. */
static void hand_out(struct sequencer *s, struct lead *const leads[], size_t n)
{
    struct lead *lists[4][SEQUENCER_BATCH];
    size_t n_of[4] = {0};
    for (size_t kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < n; i++) {
            if (is_wanted(kind, leads[i]))
                lists[kind][n_of[kind]++] = leads[i];
        }
    }
    for (size_t i = 0; i < s->n_sinks; i++) {
        size_t kind = kind_of(&s->sinks[i]);
        if (n_of[kind])
            sink_worker_push(&s->sinks[i], lists[kind], n_of[kind]);
    }
}

static void *sequencer_main(void *sequencer)
{
    struct sequencer *s = sequencer;
    struct lead *batch[SEQUENCER_BATCH];
    size_t n;
    while (ring_take(s->ring, batch, SEQUENCER_BATCH, &n)) {
        control_wake(s->control);
        n = sort_out(s, batch, n);
        hand_out(s, batch, n);
        if (s->checkpoint)
            checkpoint_consider(s->checkpoint);
    }
    /* A last checkpoint, from which a run that is stopped, now or while the sinks finish, resumes. Not if the IDs are not
     * verified: then the state stays as it was. */
    if (s->checkpoint)
        checkpoint_end(s->checkpoint, s->commits_place || atomic_load(s->ids_are_verified));
    for (size_t i = 0; i < s->n_sinks; i++)
        sink_worker_end_queue(&s->sinks[i]);
    control_thread_ended(s->control);
    return NULL;
}

enum rc sequencer_start(struct sequencer *s)
{
    s->n_want_missing = s->n_want_failed = 0;
    for (size_t i = 0; i < s->n_sinks; i++) {
        s->n_want_missing += s->sinks[i].wants_missing;
        s->n_want_failed += s->sinks[i].wants_failed;
    }
    return control_start_thread(s->control, &s->thread, sequencer_main, s);
}

void sequencer_join(struct sequencer *s)
{
    control_join_thread(&s->thread);
}
