#include "core/run/sink_worker.h"

#include <stdlib.h>

#include "core/run/intake.h"
#include "core/run/request_pool.h"

/* ---- what the sink is offered ---------------------------------------------------------------- */

static void host_settle(void *ctx, struct sink *sink, const struct lead *lead,
                        const struct verdict *v)
{
    struct sink_worker *w = ctx;
    (void)sink;
    outcome_settle(w->outcomes, lead, w->index, w->cfg.spec, v);
}

static enum rc host_unacked(void *ctx, struct sink *sink, const struct unacked_lead *unacked,
                            const struct lead **out, struct err *e)
{
    struct lead *lead = NULL;
    (void)sink;
    enum rc rc = resume_unacked(((struct sink_worker *)ctx)->resume, unacked, &lead, e);
    *out = lead;
    return rc;
}

static enum rc host_sent(void *ctx, struct sink *sink, uint64_t seq, struct err *e)
{
    (void)sink;
    return resume_sent(((struct sink_worker *)ctx)->resume, seq, e);
}

static enum rc host_place(void *ctx, struct str *out, struct err *e)
{
    struct run_place *p = ((struct sink_worker *)ctx)->place;
    buf_clear(&p->text);
    enum rc rc = p->source->ops->place(p->source, p->item, &p->text, e);
    if (rc == RC_OK && buf_rc(&p->text) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK)
        *out = buf_str(&p->text);
    return rc;
}

static enum rc host_record(void *ctx, struct str *out, struct err *e)
{
    struct run_place *p = ((struct sink_worker *)ctx)->place;
    buf_clear(&p->text);
    enum rc rc = p->source->ops->record(p->source, &p->text, e);
    if (rc == RC_OK && buf_rc(&p->text) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK)
        *out = buf_str(&p->text);
    return rc;
}

static enum rc host_compare(void *ctx, struct str record, struct err *e)
{
    struct id_source *source = ((struct sink_worker *)ctx)->place->source;
    return source->ops->compare(source, record, e);
}

static enum rc host_list(void *ctx, struct sink_list *out, struct err *e)
{
    const struct intake *in = ((struct sink_worker *)ctx)->intake;
    (void)snprintf(out->sha256, sizeof out->sha256, "%s", intake_list_digest(in));
    out->is_empty = intake_list_is_empty(in);
    return out->sha256[0] ? RC_OK : err_set(e, RC_INTERNAL, "SHA-256 cannot be computed");
}

static void host_holds(void *ctx, size_t bytes)
{
    budget_add(&((struct sink_worker *)ctx)->memory->budget, bytes);
}

static void host_releases(void *ctx, size_t bytes)
{
    struct sink_worker *w = ctx;
    budget_give(&w->memory->budget, bytes);
    control_wake(w->control);
}

/* ---- opening, closing ------------------------------------------------------------------------ */

enum rc sink_worker_open(struct sink_worker *w, const struct sink_mark *mark, struct err *e)
{
    if (turn_init(&w->turn) != RC_OK || queue_new(&w->queue, SINK_WORKER_LEADS) != RC_OK)
        return err_nomem(e);
    buf_init(&w->text, SINK_TEXT_BYTES_MAX);
    buf_init(&w->row, SINK_ROW_BYTES_MAX);
    w->must_stay = mark != NULL;
    w->cfg.host = (struct sink_host){.ctx = w,
                                     .settle = host_settle,
                                     .unacked = host_unacked,
                                     .sent = host_sent,
                                     .place = host_place,
                                     .record = host_record,
                                     .compare = host_compare,
                                     .list = host_list,
                                     .holds = host_holds,
                                     .releases = host_releases};
    return w->ops->open(&w->sink, &w->cfg, mark, e);
}

void sink_worker_close(struct sink_worker *w)
{
    if (w->sink)
        w->ops->close(w->sink);
    w->sink = NULL;
    leads_queue_free(w->queue);
    w->queue = NULL;
    turn_free(&w->turn);
    buf_free(&w->text);
    buf_free(&w->row);
}

/* ---- its thread ------------------------------------------------------------------------------ */

/* The sink has failed: its later results cannot be trusted, so there are no further checkpoints. */
static void fail(struct sink_worker *w, const struct err *e)
{
    checkpoint_break_off(w->checkpoint);
    control_fail(w->control, e);
}

/* Frees rows and trees that no sink needs any more. */
static void drop_content(struct sink_worker *w, struct lead *const leads[], size_t n)
{
    struct arena *arenas[SINK_WORKER_BATCH];
    for (size_t i = 0; i < n; i++)
        arenas[i] = &leads[i]->arena;
    arena_pool_give(w->arenas, arenas, n);
    for (size_t i = 0; i < n; i++) {
        if (leads[i]->original.cap)
            buf_free(&leads[i]->original);
        outcome_release_memory(w->outcomes, leads[i]);
    }
}

static void take_in(struct sink_worker *w, struct lead *const leads[], size_t n)
{
    const struct verdict pending = {.kind = VERDICT_PENDING};
    struct lead *last_read[SINK_WORKER_BATCH]; /* leads that this sink was the last to take in */
    size_t n_last_read = 0;
    struct err e;
    if (!w->dead && w->ops->put(w->sink, (const struct lead *const *)leads, n, &e) != RC_OK) {
        w->dead = true;
        fail(w, &e);
    }
    for (size_t i = 0; w->dead && i < n; i++) /* a dead sink gives no further verdicts */
        outcome_settle(w->outcomes, leads[i], w->index, w->cfg.spec, &pending);
    for (size_t i = 0; i < n; i++) {
        if (atomic_fetch_sub(&leads[i]->run->readers, 1) == 1)
            last_read[n_last_read++] = leads[i];
    }
    drop_content(w, last_read, n_last_read);
    for (size_t i = 0; i < n; i++)
        outcome_release(w->outcomes, leads[i]);
}

static void make_mark(struct sink_worker *w)
{
    struct sink_mark mark = {STR("")};
    struct err e;
    bool made = false;
    if (!w->dead) {
        made = w->ops->mark(w->sink, &mark, &e) == RC_OK;
        if (!made)
            control_fail(w->control, &e);
    }
    if (made && !mark.text.ptr)
        mark.text = STR("");
    w->must_stay |= made;
    checkpoint_mark(w->checkpoint, w->index, made ? mark.text : STR_NONE);
}

static void take_missing(struct sink_worker *w, struct lead *const leads[], size_t n)
{
    struct err e;
    if (!w->dead &&
        w->ops->put_missing(w->sink, (const struct lead *const *)leads, n, &e) != RC_OK) {
        w->dead = true;
        fail(w, &e);
    }
    for (size_t i = 0; i < n; i++)
        outcome_release(w->outcomes, leads[i]);
}

static enum rc put_failed(struct sink_worker *w, const struct lead *lead, struct err *e)
{
    buf_clear(&w->row);
    ledger_write_row(w->outcomes->ledger, lead, &w->row);
    enum rc rc = buf_rc(&w->row);
    if (rc != RC_OK)
        return err_set(e, rc, "%s: %s", w->cfg.spec, rc_text(rc));
    return w->ops->put_failed(w->sink, lead, buf_str(&w->row), e);
}

static void take_failed(struct sink_worker *w, struct lead *const leads[], size_t n)
{
    struct err e;
    for (size_t i = 0; i < n; i++) {
        if (!w->dead && put_failed(w, leads[i], &e) != RC_OK) {
            w->dead = true;
            fail(w, &e);
        }
        outcome_release(w->outcomes, leads[i]);
    }
}

enum item { ITEM_LEAD, ITEM_MISSING, ITEM_FAILED, ITEM_BARRIER };

static enum item kind_of(const struct lead *lead)
{
    if (!lead)
        return ITEM_BARRIER;
    if (lead->run->ready)
        return ITEM_LEAD;
    return lead->run->outcome == OUTCOME_FAILED ? ITEM_FAILED : ITEM_MISSING;
}

/* Takes in a batch, in groups of consecutive items of one kind. */
static void take_batch(struct sink_worker *w, struct lead *const batch[], size_t n)
{
    for (size_t first = 0, end = 0; first < n; first = end) {
        enum item kind = kind_of(batch[first]);
        for (end = first + 1; end < n && kind_of(batch[end]) == kind;)
            end++;
        if (kind == ITEM_LEAD)
            take_in(w, batch + first, end - first);
        else if (kind == ITEM_MISSING)
            take_missing(w, batch + first, end - first);
        else if (kind == ITEM_FAILED)
            take_failed(w, batch + first, end - first);
        else
            for (size_t i = first; i < end; i++)
                make_mark(w);
    }
}

static enum rc prepare(struct sink_worker *w, struct err *e)
{
    enum rc rc = w->ops->prepare(w->sink, w->checkpoint ? &w->text : NULL, e);
    if (rc == RC_OK && buf_rc(&w->text) != RC_OK)
        rc = err_set(e, buf_rc(&w->text), "%s: %s", w->cfg.spec, rc_text(buf_rc(&w->text)));
    return rc;
}

static enum rc stop(struct sink_worker *w, struct err *e)
{
    switch (w->ops->on_stop) {
    case SINK_STOP_FLUSH:
        return w->ops->flush(w->sink, e);
    case SINK_STOP_ROLL_BACK:
        return w->ops->roll_back(w->sink, e);
    case SINK_STOP_KEEP:
        break;
    }
    return RC_OK;
}

static enum rc end(struct sink_worker *w, struct err *e)
{
    if (w->dead)
        return RC_OK;
    return control_is_stopping(w->control) ? stop(w, e) : prepare(w, e);
}

static void send_collected(struct sink_worker *w)
{
    struct err e;
    if (!w->dead && w->ops->send_collected(w->sink, &e) != RC_OK) {
        w->dead = true;
        fail(w, &e);
    }
}

/* 0: no more leads come. */
static size_t next_batch(struct sink_worker *w, struct lead *batch[])
{
    bool timed_out = false;
    size_t n = 0;
    if (w->collect_ms && w->ops->send_collected)
        n = queue_pop_within(w->queue, (void **)batch, SINK_WORKER_BATCH, w->collect_ms,
                             &timed_out);
    if (n)
        return n;
    if (timed_out)
        send_collected(w);
    return queue_pop(w->queue, (void **)batch, SINK_WORKER_BATCH);
}

static void *sink_worker_main(void *worker)
{
    struct sink_worker *w = worker;
    struct lead *batch[SINK_WORKER_BATCH];
    struct err e;
    size_t n;
    while ((n = next_batch(w, batch)))
        take_batch(w, batch, n);
    if (w->before)
        turn_wait(w->before);
    if (end(w, &e) != RC_OK)
        fail(w, &e);
    turn_end(&w->turn);
    control_thread_ended(w->control);
    return NULL;
}

enum rc sink_worker_start(struct sink_worker *w)
{
    return control_start_thread(w->control, &w->thread, sink_worker_main, w);
}

void sink_worker_join(struct sink_worker *w)
{
    control_join_thread(&w->thread);
}

/* ---- from outside ---------------------------------------------------------------------------- */

void sink_worker_push(struct sink_worker *w, struct lead *const leads[], size_t n)
{
    (void)queue_push(w->queue, (void *const *)leads, n, NULL); /* not closed yet */
}

void sink_worker_push_barrier(struct sink_worker *w)
{
    void *const barrier = NULL;
    (void)queue_push(w->queue, &barrier, 1, NULL);
}

void sink_worker_end_queue(struct sink_worker *w)
{
    queue_close(w->queue);
}

void sink_worker_stop(struct sink_worker *w, int64_t grace_ms)
{
    if (w->ops->stop)
        w->ops->stop(w->sink, grace_ms);
}

enum rc sink_worker_commit(struct sink_worker *w, struct err *e)
{
    return w->ops->commit ? w->ops->commit(w->sink, e) : RC_OK;
}

enum rc sink_worker_abort(struct sink_worker *w, struct err *e)
{
    return w->ops->abort ? w->ops->abort(w->sink, e) : RC_OK;
}
