#include "sinks/webhook/outbox.h"

#include <stddef.h>

#include "sinks/webhook/answer.h"

static enum rc check_recorded(void *batch, const struct lead_note *leads, size_t n, struct str id,
                              struct str body)
{
    char want[WEBHOOK_ID_SIZE];
    struct batch *b = batch;
    if (n > b->most)
        return RC_SYNTAX;
    enum rc rc = batch_id(b, leads, n, want);
    if (rc == RC_OK && !str_eq_c(id, want))
        rc = RC_SYNTAX;
    return rc == RC_OK && body.ptr ? batch_check_body(b, body) : rc;
}

enum rc outbox_open(struct outbox *o, struct sink *sink, const struct sink_cfg *cfg,
                    struct batch *batch, struct err *e)
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
        .body_max = BATCH_BODY_MAX,
        .subject = cfg->spec,
        .check = check_recorded,
        .ctx = batch,
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

bool outbox_put(struct outbox *o, const struct lead *lead)
{
    return o->recorded && recorded_put(o->recorded, lead);
}

/* ---- verdicts ------------------------------------------------------------------------------- */

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
static void settle_recorded(struct outbox *o, struct recorded *r, const struct verdict *v,
                            bool tried)
{
    state_hold(o->state);
    recorded_settle(r, v);
    if (v->kind != VERDICT_PENDING)
        record_answer(o, r->row, v, tried);
    state_release(o->state);
}

static void settle_leads(struct outbox *o, const struct message *p, const struct verdict *v)
{
    for (size_t i = 0; i < p->n_leads; i++)
        o->host.settle(o->host.ctx, o->sink, p->leads[i], v);
}

void outbox_settle(void *outbox, const struct message *p, const struct verdict *v)
{
    struct outbox *o = outbox;
    bool tried = p->request.attempts > 0;
    if (p->recorded) {
        settle_recorded(o, p->recorded, v, tried);
    } else if (p->has_row && v->kind != VERDICT_PENDING) {
        state_hold(o->state);
        settle_leads(o, p, v);
        record_answer(o, p->row, v, tried);
        state_release(o->state);
    } else {
        settle_leads(o, p, v);
    }
}

void outbox_drop(struct outbox *o)
{
    const struct verdict pending = {.kind = VERDICT_PENDING};
    for (struct recorded *r; o->recorded && (r = recorded_next(o->recorded));)
        recorded_settle(r, &pending);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Once the run is stopped it would only be read from the state to be refused. */
static enum rc fill_again(const struct outbox *o, struct message *p, struct err *e)
{
    if (delivery_is_stopping(o->delivery))
        return RC_STOPPED;
    return state_delivery_body(o->state, p->recorded->row, &p->body, e);
}

static enum rc send_again(struct outbox *o, struct recorded *r, struct err *e)
{
    struct message *p = NULL;
    enum rc rc = delivery_take(o->delivery, &p);
    if (rc != RC_OK || !p) {
        struct verdict v = {.kind = VERDICT_PENDING};
        if (rc == RC_OK)
            v = delivery_refusal(o->delivery);
        settle_recorded(o, r, &v, false);
        return rc == RC_OK ? RC_OK : err_nomem(e);
    }
    memcpy(p->id, r->id, sizeof p->id);
    p->recorded = r;
    rc = fill_again(o, p, e);
    if (rc == RC_OK)
        delivery_send(o->delivery, p);
    else
        delivery_drop(o->delivery, p);
    return rc == RC_STOPPED ? RC_OK : rc;
}

enum rc outbox_send_again(struct outbox *o, struct err *e)
{
    for (struct recorded *r; o->recorded && (r = recorded_next(o->recorded));) {
        enum rc rc = send_again(o, r, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* On the state's thread, or within outbox_send(). */
static void on_durable(struct state_waiter *w, enum rc rc)
{
    struct message *p = (struct message *)(void *)((char *)w - offsetof(struct message, waiter));
    delivery_release(p->delivery, p, rc);
}

enum rc outbox_send(struct outbox *o, struct message *p, bool at_end, struct err *e)
{
    if (!o->state) {
        delivery_send(o->delivery, p);
        return RC_OK;
    }
    const struct state_delivery delivery = {
        .id = str_c(p->id),
        .leads = buf_str(&p->noted),
        .body = buf_str(&p->body),
        .answer = STR_NONE,
    };
    uint64_t last_place = at_end ? PLACE_NEVER_DONE : p->last_place;
    enum rc rc = state_add_delivery(o->state, o->index, &delivery, last_place, &p->row, e);
    if (rc != RC_OK)
        return rc;
    p->has_row = true;
    delivery_hold(o->delivery, p);
    p->waiter = (struct state_waiter){.fn = on_durable};
    state_when_durable(o->state, &p->waiter);
    return RC_OK;
}
