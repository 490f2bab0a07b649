/* What concerns the origin as a whole: its gate, its being down, rate, concurrency, fatal errors. */
#include "http_world.h"

#define S INT64_C(1000000)

static void ok(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)a;
    reply(p, "200 OK", "{}");
}

static void make_requests(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        (void)world_get(w);
}

static void expect_all(const struct world *w, unsigned from, enum http_end end, int status)
{
    for (unsigned i = from; i < w->n; i++) {
        const struct http_request *r = &w->requests[i];
        if (r->end != end || r->status != status)
            fail_msg("request %u: end %d, status %d (%s); expected %d, %d", i, (int)r->end,
                     r->status, r->error, (int)end, status);
    }
}

/* ---- the gate ------------------------------------------------------------------------------- */

static void hold_back_first(struct world *w, struct peer *p, const struct asked *a)
{
    if (a->nth == 0)
        reply(p, w->any, "");
    else
        reply(p, "200 OK", "{}");
}

static void gate(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int64_t least_us, most_us; /* from the answer to the second request */
    } cases[] = {
        {"429 x\r\nRetry-After: 30", 30 * S, 30 * S},
        {"503 x\r\nRetry-After: 30", 30 * S, 30 * S},
        {"429 x\r\nRETRY-AFTER:  30  ", 30 * S, 30 * S},
        {"429 x\r\nRetry-After: Fri, 30 Jan 2026 02:00:20 GMT", 20 * S, 20 * S},
        {"503 x\r\nRetry-After: Friday, 30-Jan-26 02:00:20 GMT", 20 * S, 20 * S},
        {"503 x\r\nRetry-After: Fri Jan 30 02:00:20 2026", 20 * S, 20 * S},
        {"429 x\r\nDate: Thu, 30 Jan 2025 02:00:00 GMT\r\n"
         "Retry-After: Thu, 30 Jan 2025 02:00:07 GMT",
         7 * S, 7 * S},
        {"429 x\r\nRetry-After: 300", 300 * S, 300 * S},
        {"429 x", 0, S / 4},                    /* the backoff time */
        {"429 x\r\nRetry-After: 0", 0, S / 4},  /**/
        {"429 x\r\nRetry-After: -9", 0, S / 4}, /**/
        {"500 x\r\nRetry-After: 30", 0, 0},     /* only on 429 and 503 */
        {"503 x\r\nRetry-After: soon", 0, 0},   /**/
        {"200 x\r\nRetry-After: 30", 0, 0},     /**/
        {"404 x\r\nRetry-After: 30", 0, 0},     /**/
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(hold_back_first);
        w->any = (void *)(uintptr_t)cases[i].head;
        w->cfg.concurrency = 1;
        world_open(w);
        make_requests(w, 4);
        world_run(w);
        int64_t held_us = w->started_us[1] - w->started_us[0];
        if (held_us < cases[i].least_us || held_us > cases[i].most_us)
            fail_msg("\"%s\": held back for %lld us, expected %lld to %lld", cases[i].head,
                     (long long)held_us, (long long)cases[i].least_us, (long long)cases[i].most_us);
        expect_all(w, 1, HTTP_ANSWERED, 200);
        assert_int_equal(log_count(w, "pausing requests for"), held_us > 0);
        assert_int_equal(log_count(w, "I origin: HTTP "), held_us >= S);
        world_free(w);
    }
}

/* The time that the gate was closed is not a request's own. */
static void gate_costs_no_time(void **state)
{
    (void)state;
    struct world *w = world_new(hold_back_first);
    w->any = (void *)(uintptr_t) "429 x\r\nRetry-After: 60";
    w->cfg.retry.retry_max_time_ms = 60000;
    world_open(w);
    make_requests(w, 1);
    world_run(w);
    expect_all(w, 0, HTTP_ANSWERED, 200);
    world_free(w);
}

static void gate_too_long(void **state)
{
    (void)state;
    struct world *w = world_new(hold_back_first);
    w->any = (void *)(uintptr_t) "429 x\r\nRetry-After: 301";
    w->cfg.concurrency = 1;
    world_open(w);
    make_requests(w, 5);
    http_engine_kick(w->engine);
    while (!w->fatals)
        world_step(w);
    assert_int_equal(w->fatal.rc, RC_LIMIT);
    assert_string_equal(w->fatal.msg,
                        "origin: HTTP 429 with Retry-After: the server asks to wait 5m1s, but "
                        "at most 5m is allowed (retry-max-time)");
    assert_int_equal(w->done, 1);
    assert_int_equal(w->requests[0].end, HTTP_ABORTED);
    http_engine_kick(w->engine); /* nothing more happens */
    assert_int_equal(w->taken, 1);
    assert_true(http_engine_due_us(w->engine) == INT64_MAX);
    http_engine_stop(w->engine, 0);
    while (!w->stopped)
        world_step(w);
    assert_int_equal(w->fatals, 1);
    world_free(w);
}

/* ---- down ----------------------------------------------------------------------------------- */

static bool count_down(struct world *w, struct http_request *r)
{
    unsigned *left = w->any;
    (void)r;
    if (*left && --*left == 0)
        world_unlisten(w);
    return true;
}

/* The server's process ends in the middle of the run and is back after `away_us`. */
static void run_with_outage(struct world *w, int64_t away_us)
{
    unsigned left = 20;
    w->any = &left;
    w->on_done = count_down;
    http_engine_kick(w->engine);
    while (left)
        world_step(w);
    int64_t back_us = w->now_us + away_us;
    while (w->done < w->n) {
        if (!w->listening && w->now_us >= back_us)
            world_listen(w);
        world_step(w);
        if (w->fatals)
            break;
    }
}

static void outage(void **state)
{
    (void)state;
    struct world *w = world_new(ok);
    struct http_stats s;
    w->cfg.retry.attempts = 3;
    world_open(w);
    make_requests(w, 100);
    run_with_outage(w, 240 * S);
    expect_all(w, 0, HTTP_ANSWERED, 200);
    http_engine_stats(w->engine, &s);
    assert_in_range(s.no_answer, 240 / 5, 240);
    assert_int_equal(log_count(w, "W origin: "), 1);
    assert_int_equal(log_count(w, "retrying with one request at a time, for up to 5m"), 1);
    assert_int_equal(log_count(w, "I origin: the server is available again"), 1);
    assert_int_equal(w->fatals, 0);
    assert_false(s.down);
    world_free(w);
}

static void outage_without_end(void **state)
{
    (void)state;
    struct world *w = world_new(ok);
    w->cfg.retry.attempts = 3;
    world_open(w);
    make_requests(w, 100);
    int64_t from_us = w->now_us;
    run_with_outage(w, 3000 * S);
    assert_int_equal(w->fatals, 1);
    assert_int_equal(w->fatal.rc, RC_NET);
    assert_non_null(strstr(w->fatal.msg, "origin: no success for 5m"));
    assert_non_null(strstr(w->fatal.msg, "Failed to connect"));
    assert_in_range(w->now_us - from_us, 300 * S, 306 * S);
    for (int i = 0; i < 10; i++)
        world_step(w);
    assert_int_equal(w->done, w->taken);
    unsigned aborted = 0;
    for (unsigned i = 0; i < w->taken; i++) {
        const struct http_request *r = &w->requests[i];
        assert_true(r->end == HTTP_ABORTED || (r->end == HTTP_ANSWERED && r->status == 200));
        aborted += r->end == HTTP_ABORTED;
    }
    assert_in_range(aborted, 8, 80);
    world_free(w);
}

static void never_there(void **state)
{
    (void)state;
    struct world *w = world_new(ok);
    world_unlisten(w);
    world_open(w);
    make_requests(w, 1);
    http_engine_kick(w->engine);
    while (!w->fatals)
        world_step(w);
    assert_int_equal(w->fatal.rc, RC_NET);
    world_free(w);
}

/* A single try takes longer than a request may, and is then cut off. */
static void slow_cut(struct world *w, struct peer *p, const struct asked *a)
{
    (void)a;
    w->now_us += 301 * S;
    peer_close(p);
}

static void nobody_is_served(void **state)
{
    (void)state;
    struct world *w = world_new(slow_cut);
    w->cfg.concurrency = 2;
    world_open(w);
    make_requests(w, 6);
    http_engine_kick(w->engine);
    while (!w->fatals)
        world_step(w);
    assert_int_equal(w->fatal.rc, RC_NET);
    for (int i = 0; i < 10; i++)
        world_step(w);
    assert_int_equal(w->done, w->taken);
    for (unsigned i = 0; i < w->taken; i++)
        assert_int_equal(w->requests[i].end, HTTP_ABORTED);
    world_free(w);
}

static void first_slow_cut(struct world *w, struct peer *p, const struct asked *a)
{
    if (strcmp(a->path, "/0") == 0)
        slow_cut(w, p, a);
    else
        reply(p, "200 OK", "{}");
}

/* It is over by its own time, and alone. */
static void others_are_served(void **state)
{
    (void)state;
    struct world *w = world_new(first_slow_cut);
    w->cfg.concurrency = 2;
    world_open(w);
    make_requests(w, 6);
    world_run(w);
    assert_int_equal(w->fatals, 0);
    assert_int_equal(w->requests[0].end, HTTP_NO_ANSWER);
    assert_in_range(w->requests[0].attempts, 1, 2);
    expect_all(w, 1, HTTP_ANSWERED, 200);
    world_free(w);
}

/* A gateway whose server is away for a minute. */
static void bad_gateway(struct world *w, struct peer *p, const struct asked *a)
{
    int64_t since_us = w->now_us - *(int64_t *)w->any;
    if (a->nth >= 10 && since_us < 60 * S)
        reply(p, "502 Bad Gateway", "");
    else
        reply(p, "200 OK", "{}");
}

static void gateway_without_server(void **state)
{
    (void)state;
    struct world *w = world_new(bad_gateway);
    int64_t from_us = w->now_us;
    w->any = &from_us;
    world_open(w);
    make_requests(w, 100);
    world_run(w);
    expect_all(w, 0, HTTP_ANSWERED, 200);
    assert_int_equal(log_count(w, "W origin: HTTP 502; retrying"), 1);
    unsigned most = 0;
    for (unsigned i = 0; i < w->n; i++)
        most = w->requests[i].attempts > most ? w->requests[i].attempts : most;
    assert_in_range(most, 2, 4); /* probes are spread over many */
    world_free(w);
}

/* What it has not at hand breaks off; when asked again it is there. */
static void cold(struct world *w, struct peer *p, const struct asked *a)
{
    unsigned *tries = w->any;
    unsigned i = (unsigned)strtoul(a->path + 1, NULL, 10);
    assert_in_range(i, 0, 199);
    if (tries[i]++)
        reply(p, "200 OK", "{}");
    else
        peer_close(p);
}

static void cold_server(void **state)
{
    (void)state;
    unsigned tries[200] = {0};
    struct world *w = world_new(cold);
    w->any = tries;
    world_open(w);
    make_requests(w, 200);
    world_run(w);
    assert_int_equal(w->fatals, 0);
    expect_all(w, 0, HTTP_ANSWERED, 200);
    world_free(w);
}

/* A server that takes requests and does not answer them for a while. */
static void hang_for_a_while(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    if (a->nth < 20 || a->nth >= 32)
        reply(p, "200 OK", "{}");
}

static void hanging_server(void **state)
{
    (void)state;
    struct world *w = world_new(hang_for_a_while);
    w->cfg.retry.timeout_ms = 200; /* of real time: a good answer must not take as long */
    w->cfg.retry.attempts = 2;
    world_open(w);
    make_requests(w, 100);
    world_run(w);
    expect_all(w, 0, HTTP_ANSWERED, 200);
    assert_int_equal(log_count(w, "W origin: "), 1);
    assert_int_equal(log_count(w, "I origin: the server is available again"), 1);
    world_free(w);
}

/* Every tenth, the last one among them, is answered 503 or not at all, for ever. */
static void poison(struct world *w, struct peer *p, const struct asked *a)
{
    unsigned i = (unsigned)strtoul(a->path + 1, NULL, 10);
    if (i % 10 != 9)
        reply(p, "200 OK", "{}");
    else if (w->any)
        reply(p, "503 x", "");
    else
        peer_close(p);
}

static void poisonous_requests(void **state)
{
    (void)state;
    for (int answers = 0; answers < 2; answers++) {
        struct world *w = world_new(poison);
        w->any = answers ? w : NULL;
        world_open(w);
        make_requests(w, 100);
        world_run(w);
        assert_int_equal(w->fatals, 0);
        assert_int_equal(log_count(w, "W origin"), 0);
        for (unsigned i = 0; i < 100; i++) {
            const struct http_request *r = &w->requests[i];
            bool bad = i % 10 == 9;
            assert_int_equal(r->attempts, bad ? 6 : 1);
            assert_int_equal(r->status, bad ? (answers ? 503 : 0) : 200);
            assert_int_equal(r->end, bad && !answers ? HTTP_NO_ANSWER : HTTP_ANSWERED);
        }
        world_free(w);
    }
}

/* ---- concurrency and rate ------------------------------------------------------------------- */

static void concurrency_is_kept(void **state)
{
    (void)state;
    static const unsigned limits[] = {1, 3, 40};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct world *w = world_new(ok);
        w->cfg.concurrency = limits[i];
        world_open(w);
        make_requests(w, 200);
        world_run(w);
        assert_in_range(w->open_most, 1, limits[i]);
        expect_all(w, 0, HTTP_ANSWERED, 200);
        world_free(w);
    }
}

struct late {
    struct peer *peers[WORLD_REQUESTS];
    unsigned n, most, rejected;
};

/* Admits ten at once; what is over is answered 429. */
static void admits_ten(struct world *w, struct peer *p, const struct asked *a)
{
    struct late *late = w->any;
    (void)a;
    if (late->n == 10) {
        late->rejected++;
        reply(p, "429 x", "");
        return;
    }
    late->peers[late->n++] = p;
}

static void answer_late(uv_timer_t *timer)
{
    struct late *late = timer->data;
    while (late->n)
        reply(late->peers[--late->n], "200 OK", "{}");
}

static void adapts(void **state)
{
    (void)state;
    struct late late = {.n = 0};
    struct world *w = world_new(admits_ten);
    uv_timer_t timer;
    w->any = &late;
    w->cfg.concurrency = 0;
    assert_int_equal(uv_timer_init(&w->loop, &timer), 0);
    timer.data = &late;
    assert_int_equal(uv_timer_start(&timer, answer_late, 2, 2), 0);
    world_open(w);
    make_requests(w, 400);
    world_run(w);
    expect_all(w, 0, HTTP_ANSWERED, 200);
    assert_in_range(late.rejected, 1, 120); /* without adapting: 390 */
    uv_close((uv_handle_t *)&timer, NULL);
    world_free(w);
}

static void rate_is_kept(void **state)
{
    (void)state;
    struct world *w = world_new(ok);
    w->cfg.rate_per_s = 10;
    world_open(w);
    make_requests(w, 50);
    int64_t from_us = w->now_us;
    world_run(w);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(w->started_us[i] - from_us, i * S / 10);
    world_free(w);
}

/* Those that are due go before new ones. */
static void fail_first(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    reply(p, a->nth < 3 ? "500 x" : "200 OK", "");
}

static bool remember(struct world *w, struct http_request *r)
{
    unsigned *order = w->any;
    order[w->done] = (unsigned)(r - w->requests);
    return true;
}

static void retries_go_first(void **state)
{
    (void)state;
    unsigned order[20];
    struct world *w = world_new(fail_first);
    w->cfg.concurrency = 1;
    w->cfg.rate_per_s = 2; /* so that each is due by then */
    w->any = order;
    w->on_done = remember;
    world_open(w);
    make_requests(w, 20);
    world_run(w);
    assert_in_range(order[0], 0, 0); /* each failure is tried again at once */
    for (unsigned i = 1; i < 20; i++)
        assert_int_equal(order[i], i);
    world_free(w);
}

/* ---- other fatal errors --------------------------------------------------------------------- */

static void hang(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)p, (void)a;
}

static void tls(void **state)
{
    (void)state;
    struct world *w = world_new(hang);
    char url[64];
    w->cfg.cacert = "/nonexistent/ca.pem";
    w->cfg.concurrency = 2;
    world_open(w);
    (void)snprintf(url, sizeof url, "https://localhost:%d/", w->port);
    make_requests(w, 4);
    for (unsigned i = 0; i < 4; i++)
        w->requests[i].url = url;
    http_engine_kick(w->engine);
    while (!w->fatals || w->done < 1)
        world_step(w);
    assert_int_equal(w->fatal.rc, RC_TLS);
    assert_non_null(strstr(w->fatal.msg, "localhost: TLS verification failed: "));
    assert_non_null(strstr(w->fatal.msg, "/nonexistent/ca.pem"));
    assert_int_equal(w->requests[0].end, HTTP_ABORTED);
    assert_int_equal(w->taken, 1); /* the others wait to hear which version the server speaks */
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gate),
        cmocka_unit_test(gate_costs_no_time),
        cmocka_unit_test(gate_too_long),
        cmocka_unit_test(outage),
        cmocka_unit_test(outage_without_end),
        cmocka_unit_test(never_there),
        cmocka_unit_test(nobody_is_served),
        cmocka_unit_test(others_are_served),
        cmocka_unit_test(gateway_without_server),
        cmocka_unit_test(cold_server),
        cmocka_unit_test(hanging_server),
        cmocka_unit_test(poisonous_requests),
        cmocka_unit_test(concurrency_is_kept),
        cmocka_unit_test(adapts),
        cmocka_unit_test(rate_is_kept),
        cmocka_unit_test(retries_go_first),
        cmocka_unit_test(tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
