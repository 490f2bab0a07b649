/* The requests of a message: which of its items the next one has, its URL, headers, body and credential. */
#include <stdio.h>

#include "core/base/blob.h"
#include "core/base/loopback.h"
#include "sinks/push/courier_internal.h"
#include "sinks/push/job.h"

static enum rc make_url(const struct courier *c, struct job *j, struct http_request *r,
                        struct err *e)
{
    const struct item *item = &j->items[j->now.from];
    const struct text_template *t = &c->destination->url;
    if (c->url) {
        r->url = c->url;
        return RC_OK;
    }
    struct buf whole;
    buf_init(&whole, JOB_URL_MAX);
    if (t->has_taken)
        buf_add_str(&whole, token_taken(c->token)[t->parts[0].index]);
    if (item->url.ptr) {
        buf_add_str(&whole, item->url);
    } else {
        struct text_template rest = {t->parts + 1, t->n_parts - 1, false, false};
        struct template_fault fault;
        (void)text_template_write(&rest, true, NULL, NULL, &whole, &fault);
    }
    buf_clear(&j->url);
    push_url_put(&j->url, c->config->base, buf_str(&whole));
    r->url = buf_cstr(&j->url);
    enum rc rc = buf_rc(&whole) != RC_OK ? buf_rc(&whole) : buf_rc(&j->url);
    buf_free(&whole);
    if (rc != RC_OK)
        return err_set(e, rc, "the URL is too long");
    if (t->has_taken && url_is_plain_http(r->url) && !url_is_loopback(r->url) && !c->allow_http)
        return err_set(e, RC_USAGE,
                       "the token server's answer names a server that is not reached by https");
    return RC_OK;
}

/* Values of headers that depend on the lead or the token. */
static enum rc make_headers(const struct courier *c, struct job *j, struct http_request *r,
                            struct err *e)
{
    const struct destination *d = c->destination;
    struct str values = j->items[j->now.from].headers;
    size_t n = 0;
    for (size_t i = 0; i < d->n_headers; i++) {
        const struct text_template *t = &d->headers[i].value;
        struct str value;
        struct buf text;
        if (!t->has_field && !t->has_taken)
            continue;
        if (t->has_field && !counted_take(&values, &value))
            return err_set(e, RC_INTERNAL, "the batch is damaged");
        buf_init(&text, JOB_URL_MAX);
        if (!t->has_field) {
            struct template_fault fault;
            enum rc rc = text_template_write(t, false, NULL, token_taken(c->token), &text, &fault);
            value = buf_str(&text);
            if (rc != RC_OK) {
                buf_free(&text);
                return err_set(e, rc, "%s", rc == RC_USAGE ? fault.text : rc_text(rc));
            }
        }
        char *copy = arena_strdup(&j->memory, value);
        buf_free(&text);
        if (!copy)
            return err_nomem(e);
        j->headers[n++] = (struct http_header){d->headers[i].name, copy};
    }
    r->headers = j->headers;
    r->n_headers = n;
    return RC_OK;
}

static enum rc make_body(const struct courier *c, struct job *j, struct http_request *r,
                         struct err *e)
{
    buf_clear(&j->body);
    buf_add_str(&j->body, buf_str(&c->before));
    for (size_t i = j->now.from; i < j->now.to; i++) {
        if (i > j->now.from)
            buf_addc(&j->body, ',');
        buf_add_str(&j->body, j->items[i].json);
    }
    buf_add_str(&j->body, buf_str(&c->behind));
    r->body = buf_str(&j->body);
    return buf_rc(&j->body) == RC_OK ? RC_OK
                                     : err_set(e, buf_rc(&j->body), "the request is too large");
}

static void put_header(struct buf *out, const char *name, const char *scheme, const char *value)
{
    buf_addf(out, "%s: %s%s%s", name, scheme, *scheme ? " " : "", value);
    buf_addc(out, '\0');
}

static enum rc on_sign(struct http_request *r, int64_t wall_ms, struct buf *out)
{
    struct message *p = r->owner;
    struct courier *c = delivery_protocol_ctx(p->delivery);
    struct job *j = p->work;
    (void)wall_ms;
    if (c->config->auth_value) {
        put_header(out, push_auth_header(c->destination), "", c->config->auth_value);
    } else if (c->token) {
        const char *token = token_latest(c->token); /* should it have expired, the CRM says so */
        if (!token)
            return RC_INTERNAL;
        j->token = token_number(c->token);
        put_header(out, "Authorization", c->destination->auth.scheme, token);
    }
    return buf_rc(out);
}

static bool on_room(void *ctx, struct http_request *r, size_t bytes)
{
    struct courier *c = delivery_protocol_ctx(ctx);
    struct message *p = r->owner;
    return answer_room_take(&c->room, &((struct job *)p->work)->answer_bytes, bytes);
}

enum rc courier_request(void *ctx, struct delivery *d, struct message *p, struct http_request *r,
                        struct err *e)
{
    struct courier *c = ctx;
    (void)d;
    if (c->token && !token_value(c->token))
        return RC_BUSY;
    enum rc rc = RC_OK;
    struct job *j = p->work;
    if (!j) {
        rc = job_new(&j, c->destination, buf_str(&p->body), e);
        if (!j)
            return rc;
        p->work = j;
    }
    j->now = j->ranges[--j->n_ranges];
    r->method = c->destination->method;
    r->sign = on_sign;
    r->room = on_room;
    rc = make_body(c, j, r, e);
    if (rc == RC_OK)
        rc = make_url(c, j, r, e);
    if (rc == RC_OK)
        rc = make_headers(c, j, r, e);
    return rc;
}
