/* Rows to sinks, in order, and the verdicts back. */
#include <stdlib.h>
#include <string.h>

#include "core/run/checkpoint.h"

/* ---- outcomes ------------------------------------------------------------------------------- */

/* What the lead held is free: the loop may start another. */
static void drop_weight(struct run *r, struct lead *lead)
{
    if (!lead->weight && !lead->charge)
        return;
    run_weigh(r, lead, 0);
    run_charge_as(r, lead, 0);
    run_wake(r);
}

/* For --changed-only: what all sinks have now, or that nobody knows. */
static void note_accepted(struct run *r, const struct lead *lead)
{
    struct state_content content = {
        .accepted = (lead->outcome == OUTCOME_EXPORTED && !atomic_load(&lead->outdated)) ||
                    lead->outcome == OUTCOME_UNCHANGED};
    struct err e;
    bool decides = lead->outcome == OUTCOME_EXPORTED || lead->outcome == OUTCOME_FAILED;
    /* Before the run went on there may have been another note, which holds no more. */
    bool corrects = r->resume.loaded && lead->outcome != OUTCOME_PENDING;
    if (!decides && !corrects)
        return;
    memcpy(content.key, lead->key, sizeof content.key);
    memcpy(content.fingerprint, lead->fingerprint, sizeof content.fingerprint);
    if (state_note_accepted(r->state, &content, 1, &e) != RC_OK)
        run_fatal(r, &e);
}

static void note_in_ledger(struct run *r, const struct lead *lead)
{
    struct err e;
    if (ledger_note(r->ledger, lead, &e) != RC_OK)
        run_fatal(r, &e);
}

void lead_finish(struct run *r, struct lead *lead)
{
    bool is_listed = lead->outcome == OUTCOME_FAILED || lead->outcome == OUTCOME_MISSING;
    if (is_listed && !lead->counted) {
        if (lead->failure.stage != STAGE_SINK) /* else it was noted when the sink said so */
            note_in_ledger(r, lead);
        if (lead->failure.stage != STAGE_INPUT) /* else that was said when the line was read */
            log_msg(r->cfg->log, LOG_LEVEL_INFO, lead->id.ptr, "%s", lead->failure.error);
    }
    if (!lead->counted)
        ledger_record(r->ledger, lead);
    if (r->notes_accepted)
        note_accepted(r, lead);
    drop_weight(r, lead);
    lead_free(lead);
}

static void release_holders(struct run *r, struct lead *lead, unsigned n)
{
    if (atomic_fetch_sub(&lead->holders, n) != n)
        return;
    if (lead->outcome == OUTCOME_PENDING && !atomic_load(&lead->undecided))
        lead->outcome = OUTCOME_EXPORTED;
    lead_finish(r, lead);
}

/* ---- verdicts ------------------------------------------------------------------------------- */

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
static void note_refusal(const struct outlet *o, struct lead *lead, const struct verdict *v)
{
    if (atomic_exchange(&lead->refusals, 1))
        return;
    char *error = NULL;
    lead->failure_text = join_texts(v->code ? v->code : "", v->error ? v->error : "", &error);
    if (lead->failure_text) {
        secrets_redact(o->run->cfg->secrets, lead->failure_text, strlen(lead->failure_text) + 1);
        secrets_redact(o->run->cfg->secrets, error, strlen(error) + 1);
        utf8_scrub(lead->failure_text);
        utf8_scrub(error);
    }
    lead->failure = (struct failure){
        .stage = STAGE_SINK,
        .sink = o->cfg.spec,
        .http_status = v->http_status,
        .code = lead->failure_text && v->code ? lead->failure_text : NULL,
        .error = error ? error : rc_text(RC_NOMEM),
        .attempts = v->attempts,
    };
    lead->outcome = OUTCOME_FAILED;
    note_in_ledger(o->run, lead);
}

void outlet_settle(void *outlet, struct sink *sink, struct lead *lead, const struct verdict *v)
{
    struct outlet *o = outlet;
    (void)sink;
    unsigned bit = 1u << o->index;
    if (atomic_fetch_or(&lead->verdicts, bit) & bit)
        return; /* a second verdict of one sink changes nothing */
    if (v->kind == VERDICT_FAILED)
        note_refusal(o, lead, v);
    else if (v->kind == VERDICT_PENDING)
        atomic_store(&lead->undecided, true);
    else if (v->kind == VERDICT_OUTDATED)
        atomic_store(&lead->outdated, true);
    release_holders(o->run, lead, 1);
}

void outlet_holds(void *outlet, size_t bytes)
{
    budget_add(&((struct outlet *)outlet)->run->budget, bytes);
}

void outlet_releases(void *outlet, size_t bytes)
{
    struct run *r = ((struct outlet *)outlet)->run;
    budget_give(&r->budget, bytes);
    run_wake(r);
}

/* ---- a sink's thread ------------------------------------------------------------------------ */

/* After a failed put(): what has no verdict will not get one. */
static void settle_rest(struct outlet *o, struct lead *const leads[], size_t n)
{
    const struct verdict pending = {.kind = VERDICT_PENDING};
    for (size_t i = 0; i < n; i++)
        outlet_settle(o, o->sink, leads[i], &pending);
}

/* Their rows and trees are not needed any more. */
static void drop_content(struct run *r, struct lead *const leads[], size_t n)
{
    struct arena *arenas[RUN_BATCH];
    for (size_t i = 0; i < n; i++)
        arenas[i] = &leads[i]->arena;
    arena_pool_give(r->arenas, arenas, n);
    for (size_t i = 0; i < n; i++) {
        if (leads[i]->original.cap)
            buf_free(&leads[i]->original);
        drop_weight(r, leads[i]);
    }
}

static void take_in(struct outlet *o, struct lead *const leads[], size_t n)
{
    struct lead *last_read[RUN_BATCH]; /* by this sink, after all others */
    size_t n_last_read = 0;
    struct err e;
    if (!o->dead && o->ops->put(o->sink, leads, n, &e) != RC_OK) {
        o->dead = true;
        checkpoint_break_off(o->run->checkpoint);
        run_fatal(o->run, &e);
    }
    if (o->dead)
        settle_rest(o, leads, n);
    for (size_t i = 0; i < n; i++) {
        if (atomic_fetch_sub(&leads[i]->readers, 1) == 1)
            last_read[n_last_read++] = leads[i];
    }
    drop_content(o->run, last_read, n_last_read);
    for (size_t i = 0; i < n; i++)
        release_holders(o->run, leads[i], 1);
}

/* A batch, with the barriers that may be in it. */
static void take_batch(struct outlet *o, struct lead *const batch[], size_t n)
{
    size_t first = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && batch[i])
            continue;
        if (i > first)
            take_in(o, batch + first, i - first);
        if (i < n)
            checkpoint_mark(o->run->checkpoint, o);
        first = i + 1;
    }
}

void *outlet_main(void *outlet)
{
    struct outlet *o = outlet;
    struct lead *batch[RUN_BATCH];
    struct err e;
    size_t n;
    while ((n = queue_pop(o->queue, (void **)batch, RUN_BATCH)))
        take_batch(o, batch, n);
    /* A stopped run publishes nothing: only a sink that delivers has something to end. */
    bool useful = !atomic_load(&o->run->stopping) || o->ops->stop;
    if (!o->dead && useful && o->ops->finish(o->sink, &e) != RC_OK) {
        checkpoint_break_off(o->run->checkpoint);
        run_fatal(o->run, &e);
    }
    run_thread_ended(o->run);
    return NULL;
}

/* ---- the order thread ----------------------------------------------------------------------- */

static bool resolve_columns(struct run *r, struct lead *lead)
{
    struct err e;
    if (!lead->tables || schema_resolve(r->schema, lead, &e) == RC_OK) {
        if (lead->members_beyond && lead->arena.held_bytes > lead->charge)
            run_charge_as(r, lead, lead->arena.held_bytes);
        return true;
    }
    lead_fail(lead, STAGE_FLATTEN, e.rc == RC_NOMEM ? "out_of_memory" : "too_complex", "%s", e.msg);
    return false;
}

/* Leads whose content all sinks have already are done with that. */
static void find_unchanged(struct run *r, struct lead *const leads[], size_t n)
{
    struct state_content contents[RUN_BATCH];
    struct lead *asked[RUN_BATCH];
    bool same[RUN_BATCH] = {false};
    size_t n_asked = 0;
    struct err e;
    for (size_t i = 0; i < n; i++) {
        struct lead *lead = leads[i];
        if (!lead->ready || resume_was_sent(r, lead->seq))
            continue;
        memcpy(contents[n_asked].key, lead->key, sizeof contents->key);
        memcpy(contents[n_asked].fingerprint, lead->fingerprint, sizeof contents->fingerprint);
        asked[n_asked++] = lead;
    }
    if (n_asked && state_is_accepted(r->state, contents, n_asked, same, &e) != RC_OK)
        run_fatal(r, &e);
    for (size_t i = 0; i < n_asked; i++) {
        if (!same[i])
            continue;
        asked[i]->ready = false;
        asked[i]->outcome = OUTCOME_UNCHANGED;
    }
}

/* It was fetched, and stays behind a lead that was not. */
static void keep_payload(struct run *r, const struct lead *lead)
{
    struct state_kept kept = {
        .place = lead->seq, .http_status = lead->http_status, .attempts = lead->attempts};
    struct buf text;
    struct err e;
    buf_init(&text, SIZE_MAX / 2);
    memcpy(kept.key, lead->key, sizeof kept.key);
    kept.body = lead->original.len ? buf_str(&lead->original) : lead->doc.compact;
    if (!kept.body.ptr) {
        json_write(&text, lead->doc.root);
        kept.body = buf_str(&text);
    }
    enum rc rc = buf_rc(&text) == RC_OK ? state_keep(r->state, &kept, &e) : err_nomem(&e);
    if (rc != RC_OK)
        run_fatal(r, &e);
    buf_free(&text);
}

/* In a run with a state: what the order's thread knows of a lead that is done. */
static void note_done(struct run *r, const struct lead *lead)
{
    struct state_tally *sums = &r->tally.sums;
    struct err e;
    sums->handed += lead->ready;
    sums->missing += lead->outcome == OUTCOME_MISSING;
    sums->unchanged += lead->outcome == OUTCOME_UNCHANGED;
    sums->mended += lead->mended;
    sums->other_ids += lead->has_other_id;
    beyond_note(&r->beyond, lead);
    if (tally_note(&r->tally, lead->seq, lead->key) != RC_OK) {
        (void)err_nomem(&e);
        run_fatal(r, &e);
    }
}

/* May it go to the sinks? What may not is finished here. */
static bool sort_lead(struct run *r, struct lead *lead)
{
    bool unanswered = !lead->ready && lead->outcome == OUTCOME_PENDING;
    r->gap |= unanswered && r->cfg->order_input;
    bool stays = lead->ready && r->gap;
    if (stays && r->state)
        keep_payload(r, lead);
    if (!unanswered && !stays) {
        lead->ready = lead->ready && resolve_columns(r, lead);
        note_done(r, lead);
    }
    if (lead->ready && !stays)
        return true;
    lead_finish(r, lead);
    return false;
}

static size_t sort_out(struct run *r, struct lead *leads[], size_t n)
{
    size_t kept = 0;
    if (r->cfg->changed_only && !r->cfg->resend)
        find_unchanged(r, leads, n);
    for (size_t i = 0; i < n; i++) {
        struct lead *lead = leads[i];
        if (!sort_lead(r, lead))
            continue;
        atomic_init(&lead->readers, (unsigned)r->n_outlets);
        atomic_init(&lead->holders, (unsigned)r->n_outlets * 2);
        leads[kept++] = lead;
    }
    return kept;
}

void *order_main(void *run)
{
    struct run *r = run;
    struct lead *batch[RUN_BATCH];
    size_t n;
    while (order_take(r->order, batch, RUN_BATCH, &n)) {
        run_wake(r);
        n = sort_out(r, batch, n);
        for (size_t i = 0; n && i < r->n_outlets; i++)
            (void)queue_push(r->outlets[i].queue, (void **)batch, n, NULL); /* never closed yet */
        if (r->checkpoint)
            checkpoint_consider(r->checkpoint);
    }
    /* One that is stopped goes on from here: now, or while the sinks still finish. */
    if (r->checkpoint)
        checkpoint_end(r->checkpoint, atomic_load(&r->ids_sure));
    for (size_t i = 0; i < r->n_outlets; i++)
        queue_close(r->outlets[i].queue);
    run_thread_ended(r);
    return NULL;
}
