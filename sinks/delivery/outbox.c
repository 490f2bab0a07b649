#include "sinks/delivery/outbox.h"

#include <stddef.h>

#include "sinks/delivery/answer.h"

enum rc outbox_open(struct outbox *o, struct sink *sink, const struct sink_cfg *cfg,
                    recorded_check *check, void *ctx, struct err *e)
{
    *o = (struct outbox){
        .sink = sink,
        .host = cfg->host,
        .state = cfg->state,
        .index = cfg->index,
    };
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
        .check = check,
        .ctx = ctx,
    };
    return recorded_load(&o->recorded, &recorded, e);
}

void outbox_close(struct outbox *o)
{
    outbox_drop(o);
    recorded_free(o->recorded);
    o->recorded = NULL;
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

static void record_answer(struct outbox *o, int64_t row, const struct verdict *v, bool tried)
{
    enum state_answered how = v->kind == VERDICT_ACCEPTED ? STATE_DELIVERED
                              : tried                     ? STATE_REFUSED
                                                          : STATE_UNSENT;
    char text[ANSWER_TEXT_SIZE];
    struct err e;
    /* Of a state that fails the run hears by itself. */
    (void)state_answer(o->state, row, how, answer_text(v, text), &e);
}

/* What the run makes of the verdicts and the answer become durable together. */
static void settle(struct outbox *o, const struct envelope *m, const struct verdict *v, bool tried)
{
    bool has_answer = m->row && v->kind != VERDICT_PENDING;
    if (has_answer)
        state_hold(o->state);
    if (m->recorded)
        recorded_settle(m->recorded, v);
    for (size_t i = 0; i < m->n_leads; i++)
        settle_lead(o, &m->leads[i], v);
    if (has_answer) {
        record_answer(o, m->row, v, tried);
        state_release(o->state);
    }
}

void outbox_settle(void *outbox, const struct message *p, const struct verdict *v)
{
    settle(outbox, p->envelope, v, p->request.attempts > 0);
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
        settle(o, &r->envelope, &pending, false);
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

enum rc outbox_send(struct outbox *o, struct message *p, bool at_end, struct err *e)
{
    const struct state_delivery delivery = {
        .id = str_c(p->own.id),
        .leads = buf_str(&p->noted),
        .body = buf_str(&p->body),
        .answer = STR_NONE,
    };
    uint64_t last_seq = at_end ? SEQ_NEVER_DONE : p->last_seq;
    enum rc rc = RC_OK;
    if (o->state)
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
        settle(o, &r->envelope, &v, false);
        return rc == RC_OK ? RC_OK : err_nomem(e);
    }
    p->envelope = &r->envelope;
    rc = state_delivery_body(o->state, r->envelope.row, &p->body, e);
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
