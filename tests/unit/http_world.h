/* An engine, and a server for it on the same loop, which answers as a script says. Time stands
 * still while requests are in flight; when all are waiting it jumps to when the engine next has
 * something to do. */
#ifndef LEADPIPE_TESTS_HTTP_WORLD_H
#define LEADPIPE_TESTS_HTTP_WORLD_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "core/http/http.h"

#include "cmocka_all.h"

#define WORLD_REQUESTS 512
#define WORLD_LOG_BYTES 65536

struct world;

/* A connection at the server. */
struct peer {
    uv_tcp_t tcp;
    struct world *w;
    char in[16384];
    size_t n;
};

/* What the server was asked. */
struct asked {
    const char *path;
    const char *head; /* the whole of it */
    struct str body;
    unsigned nth; /* how many requests came before, on all paths */
};

struct world {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t watchdog, heartbeat;
    bool listening;
    int port;
    void (*script)(struct world *w, struct peer *p, const struct asked *a);
    unsigned asked, open_now, open_most; /* requests seen, connections */
    unsigned counts[WORLD_REQUESTS];     /* requests seen for "/N" */

    struct clock clock;
    int64_t now_us, wall_ms;
    struct rng rng;
    struct log_hook log;
    char logged[WORLD_LOG_BYTES];
    struct http_engine_cfg cfg;
    struct http_engine *engine;

    struct http_request requests[WORLD_REQUESTS];
    char urls[WORLD_REQUESTS][64];
    unsigned n, taken, done, stopped, fatals;
    struct err fatal;
    bool (*on_done)(struct world *w, struct http_request *r); /* false: continues */
    int64_t
        started_us[WORLD_REQUESTS]; /* by the clock, in the order in which the server saw them */
    void *any;
};

/* ---- the server ----------------------------------------------------------------------------- */

static inline void peer_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;
    p->w->open_now--;
    free(p);
}

static inline void peer_close(struct peer *p)
{
    if (!uv_is_closing((uv_handle_t *)&p->tcp))
        uv_close((uv_handle_t *)&p->tcp, peer_closed);
}

struct sending {
    uv_write_t write;
    struct peer *peer;
    bool close;
    char bytes[];
};

static inline void sent(uv_write_t *write, int status)
{
    struct sending *s = write->data;
    if (s->close || status < 0)
        peer_close(s->peer);
    free(s);
}

static inline void reply_bytes(struct peer *p, const void *bytes, size_t n, bool close)
{
    struct sending *s = malloc(sizeof *s + n);
    assert_non_null(s);
    memcpy(s->bytes, bytes, n);
    s->peer = p;
    s->close = close;
    s->write.data = s;
    uv_buf_t b = uv_buf_init(s->bytes, (unsigned)n);
    assert_int_equal(uv_write(&s->write, (uv_stream_t *)&p->tcp, &b, 1, sent), 0);
}

/* `head` is the status and header lines, such as "200 OK\r\nX: y". */
static inline void reply(struct peer *p, const char *head, const char *body)
{
    char text[8192];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head,
                     strlen(body), body);
    assert_in_range(n, 1, sizeof text - 1);
    reply_bytes(p, text, (size_t)n, false);
}

static inline void peer_handle(struct peer *p, char *end_of_head, size_t body_bytes)
{
    struct world *w = p->w;
    char path[128] = "";
    struct asked a = {path, p->in, {end_of_head, body_bytes}, w->asked};
    (void)sscanf(p->in, "%*s %127s", path);
    unsigned i = (unsigned)strtoul(path + 1, NULL, 10);
    if (w->asked < WORLD_REQUESTS)
        w->started_us[w->asked] = w->now_us;
    w->asked++;
    w->counts[i < WORLD_REQUESTS ? i : 0]++;
    w->script(w, p, &a);
}

static inline void peer_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct peer *p = stream->data;
    (void)buf;
    if (n <= 0) {
        if (n < 0)
            peer_close(p);
        return;
    }
    p->n += (size_t)n;
    p->in[p->n] = '\0';
    char *end = strstr(p->in, "\r\n\r\n");
    if (!end)
        return;
    const char *length = strstr(p->in, "Content-Length: ");
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    end += 4;
    if (p->n < (size_t)(end - p->in) + body)
        return;
    p->n = 0;
    peer_handle(p, end, body);
}

static inline void peer_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct peer *p = handle->data;
    (void)size;
    *out = uv_buf_init(p->in + p->n, (unsigned)(sizeof p->in - 1 - p->n));
}

static inline void accept_peer(uv_stream_t *listener, int status)
{
    struct world *w = listener->data;
    struct peer *p = calloc(1, sizeof *p);
    assert_int_equal(status, 0);
    assert_non_null(p);
    p->w = w;
    assert_int_equal(uv_tcp_init(&w->loop, &p->tcp), 0);
    p->tcp.data = p;
    if (++w->open_now > w->open_most)
        w->open_most = w->open_now;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->tcp), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&p->tcp, peer_alloc, peer_read), 0);
}

static inline void world_listen(struct world *w)
{
    struct sockaddr_in a;
    int size = sizeof a;
    assert_int_equal(uv_ip4_addr("127.0.0.1", w->port, &a), 0);
    assert_int_equal(uv_tcp_init(&w->loop, &w->listener), 0);
    w->listener.data = w;
    assert_int_equal(uv_tcp_bind(&w->listener, (const struct sockaddr *)&a, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&w->listener, 128, accept_peer), 0);
    assert_int_equal(uv_tcp_getsockname(&w->listener, (struct sockaddr *)&a, &size), 0);
    w->port = ntohs(a.sin_port);
    w->listening = true;
}

static inline void close_peers(uv_handle_t *handle, void *arg)
{
    struct world *w = arg;
    if (handle->type == UV_TCP && handle != (uv_handle_t *)&w->listener)
        peer_close(handle->data);
}

/* As if the server's process had ended. */
static inline void world_unlisten(struct world *w)
{
    if (w->listening)
        uv_close((uv_handle_t *)&w->listener, NULL);
    w->listening = false;
    uv_walk(&w->loop, close_peers, w);
    for (int i = 0; i < 3; i++)
        (void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* ---- the engine's owner --------------------------------------------------------------------- */

static inline int64_t world_mono_us(const struct clock *c)
{
    return ((const struct world *)(const void *)((const char *)c - offsetof(struct world, clock)))
        ->now_us;
}

static inline int64_t world_wall_ms(const struct clock *c)
{
    return ((const struct world *)(const void *)((const char *)c - offsetof(struct world, clock)))
        ->wall_ms;
}

static inline void world_log(void *ctx, enum log_level level, const char *subject, const char *msg)
{
    static const char letters[] = "EWWID";
    struct world *w = ctx;
    size_t n = strlen(w->logged);
    (void)snprintf(w->logged + n, sizeof w->logged - n, "%c %s: %s\n", letters[level], subject,
                   msg);
}

static inline unsigned log_count(const struct world *w, const char *text)
{
    unsigned n = 0;
    for (const char *p = w->logged; (p = strstr(p, text)); p++)
        n++;
    return n;
}

static inline struct http_request *world_next(void *ctx)
{
    struct world *w = ctx;
    return w->taken < w->n ? &w->requests[w->taken++] : NULL;
}

static inline void world_done(void *ctx, struct http_request *r)
{
    struct world *w = ctx;
    if (!w->on_done || w->on_done(w, r))
        w->done++;
}

static inline void world_fatal(void *ctx, const struct err *e)
{
    struct world *w = ctx;
    w->fatals++;
    w->fatal = *e;
}

static inline void world_stopped(void *ctx)
{
    struct world *w = ctx;
    w->stopped++;
}

static inline void too_long(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the test hangs");
}

/* Keeps UV_RUN_ONCE from blocking after a timer has already done what it should. */
static inline void beat(uv_timer_t *timer)
{
    (void)timer;
}

/* Defaults that a test may change before world_open(). */
static inline struct world *world_new(void (*script)(struct world *, struct peer *,
                                                     const struct asked *))
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    (void)signal(SIGPIPE, SIG_IGN);
    w->script = script;
    w->now_us = 1000000000;
    w->wall_ms = INT64_C(1769738400000); /* Fri, 30 Jan 2026 02:00:00 GMT */
    w->clock = (struct clock){world_mono_us, world_wall_ms};
    rng_seed(&w->rng, 5);
    w->log = (struct log_hook){world_log, w, LOG_LEVEL_DEBUG};
    assert_int_equal(uv_loop_init(&w->loop), 0);
    assert_int_equal(uv_timer_init(&w->loop, &w->watchdog), 0);
    assert_int_equal(uv_timer_start(&w->watchdog, too_long, 20000, 0), 0);
    assert_int_equal(uv_timer_init(&w->loop, &w->heartbeat), 0);
    assert_int_equal(uv_timer_start(&w->heartbeat, beat, 1, 1), 0);
    world_listen(w);
    w->cfg = (struct http_engine_cfg){
        .loop = &w->loop,
        .clock = &w->clock,
        .rng = &w->rng,
        .log = &w->log,
        .subject = "origin",
        .user_agent = "leadpipe/test",
        .concurrency = 8,
        .concurrency_max = 64,
        .retry = {.attempts = 6,
                  .retry_max_time_ms = 300000,
                  .timeout_ms = 5000,
                  .connect_timeout_ms = 5000},
        .max_body = 1000,
        .max_error_body = 20,
        .ctx = w,
        .next = world_next,
        .fatal = world_fatal,
        .stopped = world_stopped,
    };
    return w;
}

static inline void world_open(struct world *w)
{
    struct err e;
    if (http_engine_new(&w->engine, &w->cfg, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

/* Request number w->n, to "/<number>". */
static inline struct http_request *world_get(struct world *w)
{
    struct http_request *r = &w->requests[w->n];
    (void)snprintf(w->urls[w->n], sizeof w->urls[0], "http://127.0.0.1:%d/%u", w->port, w->n);
    *r = (struct http_request){
        .owner = w, .done = world_done, .url = w->urls[w->n], .method = HTTP_GET};
    w->n++;
    return r;
}

static inline void world_step(struct world *w)
{
    struct http_stats s;
    http_engine_stats(w->engine, &s);
    int64_t due_us = http_engine_due_us(w->engine);
    if (s.in_flight == 0 && due_us > w->now_us && due_us < INT64_MAX) {
        w->wall_ms += (due_us - w->now_us) / 1000;
        w->now_us = due_us;
        http_engine_kick(w->engine);
    }
    (void)uv_run(&w->loop, UV_RUN_ONCE);
}

/* Until all requests are done. */
static inline void world_run(struct world *w)
{
    http_engine_kick(w->engine);
    while (w->done < w->n)
        world_step(w);
}

static inline void world_free(struct world *w)
{
    http_engine_free(w->engine);
    for (unsigned i = 0; i < w->n; i++)
        buf_free(&w->requests[i].answer);
    world_unlisten(w);
    uv_close((uv_handle_t *)&w->watchdog, NULL);
    uv_close((uv_handle_t *)&w->heartbeat, NULL);
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
}

#endif
