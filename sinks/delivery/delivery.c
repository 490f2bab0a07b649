#include "sinks/delivery/delivery.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "sinks/delivery/answer.h"
#include "core/base/event_loop.h"
#include "core/base/thread.h"

struct delivery {
    struct delivery_cfg cfg;
    pthread_t thread;
    bool has_thread;

    /* of the delivery's thread, once it runs */
    uv_loop_t loop;
    struct http_engine *engine; /* NULL once it has stopped */
    struct rng rng;
    bool engine_idle;                     /* it was stopped, and nothing is inside any more */
    bool protocol_runs, protocol_stopped; /* its own engines */
    uint64_t n_begun;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* `free`, `closed` or `stopping` */
    /* all below: under `lock` */
    uv_async_t wake;
    bool can_wake;               /* `wake` is open */
    struct message_list ready;   /* sent, not yet with the engine */
    struct message_list waiting; /* for delivery_continue() */
    struct message *free;
    struct message *all; /* newest first */
    size_t n_messages;   /* in `all` */
    size_t n_sent;       /* that have not ended */
    size_t sent_bytes;   /* their bodies */
    uint64_t delivered, failed;
    bool ending;   /* nothing more will be sent */
    bool stopping; /* from outside */
    int64_t grace_ms;
    bool closed; /* by the receiver; the two below are set before and never change */
    char closed_code[16];
    char closed_text[sizeof((struct err *)0)->msg];
};

/* ---- messages -------------------------------------------------------------------------------- */

/* Under the lock. */
static void wake(struct delivery *d)
{
    if (d->can_wake)
        (void)uv_async_send(&d->wake);
}

/* Under the lock. */
static bool is_over(const struct delivery *d)
{
    return d->closed || d->stopping;
}

static void clear(struct delivery *d, struct message *p)
{
    message_clear(p, d->cfg.keep_bytes_max / d->cfg.messages_max);
    if (d->cfg.protocol->cleared)
        d->cfg.protocol->cleared(d->cfg.protocol_ctx, p);
}

/* The message's leads get their verdicts, and it may be filled again. */
static void message_end(struct delivery *d, struct message *p, const struct verdicts *v)
{
    uint64_t delivered = 0;
    uint64_t failed = 0;
    for (size_t i = 0; i < v->n; i++) {
        delivered += v->list[i].kind == VERDICT_ACCEPTED;
        failed += v->list[i].kind == VERDICT_FAILED && v->list[i].attempts > 0;
    }
    size_t bytes = p->body.len;
    d->cfg.settle(d->cfg.ctx, p, v);
    clear(d, p);
    pthread_mutex_lock(&d->lock);
    d->delivered += delivered;
    d->failed += failed;
    p->next = d->free;
    d->free = p;
    d->n_sent--;
    d->sent_bytes -= bytes;
    pthread_cond_broadcast(&d->changed);
    if (d->ending && d->n_sent == 0)
        wake(d);
    pthread_mutex_unlock(&d->lock);
    if (d->cfg.host && d->cfg.host->releases)
        d->cfg.host->releases(d->cfg.host->ctx, bytes);
}

void *delivery_protocol_ctx(const struct delivery *d)
{
    return d->cfg.protocol_ctx;
}

struct verdict delivery_refusal(struct delivery *d)
{
    pthread_mutex_lock(&d->lock);
    bool closed = d->closed;
    pthread_mutex_unlock(&d->lock);
    if (!closed)
        return (struct verdict){.kind = VERDICT_PENDING};
    return (struct verdict){
        .kind = VERDICT_FAILED,
        .code = d->closed_code,
        .error = d->closed_text,
    };
}

static void end_with(struct delivery *d, struct message *p, const struct verdict *v)
{
    struct verdicts all = {v, 1};
    if (d->cfg.protocol->refused)
        d->cfg.protocol->refused(d->cfg.protocol_ctx, p, v, &all);
    message_end(d, p, &all);
}

/* It was not delivered because nothing is any more. */
static void message_refuse(struct delivery *d, struct message *p)
{
    struct verdict v = delivery_refusal(d);
    v.attempts = p->request.attempts;
    v.http_status = p->request.status;
    end_with(d, p, &v);
}

void delivery_close(struct delivery *d, int status, const char *text)
{
    pthread_mutex_lock(&d->lock);
    if (!d->closed) {
        if (status)
            (void)snprintf(d->closed_code, sizeof d->closed_code, "http_%d", status);
        else
            (void)snprintf(d->closed_code, sizeof d->closed_code, "closed");
        (void)snprintf(d->closed_text, sizeof d->closed_text, "%s", text);
        d->closed = true;
        pthread_cond_broadcast(&d->changed);
        wake(d); /* the engine cannot be stopped from within its own callbacks */
    }
    pthread_mutex_unlock(&d->lock);
}

/* ---- what the engine asks and reports (delivery's thread) --------------------------------- */

static void give_back(struct delivery *d, struct message_list *list, struct message *p)
{
    pthread_mutex_lock(&d->lock);
    message_list_add_first(list, p);
    wake(d);
    pthread_mutex_unlock(&d->lock);
}

static void on_done(void *ctx, struct http_request *r)
{
    struct delivery *d = ctx;
    struct message *p = r->owner;
    struct verdicts v = {0};
    if (r->end == HTTP_ABORTED) {
        message_refuse(d, p);
        return;
    }
    enum delivery_step step = d->cfg.protocol->answered(d->cfg.protocol_ctx, d, p, &v);
    if (step == DELIVERY_AGAIN)
        give_back(d, &d->ready, p);
    else if (step == DELIVERY_SETTLED)
        message_end(d, p, &v);
}

/* Not tried again because the run is stopped: whatever attempts it had left are the next run's. */
static bool leave_to_next_run(struct delivery *d, struct message *p)
{
    pthread_mutex_lock(&d->lock);
    bool leaves = d->stopping && !d->closed;
    pthread_mutex_unlock(&d->lock);
    if (leaves)
        give_back(d, &d->ready, p); /* to be refused as pending */
    return leaves;
}

bool delivery_retry(struct delivery *d, struct message *p, const char *why)
{
    return http_engine_retry(d->engine, &p->request, why) || leave_to_next_run(d, p);
}

bool delivery_limited(struct delivery *d, struct message *p)
{
    return http_engine_limited(d->engine, &p->request) || leave_to_next_run(d, p);
}

static void fail_unsent(struct delivery *d, struct message *p, const struct err *e)
{
    const struct verdict v = {.kind = VERDICT_FAILED, .code = "request", .error = e->msg};
    end_with(d, p, &v);
}

static struct http_request *on_next(void *ctx)
{
    struct delivery *d = ctx;
    struct err e;
    for (;;) {
        pthread_mutex_lock(&d->lock);
        struct message *p = is_over(d) ? NULL : message_list_take(&d->ready);
        pthread_mutex_unlock(&d->lock);
        if (!p)
            return NULL;
        if (p->n_requests++ == 0)
            p->ordinal = d->n_begun++;
        p->request = (struct http_request){
            .owner = p,
            .done = on_done,
            .answer = p->request.answer,
        };
        buf_clear(&p->request.answer);
        enum rc rc = d->cfg.protocol->request(d->cfg.protocol_ctx, d, p, &p->request, &e);
        if (rc == RC_OK)
            return &p->request;
        if (rc == RC_BUSY)
            give_back(d, &d->waiting, p);
        else
            fail_unsent(d, p, &e);
    }
}

void delivery_continue(struct delivery *d)
{
    pthread_mutex_lock(&d->lock);
    for (struct message *p; (p = message_list_take(&d->waiting));)
        message_list_add_first(&d->ready, p); /* the first was put there last */
    wake(d);
    pthread_mutex_unlock(&d->lock);
}

void delivery_wake(struct delivery *d)
{
    pthread_mutex_lock(&d->lock);
    wake(d);
    pthread_mutex_unlock(&d->lock);
}

static void on_fatal(void *ctx, const struct err *e)
{
    delivery_close(ctx, 0, e->msg);
}

static void on_stopped(void *ctx)
{
    struct delivery *d = ctx;
    d->engine_idle = true;
    pthread_mutex_lock(&d->lock);
    wake(d); /* it cannot be freed from within its own callbacks */
    pthread_mutex_unlock(&d->lock);
}

/* ---- the delivery's thread ------------------------------------------------------------------ */

static void free_idle_engine(struct delivery *d)
{
    if (!d->engine || !d->engine_idle)
        return;
    http_engine_free(d->engine);
    d->engine = NULL;
}

/* Under the lock: the loop ends when its last handle is closed. */
static void close_wake(struct delivery *d)
{
    if (d->can_wake)
        uv_close((uv_handle_t *)&d->wake, NULL);
    d->can_wake = false;
}

/* The protocol's engines are stopped with the last message, or when nothing is sent any more: no request will
 * need what they would bring. They are freed after the delivery's own, whose answers may still be read. */
static void stop_protocol(struct delivery *d, bool now)
{
    const struct delivery_protocol *protocol = d->cfg.protocol;
    if (d->protocol_runs && now && !d->protocol_stopped) {
        d->protocol_stopped = true;
        protocol->stop(d->cfg.protocol_ctx);
    }
    if (d->protocol_stopped && d->protocol_runs && !d->engine)
        d->protocol_runs = !protocol->ended(d->cfg.protocol_ctx);
}

/* Under the lock. */
static struct message_list take_all(struct message_list *list)
{
    struct message_list all = *list;
    *list = (struct message_list){NULL, NULL};
    return all;
}

static void refuse_all(struct delivery *d, struct message_list list)
{
    for (struct message *p; (p = message_list_take(&list));)
        message_refuse(d, p);
}

static void on_wake(uv_async_t *handle)
{
    struct delivery *d = handle->data;
    free_idle_engine(d);
    pthread_mutex_lock(&d->lock);
    bool over = is_over(d);
    bool finished = d->ending && d->n_sent == 0;
    /* What a closed receiver has in hand may still be answered; nothing is tried again. */
    int64_t grace_ms = d->stopping ? d->grace_ms : d->cfg.retry.timeout_ms;
    struct message_list refused[2] = {{NULL, NULL}, {NULL, NULL}};
    if (over) { /* the engine will not ask for them */
        refused[0] = take_all(&d->ready);
        refused[1] = take_all(&d->waiting);
    }
    pthread_mutex_unlock(&d->lock);
    stop_protocol(d, over || finished);
    pthread_mutex_lock(&d->lock);
    if (finished && !d->engine && !d->protocol_runs)
        close_wake(d);
    pthread_mutex_unlock(&d->lock);
    refuse_all(d, refused[0]);
    refuse_all(d, refused[1]);
    if (!d->engine)
        return;
    if (over || finished)
        http_engine_stop(d->engine, finished ? 0 : grace_ms);
    else
        http_engine_kick(d->engine);
}

static void *run_loop(void *arg)
{
    struct delivery *d = arg;
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- setting up, taking down ---------------------------------------------------------------- */

/* A receiver's 501 may be gone with its next release; a provider's says that it never will. */
static bool is_retryable(int status)
{
    return status == 408 || status == 425 || status == 429 || status / 100 == 5;
}

static enum rc start_engine(struct delivery *d, struct err *e)
{
    const struct delivery_cfg *cfg = &d->cfg;
    const struct http_engine_cfg engine = {
        .loop = &d->loop,
        .clock = cfg->clock,
        .rng = &d->rng,
        .log = cfg->log,
        .subject = cfg->subject,
        .headers = cfg->headers,
        .n_headers = cfg->n_headers,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = cfg->proxy,
        .version = cfg->http_version,
        .concurrency = cfg->concurrency,
        .concurrency_max = cfg->concurrency,
        .rate_per_s = cfg->rate_per_s,
        .retry = cfg->retry,
        .max_body = cfg->max_answer,
        .retryable = is_retryable,
        .head_is_enough = cfg->head_is_enough,
        .max_error_body = cfg->max_error_answer,
        .ctx = d,
        .next = on_next,
        .fatal = on_fatal,
        .stopped = on_stopped,
    };
    return http_engine_new(&d->engine, &engine, e);
}

/* Closes what the thread would have closed had it started. */
static void abandon_loop(struct delivery *d)
{
    if (d->engine)
        http_engine_free(d->engine);
    d->engine = NULL;
    if (d->protocol_runs)
        (void)d->cfg.protocol->ended(d->cfg.protocol_ctx);
    d->protocol_runs = false;
    close_wake(d);
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&d->loop);
}

static enum rc start(struct delivery *d, struct err *e)
{
    enum rc rc = event_loop_init_with_wake(&d->loop, &d->wake, on_wake, e);
    if (rc != RC_OK) {
        err_prefix(e, "%s", d->cfg.subject);
        return rc;
    }
    d->wake.data = d;
    d->can_wake = true;
    rc = start_engine(d, e);
    if (rc == RC_OK && d->cfg.protocol->start) {
        rc = d->cfg.protocol->start(d->cfg.protocol_ctx, d, &d->loop, e);
        d->protocol_runs = rc == RC_OK;
    }
    if (rc == RC_OK) {
        int failed = thread_start(&d->thread, run_loop, d);
        d->has_thread = !failed;
        if (failed)
            rc = err_sys(e, RC_NOMEM, failed, "%s: cannot start a thread", d->cfg.subject);
    }
    if (rc != RC_OK)
        abandon_loop(d);
    return rc;
}

enum rc delivery_new(struct delivery **out, const struct delivery_cfg *cfg, struct err *e)
{
    struct delivery *d = calloc(1, sizeof *d);
    if (!d)
        return err_nomem(e);
    d->cfg = *cfg;
    rng_seed_system(&d->rng);
    enum rc rc = RC_NOMEM;
    if (pthread_mutex_init(&d->lock, NULL))
        goto no_lock;
    if (pthread_cond_init(&d->changed, NULL))
        goto no_cond;
    rc = start(d, e);
    if (rc != RC_OK)
        goto not_started;
    *out = d;
    return RC_OK;

not_started:
    pthread_cond_destroy(&d->changed);
no_cond:
    pthread_mutex_destroy(&d->lock);
no_lock:
    free(d);
    return rc == RC_NOMEM ? err_nomem(e) : rc;
}

void delivery_free(struct delivery *d)
{
    if (!d)
        return;
    if (d->has_thread) {
        delivery_stop(d, 0);
        delivery_end(d);
    }
    (void)uv_loop_close(&d->loop);
    for (struct message *older, *p = d->all; p; p = older) {
        older = p->older;
        clear(d, p);
        message_free(p);
    }
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- the filling side ----------------------------------------------------------------------- */

/* Under the lock. */
static struct message *make_message(struct delivery *d)
{
    struct message *p = message_new(d, d->cfg.leads_max, d->cfg.body_max);
    if (!p)
        return NULL;
    p->older = d->all;
    d->all = p;
    d->n_messages++;
    return p;
}

/* Under the lock. */
static bool has_room(const struct delivery *d)
{
    return (d->free || d->n_messages < d->cfg.messages_max) &&
           d->sent_bytes < d->cfg.sent_bytes_max;
}

/* Under the lock. */
static bool gives_messages(const struct delivery *d)
{
    return !d->closed && (!d->stopping || d->cfg.fill_when_stopped);
}

enum rc delivery_take(struct delivery *d, struct message **out)
{
    enum rc rc = RC_OK;
    struct message *p = NULL;
    pthread_mutex_lock(&d->lock);
    while (gives_messages(d) && !has_room(d))
        pthread_cond_wait(&d->changed, &d->lock);
    if (gives_messages(d) && d->free) {
        p = d->free;
        d->free = p->next;
        p->next = NULL;
    } else if (gives_messages(d)) {
        p = make_message(d);
        rc = p ? RC_OK : RC_NOMEM;
    }
    pthread_mutex_unlock(&d->lock);
    if (rc == RC_OK)
        *out = p;
    return rc;
}

void delivery_hold(struct delivery *d, struct message *p)
{
    pthread_mutex_lock(&d->lock);
    d->n_sent++;
    d->sent_bytes += p->body.len;
    pthread_mutex_unlock(&d->lock);
    if (d->cfg.host && d->cfg.host->holds)
        d->cfg.host->holds(d->cfg.host->ctx, p->body.len);
}

void delivery_release(struct delivery *d, struct message *p, enum rc rc)
{
    const struct verdict pending = {.kind = VERDICT_PENDING};
    pthread_mutex_lock(&d->lock);
    bool over = is_over(d);
    if (rc == RC_OK && !over) {
        message_list_add(&d->ready, p);
        wake(d);
    }
    pthread_mutex_unlock(&d->lock);
    if (rc != RC_OK)
        end_with(d, p, &pending);
    else if (over)
        message_refuse(d, p);
}

void delivery_drop(struct delivery *d, struct message *p)
{
    delivery_hold(d, p);
    delivery_release(d, p, RC_STOPPED);
}

bool delivery_is_stopping(struct delivery *d)
{
    pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping;
    pthread_mutex_unlock(&d->lock);
    return stopping;
}

void delivery_stop(struct delivery *d, int64_t grace_ms)
{
    pthread_mutex_lock(&d->lock);
    if (!d->stopping || grace_ms < d->grace_ms)
        d->grace_ms = grace_ms;
    d->stopping = true;
    pthread_cond_broadcast(&d->changed);
    wake(d);
    pthread_mutex_unlock(&d->lock);
}

void delivery_end(struct delivery *d)
{
    pthread_mutex_lock(&d->lock);
    d->ending = true;
    wake(d);
    pthread_mutex_unlock(&d->lock);
    if (d->has_thread)
        (void)pthread_join(d->thread, NULL);
    d->has_thread = false;
}

void delivery_count(const struct delivery *d, struct delivery_counts *out)
{
    *out = (struct delivery_counts){d->delivered, d->failed};
}
