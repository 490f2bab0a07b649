#include "sinks/webhook/sender.h"

#include <stdio.h>

/* Refused deliveries, and no other answer before, that close the delivery: as of a provider's leads. */
#define REFUSED_FIRST 3
#define FIRST_MAX 64

/* ---- requests ------------------------------------------------------------------------------- */

static enum rc on_sign(struct http_request *r, int64_t wall_ms, struct buf *out)
{
    struct message *p = r->owner;
    const struct sender *s = delivery_protocol_ctx(p->delivery);
    int64_t timestamp_s = wall_ms / 1000;
    buf_addf(out, "webhook-id: %s", p->envelope->id);
    buf_addc(out, '\0');
    buf_addf(out, "webhook-timestamp: %lld", (long long)timestamp_s);
    buf_addc(out, '\0');
    if (s->secrets) {
        buf_adds(out, "webhook-signature: ");
        enum rc rc = webhook_sign(s->secrets, p->envelope->id, timestamp_s, buf_str(&p->body), out);
        if (rc != RC_OK)
            return rc;
        buf_addc(out, '\0');
    }
    return buf_rc(out);
}

static void make_request(void *ctx, struct message *p, struct http_request *r)
{
    const struct sender *s = ctx;
    r->url = s->url;
    r->method = HTTP_POST;
    r->body = buf_str(&p->body);
    r->sign = on_sign;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Whether the first deliveries that got an answer, in the order in which they were sent, were all
 * refused. A bit for each of them. */
static bool first_are_refused(uint64_t refused, uint64_t unanswered)
{
    int n = 0;
    for (; refused && n < REFUSED_FIRST; refused >>= 1, unanswered >>= 1) {
        if (unanswered & 1)
            continue;
        if (!(refused & 1))
            return false;
        n++;
    }
    return n == REFUSED_FIRST;
}

/* Where all of the first are refused it is not about what is in them. */
static void check_refusal(struct sender *s, struct delivery *d, const struct message *p)
{
    struct err e;
    const struct http_request *r = &p->request;
    bool is_refused = r->status == 401 || (r->status == 403 && !r->is_limit);
    if (p->ordinal >= FIRST_MAX || s->is_refused)
        return;
    uint64_t bit = UINT64_C(1) << p->ordinal;
    if (r->end == HTTP_NO_ANSWER)
        s->unanswered |= bit;
    else if (is_refused)
        s->refused |= bit;
    if (is_refused)
        s->refused_status = r->status;
    s->is_refused = first_are_refused(s->refused, s->unanswered);
    if (!s->is_refused)
        return;
    (void)err_set(
        &e, RC_CLOSED,
        "credentials refused: the receiver returned %d for the first %d deliveries; check "
        "the secret and the headers",
        s->refused_status, REFUSED_FIRST);
    log_msg(s->log, LOG_LEVEL_WARN, s->subject, "%s; nothing more is sent to this sink", e.msg);
    delivery_close(d, s->refused_status, e.msg);
}

static struct verdict read_answer(void *ctx, struct delivery *d, struct message *p)
{
    struct sender *s = ctx;
    struct verdict v = answer_verdict(&p->request, s->redaction, &s->texts);
    if (v.kind == VERDICT_FAILED && v.http_status == 410)
        delivery_close(d, 410, s->texts.error);
    check_refusal(s, d, p);
    return v;
}

const struct delivery_protocol webhook_protocol = {
    .request = make_request,
    .answered = read_answer,
};
