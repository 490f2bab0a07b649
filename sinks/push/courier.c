#include "sinks/push/courier.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/blob.h"
#include "core/base/loopback.h"
#include "core/sink_http.h"
#include "sinks/push/job.h"

#define ERROR_BYTES 640
#define CODE_BYTES 128
#define SCRATCH_KEEP_BYTES ((size_t)64 << 10)
#define TOKENS_UNPROVEN_MAX                                                                        \
    2 /* a token may be refused to one request before another succeeds with it */
#define TOKENS_PER_REQUEST_MAX 10

/* ---- requests ------------------------------------------------------------------------------- */

static void on_cleared(void *ctx, struct message *p)
{
    (void)ctx;
    job_free(p->work);
    p->work = NULL;
}

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
        return err_set(e, RC_USAGE, "the token server named a server without https");
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

static enum rc make_request(void *ctx, struct delivery *d, struct message *p,
                            struct http_request *r, struct err *e)
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
    rc = make_body(c, j, r, e);
    if (rc == RC_OK)
        rc = make_url(c, j, r, e);
    if (rc == RC_OK)
        rc = make_headers(c, j, r, e);
    return rc;
}

/* ---- verdicts ------------------------------------------------------------------------------- */

/* Redacted before it is cut, so that a secret is whole. */
static const char *keep_text(const struct courier *c, struct job *j, struct str text, size_t most)
{
    size_t n = text.len < ACCOUNT_TEXT_MAX ? text.len : ACCOUNT_TEXT_MAX;
    char shown[ACCOUNT_TEXT_MAX + 1];
    if (n)
        memcpy(shown, text.ptr, n);
    shown[n] = '\0';
    secrets_redact(c->redaction, shown, n + 1);
    utf8_scrub(shown);
    return arena_strdup(&j->memory, (struct str){shown, utf8_cut(shown, most)});
}

static void decide(const struct courier *c, struct job *j, const struct http_request *r, size_t i,
                   enum verdict_kind kind, struct str code, struct str error)
{
    struct verdict *v = &j->verdicts[i];
    *v = (struct verdict){
        .kind = kind,
        .http_status = r->status,
        .attempts = j->attempts[i],
    };
    if (kind != VERDICT_FAILED)
        return;
    v->code = keep_text(c, j, code, CODE_BYTES);
    v->error = keep_text(c, j, error, ERROR_BYTES - 1);
    if (!v->error)
        v->error = rc_text(RC_NOMEM);
}

static void decide_range(const struct courier *c, struct job *j, const struct http_request *r,
                         const char *code, const char *error)
{
    for (size_t i = j->now.from; i < j->now.to; i++)
        decide(c, j, r, i, VERDICT_FAILED, str_c(code), str_c(error));
}

/* The API's code and message, or what stands for them: how the body of a refusal begins. */
static void decide_refused(const struct courier *c, struct job *j, const struct http_request *r,
                           size_t i, const struct item_answer *answer)
{
    char code[16];
    struct answer_texts texts;
    struct str error = answer->message;
    if (r->status / 100 == 2)
        (void)snprintf(code, sizeof code, "refused");
    else
        (void)snprintf(code, sizeof code, "http_%d", r->status);
    if (error.len == 0) {
        bool is_refusal = answer_verdict(r, c->redaction, &texts).kind == VERDICT_FAILED;
        error = is_refusal ? str_c(texts.error) : STR("the CRM refused the item without a message");
    }
    decide(c, j, r, i, VERDICT_FAILED, answer->code.len ? answer->code : str_c(code), error);
}

static void on_refused(void *ctx, struct message *p, const struct verdict *v, struct verdicts *out)
{
    struct job *j = p->work;
    (void)ctx;
    if (!j)
        return; /* it was never sent */
    for (size_t i = 0; i < j->n; i++) {
        if (j->verdicts[i].kind != VERDICT_PENDING)
            continue;
        unsigned attempts = j->attempts[i];
        j->verdicts[i] = *v;
        j->verdicts[i].attempts = attempts;
    }
    *out = (struct verdicts){j->verdicts, j->n};
}

/* ---- answers -------------------------------------------------------------------------------- */

static enum delivery_step next_step(struct job *j, struct verdicts *out)
{
    if (j->n_ranges > 0)
        return DELIVERY_AGAIN;
    *out = (struct verdicts){j->verdicts, j->n};
    return DELIVERY_SETTLED;
}

static void count_attempts(struct job *j, const struct http_request *r)
{
    for (size_t i = j->now.from; i < j->now.to; i++)
        j->attempts[i] += r->attempts;
}

static void close_delivery(struct courier *c, struct delivery *d, int status, const char *text)
{
    if (!c->is_closed) /* several requests may be refused at the same time */
        log_msg(c->log, LOG_LEVEL_WARN, c->subject, "%s; nothing more is sent to this sink", text);
    c->is_closed = true;
    delivery_close(d, status, text);
}

/* The sink closes: what is not known yet fails with this reason. */
static void close_sink(struct courier *c, struct delivery *d, struct job *j,
                       const struct http_request *r, const char *text)
{
    char code[16];
    (void)snprintf(code, sizeof code, "http_%d", r->status);
    close_delivery(c, d, r->status, text);
    decide_range(c, j, r, code, text);
}

/* What the body of a refusal says, behind `text`. */
static void with_answer(const struct courier *c, const struct http_request *r, const char *what,
                        char out[2 * ERROR_BYTES])
{
    struct answer_texts texts;
    struct verdict v = answer_verdict(r, c->redaction, &texts);
    (void)snprintf(out, 2 * ERROR_BYTES, "%s%s", what, v.kind == VERDICT_FAILED ? texts.error : "");
}

/* A new token, and the request again. A token that has worked can expire at any time; where one after the other
 * is refused that never has, or a request is whatever the token, a new one does not help. */
static bool renew(const struct courier *c, struct job *j)
{
    if (!c->token || j->token > c->token_worked + TOKENS_UNPROVEN_MAX ||
        ++j->n_refused > TOKENS_PER_REQUEST_MAX)
        return false;
    token_refused(c->token, j->token);
    job_push(j, j->now.from, j->now.to);
    return true;
}

static bool wants_token(const struct courier *c, int status, struct str code)
{
    const struct destination_auth *auth = &c->destination->auth;
    return status == 401 || (auth->kind == AUTH_OAUTH2 &&
                             answer_matches(auth->renew_on, auth->n_renew_on, status, code));
}

static void token_has_worked(struct courier *c, struct job *j, int status)
{
    if (status >= 500)
        return; /* it may not have been looked at */
    j->n_refused = 0;
    if (j->token > c->token_worked)
        c->token_worked = j->token;
}

/* The body of an answer, as it was parsed. */
struct answer_read {
    enum rc rc;        /* RC_OK; RC_LIMIT: it needs too much memory; RC_NOMEM */
    const cJSON *body; /* NULL: it is no JSON, or could not be read */
};

static void decide_unread(const struct courier *c, struct job *j, const struct http_request *r,
                          enum rc rc)
{
    if (rc == RC_LIMIT)
        decide_range(c, j, r, "too_large",
                     "the answer has more values than can be read (64 MiB of memory): it is not "
                     "known whether the CRM has the item");
    else
        decide_range(c, j, r, "memory",
                     "out of memory while the answer was read: it is not known whether the "
                     "CRM has the item");
}

/* Each item of the range, or what becomes of the range as a whole. */
static enum delivery_step account(struct courier *c, struct delivery *d, struct message *p,
                                  const struct answer_read *read, struct verdicts *out)
{
    struct job *j = p->work;
    const struct http_request *r = &p->request;
    size_t n = j->now.to - j->now.from;
    enum answer_kind kind = ANSWER_ITEMS;
    token_has_worked(c, j, r->status);
    struct str *items = arena_array(&c->scratch, n, sizeof *items);
    struct item_answer *answers = arena_array(&c->scratch, n, sizeof *answers);
    for (size_t i = 0; items && i < n; i++)
        items[i] = j->items[j->now.from + i].json;
    enum rc rc = read->rc;
    if (rc == RC_OK)
        rc = items && answers ? account_answer(&c->destination->answer, r->status, read->body,
                                               items, n, &c->scratch, answers, &kind)
                              : RC_NOMEM;
    if (rc != RC_OK) {
        count_attempts(j, r);
        decide_unread(c, j, r, rc);
        return next_step(j, out);
    }
    if (n == 1 && answers[0].fate == ITEM_AGAIN &&
        delivery_retry(d, p, "the CRM asks to try the item again"))
        return DELIVERY_RETRIED;
    count_attempts(j, r);
    if (kind == ANSWER_BISECT) {
        size_t middle = j->now.from + (n + 1) / 2;
        job_push(j, middle, j->now.to);
        job_push(j, j->now.from, middle);
        return next_step(j, out);
    }
    for (size_t i = n; i-- > 0;) { /* so that the first is sent again first */
        size_t at = j->now.from + i;
        if (answers[i].fate == ITEM_ACCEPTED)
            decide(c, j, r, at, VERDICT_ACCEPTED, STR_NONE, STR_NONE);
        else if (answers[i].fate == ITEM_AGAIN && n > 1)
            job_push(j, at, at + 1);
        else
            decide_refused(c, j, r, at, &answers[i]);
    }
    return next_step(j, out);
}

static enum delivery_step no_answer(struct courier *c, struct job *j, const struct http_request *r,
                                    struct verdicts *out)
{
    struct answer_texts texts;
    struct verdict v = answer_verdict(r, c->redaction, &texts);
    count_attempts(j, r);
    if (r->end == HTTP_TOO_LARGE)
        decide_range(c, j, r, "too_large",
                     "the answer is too large to be read: it is not known whether the CRM "
                     "has the item");
    else
        decide_range(c, j, r, v.code, v.error);
    return next_step(j, out);
}

static enum delivery_step act_on(struct courier *c, struct delivery *d, struct message *p,
                                 const struct answer_read *read, struct verdicts *out)
{
    struct job *j = p->work;
    const struct http_request *r = &p->request;
    const struct destination *dest = c->destination;
    char text[2 * ERROR_BYTES];
    struct str code = account_code(&dest->answer, read->body, &c->scratch);
    if (answer_matches(dest->gate, dest->n_gate, r->status, code)) {
        if (delivery_limited(d, p))
            return DELIVERY_RETRIED;
    } else if (wants_token(c, r->status, code)) {
        count_attempts(j, r);
        if (renew(c, j))
            return DELIVERY_AGAIN;
        with_answer(c, r, "credentials refused: ", text);
        close_sink(c, d, j, r, text);
        return next_step(j, out);
    } else if (r->status == 410 || r->is_redirect) {
        count_attempts(j, r);
        with_answer(c, r, "", text);
        if (r->status == 410)
            close_sink(c, d, j, r, text);
        else
            decide_range(c, j, r, "redirect", text);
        return next_step(j, out);
    }
    return account(c, d, p, read, out);
}

/* What the answer takes to be read is of one answer at a time, and bounded. */
static enum delivery_step read_answer(void *ctx, struct delivery *d, struct message *p,
                                      struct verdicts *out)
{
    struct courier *c = ctx;
    const struct http_request *r = &p->request;
    struct answer_read read = {.body = NULL};
    if (r->end != HTTP_ANSWERED)
        return no_answer(c, p->work, r, out);
    read.rc = account_parse(buf_str(&r->answer), &c->scratch, &read.body);
    enum delivery_step step = act_on(c, d, p, &read, out);
    arena_reset(&c->scratch, SCRATCH_KEEP_BYTES);
    return step;
}

/* ---- the token ------------------------------------------------------------------------------ */

static void on_token(void *ctx)
{
    struct courier *c = ctx;
    delivery_continue(c->delivery);
}

static void on_no_token(void *ctx, int status, const char *text)
{
    struct courier *c = ctx;
    close_delivery(c, c->delivery, status, text);
}

static void on_token_idle(void *ctx)
{
    struct courier *c = ctx;
    c->token_idle = true;
    delivery_wake(c->delivery);
}

static enum rc start_token(void *ctx, struct delivery *d, uv_loop_t *loop, struct err *e)
{
    struct courier *c = ctx;
    c->delivery = d;
    if (c->destination->auth.kind != AUTH_OAUTH2) {
        c->token_idle = true;
        return RC_OK;
    }
    c->token_cfg.loop = loop;
    return token_new(&c->token, &c->token_cfg, e);
}

/* At once: no request is made any more that could use a token. */
static void stop_token(void *ctx)
{
    struct courier *c = ctx;
    c->token_stopped = true;
    if (c->token)
        token_stop(c->token, 0);
}

static bool free_token(void *ctx)
{
    struct courier *c = ctx;
    if (c->token_stopped && !c->token_idle)
        return false; /* else the loop never ran */
    token_free(c->token);
    c->token = NULL;
    return true;
}

const struct delivery_protocol push_protocol = {
    .request = make_request,
    .answered = read_answer,
    .refused = on_refused,
    .cleared = on_cleared,
    .start = start_token,
    .stop = stop_token,
    .ended = free_token,
};

/* ---- setting up ----------------------------------------------------------------------------- */

static enum rc make_around(struct courier *c, const struct sink_cfg *cfg, struct err *e)
{
    struct template_fault fault;
    char at[25];
    clock_format(cfg->started_ms, at);
    const struct template_input in = {
        .profile = cfg->profile, .run_id = cfg->run_id, .exported_at = at};
    if (!c->destination->body)
        return RC_OK;
    enum rc rc = template_write_around(c->destination->body, &in, &c->before, &c->behind, &fault);
    if (rc == RC_USAGE)
        return err_set(e, rc, "%s: %s", cfg->spec, fault.text);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

static enum rc fixed_text(struct courier *c, const struct text_template *t, bool for_url,
                          const struct sink_cfg *cfg, char **out, struct err *e)
{
    struct template_fault fault;
    const struct template_input in = {.profile = cfg->profile};
    struct buf text, whole;
    buf_init(&text, JOB_URL_MAX);
    buf_init(&whole, JOB_URL_MAX);
    enum rc rc = text_template_write(t, for_url, &in, NULL, &text, &fault);
    push_url_put(&whole, for_url ? c->config->base : NULL, buf_str(&text));
    if (rc == RC_USAGE)
        (void)err_set(e, rc, "%s: %s", cfg->spec, fault.text);
    else if (rc != RC_OK || buf_rc(&whole) != RC_OK ||
             !(*out = arena_strdup(&c->memory, buf_str(&whole))))
        rc = err_nomem(e);
    buf_free(&text);
    buf_free(&whole);
    return rc;
}

static enum rc make_fixed_headers(struct courier *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct destination *d = c->destination;
    bool has_type = false;
    c->headers = arena_array(&c->memory, d->n_headers + 1, sizeof *c->headers);
    if (!c->headers)
        return err_nomem(e);
    for (size_t i = 0; i < d->n_headers; i++) {
        const struct text_template *t = &d->headers[i].value;
        char *value = NULL;
        has_type |= strcasecmp(d->headers[i].name, "content-type") == 0;
        if (t->has_field || t->has_taken)
            continue;
        enum rc rc = fixed_text(c, t, false, cfg, &value, e);
        if (rc != RC_OK)
            return rc;
        c->headers[c->n_headers++] = (struct http_header){d->headers[i].name, value};
    }
    if (!has_type)
        c->headers[c->n_headers++] = (struct http_header){"Content-Type", "application/json"};
    return RC_OK;
}

static enum rc make_fixed_url(struct courier *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct text_template *t = &c->destination->url;
    if (c->config->secret_url) {
        struct buf url;
        buf_init(&url, JOB_URL_MAX);
        push_url_put(&url, c->config->base, str_c(c->config->secret_url));
        c->url = buf_rc(&url) == RC_OK ? arena_strdup(&c->memory, buf_str(&url)) : NULL;
        buf_wipe(&url);
        return c->url ? RC_OK : err_nomem(e);
    }
    return t->has_field || t->has_taken ? RC_OK : fixed_text(c, t, true, cfg, &c->url, e);
}

enum rc courier_open(struct courier *c, const struct sink_cfg *cfg,
                     const struct push_config *config, const struct http_retry_cfg *retry,
                     struct err *e)
{
    *c = (struct courier){
        .config = config,
        .destination = config->destination,
        .subject = cfg->spec,
        .log = cfg->log,
        .clock = cfg->clock,
        .redaction = cfg->secrets,
        .allow_http = cfg->http->allow_http,
        .retry = *retry,
    };
    arena_init(&c->memory, SIZE_MAX);
    arena_init(&c->scratch, ACCOUNT_MEMORY_MAX);
    buf_init(&c->before, DESTINATION_BODY_MAX);
    buf_init(&c->behind, DESTINATION_BODY_MAX);
    rng_seed_system(&c->rng);
    c->token_cfg = (struct token_cfg){
        .clock = cfg->clock,
        .rng = &c->rng,
        .log = cfg->log,
        .subject = cfg->spec,
        .url = config->token_url,
        .auth = &config->destination->auth,
        .id = str_c(config->client_id),
        .secret = str_c(config->client_secret),
        .refresh = str_c(config->refresh_token),
        .redaction = cfg->secrets,
        .user_agent = cfg->http->user_agent,
        .cacert = cfg->http->cacert,
        .http_version = cfg->http->version,
        .retry = *retry,
        .ctx = c,
        .ready = on_token,
        .failed = on_no_token,
        .idle = on_token_idle,
    };
    if (config->token_url)
        c->token_cfg.proxy =
            url_bypasses_proxy(config->token_url, cfg->http->allow_http) ? "" : cfg->http->proxy;
    enum rc rc = make_around(c, cfg, e);
    if (rc == RC_OK)
        rc = make_fixed_headers(c, cfg, e);
    if (rc == RC_OK)
        rc = make_fixed_url(c, cfg, e);
    return rc;
}

void courier_close(struct courier *c)
{
    buf_free(&c->before);
    buf_free(&c->behind);
    arena_wipe(&c->memory); /* the URL may be a secret */
    arena_free(&c->scratch);
}
