#include <stdlib.h>

#include "core/base/event_loop.h"
#include "core/base/thread.h"
#include "core/http/retry_after.h"
#include "core/object/object_private.h"
#include "core/object/s3_url.h"

#define CONCURRENCY 16
#define ERROR_BYTES_MAX ((size_t)64 << 10)
#define SKEW_TRIES_MAX 2
#define RENEWALS_MAX 4 /* of one call: whoever writes the file may not do so at once */

static const char *method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    };
    return names[method];
}

/* ---- what the engine calls (the client's thread) -------------------------------- */

enum rc object_client_sign(struct http_request *r, int64_t wall_ms, struct buf *out)
{
    struct object_call *call = r->owner;
    struct sigv4_request request = {
        .method = method_name(r->method),
        .path = call->path,
        .query = call->query,
        .host = call->client->host,
        .upload = call->upload[0] ? call->upload : NULL,
    };
    memcpy(request.payload_hash, call->payload_hash, sizeof request.payload_hash);
    const struct object_http_cfg *cfg = call->client->cfg;
    call->keys = aws_credentials_keys(cfg->credentials);
    const struct sigv4_keys keys = {call->keys->access_key, call->keys->secret_key,
                                    call->keys->session_token, cfg->region};
    return sigv4_sign(&keys, &request, wall_ms + call->client->skew_ms, out);
}

/* Takes the server's time, where it is another than the one that the request was signed with. */
static bool take_time(struct object_call *call)
{
    struct object_client *c = call->client;
    int64_t server_ms;
    if (call->skew_tries == SKEW_TRIES_MAX ||
        !http_date_parse(http_field(&call->http, "Date", 0), &server_ms))
        return false;
    call->skew_tries++;
    c->skew_ms = server_ms - clock_wall_ms(c->cfg->clock);
    log_msg(c->cfg->log, LOG_LEVEL_WARN, c->origin,
            "the clock of this machine is off by %lld s; using the server's time",
            (long long)(c->skew_ms < 0 ? -c->skew_ms : c->skew_ms) / 1000);
    return true;
}

/* Other credentials than those that were refused, where there are any. RC_BUSY: perhaps later. */
static enum rc renew(struct object_call *call)
{
    struct object_client *c = call->client;
    if (call->renewals == RENEWALS_MAX)
        return RC_END;
    call->renewals++;
    call->renewal = (struct err){.rc = RC_OK};
    enum rc rc = aws_credentials_renew(c->cfg->credentials, call->keys, &call->renewal);
    if (rc == RC_OK)
        log_msg(c->cfg->log, LOG_LEVEL_INFO, c->origin,
                "%s: using the new credentials of the credentials file", call->error.code);
    return rc;
}

/* The call's error has another attempt. One that was not signed well is not counted. */
static bool is_tried_again(struct object_call *call)
{
    struct http_engine *engine = call->client->engine;
    struct http_request *r = &call->http;
    const struct s3_error *error = &call->error;
    enum rc renewed = RC_END;
    if (s3_error_is_of_credentials(error, r->method == HTTP_HEAD))
        renewed = renew(call);
    bool has_other_time = s3_error_is(error, "RequestTimeTooSkewed") && take_time(call);
    if (renewed == RC_OK || has_other_time)
        return http_engine_verify(engine, r, error->code);
    /* A success may have an error behind its head, which says nothing of that. */
    bool is_worth_it = renewed == RC_BUSY || s3_error_is_temporary(error) ||
                       (r->status / 100 == 2 && s3_error_is_of_server(error));
    return is_worth_it && http_engine_retry(engine, r, error->code);
}

static void read_error(const struct object_client *c, const struct http_request *r,
                       struct s3_error *out)
{
    s3_error_read(out, r->status, buf_str(&r->answer), http_field(r, S3_REGION_FIELD, 0),
                  c->cfg->secrets);
    if (strcmp(out->region, c->cfg->region) == 0) /* to give it would change nothing */
        out->region[0] = '\0';
}

void object_client_done(void *client, struct http_request *r)
{
    struct object_client *c = client;
    struct object_call *call = r->owner;
    object_call_keep_field(call->answer_upload, http_field(r, SIGV4_UPLOAD_FIELD, 0));
    if (r->end == HTTP_ANSWERED) {
        read_error(c, r, &call->error);
        if (call->error.code[0] && is_tried_again(call))
            return;
    }
    object_call_end(call);
}

static struct http_request *on_next(void *ctx)
{
    struct object_client *c = ctx;
    pthread_mutex_lock(&c->lock);
    struct object_call *call = c->first;
    if (call) {
        c->first = call->next;
        if (!c->first)
            c->last = &c->first;
    }
    pthread_mutex_unlock(&c->lock);
    return call ? &call->http : NULL;
}

static void on_explain(void *ctx, const struct http_request *r, struct buf *out)
{
    struct object_client *c = ctx;
    struct s3_error error = {.status = 0};
    read_error(c, r, &error);
    if (s3_error_has_code(&error))
        buf_addf(out, "%s%s%s", error.code, error.message[0] ? ": " : "", error.message);
    c->last_refusal = error;
}

/* With what to do where it is the server's last refusal that ends the run. */
static void on_fatal(void *ctx, const struct err *e)
{
    struct object_client *c = ctx;
    const char *advice = s3_error_advice(&c->last_refusal);
    bool is_about_it = c->last_refusal.code[0] && strstr(e->msg, c->last_refusal.code);
    pthread_mutex_lock(&c->lock);
    if (c->fatal.rc == RC_OK && is_about_it && advice)
        (void)err_set(&c->fatal, e->rc, "%s; %s", e->msg, advice);
    else if (c->fatal.rc == RC_OK)
        c->fatal = *e;
    if (c->can_wake)
        (void)uv_async_send(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

static void on_stopped(void *ctx)
{
    struct object_client *c = ctx;
    c->engine_idle = true;
    pthread_mutex_lock(&c->lock);
    if (c->can_wake)
        (void)uv_async_send(&c->wake); /* it cannot be freed from within its own callbacks */
    pthread_mutex_unlock(&c->lock);
}

/* ---- the client's thread -------------------------------------------------------------------- */

static bool is_retryable(int status)
{
    return status == 408 || status == 429 || (status / 100 == 5 && status != 501 && status != 507);
}

static void close_wake(struct object_client *c)
{
    if (c->can_wake)
        uv_close((uv_handle_t *)&c->wake, NULL);
    c->can_wake = false;
}

/* Those that the engine will not ask for. */
static void refuse_calls(struct object_call *first)
{
    while (first) {
        struct object_call *next = first->next;
        first->http.end = HTTP_ABORTED;
        object_call_end(first);
        first = next;
    }
}

static void on_wake(uv_async_t *handle)
{
    struct object_client *c = handle->data;
    struct object_call *refused = NULL;
    pthread_mutex_lock(&c->lock);
    if (c->engine && c->engine_idle) {
        http_engine_free(c->engine);
        c->engine = NULL;
    }
    bool ending = c->ending;
    bool over = ending || c->fatal.rc != RC_OK;
    if (over) {
        refused = c->first;
        c->first = NULL;
        c->last = &c->first;
    }
    if (ending && !c->engine)
        close_wake(c);
    pthread_mutex_unlock(&c->lock);
    refuse_calls(refused);
    if (c->engine && over)
        http_engine_stop(c->engine, 0);
    else if (c->engine)
        http_engine_kick(c->engine);
}

static void *run_loop(void *client)
{
    struct object_client *c = client;
    (void)uv_run(&c->loop, UV_RUN_DEFAULT);
    return NULL;
}

static enum rc start_engine(struct object_client *c, struct err *e)
{
    const struct http_engine_cfg engine = {
        .loop = &c->loop,
        .clock = c->cfg->clock,
        .rng = &c->rng,
        .log = c->cfg->log,
        .subject = c->origin,
        .user_agent = c->cfg->user_agent,
        .cacert = c->cfg->cacert,
        .proxy = c->cfg->proxy,
        .version = c->cfg->version,
        .concurrency = CONCURRENCY,
        .concurrency_max = CONCURRENCY,
        .retry = c->cfg->retry,
        .max_body = OBJECT_ANSWER_BYTES_MAX,
        .max_error_body = ERROR_BYTES_MAX,
        .retryable = is_retryable,
        .explain = on_explain,
        .ctx = c,
        .next = on_next,
        .fatal = on_fatal,
        .stopped = on_stopped,
    };
    return http_engine_new(&c->engine, &engine, e);
}

/* ---- setting up, taking down ---------------------------------------------------------------- */

static enum rc start(struct object_client *c, struct err *e)
{
    enum rc rc = event_loop_init_with_wake(&c->loop, &c->wake, on_wake, e);
    if (rc != RC_OK) {
        err_prefix(e, "%s", c->origin);
        return rc;
    }
    c->wake.data = c;
    c->can_wake = true;
    rc = start_engine(c, e);
    if (rc == RC_OK) {
        int failed = thread_start(&c->thread, run_loop, c);
        c->has_thread = !failed;
        if (failed)
            rc = err_sys(e, RC_NOMEM, failed, "%s: cannot start a thread", c->origin);
    }
    if (rc == RC_OK)
        return RC_OK;
    http_engine_free(c->engine);
    close_wake(c);
    (void)uv_run(&c->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&c->loop);
    return rc;
}

static bool init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr))
        return false;
    bool made = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(cond, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return made;
}

static enum rc copy_origin(struct object_client *c, const char *origin, struct err *e)
{
    struct buf host;
    buf_init(&host, sizeof c->host - 1);
    s3_put_host(&host, origin);
    enum rc rc = buf_rc(&host);
    if (rc == RC_OK)
        memcpy(c->host, buf_cstr(&host), host.len + 1);
    buf_free(&host);
    c->origin = strdup(origin);
    if (rc == RC_LIMIT)
        return err_set(e, RC_USAGE, "%s: the host name is too long", origin);
    return rc == RC_OK && c->origin ? RC_OK : err_nomem(e);
}

enum rc object_client_new(struct object_client **out, const struct object_http_cfg *cfg,
                          const char *origin, struct err *e)
{
    struct object_client *c = calloc(1, sizeof *c);
    if (!c)
        return err_nomem(e);
    c->cfg = cfg;
    c->last = &c->first;
    rng_seed_system(&c->rng);
    enum rc rc = copy_origin(c, origin, e);
    if (rc != RC_OK)
        goto no_lock;
    rc = err_nomem(e); /* unless start() says more */
    if (pthread_mutex_init(&c->lock, NULL))
        goto no_lock;
    if (!init_cond(&c->changed))
        goto no_cond;
    rc = start(c, e);
    if (rc == RC_OK) {
        *out = c;
        return RC_OK;
    }
    pthread_cond_destroy(&c->changed);
no_cond:
    pthread_mutex_destroy(&c->lock);
no_lock:
    free(c->origin);
    free(c);
    return rc;
}

void object_client_free(struct object_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    object_call_wait_for_undone(c);
    c->ending = true;
    if (c->can_wake)
        (void)uv_async_send(&c->wake);
    pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->thread, NULL);
    (void)uv_loop_close(&c->loop);
    for (size_t i = 0; i < c->n_spares; i++)
        buf_free(&c->spares[i]);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->origin);
    free(c);
}

const char *object_client_origin(const struct object_client *c)
{
    return c->origin;
}
