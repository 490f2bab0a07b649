#include "sinks/push/token.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/units.h"
#include "core/base/url.h"

#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define FORM_BYTES ((size_t)64 << 10) /* what is longer is possible, and rare */
#define SHOWN_BYTES_MAX 200
#define EARLY_MAX_S 60
#define EXPIRES_MAX_S (INT64_C(10) * 366 * 86400)

struct token {
    struct token_cfg cfg;
    struct http_engine *engine;
    struct http_request request;
    struct buf form;
    bool is_wanted;  /* on_next() has not handed it out yet */
    bool is_running; /* the request is with the engine */
    bool has_failed;
    uint64_t number;
    uint64_t refused; /* that number, and all before, are of no use */
    int64_t until_us; /* INT64_MAX: until it is refused */
    /* of the latest answer, each in memory of its own */
    struct arena memory, older;
    struct token_answer answer;
    char *refresh; /* owned: the latest; NULL: the configured one */
};

/* ---- reading -------------------------------------------------------------------------------- */

static struct str text_member(const cJSON *object, struct str name)
{
    for (const cJSON *v = object->child; v; v = v->next) {
        if (str_eq(str_c(v->string), name))
            return (v->type & 0xFF) == cJSON_String ? json_text(v) : STR_NONE;
    }
    return STR_NONE;
}

/* RFC 6750 section 2.1, b64token, and what servers send beyond it: visible ASCII characters. */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] <= 0x20 || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    }
    return s.len > 0 && s.len <= TOKEN_BYTES_MAX;
}

/* Seconds as a number or, as some servers have it, as a text; 0: not said, or in no way that can be read. */
static int64_t read_expires(const cJSON *object)
{
    for (const cJSON *v = object->child; v; v = v->next) {
        int type = v->type & 0xFF;
        uint64_t seconds;
        if (!str_eq(str_c(v->string), STR("expires_in")))
            continue;
        if ((type != cJSON_Number && type != cJSON_String) || !units_uint(json_text(v), &seconds))
            return 0;
        return seconds < EXPIRES_MAX_S ? (int64_t)seconds : EXPIRES_MAX_S;
    }
    return 0;
}

static enum rc read_taken(struct token_answer *out, const struct destination_auth *auth,
                          const cJSON *object, struct arena *a, struct err *e)
{
    out->taken = arena_array(a, auth->n_take + 1, sizeof *out->taken);
    if (!out->taken)
        return err_nomem(e);
    for (size_t i = 0; i < auth->n_take; i++) {
        struct str text = text_member(object, auth->take[i]);
        if (text.len == 0 || text.len > TOKEN_BYTES_MAX)
            return err_set(e, RC_SYNTAX, "it has no text \"" STR_FMT "\"", STR_ARG(auth->take[i]));
        out->taken[i] = text;
    }
    return RC_OK;
}

enum rc token_answer_read(struct token_answer *out, const struct destination_auth *auth,
                          struct str body, struct arena *a, struct err *e)
{
    struct json_doc doc;
    *out = (struct token_answer){0};
    enum rc rc = json_parse(a, body, JSON_TREE, &doc, NULL);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK || !json_is_object(doc.root))
        return err_set(e, RC_SYNTAX, "it is not a JSON object");
    out->token = text_member(doc.root, STR("access_token"));
    if (!is_token(out->token))
        return err_set(e, RC_SYNTAX, "it has no \"access_token\" of visible ASCII characters");
    out->refresh = text_member(doc.root, STR("refresh_token"));
    if (out->refresh.ptr && !is_token(out->refresh))
        out->refresh = STR_NONE;
    out->expires_s = read_expires(doc.root);
    return read_taken(out, auth, doc.root, a, e);
}

int64_t token_use_s(int64_t expires_s)
{
    int64_t early_s = expires_s / 5 < EARLY_MAX_S ? expires_s / 5 : EARLY_MAX_S;
    return expires_s - early_s;
}

/* ---- the request ---------------------------------------------------------------------------- */

static void add_field(struct buf *form, const char *name, struct str value)
{
    if (!value.ptr)
        return;
    if (form->len > 0)
        buf_addc(form, '&');
    buf_adds(form, name);
    buf_addc(form, '=');
    url_encode(form, value);
}

/* Empties it, and what it held is gone. */
static void wipe(struct buf *b)
{
    if (b->data)
        OPENSSL_cleanse(b->data, b->cap);
    buf_clear(b);
}

/* RFC 6749 sections 2.3.1, 4.4.2 and 6. */
static enum rc make_form(struct token *t)
{
    const struct destination_auth *auth = t->cfg.auth;
    bool by_refresh = auth->grant == GRANT_REFRESH_TOKEN;
    wipe(&t->form);
    add_field(&t->form, "grant_type",
              by_refresh ? STR("refresh_token") : STR("client_credentials"));
    if (by_refresh)
        add_field(&t->form, "refresh_token", t->refresh ? str_c(t->refresh) : t->cfg.refresh);
    add_field(&t->form, "client_id", t->cfg.id);
    add_field(&t->form, "client_secret", t->cfg.secret);
    add_field(&t->form, "scope", auth->scope ? str_c(auth->scope) : STR_NONE);
    return buf_rc(&t->form);
}

static void fail(struct token *t, int status, const char *text)
{
    if (t->has_failed)
        return;
    t->has_failed = true;
    t->cfg.failed(t->cfg.ctx, status, text);
}

/* "error" and "error_description" of RFC 6749 section 5.2, or how the body begins. False: nothing was said, because
 * the body does not have them, and `only_by_name`. */
static bool describe_refusal(struct token *t, const struct http_request *r, bool only_by_name)
{
    char shown[SHOWN_BYTES_MAX + 1], text[1024];
    struct arena a;
    struct json_doc doc;
    arena_init(&a, 1 << 20);
    struct str body = buf_str(&r->answer);
    struct str error = STR_NONE, description = STR_NONE;
    if (json_parse(&a, body, JSON_TREE, &doc, NULL) == RC_OK && json_is_object(doc.root)) {
        error = text_member(doc.root, STR("error"));
        description = text_member(doc.root, STR("error_description"));
    }
    if (only_by_name && !error.ptr) {
        arena_wipe(&a);
        return false;
    }
    if (error.ptr)
        (void)snprintf(text, sizeof text, STR_FMT "%s" STR_FMT, STR_ARG(error),
                       description.len ? ": " : "", STR_ARG(description));
    else
        (void)snprintf(text, sizeof text, STR_FMT, STR_ARG(body));
    for (char *p = text; *p; p++)
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p;
    secrets_redact(t->cfg.redaction, text,
                   sizeof text); /* before it is cut, so that a secret is whole */
    utf8_scrub(text);
    size_t n = utf8_cut(text, SHOWN_BYTES_MAX);
    memcpy(shown, text, n);
    shown[n] = '\0';
    arena_wipe(&a);
    (void)snprintf(text, sizeof text, "no access token: the token server returned %d%s%s",
                   r->status, *shown ? ": " : "", shown);
    fail(t, r->status, text);
    return true;
}

static enum rc keep_refresh(struct token *t, struct str refresh)
{
    if (!refresh.ptr)
        return RC_OK;
    char *copy = strndup(refresh.ptr, refresh.len);
    if (!copy)
        return RC_NOMEM;
    if (t->refresh)
        OPENSSL_cleanse(t->refresh, strlen(t->refresh));
    free(t->refresh);
    t->refresh = copy;
    return secrets_add(t->cfg.redaction, refresh);
}

/* The memory of the answer before stays until the next one: a request may still use it. */
static void take_answer(struct token *t, const struct http_request *r)
{
    struct token_answer answer;
    struct err e;
    char text[sizeof e.msg + 128];
    struct arena next;
    arena_init(&next, 1 << 20);
    enum rc rc = token_answer_read(&answer, t->cfg.auth, buf_str(&r->answer), &next, &e);
    if (rc == RC_OK && (secrets_add(t->cfg.redaction, answer.token) != RC_OK ||
                        keep_refresh(t, answer.refresh) != RC_OK))
        rc = err_nomem(&e);
    if (rc != RC_OK) {
        arena_wipe(&next);
        /* Some servers refuse with a 200. */
        if (rc == RC_SYNTAX && describe_refusal(t, r, true))
            return;
        (void)snprintf(text, sizeof text,
                       "no access token: the answer of the token server cannot be used: %s", e.msg);
        fail(t, r->status, text);
        return;
    }
    arena_wipe(&t->older);
    t->older = t->memory;
    t->memory = next;
    t->answer = answer;
    t->number++;
    t->until_us = INT64_MAX;
    if (answer.expires_s > 0)
        t->until_us = clock_mono_us(t->cfg.clock) + token_use_s(answer.expires_s) * 1000000;
    t->cfg.ready(t->cfg.ctx);
}

static void on_done(void *ctx, struct http_request *r)
{
    struct token *t = ctx;
    char text[sizeof r->error + 64];
    t->is_running = false;
    if (r->end == HTTP_ABORTED)
        return; /* stopped, or on_fatal() has said why */
    if (r->end != HTTP_ANSWERED) {
        (void)snprintf(text, sizeof text, "no access token: the token server: %s", r->error);
        secrets_redact(t->cfg.redaction, text, sizeof text);
        fail(t, 0, text);
    } else if (r->status / 100 == 2) {
        take_answer(t, r);
    } else {
        (void)describe_refusal(t, r, false);
    }
    if (r->answer.data)
        OPENSSL_cleanse(r->answer.data, r->answer.len);
    buf_clear(&r->answer);
}

static struct http_request *on_next(void *ctx)
{
    static const struct http_header headers[] = {
        {"Content-Type", "application/x-www-form-urlencoded"},
        {"Accept", "application/json"},
    };
    struct token *t = ctx;
    if (!t->is_wanted)
        return NULL;
    t->is_wanted = false;
    if (make_form(t) != RC_OK) {
        fail(t, 0, "no access token: out of memory");
        return NULL;
    }
    t->is_running = true;
    t->request = (struct http_request){
        .done = on_done,
        .url = t->cfg.url,
        .method = HTTP_POST,
        .body = buf_str(&t->form),
        .headers = headers,
        .n_headers = sizeof headers / sizeof *headers,
        .answer = t->request.answer,
    };
    return &t->request;
}

static void on_fatal(void *ctx, const struct err *e)
{
    fail(ctx, 0, e->msg);
}

static void on_stopped(void *ctx)
{
    struct token *t = ctx;
    t->cfg.idle(t->cfg.ctx);
}

/* ---- for the sink --------------------------------------------------------------------------- */

const char *token_value(struct token *t)
{
    bool is_old =
        t->number == 0 || t->refused >= t->number || clock_mono_us(t->cfg.clock) >= t->until_us;
    if (!is_old)
        return t->answer.token.ptr;
    if (!t->is_wanted && !t->is_running && !t->has_failed) {
        t->is_wanted = true;
        http_engine_kick(t->engine);
    }
    return NULL;
}

const char *token_latest(const struct token *t)
{
    return t->number ? t->answer.token.ptr : NULL;
}

uint64_t token_number(const struct token *t)
{
    return t->number;
}

void token_refused(struct token *t, uint64_t number)
{
    if (number > t->refused)
        t->refused = number;
}

const struct str *token_taken(const struct token *t)
{
    return t->number ? t->answer.taken : NULL;
}

int64_t token_expires_s(const struct token *t)
{
    return t->answer.expires_s;
}

bool token_has_new_refresh(const struct token *t)
{
    return t->refresh && t->cfg.refresh.ptr && !str_eq_c(t->cfg.refresh, t->refresh);
}

void token_stop(struct token *t, int64_t grace_ms)
{
    http_engine_stop(t->engine, grace_ms);
}

static bool is_retryable(int status)
{
    return status == 408 || status == 425 || status == 429 || status / 100 == 5;
}

enum rc token_new(struct token **out, const struct token_cfg *cfg, struct err *e)
{
    struct token *t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(e);
    t->cfg = *cfg;
    arena_init(&t->memory, 1 << 20);
    arena_init(&t->older, 1 << 20);
    buf_init(&t->form, 1 << 20);
    buf_init(&t->request.answer, ANSWER_BYTES_MAX);
    /* All at once, so that no copy stays behind where they would grow. */
    if (!buf_reserve(&t->form, FORM_BYTES) || !buf_reserve(&t->request.answer, ANSWER_BYTES_MAX)) {
        token_free(t);
        return err_nomem(e);
    }
    const struct http_engine_cfg engine = {
        .loop = cfg->loop,
        .clock = cfg->clock,
        .rng = cfg->rng,
        .log = cfg->log,
        .subject = cfg->subject,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = cfg->proxy,
        .version = cfg->http_version,
        .concurrency = 1,
        .concurrency_max = 1,
        .retry = cfg->retry,
        .max_body = ANSWER_BYTES_MAX,
        .max_error_body = ANSWER_BYTES_MAX,
        .retryable = is_retryable,
        .ctx = t,
        .next = on_next,
        .fatal = on_fatal,
        .stopped = on_stopped,
    };
    enum rc rc = http_engine_new(&t->engine, &engine, e);
    if (rc != RC_OK) {
        token_free(t);
        return rc;
    }
    *out = t;
    return RC_OK;
}

void token_free(struct token *t)
{
    if (!t)
        return;
    http_engine_free(t->engine);
    buf_wipe(&t->form);
    buf_wipe(&t->request.answer);
    arena_wipe(&t->memory);
    arena_wipe(&t->older);
    if (t->refresh)
        OPENSSL_cleanse(t->refresh, strlen(t->refresh));
    free(t->refresh);
    free(t);
}
