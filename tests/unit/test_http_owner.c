/* What its owner may do with an engine: ask for another try, stop it, free it. */
#include <pthread.h>
#include <stdatomic.h>

#include "http_world.h"

static void answer(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)a;
    reply(p, "200 OK", "fine");
}

static void hang(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)p, (void)a;
}

static bool not_good_enough(struct world *w, struct http_request *r)
{
    return !http_engine_retry(w->engine, r, "not JSON");
}

static void fail_twice(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    reply(p, a->nth < 2 ? "500 x" : "200 OK", "fine");
}

static void owner_asks_for_another_try(void **state)
{
    (void)state;
    struct world *w = world_new(fail_twice);
    w->on_done = not_good_enough;
    world_open(w);
    struct http_request *r = world_get(w);
    world_run(w);
    assert_int_equal(w->asked, 6); /* of both kinds together */
    assert_int_equal(r->attempts, 6);
    assert_int_equal(log_count(w, "not JSON"), 3);
    assert_string_equal(buf_cstr(&r->answer), "fine");
    world_free(w);
}

/* The first `w->any` requests are answered with a limit that only the body tells. */
static void limit_first(struct world *w, struct peer *p, const struct asked *a)
{
    bool limited = a->nth < *(const unsigned *)w->any;
    reply(p, limited ? "403 x" : "200 OK", limited ? "limit" : "fine");
}

static bool is_no_limit(struct world *w, struct http_request *r)
{
    return r->status != 403 || !http_engine_limited(w->engine, r);
}

/* One request at a time: the pauses between two rounds of limits double, as after 429s, and the next request
 * waits as well. */
static void a_limit_holds_every_request(void **state)
{
    (void)state;
    unsigned limits = 5;
    struct world *w = world_new(limit_first);
    w->on_done = is_no_limit;
    w->any = &limits;
    w->cfg.concurrency = w->cfg.concurrency_max = 1;
    w->cfg.retry.attempts = 6;
    world_open(w);
    (void)world_get(w);
    (void)world_get(w);
    world_run(w);
    assert_int_equal(w->asked, 7);
    assert_int_equal(w->requests[0].attempts + w->requests[1].attempts, 7);
    assert_int_equal(w->requests[0].status, 200);
    assert_int_equal(w->requests[1].status, 200);
    assert_in_range(log_count(w, "HTTP 403: pausing requests for "), 1, 5);
    world_free(w);
}

/* Those that were in flight together are of one round: the gate is closed once. */
static void limits_of_one_round(void **state)
{
    (void)state;
    unsigned limits = 8;
    struct world *w = world_new(limit_first);
    w->on_done = is_no_limit;
    w->any = &limits;
    world_open(w);
    for (int i = 0; i < 12; i++)
        (void)world_get(w);
    world_run(w);
    assert_int_equal(w->asked, 8 + 12);
    assert_int_equal(log_count(w, "HTTP 403: pausing requests for "), 1);
    for (unsigned i = 8; i < w->asked; i++)
        assert_true(w->started_us[i] > w->started_us[0]);
    assert_int_equal(w->fatals, 0);
    world_free(w);
}

/* A request's attempts are used up; with all of them limited, the engine gives up in the end. */
static void limits_without_end(void **state)
{
    (void)state;
    unsigned limits = UINT32_MAX;
    struct world *w = world_new(limit_first);
    w->on_done = is_no_limit;
    w->any = &limits;
    w->cfg.concurrency = w->cfg.concurrency_max = 1;
    w->cfg.retry.attempts = 3;
    world_open(w);
    struct http_request *r = world_get(w);
    world_run(w);
    assert_int_equal(w->asked, 3);
    assert_int_equal(r->status, 403);
    assert_int_equal(r->end, HTTP_ANSWERED);
    assert_string_equal(buf_cstr(&r->answer), "limit");
    assert_int_equal(w->fatals, 0);
    world_free(w);
    w = world_new(limit_first);
    w->on_done = is_no_limit;
    w->any = &limits;
    w->cfg.concurrency = w->cfg.concurrency_max = 1;
    w->cfg.retry.attempts = 1000;
    world_open(w);
    for (int i = 0; i < 3; i++)
        (void)world_get(w);
    world_run(w);
    assert_int_equal(w->fatals, 1);
    assert_int_equal(w->fatal.rc, RC_NET);
    assert_non_null(strstr(w->fatal.msg, "no success for "));
    assert_non_null(strstr(w->fatal.msg, "HTTP 403"));
    assert_false(http_engine_limited(w->engine, &w->requests[0]));
    world_free(w);
}

static void stop_with_grace(void **state)
{
    (void)state;
    struct world *w = world_new(hang);
    world_open(w);
    for (int i = 0; i < 20; i++)
        (void)world_get(w);
    http_engine_kick(w->engine);
    while (w->asked < 8)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    http_engine_stop(w->engine, 10000);
    for (int i = 0; i < 3; i++)
        (void)uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_int_equal(w->done, 0); /* in flight, and may end */
    assert_int_equal(http_engine_due_us(w->engine), w->now_us + 10000000);
    http_engine_stop(w->engine, 3000);
    http_engine_stop(w->engine, 60000); /* never longer */
    assert_int_equal(http_engine_due_us(w->engine), w->now_us + 3000000);
    w->now_us += 3000000;
    http_engine_kick(w->engine);
    while (!w->stopped)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->taken, 8); /* no new ones */
    assert_int_equal(w->done, 8);
    for (unsigned i = 0; i < w->done; i++)
        assert_int_equal(w->requests[i].end, HTTP_ABORTED);
    http_engine_stop(w->engine, 0);
    for (int i = 0; i < 3; i++)
        (void)uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_int_equal(w->stopped, 1);
    world_free(w);
}

/* The head of the answer to "/0", and a body that does not come to its end; "/1" is not answered. */
static struct {
    struct peer *peers[2];
    const char *head;
    bool has_come; /* the head, to the engine */
} unfinished;

static void send_unfinished(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    unfinished.peers[a->path[1] - '0'] = p;
    if (unfinished.peers[0] && unfinished.peers[1])
        reply_bytes(unfinished.peers[0], unfinished.head, strlen(unfinished.head), false);
}

static bool note_head(void *ctx, struct http_request *r, size_t bytes)
{
    (void)ctx, (void)r, (void)bytes;
    unfinished.has_come = true;
    return true;
}

/* A message that its receiver has taken must not be sent again when the run is resumed. */
static void an_answer_is_decided_by_its_head_also_at_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool head_is_enough, is_fatal;
        enum http_end end;
        int status;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nok", true, true, HTTP_ANSWERED, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nok", true, false, HTTP_ANSWERED, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nok", false, true, HTTP_ABORTED, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nok", false, false, HTTP_ABORTED, 0},
        {"HTTP/1.1 404 x\r\nContent-Length: 90\r\n\r\nno", false, true, HTTP_ANSWERED, 404},
        {"HTTP/1.1 404 x\r\nContent-Length: 90\r\n\r\nno", false, false, HTTP_ANSWERED, 404},
        {"HTTP/1.1 503 x\r\nContent-Length: 90\r\n\r\nno", true, false, HTTP_ABORTED, 503},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&unfinished, 0, sizeof unfinished);
        unfinished.head = rows[i].head;
        struct world *w = world_new(send_unfinished);
        w->cfg.head_is_enough = rows[i].head_is_enough;
        world_open(w);
        struct http_request *r = world_get(w);
        r->room = note_head;
        (void)world_get(w);
        http_engine_kick(w->engine);
        while (!unfinished.has_come)
            (void)uv_run(&w->loop, UV_RUN_ONCE);
        assert_int_equal(w->done, 0);
        if (rows[i].is_fatal)
            reply(unfinished.peers[1], "429 x\r\nRetry-After: 3600", "");
        else
            http_engine_stop(w->engine, 0);
        while (w->done < w->n)
            (void)uv_run(&w->loop, UV_RUN_ONCE);
        if (r->end != rows[i].end || r->status != rows[i].status)
            fail_msg("row %zu: end %d, status %d", i, r->end, r->status);
        world_free(w);
    }
}

static void half_fail(struct world *w, struct peer *p, const struct asked *a)
{
    unsigned i = (unsigned)strtoul(a->path + 1, NULL, 10);
    if (i % 2)
        reply(p, "500 x", "");
    else if (w->any)
        reply(p, "200 OK", "");
}

static void stop_ends_what_waits(void **state)
{
    (void)state;
    struct world *w = world_new(half_fail);
    struct http_stats s;
    world_open(w);
    for (int i = 0; i < 8; i++)
        (void)world_get(w);
    http_engine_kick(w->engine);
    do {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
        http_engine_stats(w->engine, &s);
    } while (s.waiting < 4 || s.in_flight != 4 || w->asked < 8);
    http_engine_stop(w->engine, 10000);
    while (w->done < 4)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->stopped, 0);
    http_engine_stop(w->engine, 0);
    while (!w->stopped)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->done, 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(w->requests[i].end, HTTP_ABORTED);
    assert_false(http_engine_retry(w->engine, &w->requests[0], "x"));
    world_free(w);
}

static void stop_of_an_idle_engine(void **state)
{
    (void)state;
    struct world *w = world_new(hang);
    world_open(w);
    http_engine_stop(w->engine, 10000);
    assert_int_equal(w->stopped, 0); /* not from within */
    while (!w->stopped)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->stopped, 1);
    world_free(w);
}

static void freed_with_requests_inside(void **state)
{
    (void)state;
    struct world *w = world_new(half_fail);
    world_open(w);
    for (int i = 0; i < 20; i++)
        (void)world_get(w);
    http_engine_kick(w->engine);
    while (w->asked < 8)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    world_free(w);
}

struct reader {
    struct http_engine *engine;
    atomic_bool begun, ended;
};

static void *read_figures(void *arg)
{
    struct reader *reader = arg;
    struct http_stats s;
    uint64_t before = 0;
    while (!atomic_load(&reader->ended)) {
        http_engine_stats(reader->engine, &s);
        if (s.requests < before)
            return reader;
        before = s.requests;
        atomic_store(&reader->begun, true);
    }
    return NULL;
}

/* Meant for the thread sanitizer. Two threads cannot share the test's clock, and nothing
 * is timed here. */
static void figures_from_another_thread(void **state)
{
    (void)state;
    struct world *w = world_new(answer);
    struct reader reader = {.engine = NULL};
    pthread_t thread;
    void *failed = NULL;
    w->cfg.clock = &clock_system;
    world_open(w);
    reader.engine = w->engine;
    assert_int_equal(pthread_create(&thread, NULL, read_figures, &reader), 0);
    for (int i = 0; i < 300; i++)
        (void)world_get(w);
    http_engine_kick(w->engine);
    while (w->done < w->n || !atomic_load(&reader.begun))
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    atomic_store(&reader.ended, true);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    world_free(w);
}

static void wrong_configurations(void **state)
{
    (void)state;
    static const struct http_header bad = {"X-Key", "a\r\nX-Other: b"};
    struct world *w = world_new(hang);
    struct http_engine_cfg cfg = w->cfg;
    struct http_engine *h = NULL;
    struct err e;
    cfg.concurrency = 5000;
    assert_int_equal(http_engine_new(&h, &cfg, &e), RC_USAGE);
    cfg = w->cfg;
    cfg.retry.attempts = 0;
    assert_int_equal(http_engine_new(&h, &cfg, &e), RC_USAGE);
    cfg = w->cfg;
    cfg.headers = &bad;
    cfg.n_headers = 1;
    assert_int_equal(http_engine_new(&h, &cfg, &e), RC_USAGE);
    assert_null(strstr(e.msg, "X-Other")); /* the value may be a secret */
    assert_null(h);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_asks_for_another_try),
        cmocka_unit_test(a_limit_holds_every_request),
        cmocka_unit_test(limits_of_one_round),
        cmocka_unit_test(limits_without_end),
        cmocka_unit_test(stop_with_grace),
        cmocka_unit_test(stop_ends_what_waits),
        cmocka_unit_test(stop_of_an_idle_engine),
        cmocka_unit_test(freed_with_requests_inside),
        cmocka_unit_test(figures_from_another_thread),
        cmocka_unit_test(wrong_configurations),
        cmocka_unit_test(an_answer_is_decided_by_its_head_also_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
