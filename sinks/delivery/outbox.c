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
    if (answer_reserve(&o->answer, messages->leads_max) != RC_OK)
        return err_nomem(e);
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
    buf_free(&o->answer);
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

/* What has no answer becomes a delivery of its own, for the run that resumes. */
static enum rc record_rest(struct outbox *o, struct message *p, const struct verdicts *v,
                           struct err *e)
{
    char id[MESSAGE_ID_SIZE];
    int64_t row;
    enum rc rc = o->messages.rest(o->messages.ctx, &p->noted, &p->body, v, id);
    const struct state_delivery delivery = {.id = str_c(id),
                                            .leads = buf_str(&p->noted),
                                            .body = buf_str(&p->body),
                                            .answer = STR_NONE};
    if (rc == RC_OK)
        rc = state_add_delivery(o->state, o->index, &delivery, SEQ_NEVER_DONE, &row, e);
    return rc;
}

static void record_answer(struct outbox *o, int64_t row, const struct verdicts *v, struct err *e)
{
    struct state_answered how = {0};
    for (size_t i = 0; i < v->n; i++) {
        how.delivered += v->list[i].kind == VERDICT_ACCEPTED;
        how.failed += v->list[i].kind == VERDICT_FAILED && v->list[i].attempts > 0;
    }
    answer_text(v, &o->answer);
    (void)state_answer(o->state, row, &how, buf_str(&o->answer), e);
}

/* What the run makes of the verdicts and the answer become durable together. `p`: NULL where one verdict is
 * said of all leads. Of a state that fails the run hears by itself; nothing else can fail here. */
static void settle(struct outbox *o, const struct envelope *m, struct message *p,
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

void outbox_settle(void *outbox, struct message *p, const struct verdicts *v)
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

/* What is left of a message that is answered in part is made of it. */
static enum rc note_leads(const struct outbox *o, const struct recorded *r, struct buf *noted)
{
    for (size_t i = 0; o->messages.rest && i < r->n_notes; i++)
        lead_text_put(noted, &r->notes[i].lead, o->n_params);
    return buf_rc(noted);
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
    if (rc == RC_OK && note_leads(o, r, &p->noted) != RC_OK)
        rc = err_nomem(e);
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
