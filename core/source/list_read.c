#include "core/source/list_read.h"

#include <signal.h>
#include <uv.h>

#include "core/base/event_loop.h"

#define SIGNALS 3

struct list_read {
    uv_loop_t loop;
    uv_async_t stopped; /* the engine has stopped; it cannot be freed within its own callbacks */
    uv_signal_t signals[SIGNALS];
    size_t n_signals;
    struct http_engine *engine;
    struct lister *lister;
    bool is_ended;     /* `err` says how */
    struct err err;    /* RC_END: all was read */
    int signal_number; /* 0: none */
};

/* Ends the reading; only the first reason is kept. */
static void end(struct list_read *r, enum rc rc, const char *text)
{
    if (!r->is_ended)
        (void)err_set(&r->err, rc, "%s", text);
    r->is_ended = true;
}

static struct http_request *on_next(void *ctx)
{
    struct list_read *r = ctx;
    return r->is_ended ? NULL : lister_next(r->lister);
}

static void on_done(void *ctx, struct http_request *request)
{
    struct list_read *r = ctx;
    if (r->is_ended)
        return;
    enum rc rc = lister_take(r->lister, r->engine, request, &r->err);
    if (rc == RC_OK) {
        http_engine_kick(r->engine);
        return;
    }
    r->is_ended = true;
    r->err.rc = rc; /* RC_END has no message */
    http_engine_stop(r->engine, 0);
}

static void on_fatal(void *ctx, const struct err *e)
{
    struct list_read *r = ctx;
    end(r, e->rc, e->msg);
    http_engine_stop(r->engine, 0);
}

static void on_stopped(void *ctx)
{
    struct list_read *r = ctx;
    (void)uv_async_send(&r->stopped);
}

static void close_all(struct list_read *r)
{
    http_engine_free(r->engine);
    r->engine = NULL;
    for (size_t i = 0; i < r->n_signals; i++)
        uv_close((uv_handle_t *)&r->signals[i], NULL);
    uv_close((uv_handle_t *)&r->stopped, NULL);
}

static void on_async(uv_async_t *handle)
{
    close_all(handle->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct list_read *r = handle->data;
    if (!r->is_ended)
        r->signal_number = number;
    end(r, RC_STOPPED, rc_text(RC_STOPPED));
    http_engine_stop(r->engine, 0);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static enum rc watch_signals(struct list_read *r, struct err *e)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now;
    for (size_t i = 0; i < SIGNALS; i++) {
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN)
            continue;
        uv_signal_t *handle = &r->signals[r->n_signals];
        int failed = uv_signal_init(&r->loop, handle);
        if (!failed) {
            r->n_signals++;
            handle->data = r;
            failed = uv_signal_start(handle, on_signal, numbers[i]);
        }
        if (failed)
            return err_set(e, RC_NOMEM, "signals: %s", uv_strerror(failed));
    }
    return RC_OK;
}

static enum rc start(struct list_read *r, const struct list_read_cfg *cfg, struct err *e)
{
    struct http_engine_cfg engine = cfg->engine;
    engine.loop = &r->loop;
    engine.ctx = r;
    engine.next = on_next;
    engine.fatal = on_fatal;
    engine.stopped = on_stopped;
    enum rc rc = cfg->takes_signals ? watch_signals(r, e) : RC_OK;
    return rc == RC_OK ? http_engine_new(&r->engine, &engine, e) : rc;
}

static enum rc run(struct list_read *r, const struct list_read_cfg *cfg, struct err *e)
{
    enum rc rc = event_loop_init_with_wake(&r->loop, &r->stopped, on_async, e);
    if (rc != RC_OK)
        return rc;
    r->stopped.data = r;
    rc = start(r, cfg, e);
    if (rc == RC_OK)
        http_engine_kick(r->engine);
    else
        close_all(r);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&r->loop);
    if (rc == RC_OK && r->err.rc != RC_END) {
        *e = r->err;
        rc = e->rc;
    }
    return rc;
}

enum rc list_read(const struct list_read_cfg *cfg, struct lister_result *out, int *signal_number,
                  struct err *e)
{
    struct list_read r = {.is_ended = false};
    struct lister_cfg lister = cfg->lister;
    lister.done = on_done;
    *signal_number = 0;
    enum rc rc = lister_new(&r.lister, &lister, e);
    if (rc != RC_OK)
        return rc;
    rc = run(&r, cfg, e);
    *signal_number = r.signal_number;
    lister_result(r.lister, out);
    lister_free(r.lister);
    return rc;
}
