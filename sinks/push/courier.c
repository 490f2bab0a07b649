#include "sinks/push/courier.h"

#include "core/base/credential_text.h"
#include "core/base/loopback.h"
#include "core/sink_http.h"
#include "sinks/push/courier_internal.h"
#include "sinks/push/job.h"

/* ---- the token ------------------------------------------------------------------------------ */

/* This run uses the new one, but the next one will be given the configured one again. */
static void tell_of_refresh(struct courier *c)
{
    const struct credential_place *place = &c->destination->auth.refresh;
    if (c->told_of_refresh || !token_has_new_refresh(c->token))
        return;
    c->told_of_refresh = true;
    log_msg(
        c->log, LOG_LEVEL_WARN, c->subject,
        "the token server has replaced the refresh token; this run uses the new one, but the next run "
        "may be refused with the one in %s %s: before it, have the CRM issue a refresh token anew and "
        "put it there, or configure the client so that refresh tokens do not change",
        place->file ? "the file" : "the variable",
        place->file ? credential_file_shown(place->file) : place->env);
}

static void on_token(void *ctx)
{
    struct courier *c = ctx;
    tell_of_refresh(c);
    delivery_continue(c->delivery);
}

static void on_no_token(void *ctx, int status, const char *text)
{
    struct courier *c = ctx;
    courier_refuse_more(c, c->delivery, status, text);
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

/* ---- the protocol --------------------------------------------------------------------------- */

static void on_cleared(void *ctx, struct message *p)
{
    struct courier *c = ctx;
    struct job *j = p->work;
    if (j)
        answer_room_give(&c->room, &j->answer_bytes);
    job_free(j);
    p->work = NULL;
}

const struct delivery_protocol push_protocol = {
    .request = courier_request,
    .answered = courier_answered,
    .refused = courier_refused,
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

struct token_cfg courier_token_cfg(const struct sink_cfg *cfg, const struct push_config *config,
                                   const struct http_retry_cfg *retry)
{
    bool is_direct =
        config->token_url && url_bypasses_proxy(config->token_url, cfg->http->allow_http);
    return (struct token_cfg){
        .clock = cfg->clock,
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
        .proxy = is_direct ? "" : cfg->http->proxy,
        .http_version = cfg->http->version,
        .retry = *retry,
    };
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
    answer_room_init(&c->room, cfg->max_memory);
    arena_init(&c->scratch, c->room.tree_max);
    buf_init(&c->before, DESTINATION_BODY_MAX);
    buf_init(&c->behind, DESTINATION_BODY_MAX);
    rng_seed_system(&c->rng);
    c->token_cfg = courier_token_cfg(cfg, config, retry);
    c->token_cfg.rng = &c->rng;
    c->token_cfg.ctx = c;
    c->token_cfg.ready = on_token;
    c->token_cfg.failed = on_no_token;
    c->token_cfg.idle = on_token_idle;
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
