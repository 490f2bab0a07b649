/* New connections that the server refuses, without a server: tries are ended by hand. */
#include "core/http/http_private.h"
#include "http_world.h"

#define SECOND_US INT64_C(1000000)

static void silence(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)p, (void)a;
}

static struct world *begin(void)
{
    struct world *w = world_new(silence);
    w->cfg.concurrency = 64;
    world_open(w);
    w->engine->now_us = w->now_us;
    return w;
}

/* A request whose first try has begun, and is not in flight any more. */
static struct http_request *tried(struct world *w)
{
    struct http_engine *h = w->engine;
    struct http_request *r = world_get(w);
    w->taken = w->n;
    assert_true(http_wait_reserve(h));
    r->attempts = 1;
    r->code = "connect";
    r->tries.first_us = h->now_us;
    r->tries.held_us = origin_held_us(&h->origin, h->now_us);
    origin_started(&h->origin, &r->tries.client);
    return r;
}

static const struct http_try refusal = {.end = TRY_UNREACHED, .is_new_connection = true};
static const struct http_try good = {.end = TRY_GOOD, .status = 200};
static const struct http_try broken = {.end = TRY_SILENT};
static const struct http_try closed = {.end = TRY_ABORTED, .loss = LOSS_KEPT};

/* The next try of `r`, over a kept connection, has ended like this. */
static void retried(struct world *w, struct http_request *r, const struct http_try *end)
{
    struct http_try y = *end;
    r->tries.kept = true;
    http_refused_retried(w->engine, r, &y);
    assert_false(r->tries.kept);
}

/* While `in_flight` others are. */
static struct http_request *refuse(struct world *w, unsigned in_flight)
{
    struct http_request *r = tried(w);
    w->engine->in_flight = in_flight;
    assert_true(http_is_refusal(w->engine, r, &refusal));
    http_refused_add(w->engine, r, &refusal);
    return r;
}

/* One of those in flight is answered, so that there is one less. */
static void serve(struct world *w, bool is_new_connection)
{
    w->engine->in_flight--;
    http_refused_served(w->engine, is_new_connection);
}

/* ---- what is set aside ---------------------------------------------------------------------- */

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool is_new_connection, was_closed, is_down, is_over, is_limited;
        unsigned lost, refused, in_flight;
        bool expected;
    } rows[] = {
        {"a new connection, and others in flight", true, false, false, false, false, 0, 0, 1, true},
        {"a third time", true, false, false, false, false, 0, 2, 1, true},
        {"once more", true, false, false, false, false, 0, 3, 1, false},
        {"a connection that was kept", false, false, false, false, false, 0, 0, 1, false},
        {"nobody else in flight", true, false, false, false, false, 0, 0, 0, false},
        {"failed on a kept one before", true, true, false, false, false, 0, 0, 1, false},
        {"lost a shared one before", true, false, false, false, false, 1, 0, 1, false},
        {"the origin is down", true, false, true, false, false, 0, 0, 1, false},
        {"the engine is stopping", true, false, false, true, false, 0, 0, 1, false},
        {"a limit: the fourth time", true, false, false, false, true, 0, 3, 1, true},
        {"a limit: failed on a kept one before", true, true, false, false, true, 0, 5, 1, true},
        {"a limit: lost a shared one before", true, false, false, false, true, 1, 0, 1, true},
        {"a limit: the last time", true, false, false, false, true, 0, 7, 1, true},
        {"a limit: once more", true, false, false, false, true, 0, 8, 1, false},
        {"a limit: a connection that was kept", false, false, false, false, true, 0, 0, 1, false},
        {"a limit: nobody else in flight", true, false, false, false, true, 0, 0, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = begin();
        struct http_engine *h = w->engine;
        struct http_request *r = tried(w);
        const struct http_try y = {.end = TRY_UNREACHED,
                                   .is_new_connection = rows[i].is_new_connection};
        r->tries.was_closed = rows[i].was_closed;
        r->tries.lost = rows[i].lost;
        r->tries.refused = rows[i].refused;
        h->in_flight = rows[i].in_flight;
        h->origin.state = rows[i].is_down ? ORIGIN_DOWN : ORIGIN_UP;
        h->stopping = rows[i].is_over;
        h->connections.is_reported = rows[i].is_limited;
        h->connections.most = rows[i].is_limited ? 4 : 0;
        if (http_is_refusal(h, r, &y) != rows[i].expected)
            fail_msg("%s: %s", rows[i].what, rows[i].expected ? "no refusal" : "a refusal");
        world_free(w);
    }
}

/* Nobody else was answered: they were ordinary failures, and the origin hears of them. */
static void when_nobody_is_served(void **state)
{
    (void)state;
    struct world *w = begin();
    struct http_engine *h = w->engine;
    struct http_request *a = refuse(w, 2), *b = refuse(w, 1);
    http_refused_settle(h); /* not before the last one has ended */
    assert_int_equal(h->n_refused, 2);
    assert_int_equal(h->origin.unreached, 0);
    h->in_flight = 0;
    http_refused_settle(h);
    assert_int_equal(h->n_refused, 0);
    assert_int_equal(h->n_waiting, 2);
    assert_int_equal(h->origin.unreached, 2);
    assert_int_equal(a->tries.counted, 1);
    assert_int_equal(b->tries.counted, 1);
    assert_int_equal(a->tries.refused, 0);
    assert_false(a->tries.kept);
    assert_int_equal(h->connections.strikes, 0);
    world_free(w);
}

/* It is the connection's fault: asked again at nobody's cost, on one that is kept. */
static void when_another_is_served(void **state)
{
    (void)state;
    struct world *w = begin();
    struct http_engine *h = w->engine;
    struct http_request *r = refuse(w, 2);
    r->tries.fresh = false;
    serve(w, false);
    assert_int_equal(h->n_refused, 0);
    assert_int_equal(h->n_waiting, 1);
    assert_int_equal(r->tries.counted, 0);
    assert_int_equal(r->tries.refused, 1);
    assert_true(r->tries.kept);
    assert_int_equal(h->origin.unreached, 0);
    assert_int_equal(h->connections.strikes, 1);
    world_free(w);
}

static void when_the_engine_ends(void **state)
{
    (void)state;
    struct world *w = begin();
    struct http_request *r = refuse(w, 2);
    (void)refuse(w, 2);
    w->engine->in_flight = 0;
    http_engine_stop(w->engine, 0);
    assert_int_equal(w->engine->n_refused, 0);
    while (w->done < w->n)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(r->end, HTTP_ABORTED);
    world_free(w);
}

/* ---- the limit ------------------------------------------------------------------------------ */

static void limit_after_several_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned refused; /* at once */
        unsigned in_flight;
        unsigned most; /* expected; 0: no limit */
    } rows[] = {
        {"one", 1, 10, 0},    {"two", 2, 10, 0},
        {"three", 3, 10, 10}, /* with the one that was answered */
        {"many", 40, 2, 2},   {"all but one", 63, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = begin();
        for (unsigned k = 0; k < rows[i].refused; k++)
            (void)refuse(w, rows[i].in_flight);
        serve(w, true);
        unsigned limit = http_connections_max(w->engine);
        if (limit != (rows[i].most ? rows[i].most : 64))
            fail_msg("%s refused: the limit is %u", rows[i].what, limit);
        world_free(w);
    }
}

/* Now and then a connection is reset anywhere. */
static void refusals_far_between(void **state)
{
    (void)state;
    struct world *w = begin();
    for (int i = 0; i < 20; i++) {
        (void)refuse(w, 10);
        serve(w, false);
        serve(w, true); /* a new one that was taken */
    }
    assert_int_equal(http_connections_max(w->engine), 64);
    world_free(w);
}

static struct world *limited(unsigned most)
{
    struct world *w = begin();
    for (int i = 0; i < 3; i++)
        (void)refuse(w, most);
    serve(w, true);
    assert_int_equal(http_connections_max(w->engine), most);
    return w;
}

/* One less each time that what was allowed is too much, and never none. */
static void limit_comes_down(void **state)
{
    (void)state;
    struct world *w = limited(3);
    static const unsigned expected[] = {2, 1, 1, 1};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        (void)refuse(w, 3);
        serve(w, false);
        assert_int_equal(http_connections_max(w->engine), expected[i]);
    }
    (void)refuse(w, 1);
    w->engine->in_flight = 1;
    serve(w, false);
    assert_int_equal(http_connections_max(w->engine), 1);
    world_free(w);
}

/* One more is tried after a while, which is longer after each time that it was in vain. */
static void limit_goes_up(void **state)
{
    (void)state;
    struct world *w = limited(10);
    struct http_engine *h = w->engine;
    int64_t hold_us = 2 * SECOND_US;
    for (int i = 0; i < 8; i++) {
        h->now_us += hold_us - 1;
        h->in_flight = 10;
        serve(w, false);
        assert_int_equal(http_connections_max(h), 10);
        h->now_us++;
        h->in_flight = 10;
        serve(w, false);
        assert_int_equal(http_connections_max(h), 11);
        (void)refuse(w, 11);
        h->in_flight = 11;
        serve(w, false);
        assert_int_equal(http_connections_max(h), 10);
        hold_us = hold_us * 2 < 64 * SECOND_US ? hold_us * 2 : 64 * SECOND_US;
    }
    for (int i = 0; i < 60; i++) {
        h->now_us += hold_us;
        h->in_flight = 10;
        serve(w, false);
    }
    assert_int_equal(http_connections_max(h), 64); /* as if there never had been one */
    assert_int_equal(h->connections.most, 0);
    world_free(w);
}

static void limit_is_reported_once(void **state)
{
    (void)state;
    struct world *w = begin();
    retried(w, tried(w), &good); /* there is no limit */
    assert_int_equal(log_count(w, "accepts only"), 0);
    world_free(w);
    w = limited(10);
    assert_int_equal(log_count(w, "accepts only"), 0); /* it may have been the requests' fault */
    retried(w, &w->requests[1], &good);
    retried(w, &w->requests[2], &good);
    assert_int_equal(
        log_count(w, "W origin: the server accepts only about 10 connections at a time"), 1);
    world_free(w);
    w = limited(1);
    retried(w, &w->requests[0], &good);
    assert_int_equal(log_count(w, "accepts only about 1 connection at a time"), 1);
    world_free(w);
}

/* A request that breaks every connection: its refused tries count, and no limit comes of them. */
static void own_fault(void **state)
{
    (void)state;
    struct world *w = begin();
    struct http_engine *h = w->engine;
    struct http_request *r = refuse(w, 10);
    (void)refuse(w, 10);
    serve(w, false);
    assert_int_equal(h->connections.strikes, 2);
    retried(w, r, &broken);
    assert_int_equal(h->connections.strikes, 1);
    assert_int_equal(r->tries.counted, 1);
    h->in_flight = 1;
    assert_false(http_is_refusal(h, r, &refusal)); /* never set aside again */
    world_free(w);

    w = limited(10);
    retried(w, &w->requests[0], &broken);
    assert_int_equal(http_connections_max(w->engine), 64); /* nobody has confirmed it yet */
    world_free(w);

    w = limited(10);
    retried(w, &w->requests[0], &good);
    retried(w, &w->requests[1], &broken);
    assert_int_equal(http_connections_max(w->engine), 10);
    assert_int_equal(w->requests[1].tries.counted, 1);
    w->engine->in_flight = 1;
    assert_false(http_is_refusal(w->engine, &w->requests[1], &refusal));
    world_free(w);
}

/* A server that limits its connections, and keeps none, or not for long. */
static void kept_connections_that_are_closed(void **state)
{
    (void)state;
    struct world *w = limited(10);
    struct http_request *alone = &w->requests[0];
    retried(w, alone, &closed); /* says nothing */
    assert_int_equal(alone->tries.counted, 0);
    assert_int_equal(http_connections_max(w->engine), 10);
    struct http_try y = refusal; /* a new one then breaks, too: it is the request */
    alone->tries.fresh = alone->tries.was_closed = true;
    http_refused_retried(w->engine, alone, &y);
    assert_int_equal(alone->tries.counted, 1);
    assert_false(alone->tries.fresh); /* not for ever */
    assert_false(y.is_uncounted);
    assert_int_equal(http_connections_max(w->engine), 64);
    http_refused_retried(w->engine, alone, &y);
    assert_int_equal(alone->tries.counted, 1); /* once */
    world_free(w);

    w = limited(10);
    struct http_engine *h = w->engine;
    struct http_request *r = &w->requests[1];
    retried(w, &w->requests[0], &good);
    retried(w, r, &closed);
    assert_int_equal(r->tries.counted, 0);
    r->tries.fresh = true; /* as any whose kept connection was closed */
    h->in_flight = 2;
    assert_true(http_is_refusal(h, r, &refusal));
    r = refuse(w, 2);
    r->tries.fresh = true;
    serve(w, false);
    assert_int_equal(r->tries.counted, 0);
    assert_true(r->tries.kept); /* the idle ones may be all that the server takes */
    assert_false(r->tries.fresh);
    world_free(w);
}

/* A limit that is known may be the reason even where nobody else is in flight: it comes down further, and the
 * server is sent fewer requests. */
static void reset_by_a_known_limit(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool is_limited, is_new_connection, is_down;
        enum try_end end;
        unsigned excused;
        bool expected;
    } rows[] = {
        {"a new connection", true, true, false, TRY_SILENT, 0, true},
        {"the last time", true, true, false, TRY_SILENT, 2, true},
        {"once more", true, true, false, TRY_SILENT, 3, false},
        {"a kept one", true, false, false, TRY_SILENT, 0, false},
        {"nobody listens", true, true, false, TRY_UNREACHED, 0,
         false}, /* an outage is soon known */
        {"the origin is down", true, true, true, TRY_SILENT, 0, false},
        {"an answer", true, true, false, TRY_GATEWAY, 0, false},
        {"no limit is known", false, true, false, TRY_SILENT, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = begin();
        struct http_request *r = tried(w);
        struct http_try y = {.end = rows[i].end, .is_new_connection = rows[i].is_new_connection};
        w->engine->connections =
            (struct connection_limit){.is_reported = true, .most = rows[i].is_limited ? 4 : 0};
        w->engine->origin.state = rows[i].is_down ? ORIGIN_DOWN : ORIGIN_UP;
        r->tries.excused = rows[i].excused;
        http_refused_retried(w->engine, r, &y);
        if (y.is_uncounted != rows[i].expected || (y.end == TRY_BUSY) != rows[i].expected ||
            r->tries.excused != rows[i].excused + rows[i].expected)
            fail_msg("%s: %s, excused %u", rows[i].what, y.is_uncounted ? "uncounted" : "counted",
                     r->tries.excused);
        world_free(w);
    }

    struct world *k = limited(10);
    retried(k, &k->requests[0], &good);
    struct http_try kept = closed;
    http_refused_retried(k->engine, &k->requests[1], &kept);
    assert_true(kept.is_uncounted);
    assert_int_equal(kept.end, TRY_ABORTED);
    world_free(k);

    static const struct http_try reset = {.end = TRY_SILENT, .is_new_connection = true};
    struct world *w = limited(10);
    retried(w, &w->requests[0], &good);
    struct http_request *r = tried(w);
    http_refused_add(w->engine, r, &reset);
    w->engine->in_flight = 0;
    http_refused_settle(w->engine);
    assert_int_equal(r->tries.counted, 0);
    assert_int_equal(w->engine->origin.busy_rounds, 1);
    assert_int_equal(http_connections_max(w->engine), 9);
    world_free(w);
}

/* A limit is lowered by what is refused, but not by a request that has failed over a kept connection, too. */
static void a_known_limit_and_a_request_that_breaks_connections(void **state)
{
    (void)state;
    struct world *w = limited(10);
    retried(w, &w->requests[0], &good);
    struct http_request *r = refuse(w, 10);
    r->tries.was_closed = true;
    serve(w, false);
    assert_int_equal(http_connections_max(w->engine), 10);
    (void)refuse(w, 10);
    serve(w, false);
    assert_int_equal(http_connections_max(w->engine), 9);

    r->tries.refused = 7;
    retried(w, r, &broken);                /* over a kept connection that others use, too */
    assert_int_equal(r->tries.counted, 3); /* not all at once */
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(when_nobody_is_served),
        cmocka_unit_test(when_another_is_served),
        cmocka_unit_test(when_the_engine_ends),
        cmocka_unit_test(limit_after_several_refusals),
        cmocka_unit_test(refusals_far_between),
        cmocka_unit_test(limit_comes_down),
        cmocka_unit_test(limit_goes_up),
        cmocka_unit_test(limit_is_reported_once),
        cmocka_unit_test(own_fault),
        cmocka_unit_test(kept_connections_that_are_closed),
        cmocka_unit_test(reset_by_a_known_limit),
        cmocka_unit_test(a_known_limit_and_a_request_that_breaks_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
