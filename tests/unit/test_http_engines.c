/* Two engines on one loop, each for an origin of its own: neither's trouble is the other's. The first
 * is the world's; the second talks to another port of the same server. */
#include "http_world.h"

#define OTHERS 16
#define S INT64_C(1000000)

struct other {
    struct world *w;
    struct http_engine *engine;
    uv_tcp_t listener;
    int port;
    struct http_request requests[OTHERS];
    char urls[OTHERS][64];
    unsigned n, taken, done, fatals, stopped;
};

static struct http_request *other_next(void *ctx)
{
    struct other *o = ctx;
    return o->taken < o->n ? &o->requests[o->taken++] : NULL;
}

static void other_done(void *ctx, struct http_request *r)
{
    struct other *o = ctx;
    assert_in_range(r - o->requests, 0, OTHERS - 1);
    o->done++;
}

static void other_fatal(void *ctx, const struct err *e)
{
    struct other *o = ctx;
    (void)e;
    o->fatals++;
}

static void other_stopped(void *ctx)
{
    struct other *o = ctx;
    o->stopped++;
}

/* A port that is taken, and where nobody listens yet. */
static void other_bind(struct other *o)
{
    struct sockaddr_in a;
    int size = sizeof a;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &a), 0);
    assert_int_equal(uv_tcp_init(&o->w->loop, &o->listener), 0);
    o->listener.data = o->w;
    assert_int_equal(uv_tcp_bind(&o->listener, (const struct sockaddr *)&a, 0), 0);
    assert_int_equal(uv_tcp_getsockname(&o->listener, (struct sockaddr *)&a, &size), 0);
    o->port = ntohs(a.sin_port);
}

static void other_listen(struct other *o)
{
    assert_int_equal(uv_listen((uv_stream_t *)&o->listener, 128, accept_peer), 0);
}

static struct other *other_new(struct world *w)
{
    struct other *o = calloc(1, sizeof *o);
    struct err e;
    assert_non_null(o);
    o->w = w;
    other_bind(o);
    struct http_engine_cfg cfg = w->cfg;
    cfg.subject = "other";
    cfg.ctx = o;
    cfg.next = other_next;
    cfg.fatal = other_fatal;
    cfg.stopped = other_stopped;
    if (http_engine_new(&o->engine, &cfg, &e) != RC_OK)
        fail_msg("%s", e.msg);
    for (; o->n < OTHERS; o->n++) {
        (void)snprintf(o->urls[o->n], sizeof o->urls[0], "http://127.0.0.1:%d/5%02u", o->port,
                       o->n);
        o->requests[o->n] = (struct http_request){.done = other_done, .url = o->urls[o->n]};
    }
    return o;
}

static void other_free(struct other *o)
{
    http_engine_free(o->engine);
    for (unsigned i = 0; i < o->n; i++)
        buf_free(&o->requests[i].answer);
    uv_close((uv_handle_t *)&o->listener, NULL);
    (void)uv_run(&o->w->loop, UV_RUN_NOWAIT);
    free(o);
}

/* Time passes when neither has anything in flight. */
static void step(struct world *w, struct other *o)
{
    struct http_stats a, b;
    http_engine_stats(w->engine, &a);
    http_engine_stats(o->engine, &b);
    int64_t a_us = http_engine_due_us(w->engine), b_us = http_engine_due_us(o->engine);
    int64_t due_us = a_us < b_us ? a_us : b_us;
    if (a.in_flight + b.in_flight == 0 && due_us > w->now_us && due_us < INT64_MAX) {
        w->wall_ms += (due_us - w->now_us) / 1000;
        w->now_us = due_us;
        http_engine_kick(w->engine);
        http_engine_kick(o->engine);
    }
    (void)uv_run(&w->loop, UV_RUN_ONCE);
}

static void expect_served(const struct http_request *r, unsigned n, unsigned attempts)
{
    for (unsigned i = 0; i < n; i++) {
        if (r[i].end != HTTP_ANSWERED || r[i].status != 200 ||
            (attempts && r[i].attempts != attempts))
            fail_msg("request %u: end %d, status %d, attempts %u: %s", i, r[i].end, r[i].status,
                     r[i].attempts, r[i].error);
    }
}

static void answer(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    reply(p, "200 OK", a->path);
}

static void one_is_down_and_the_other_is_served(void **state)
{
    (void)state;
    struct http_stats s;
    struct world *w = world_new(answer);
    world_open(w);
    struct other *o = other_new(w);
    http_engine_kick(o->engine);
    do { /* nobody listens there */
        step(w, o);
        http_engine_stats(o->engine, &s);
    } while (!s.down);
    assert_int_equal(log_count(w, "W other: "), 1);
    assert_int_equal(log_count(w, "origin: "), 0);
    int64_t begun_us = w->now_us;
    for (unsigned i = 0; i < 100; i++)
        (void)world_get(w);
    http_engine_kick(w->engine);
    while (w->done < w->n)
        step(w, o);
    expect_served(w->requests, w->n, 1);
    assert_int_equal(w->now_us, begun_us); /* it did not wait for the other's probes */
    http_engine_stats(w->engine, &s);
    assert_int_equal(s.retries + s.no_answer + s.down, 0);
    assert_int_equal(s.statuses[200], 100);
    assert_int_equal(o->done, 0);

    other_listen(o);
    while (o->done < o->n)
        step(w, o);
    expect_served(o->requests, o->n, 0);
    http_engine_stats(o->engine, &s);
    assert_false(s.down);
    assert_int_equal(s.statuses[200], OTHERS);
    assert_true(s.no_answer > 0);
    http_engine_stats(w->engine, &s);
    assert_int_equal(s.requests, 100);
    assert_int_equal(w->fatals + o->fatals, 0);
    other_free(o);
    world_free(w);
}

static void hold_back_one(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    reply(p, a->path[1] != '5' && a->nth == 0 ? "429 x\r\nRetry-After: 30" : "200 OK", a->path);
}

static void the_gate_of_one_is_open_for_the_other(void **state)
{
    (void)state;
    struct http_stats s;
    struct world *w = world_new(hold_back_one);
    w->cfg.concurrency = 1;
    world_open(w);
    struct other *o = other_new(w);
    other_listen(o);
    for (unsigned i = 0; i < 4; i++)
        (void)world_get(w);
    http_engine_kick(w->engine);
    do {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
        http_engine_stats(w->engine, &s);
    } while (s.held_back_ms == 0);
    int64_t begun_us = w->now_us;
    http_engine_kick(o->engine);
    while (o->done < o->n)
        step(w, o);
    assert_int_equal(w->now_us, begun_us);
    expect_served(o->requests, o->n, 1);
    assert_int_equal(w->done, 0);
    while (w->done < w->n)
        step(w, o);
    expect_served(w->requests, w->n, 0);
    assert_in_range(w->now_us, begun_us + 30 * S, begun_us + 31 * S);
    other_free(o);
    world_free(w);
}

static struct peer *held[OTHERS];
static unsigned n_held;

static void hold(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    if (a->path[1] == '5' && n_held < 8)
        held[n_held++] = p;
    else
        reply(p, "200 OK", a->path);
}

/* One is stopped and freed while the other has requests in flight. */
static void one_ends_and_the_other_continues(void **state)
{
    (void)state;
    struct world *w = world_new(hold);
    n_held = 0;
    world_open(w);
    struct other *o = other_new(w);
    other_listen(o);
    http_engine_kick(o->engine);
    (void)world_get(w);
    http_engine_kick(w->engine);
    while (w->done < w->n || n_held < 8)
        step(w, o);
    http_engine_stop(w->engine, 0);
    while (!w->stopped)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    http_engine_free(w->engine);
    w->engine = NULL;
    (void)uv_run(&w->loop, UV_RUN_NOWAIT);
    for (unsigned i = 0; i < n_held; i++)
        reply(held[i], "200 OK", "late");
    while (o->done < o->n)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    expect_served(o->requests, o->n, 1);
    assert_int_equal(o->stopped, 0);
    other_free(o);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_down_and_the_other_is_served),
        cmocka_unit_test(the_gate_of_one_is_open_for_the_other),
        cmocka_unit_test(one_ends_and_the_other_continues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
