/* The limiter against servers in virtual time, compared with the best fixed limit. */
#include "core/http/limiter.h"

#include <stdio.h>
#include <string.h>

#include "core/http/backoff.h"
#include "core/http/origin.h"

#include "cmocka_all.h"

#define S INT64_C(1000000)
#define MAX_LIMIT 64
#define MAX_FLIGHT 512

/* A server of `cores` that takes `work_us` of one for a request and `delay_us` besides; what is
 * over `admits` at once is answered 429 right away. */
struct server {
    const char *name;
    int cores;
    int64_t work_us, delay_us, reject_us;
    unsigned admits;       /* 0: any number */
    int64_t slow_from_us;  /* from then on ... */
    int64_t slow_delay_us; /* ... with this delay */
};

struct flight {
    int64_t end_us, start_us;
    struct origin_client client;
    bool rejected;
};

struct sim {
    const struct server *server;
    struct limiter limiter;
    struct origin origin;
    struct rng rng;
    int64_t now_us, core_free_us[16];
    struct flight flights[MAX_FLIGHT];
    unsigned n, admitted;
    unsigned done, rejected;
};

static int64_t serve(struct sim *s)
{
    const struct server *v = s->server;
    int64_t delay_us =
        v->slow_from_us && s->now_us >= v->slow_from_us ? v->slow_delay_us : v->delay_us;
    if (!v->cores)
        return s->now_us + delay_us;
    int first = 0;
    for (int i = 1; i < v->cores; i++) {
        if (s->core_free_us[i] < s->core_free_us[first])
            first = i;
    }
    int64_t from_us = s->core_free_us[first] > s->now_us ? s->core_free_us[first] : s->now_us;
    /* work varies by a half */
    int64_t work_us = v->work_us / 2 + (int64_t)rng_below(&s->rng, (uint64_t)v->work_us + 1);
    s->core_free_us[first] = from_us + work_us;
    return s->core_free_us[first] + delay_us;
}

static void start(struct sim *s)
{
    struct flight *f = &s->flights[s->n++];
    *f = (struct flight){.start_us = s->now_us};
    origin_started(&s->origin, &f->client);
    f->rejected = s->server->admits && s->admitted >= s->server->admits;
    if (f->rejected) {
        f->end_us = s->now_us + s->server->reject_us;
    } else {
        s->admitted++;
        f->end_us = serve(s);
    }
}

static void end(struct sim *s, unsigned i)
{
    struct flight f = s->flights[i];
    unsigned in_flight = s->n;
    s->flights[i] = s->flights[--s->n];
    (void)origin_ended(&s->origin, &f.client, f.rejected ? TRY_BUSY : TRY_GOOD, 0, s->now_us);
    if (f.rejected) {
        s->rejected++;
        limiter_congested(&s->limiter, f.client.seq, s->origin.seq, in_flight, s->now_us);
        return;
    }
    s->admitted--;
    s->done++;
    limiter_good(&s->limiter, f.client.seq, s->origin.seq, s->now_us - f.start_us, s->now_us);
}

/* Requests done in `span_us`. */
static void simulate(struct sim *s, int64_t until_us)
{
    while (s->now_us < until_us) {
        while (s->n < limiter_limit(&s->limiter) && origin_due_us(&s->origin) <= s->now_us)
            start(s);
        limiter_filled(&s->limiter, s->n);
        int64_t next_us = s->n < limiter_limit(&s->limiter) ? s->origin.gate_us : INT64_MAX;
        unsigned first = MAX_FLIGHT;
        for (unsigned i = 0; i < s->n; i++) {
            if (s->flights[i].end_us < next_us) {
                next_us = s->flights[i].end_us;
                first = i;
            }
        }
        s->now_us = next_us;
        if (first < MAX_FLIGHT)
            end(s, first);
    }
}

static void begin(struct sim *s, const struct server *server, unsigned fixed)
{
    memset(s, 0, sizeof *s);
    s->server = server;
    s->now_us = S;
    rng_seed(&s->rng, 3);
    origin_init(&s->origin, &s->rng);
    if (fixed)
        limiter_init_fixed(&s->limiter, fixed);
    else
        limiter_init(&s->limiter, MAX_LIMIT);
}

static unsigned done_with(const struct server *server, unsigned fixed, int64_t span_us)
{
    static struct sim s; /* large, not shared between tests */
    begin(&s, server, fixed);
    simulate(&s, S + span_us);
    return s.done;
}

static unsigned best_fixed(const struct server *server, int64_t span_us, unsigned *at)
{
    static const unsigned limits[] = {1, 2, 4, 8, 10, 16, 24, 32, 48, 64};
    unsigned best = 0;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        unsigned n = done_with(server, limits[i], span_us);
        if (n > best) {
            best = n;
            *at = limits[i];
        }
    }
    return best;
}

/* At least 85 % of the best fixed limit. */
static void against_servers(void **state)
{
    (void)state;
    static const struct server servers[] = {
        {.name = "fast and near, 2 cores", .cores = 2, .work_us = 100, .delay_us = 300},
        {.name = "fixed delay of 50 ms", .delay_us = 50000},
        {.name = "admits 10, else 429, 20 ms", .delay_us = 20000, .admits = 10, .reject_us = 1000},
        {.name = "admits 10, else 429, 200 ms",
         .delay_us = 200000,
         .admits = 10,
         .reject_us = 5000},
        {.name = "admits 3, else 429, 50 ms", .delay_us = 50000, .admits = 3, .reject_us = 1000},
        {.name = "4 cores of 20 ms, 30 ms away", .cores = 4, .work_us = 20000, .delay_us = 30000},
        {.name = "1 core of 5 ms", .cores = 1, .work_us = 5000, .delay_us = 1000},
        {.name = "8 cores of 100 ms", .cores = 8, .work_us = 100000, .delay_us = 10000},
    };
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        static struct sim s;
        unsigned at = 0;
        unsigned best = best_fixed(&servers[i], 20 * S, &at);
        begin(&s, &servers[i], 0);
        simulate(&s, 21 * S);
        double share = (double)s.done / best;
        printf("%-30s auto %6u of %6u (-j %u): %3.0f %%, limit %u, %u times 429\n", servers[i].name,
               s.done, best, at, 100 * share, limiter_limit(&s.limiter), s.rejected);
        if (share < 0.85)
            fail_msg("%s: %u of %u", servers[i].name, s.done, best);
        if (s.rejected > 40)
            fail_msg("%s: %u times 429", servers[i].name, s.rejected);
    }
}

/* A crowded server is not filled up to the brim: requests do not wait there for long. */
static void crowded_server(void **state)
{
    (void)state;
    static const struct server server = {.cores = 1, .work_us = 20000, .delay_us = 5000};
    static struct sim s;
    begin(&s, &server, 0);
    simulate(&s, 61 * S);
    printf("one core of 20 ms: limit %u\n", limiter_limit(&s.limiter));
    assert_in_range(limiter_limit(&s.limiter), 2, 48);
}

/* Slower answers that do not come from our own number are no reason to shrink for good. */
static void slower_by_itself(void **state)
{
    (void)state;
    static const struct server server = {
        .delay_us = 50000, .slow_from_us = 10 * S, .slow_delay_us = 400000};
    static struct sim s;
    begin(&s, &server, 0);
    simulate(&s, 61 * S);
    printf("from 50 ms to 400 ms: limit %u\n", limiter_limit(&s.limiter));
    assert_in_range(limiter_limit(&s.limiter), 56, 64);
}

static void only_grows_when_used(void **state)
{
    (void)state;
    struct limiter l;
    limiter_init(&l, 64);
    limiter_filled(&l, 5);
    for (uint64_t i = 1; i <= 1000; i++)
        limiter_good(&l, i, i, 1000, (int64_t)i * 1000);
    assert_int_equal(limiter_limit(&l), LIMITER_START);
    limiter_filled(&l, 8);
    limiter_good(&l, 1001, 1001, 1000, 2 * S);
    assert_int_equal(limiter_limit(&l), LIMITER_START + 1);
}

static void one_cut_a_round(void **state)
{
    (void)state;
    struct limiter l;
    limiter_init(&l, 64);
    for (uint64_t seq = 1; seq <= 8; seq++)
        limiter_congested(&l, seq, 8, 8, S);
    assert_int_equal(limiter_limit(&l), 6);
    limiter_congested(&l, 9, 14, 6, S);
    assert_int_equal(limiter_limit(&l), 4);
    for (uint64_t seq = 100; seq <= 3000; seq += 100)
        limiter_congested(&l, seq, seq, 1, S);
    assert_int_equal(limiter_limit(&l), 1); /* never 0 */
    for (uint64_t seq = 4000; seq < 9000; seq++) {
        limiter_filled(&l, 64);
        limiter_good(&l, seq, seq, 1000, 100 * S + (int64_t)seq * 1000);
    }
    assert_int_equal(limiter_limit(&l), 64);
}

static void resumes_at_half(void **state)
{
    (void)state;
    struct limiter l;
    limiter_init(&l, 64);
    l.now = 40;
    limiter_resume(&l, 100);
    assert_int_equal(limiter_limit(&l), 20);
    limiter_congested(&l, 90, 100, 20, S); /* from before */
    assert_int_equal(limiter_limit(&l), 20);
    limiter_init_fixed(&l, 33);
    limiter_resume(&l, 100);
    limiter_congested(&l, 101, 101, 33, S);
    assert_int_equal(limiter_limit(&l), 33);
}

/* A fixed limit is the most that is allowed: a server that refuses what is beyond has less. */
static void fixed_comes_down_and_returns(void **state)
{
    (void)state;
    struct limiter l;
    limiter_init_fixed(&l, 32);
    for (uint64_t seq = 1; seq <= 30; seq++)
        limiter_refused(&l, seq, 32, 32, S);
    assert_int_equal(limiter_limit(&l), 24); /* once for all that were in flight together */
    limiter_resume(&l, 40);
    assert_int_equal(limiter_limit(&l), 12);
    limiter_refused(&l, 41, 50, 12, 2 * S);
    assert_int_equal(limiter_limit(&l), 9);
    for (uint64_t seq = 100; seq < 9000; seq++) {
        limiter_filled(&l, 32);
        limiter_good(&l, seq, seq, 900000, 100 * S + (int64_t)seq * 10000);
    }
    assert_int_equal(limiter_limit(&l), 32); /* slow answers are nothing to a fixed one */
}

/* Every so many answers one is a refusal, however few are in flight: some leads are answered so. */
static unsigned with_refusals(bool fixed, uint64_t every)
{
    struct limiter l;
    if (fixed)
        limiter_init_fixed(&l, 16);
    else
        limiter_init(&l, 64);
    uint64_t lowest = UINT64_MAX;
    for (uint64_t seq = 1; seq <= 40000; seq++) {
        unsigned limit = limiter_limit(&l);
        int64_t now_us = S + (int64_t)(seq * 60000 / limit); /* an answer takes 60 ms */
        limiter_filled(&l, limit);
        if (seq % every == 0)
            limiter_refused(&l, seq, seq + limit, limit, now_us);
        else
            limiter_good(&l, seq, seq + limit, 60000, now_us);
        if (seq > 20000 && limiter_limit(&l) < lowest)
            lowest = limiter_limit(&l);
    }
    return (unsigned)lowest;
}

static void some_leads_are_refused(void **state)
{
    (void)state;
    assert_in_range(with_refusals(true, 70), 16, 16);
    assert_in_range(with_refusals(true, 40), 16, 16);
    assert_in_range(with_refusals(false, 70), 24, 64);
    assert_in_range(with_refusals(false, 1000), 64, 64);
    assert_in_range(with_refusals(true, 4), 1, 3); /* each round */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_servers),
        cmocka_unit_test(crowded_server),
        cmocka_unit_test(slower_by_itself),
        cmocka_unit_test(only_grows_when_used),
        cmocka_unit_test(one_cut_a_round),
        cmocka_unit_test(resumes_at_half),
        cmocka_unit_test(fixed_comes_down_and_returns),
        cmocka_unit_test(some_leads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
