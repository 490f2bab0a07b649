#include "sinks/webhook/sender.h"

#include <stdio.h>

#include "core/http/http_status.h"

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

static enum rc make_request(void *ctx, struct delivery *d, struct message *p,
                            struct http_request *r, struct err *e)
{
    const struct sender *s = ctx;
    (void)d;
    (void)e;
    r->url = s->url;
    r->method = HTTP_POST;
    r->body = buf_str(&p->body);
    r->sign = on_sign;
    return RC_OK;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* A redirect is a response like others: what closes the sink here is a secret or header that is wrong. */
static enum auth_end auth_end(const struct http_request *r)
{
    if (r->end == HTTP_NO_ANSWER)
        return AUTH_NO_RESPONSE;
    return http_status_is_refusal(r->status, r->is_limit) ? AUTH_REFUSED : AUTH_OTHER;
}

/* Where all of the first are refused it is not about what is in them. */
static void check_refusal(struct sender *s, struct delivery *d, const struct message *p)
{
    struct err e;
    enum auth_end end = auth_end(&p->request);
    if (end == AUTH_REFUSED)
        s->refused_status = p->request.status;
    if (auth_check(&s->auth, p->ordinal, end) != AUTH_FATAL || s->is_refused)
        return;
    s->is_refused = true;
    (void)err_set(
        &e, RC_CLOSED,
        "credentials refused: the receiver returned %d for the first %d deliveries; check "
        "the secret and the headers",
        s->refused_status, AUTH_FIRST);
    log_msg(s->log, LOG_LEVEL_WARN, s->subject, "%s; nothing more is sent to this sink", e.msg);
    delivery_close(d, s->refused_status, e.msg);
}

static enum delivery_step read_answer(void *ctx, struct delivery *d, struct message *p,
                                      struct verdicts *out)
{
    struct sender *s = ctx;
    s->verdict = answer_verdict(&p->request, s->redaction, &s->texts);
    if (s->verdict.kind == VERDICT_FAILED && s->verdict.http_status == 410)
        delivery_close(d, 410, s->texts.error);
    check_refusal(s, d, p);
    *out = (struct verdicts){&s->verdict, 1};
    return DELIVERY_SETTLED;
}

const struct delivery_protocol webhook_protocol = {
    .request = make_request,
    .answered = read_answer,
};
