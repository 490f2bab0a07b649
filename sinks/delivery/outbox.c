#include "sinks/delivery/outbox.h"

#include <stddef.h>

#include "sinks/delivery/answer.h"

#define MARK_BYTES_MAX ((size_t)1 << 30)

enum rc outbox_open(struct outbox *o, struct sink *sink, const struct sink_cfg *cfg,
                    const struct outbox_messages *messages, struct err *e)
{
    *o = (struct outbox){
        .subject = cfg->spec,
        .sink = sink,
        .host = cfg->host,
        .state = cfg->state,
        .index = cfg->index,
        .n_params = cfg->profile->n_params,
        .messages = *messages,
    };
    buf_init(&o->mark, MARK_BYTES_MAX);
    if (!cfg->state)
        return RC_OK;
    const struct recorded_cfg recorded = {
        .sink = sink,
        .host = cfg->host,
        .state = cfg->state,
        .index = cfg->index,
        .n_params = cfg->profile->n_params,
        .body_max = MESSAGE_BODY_MAX,
        .subject = cfg->spec,
        .check = messages->check,
        .ctx = messages->ctx,
    };
    return recorded_load(&o->recorded, &recorded, e);
}

void outbox_close(struct outbox *o)
{
    delivery_free(o->delivery);
    o->delivery = NULL;
    outbox_drop(o);
    recorded_free(o->recorded);
    o->recorded = NULL;
    buf_free(&o->mark);
}

bool outbox_has(const struct outbox *o, const struct unacked_lead *lead)
{
    return o->recorded && recorded_has(o->recorded, lead);
}

enum rc outbox_claim(struct outbox *o, struct err *e)
{
    return o->recorded ? recorded_claim(o->recorded, e) : RC_OK;
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static void settle_lead(const struct outbox *o, const struct message_lead *l,
                        const struct verdict *v)
{
    struct verdict of_lead = *v;
    if (v->kind == VERDICT_ACCEPTED && l->outdated)
        of_lead.kind = VERDICT_OUTDATED;
    o->host.settle(o->host.ctx, o->sink, l->lead, &of_lead);
}

static bool has_kind(const struct verdicts *v, bool pending)
{
    for (size_t i = 0; i < v->n; i++) {
        if ((v->list[i].kind == VERDICT_PENDING) == pending)
            return true;
    }
    return false;
}

/* The leads of a message, of this run or of an earlier one. */
static enum rc leads_of(const struct outbox *o, const struct message *p, struct arena *arena,
                        struct lead_note **out, size_t *n)
{
    const struct recorded *r = p->envelope->recorded;
    if (!r)
        return lead_text_take(arena, buf_str(&p->noted), o->n_params, out, n);
    *out = r->notes;
    *n = r->n_notes;
    return RC_OK;
}

static enum rc record_rest_of(struct outbox *o, const struct lead_note *leads, size_t n,
                              const struct verdicts *v, struct str body, struct err *e)
{
    char id[MESSAGE_ID_SIZE];
    struct buf rest, noted;
    int64_t row;
    buf_init(&rest, MESSAGE_BODY_MAX);
    buf_init(&noted, MESSAGE_BODY_MAX);
    for (size_t i = 0; i < n; i++) {
        if (v->list[i].kind == VERDICT_PENDING)
            lead_text_put(&noted, &leads[i].lead, o->n_params);
    }
    enum rc rc = o->messages.rest(o->messages.ctx, body, leads, v, &rest, id);
    if (rc == RC_OK)
        rc = buf_rc(&rest) != RC_OK ? buf_rc(&rest) : buf_rc(&noted);
    const struct state_delivery delivery = {
        .id = str_c(id), .leads = buf_str(&noted), .body = buf_str(&rest), .answer = STR_NONE};
    if (rc == RC_OK)
        rc = state_add_delivery(o->state, o->index, &delivery, SEQ_NEVER_DONE, &row, e);
    buf_free(&rest);
    buf_free(&noted);
    return rc;
}

/* What has no answer becomes a delivery of its own, for the run that resumes. */
static enum rc record_rest(struct outbox *o, const struct message *p, const struct verdicts *v,
                           struct err *e)
{
    struct arena arena;
    struct lead_note *leads = NULL;
    size_t n = 0;
    arena_init(&arena, SIZE_MAX);
    enum rc rc = leads_of(o, p, &arena, &leads, &n);
    if (rc == RC_OK)
        rc = n == v->n ? record_rest_of(o, leads, n, v, buf_str(&p->body), e) : RC_INTERNAL;
    arena_free(&arena);
    return rc;
}

static void record_answer(struct outbox *o, int64_t row, const struct verdicts *v, struct err *e)
{
    struct state_answered how = {0};
    struct buf text;
    for (size_t i = 0; i < v->n; i++) {
        how.delivered += v->list[i].kind == VERDICT_ACCEPTED;
        how.failed += v->list[i].kind == VERDICT_FAILED && v->list[i].attempts > 0;
    }
    buf_init(&text, MESSAGE_BODY_MAX);
    answer_text(v, &text);
    if (buf_rc(&text) == RC_OK) /* else it is as if the answer had been lost */
        (void)state_answer(o->state, row, &how, buf_str(&text), e);
    buf_free(&text);
}

/* What the run makes of the verdicts and the answer become durable together. `p`: NULL where one verdict is
 * said of all leads. Of a state that fails the run hears by itself. */
static void settle(struct outbox *o, const struct envelope *m, const struct message *p,
                   const struct verdicts *v)
{
    struct err e;
    bool has_answer = m->row && has_kind(v, false);
    if (has_answer)
        state_hold(o->state);
    if (m->recorded)
        recorded_settle(m->recorded, v);
    for (size_t i = 0; i < m->n_leads; i++)
        settle_lead(o, &m->leads[i], verdict_at(v, m->leads[i].position));
    if (has_answer) {
        if (!has_kind(v, true) || (p && record_rest(o, p, v, &e) == RC_OK))
            record_answer(o, m->row, v, &e);
        state_release(o->state);
    }
}

/* One verdict on all leads of a message that is not sent. */
static void settle_unsent(struct outbox *o, const struct envelope *m, const struct verdict *v)
{
    settle(o, m, NULL, &(const struct verdicts){v, 1});
}

void outbox_settle(void *outbox, const struct message *p, const struct verdicts *v)
{
    const struct outbox_messages *messages = &((struct outbox *)outbox)->messages;
    settle(outbox, p->envelope, p, v);
    if (messages->ended)
        messages->ended(messages->ctx, p);
}

bool outbox_put(struct outbox *o, const struct lead *lead)
{
    struct message_lead put;
    const struct verdict *known;
    if (!o->recorded || !recorded_put(o->recorded, lead, &put, &known))
        return false;
    if (known)
        settle_lead(o, &put, known);
    return true;
}

void outbox_drop(struct outbox *o)
{
    const struct verdict pending = {.kind = VERDICT_PENDING};
    for (struct recorded *r; o->recorded && (r = recorded_next(o->recorded));)
        settle_unsent(o, &r->envelope, &pending);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* On the state's thread, or within hand_over(). */
static void on_durable(struct state_waiter *w, enum rc rc)
{
    struct message *p = (struct message *)(void *)((char *)w - offsetof(struct message, waiter));
    delivery_release(p->delivery, p, rc);
}

/* It goes out once all that was recorded of it is durable. */
static void hand_over(struct outbox *o, struct message *p)
{
    delivery_hold(o->delivery, p);
    p->waiter = (struct state_waiter){.fn = on_durable};
    if (o->state)
        state_when_durable(o->state, &p->waiter);
    else
        on_durable(&p->waiter, RC_OK);
}

static enum rc begin_sending(const struct outbox *o, const struct message *p, struct err *e)
{
    if (!o->messages.sending || o->messages.sending(o->messages.ctx, p) == RC_OK)
        return RC_OK;
    return err_nomem(e);
}

enum rc outbox_send(struct outbox *o, struct message *p, bool at_end, struct err *e)
{
    const struct state_delivery delivery = {
        .id = str_c(p->own.id),
        .leads = buf_str(&p->noted),
        .body = buf_str(&p->body),
        .answer = STR_NONE,
    };
    uint64_t last_seq = at_end ? SEQ_NEVER_DONE : p->last_seq;
    enum rc rc = begin_sending(o, p, e);
    if (rc == RC_OK && o->state)
        rc = state_add_delivery(o->state, o->index, &delivery, last_seq, &p->own.row, e);
    if (rc == RC_OK)
        hand_over(o, p);
    return rc;
}

static enum rc send_again(struct outbox *o, struct recorded *r, struct err *e)
{
    struct message *p = NULL;
    enum rc rc = delivery_take(o->delivery, &p);
    if (!p) {
        const struct verdict pending = {.kind = VERDICT_PENDING};
        const struct verdict v = rc == RC_OK ? delivery_refusal(o->delivery) : pending;
        settle_unsent(o, &r->envelope, &v);
        return rc == RC_OK ? RC_OK : err_nomem(e);
    }
    p->envelope = &r->envelope;
    rc = state_delivery_body(o->state, r->envelope.row, &p->body, e);
    if (rc == RC_OK)
        rc = begin_sending(o, p, e);
    if (rc == RC_OK)
        hand_over(o, p);
    else
        delivery_drop(o->delivery, p);
    return rc;
}

/* Once the run is stopped they would only be read from the state to be refused. */
enum rc outbox_send_again(struct outbox *o, struct err *e)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && o->recorded && !delivery_is_stopping(o->delivery)) {
        struct recorded *r = recorded_next(o->recorded);
        if (!r)
            break;
        rc = send_again(o, r, e);
    }
    return rc;
}
