#include "sinks/push/push_probe.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/credential_text.h"
#include "core/base/event_loop.h"
#include "core/base/url.h"
#include "core/http/http_probe.h"
#include "sinks/delivery/delivery_probe.h"
#include "sinks/delivery/outbox.h"
#include "sinks/push/courier.h"

#define SUBJECT "push"
#define URL_BYTES_MAX ((size_t)64 << 10)
#define PLACES_BYTES_MAX ((size_t)16 << 10)

struct push_probing {
    const struct sink_cfg *cfg;
    const struct findings *to;
    struct push_config config;
    struct http_retry_cfg limits;
};

/* ---- the token ------------------------------------------------------------------------------ */

struct token_probe {
    uv_loop_t loop;
    bool has_loop;
    struct rng rng;
    struct token *token;
    bool is_given, has_failed;
    int status;
    char error[1024];
};

static void on_ready(void *ctx)
{
    struct token_probe *t = ctx;
    t->is_given = true;
    token_stop(t->token, 0);
}

static void on_failed(void *ctx, int status, const char *text)
{
    struct token_probe *t = ctx;
    t->has_failed = true;
    t->status = status;
    (void)snprintf(t->error, sizeof t->error, "%s", text);
    token_stop(t->token, 0);
}

/* The token must not be freed within this call. */
static void on_idle(void *ctx)
{
    struct token_probe *t = ctx;
    uv_stop(&t->loop);
}

static void put_place(struct buf *out, const struct credential_place *place)
{
    if (!place->env && !place->file)
        return;
    buf_addf(out, "%s%s %s", out->len ? ", " : "", place->file ? "the file" : "the variable",
             place->file ? credential_file_shown(place->file) : place->env);
}

static void report_no_token(const struct push_probing *p, const struct token_probe *t)
{
    const struct destination_auth *auth = &p->config.destination->auth;
    struct buf places;
    buf_init(&places, PLACES_BYTES_MAX);
    put_place(&places, &auth->id);
    put_place(&places, &auth->secret);
    put_place(&places, &auth->refresh);
    bool is_answer = t->status / 100 == 2;
    if (is_answer || (t->status / 100 == 4 && t->status != 408 && t->status != 429))
        findings_add(
            p->to, FINDING_FAIL, SUBJECT,
            "%s: %s; check the client's credentials (%s), and that the CRM still knows the client%s",
            p->cfg->spec, t->error, buf_cstr(&places),
            is_answer ? "; also the destination's token_url, scope and take" : "");
    else
        findings_add(p->to, FINDING_FAIL, SUBJECT,
                     "%s: %s; try again later, and ask whoever runs the server if it stays so",
                     p->cfg->spec, t->error);
    buf_free(&places);
}

static void report_token(const struct push_probing *p, struct token *token)
{
    int64_t seconds = token_expires_s(token);
    char until[64] = "";
    if (seconds > 0)
        (void)snprintf(until, sizeof until, ", which is good for %" PRId64 " s", seconds);
    findings_add(p->to, FINDING_OK, SUBJECT, "%s: an access token was given%s", p->cfg->spec,
                 until);
    if (token_has_new_refresh(token))
        findings_add(p->to, FINDING_WARN, SUBJECT,
                     "%s: with the token came a new refresh token, and the server may refuse the "
                     "old one from now on; configure the client so that refresh tokens do not "
                     "change, or store a new one before the run",
                     p->cfg->spec);
}

static enum rc run_loop(struct push_probing *p, struct token_probe *t, struct err *e)
{
    struct token_cfg cfg = courier_token_cfg(p->cfg, &p->config, &p->limits);
    rng_seed_system(&t->rng);
    cfg.loop = &t->loop;
    cfg.rng = &t->rng;
    cfg.log = NULL; /* what it would say is reported here */
    cfg.ctx = t;
    cfg.ready = on_ready;
    cfg.failed = on_failed;
    cfg.idle = on_idle;
    enum rc rc = event_loop_init(&t->loop, e);
    if (rc != RC_OK)
        return rc;
    t->has_loop = true;
    rc = token_new(&t->token, &cfg, e);
    if (rc == RC_OK) {
        (void)token_value(t->token); /* none yet: it is asked for */
        (void)uv_run(&t->loop, UV_RUN_DEFAULT);
    }
    return rc;
}

static void close_loop(struct token_probe *t)
{
    if (!t->has_loop)
        return;
    token_free(t->token);
    (void)uv_run(&t->loop, UV_RUN_DEFAULT); /* handles close */
    (void)uv_loop_close(&t->loop);          /* nothing is left in it */
}

/* ---- servers -------------------------------------------------------------------------------- */

/* Up to where its path begins, from what is known without a lead. RC_END: there is no knowing. RC_USAGE, RC_NOMEM. */
static enum rc put_url(const struct push_probing *p, const struct str *taken, struct buf *out,
                       struct err *e)
{
    const struct push_config *c = &p->config;
    const struct template_input in = {.profile = p->cfg->profile};
    struct text_template known = c->destination->url;
    struct template_fault fault;
    enum rc rc = RC_OK;
    if (c->base || c->secret_url) {
        buf_adds(out, c->base ? c->base : c->secret_url);
        return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
    }
    for (size_t i = 0; i < known.n_parts; i++) {
        if (known.parts[i].kind == PART_FIELD)
            known.n_parts = i;
    }
    rc = text_template_write(&known, true, &in, taken, out, &fault);
    if (rc == RC_USAGE)
        return err_set(e, rc, "%s: %s", p->cfg->spec, fault.text);
    if (rc != RC_OK)
        return err_nomem(e);
    struct str url = buf_str(out), origin = url_origin(url);
    return c->destination->url.has_field && origin.len == url.len
               ? RC_END
               : push_url_check(p->cfg, buf_cstr(out), e);
}

static bool is_same_server(const struct push_probing *p, const char *url)
{
    const char *token_url = p->config.token_url;
    return token_url && str_eq(url_origin(str_c(url)), url_origin(str_c(token_url)));
}

/* `taken`: of the token's answer; NULL: there is none. */
static void probe_server(const struct push_probing *p, const struct str *taken)
{
    struct buf url;
    struct err e;
    if (p->config.destination->url.has_taken && !taken)
        return; /* why there is no token has been said */
    buf_init(&url, URL_BYTES_MAX);
    enum rc rc = put_url(p, taken, &url, &e);
    if (rc == RC_END)
        findings_add(p->to, FINDING_WARN, SUBJECT,
                     "%s: its server depends on the lead, and was not looked for", p->cfg->spec);
    else if (rc != RC_OK)
        findings_add(p->to, FINDING_FAIL, SUBJECT, "%s", e.msg);
    else if (!is_same_server(p, buf_cstr(&url)))
        (void)delivery_probe(p->cfg, buf_cstr(&url), p->limits, SUBJECT, p->to);
    buf_wipe(&url); /* it may be a secret */
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void probe_with_token(struct push_probing *p)
{
    struct token_probe t = {.token = NULL};
    struct err e;
    if (!delivery_probe(p->cfg, p->config.token_url, p->limits, SUBJECT, p->to)) {
        probe_server(p, NULL);
        return;
    }
    enum rc rc = run_loop(p, &t, &e);
    if (rc != RC_OK)
        findings_add(p->to, FINDING_FAIL, SUBJECT, "%s: %s", p->cfg->spec, e.msg);
    else if (t.is_given)
        report_token(p, t.token);
    else
        report_no_token(p, &t);
    probe_server(p, t.is_given ? token_taken(t.token) : NULL);
    close_loop(&t);
}

void push_probe(const struct sink_cfg *cfg, const struct findings *f)
{
    const struct push_opts *opts = cfg->opts;
    struct push_probing p = {.cfg = cfg, .to = f};
    struct err e;
    if (opts->preview)
        return; /* nothing is sent */
    p.limits = outbox_retry_cfg(cfg, 1, opts->timeout_ms, opts->retry_max_time_ms);
    delivery_probe_hurry(&p.limits);
    enum rc rc = push_config_make(&p.config, cfg, &e);
    if (rc != RC_OK)
        findings_add(f, FINDING_FAIL, SUBJECT, "%s", e.msg);
    else if (p.config.token_url)
        probe_with_token(&p);
    else
        probe_server(&p, NULL);
    push_config_free(&p.config);
}
