/* What an answer means for each item of a request, and for the sink. */
#include <stdio.h>

#include "sinks/push/courier_internal.h"
#include "sinks/push/job.h"

#define ERROR_BYTES 640
#define CODE_BYTES 128
#define SCRATCH_KEEP_BYTES ((size_t)64 << 10)
#define TOKENS_UNPROVEN_MAX                                                                        \
    2 /* a token may be refused to one request before another succeeds with it */
#define TOKENS_PER_REQUEST_MAX 10

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

void courier_refused(void *ctx, struct message *p, const struct verdict *v, struct verdicts *out)
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

void courier_refuse_more(struct courier *c, struct delivery *d, int status, const char *text)
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
    courier_refuse_more(c, d, r->status, text);
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

/* "the answer `before` `bytes` `behind`": which limit it is over. */
static void decide_too_large(const struct courier *c, struct job *j, const struct http_request *r,
                             const char *before, size_t bytes, const char *behind)
{
    char text[ERROR_BYTES];
    (void)snprintf(text, sizeof text,
                   "the answer %s %zu MiB %s: it is not known whether the CRM has the item", before,
                   bytes >> 20, behind);
    decide_range(c, j, r, "too_large", text);
}

static void decide_unread(const struct courier *c, struct job *j, const struct http_request *r,
                          enum rc rc)
{
    if (rc == RC_LIMIT)
        decide_too_large(c, j, r, "needs more than", c->room.tree_max,
                         "of memory to be read (an eighth of --max-memory, at most 64 MiB)");
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
    count_attempts(j, r);
    if (r->end == HTTP_TOO_LARGE || r->end == HTTP_NO_ROOM) {
        decide_too_large(c, j, r, "is too large to be read (answers may take", c->room.beyond_max,
                         "together, a 64th of --max-memory and at most 8 MiB)");
    } else {
        struct verdict v = answer_verdict(r, c->redaction, &texts);
        decide_range(c, j, r, v.code, v.error);
    }
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

static enum delivery_step read_answer(struct courier *c, struct delivery *d, struct message *p,
                                      struct verdicts *out)
{
    const struct http_request *r = &p->request;
    struct answer_read read = {.body = NULL};
    if (r->end != HTTP_ANSWERED)
        return no_answer(c, p->work, r, out);
    read.rc = account_parse(buf_str(&r->answer), &c->scratch, &read.body);
    enum delivery_step step = act_on(c, d, p, &read, out);
    arena_reset(&c->scratch, SCRATCH_KEEP_BYTES);
    return step;
}

/* A large answer goes once it is read, for there may be more requests of the same message. */
enum delivery_step courier_answered(void *ctx, struct delivery *d, struct message *p,
                                    struct verdicts *out)
{
    struct courier *c = ctx;
    struct job *j = p->work;
    enum delivery_step step = read_answer(c, d, p, out);
    if (j->answer_bytes > 0)
        buf_free(&p->request.answer);
    answer_room_give(&c->room, &j->answer_bytes);
    return step;
}
