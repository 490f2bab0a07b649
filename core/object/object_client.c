#include "core/object/object_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/thread.h"
#include "core/http/retry_after.h"
#include "core/object/s3_error.h"
#include "core/object/s3_url.h"

#define CONCURRENCY 16
#define ANSWER_BYTES_MAX ((size_t)2 << 20) /* of a list of 1,000 parts or uploads, and more */
#define ERROR_BYTES_MAX ((size_t)64 << 10)
#define URL_BYTES_MAX ((size_t)32 << 10)
#define FIELD_BYTES_MAX 127
#define SKEW_TRIES_MAX 2
#define RENEWALS_MAX 4 /* of one call: whoever writes the file may not do so at once */
/* After the run's time to stop is over, for all calls together; and how often that is checked. */
#define STOP_GRACE_US INT64_C(5000000)
#define WAIT_MS 100

struct object_call {
    struct http_request http;
    struct object_client *client;
    struct buf url; /* with a NUL behind it */
    struct str path, query;
    struct buf body;
    char payload_hash[SIGV4_HASH_CHARS + 1];
    char upload[FIELD_BYTES_MAX + 1]; /* "": none */
    char
        answer_upload[FIELD_BYTES_MAX + 1]; /* of the client's thread, until it is done: as below */
    unsigned skew_tries, renewals;
    const struct aws_keys *keys; /* that the last attempt was signed with */
    struct s3_error error;
    struct err renewal;       /* RC_OK: there were other credentials, or nobody asked for them */
    struct object_call *next; /* in the queue */
    /* under the client's lock */
    bool is_done, is_abandoned;
};

struct object_client {
    const struct object_http_cfg *cfg;
    char *origin;
    char host[512];
    pthread_t thread;
    bool has_thread;

    /* of its thread, once it runs */
    uv_loop_t loop;
    struct http_engine *engine; /* NULL once it has stopped */
    struct rng rng;
    int64_t skew_ms; /* of the server's clock against ours */
    bool engine_idle;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a call is done */
    /* all below: under `lock` */
    uv_async_t wake;
    bool can_wake;
    struct object_call *first, **last; /* begun, not yet with the engine */
    bool ending;
    struct err fatal;    /* nothing can be sent any more; rc RC_OK: it can */
    int64_t given_up_us; /* by the monotonic clock; 0: the run was not stopped yet */
};

/* ---- calls ---------------------------------------------------------------------------------- */

static void call_destroy(struct object_call *call)
{
    buf_free(&call->url);
    buf_free(&call->body);
    buf_free(&call->http.answer);
    buf_free(&call->http.fields);
    free(call);
}

/* On the client's thread, or where there is none any more. */
static void call_end(struct object_call *call)
{
    struct object_client *c = call->client;
    buf_free(&call->body); /* it has many megabytes */
    pthread_mutex_lock(&c->lock);
    bool is_abandoned = call->is_abandoned;
    call->is_done = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (is_abandoned)
        call_destroy(call);
}

static const char *method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    };
    return names[method];
}

/* ---- what the engine calls (the client's thread) -------------------------------- */

static enum rc on_sign(struct http_request *r, int64_t wall_ms, struct buf *out)
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

static void keep_field(char out[FIELD_BYTES_MAX + 1], struct str value)
{
    size_t n = value.len <= FIELD_BYTES_MAX ? value.len : 0;
    if (n)
        memcpy(out, value.ptr, n);
    out[n] = '\0';
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

static void on_done(void *ctx, struct http_request *r)
{
    struct object_client *c = ctx;
    struct object_call *call = r->owner;
    keep_field(call->answer_upload, http_field(r, SIGV4_UPLOAD_FIELD, 0));
    if (r->end == HTTP_ANSWERED) {
        s3_error_read(&call->error, r->status, buf_str(&r->answer), c->cfg->secrets);
        if (call->error.code[0] && is_tried_again(call))
            return;
    }
    call_end(call);
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

static void on_fatal(void *ctx, const struct err *e)
{
    struct object_client *c = ctx;
    pthread_mutex_lock(&c->lock);
    if (c->fatal.rc == RC_OK)
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
        call_end(first);
        first = next;
    }
}

static void on_wake(uv_async_t *handle)
{
    struct object_client *c = handle->data;
    struct object_call *refused = NULL;
    if (c->engine && c->engine_idle) {
        http_engine_free(c->engine);
        c->engine = NULL;
    }
    pthread_mutex_lock(&c->lock);
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
        .max_body = ANSWER_BYTES_MAX,
        .max_error_body = ERROR_BYTES_MAX,
        .retryable = is_retryable,
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
    int failed = uv_loop_init(&c->loop);
    if (failed)
        return err_set(e, RC_NOMEM, "%s: event loop: %s", c->origin, uv_strerror(failed));
    failed = uv_async_init(&c->loop, &c->wake, on_wake);
    if (failed) {
        (void)uv_loop_close(&c->loop);
        return err_set(e, RC_NOMEM, "%s: event loop: %s", c->origin, uv_strerror(failed));
    }
    c->wake.data = c;
    c->can_wake = true;
    enum rc rc = start_engine(c, e);
    if (rc == RC_OK) {
        failed = thread_start(&c->thread, run_loop, c);
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
    rc = RC_NOMEM;
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
    return rc == RC_NOMEM ? err_nomem(e) : rc;
}

void object_client_free(struct object_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    if (c->can_wake)
        (void)uv_async_send(&c->wake);
    pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->thread, NULL);
    (void)uv_loop_close(&c->loop);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->origin);
    free(c);
}

const char *object_client_origin(const struct object_client *c)
{
    return c->origin;
}

/* ---- the calling side ----------------------------------------------------------------------- */

static enum rc put_url(struct object_call *call, const struct object_request *r)
{
    buf_init(&call->url, URL_BYTES_MAX);
    buf_adds(&call->url, call->client->origin);
    size_t path = call->url.len;
    buf_add_str(&call->url, r->path);
    if (r->query.len)
        buf_addc(&call->url, '?');
    size_t query = call->url.len;
    buf_add_str(&call->url, r->query);
    call->http.url = buf_cstr(&call->url);
    call->path = (struct str){call->url.data + path, r->path.len};
    call->query = (struct str){call->url.data + query, r->query.len};
    return buf_rc(&call->url);
}

static void enqueue(struct object_call *call)
{
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    bool over = c->ending || c->fatal.rc != RC_OK;
    if (over) {
        call->http.end = HTTP_ABORTED;
        call->is_done = true;
    } else {
        *c->last = call;
        c->last = &call->next;
        if (c->can_wake)
            (void)uv_async_send(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
}

enum rc object_call_begin(struct object_call **out, struct object_client *c,
                          struct object_request *r, struct err *e)
{
    static const char *const wanted[] = {"Date", SIGV4_UPLOAD_FIELD, NULL};
    struct object_call *call = calloc(1, sizeof *call);
    if (!call) {
        buf_free(&r->body);
        return err_nomem(e);
    }
    call->client = c;
    call->body = r->body;
    buf_init(&r->body, 0);
    if (r->upload)
        keep_field(call->upload, str_c(r->upload));
    enum rc rc = put_url(call, r);
    if (rc == RC_OK)
        rc = sigv4_hash(buf_str(&call->body), call->payload_hash);
    if (rc != RC_OK) {
        call_destroy(call);
        return err_set(e, rc, "%s: %s", c->origin, rc_text(rc));
    }
    call->http.owner = call;
    call->http.done = on_done;
    call->http.wanted = wanted;
    call->http.sign = on_sign;
    call->http.method = r->method;
    call->http.body = buf_str(&call->body);
    buf_init(&call->http.answer, ANSWER_BYTES_MAX + 1);
    enqueue(call);
    *out = call;
    return RC_OK;
}

/* Under the lock. Is the time over in which calls are waited for? */
static bool has_given_up(struct object_client *c)
{
    if (!c->cfg->stop || !stop_timer_is_over(c->cfg->stop))
        return false;
    int64_t now = clock_mono_us(c->cfg->clock);
    if (c->given_up_us == 0)
        c->given_up_us = now + STOP_GRACE_US;
    return now >= c->given_up_us;
}

static void wait_a_little(struct object_client *c)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

enum rc object_call_wait(struct object_call *call, struct err *e)
{
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    while (!call->is_done && !has_given_up(c))
        wait_a_little(c);
    bool is_done = call->is_done;
    struct err fatal = c->fatal;
    pthread_mutex_unlock(&c->lock);
    if (!is_done)
        return err_set(e, RC_STOPPED, "the run was stopped, and %s did not respond in time",
                       c->origin);
    const struct http_request *r = &call->http;
    if (r->end == HTTP_ANSWERED && !call->error.code[0])
        return RC_OK;
    if (r->end == HTTP_ANSWERED)
        return s3_error_text(&call->error, r->attempts, call->renewal.msg, e);
    if (r->end == HTTP_ABORTED && fatal.rc != RC_OK)
        return err_set(e, RC_IO, "%s", fatal.msg);
    if (r->end == HTTP_ABORTED)
        return err_set(e, RC_STOPPED, "the run was stopped");
    return err_set(e, RC_IO, "%s: %s", c->origin, r->error);
}

struct str object_call_answer(const struct object_call *call)
{
    return buf_str(&call->http.answer);
}

int object_call_status(const struct object_call *call)
{
    return call->http.end == HTTP_ANSWERED ? call->http.status : 0;
}

const char *object_call_code(const struct object_call *call)
{
    return call->error.code;
}

const char *object_call_upload(const struct object_call *call)
{
    return call->answer_upload;
}

void object_call_free(struct object_call *call)
{
    if (!call)
        return;
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    bool is_done = call->is_done;
    call->is_abandoned = true;
    pthread_mutex_unlock(&c->lock);
    if (is_done)
        call_destroy(call);
}
