#include "core/http/rate.h"

#include "cmocka_all.h"

/* Starts in `span_us`, when a start is made as soon as it is allowed and the clock moves in steps
 * of `tick_us`. */
static unsigned run(double per_s, int64_t span_us, int64_t tick_us)
{
    struct rate r;
    unsigned n = 0;
    int64_t begin_us = 5000000000;
    rate_init(&r, per_s);
    for (int64_t now = begin_us; now < begin_us + span_us; now += tick_us) {
        while (rate_due_us(&r) <= now) {
            rate_take(&r, now);
            n++;
            if (n > 10000000)
                return n;
        }
    }
    return n;
}

static void starts_per_time(void **state)
{
    (void)state;
    static const struct {
        double per_s;
        int64_t span_us, tick_us;
        unsigned least, most;
    } cases[] = {
        {10, 1000000, 1, 10, 10},              /* evenly: no burst below 100 a second */
        {10, 950000, 1000, 10, 10},            /* 0, 100, ... 900 ms */
        {1, 60000000, 1000, 60, 60},           /**/
        {2.0 / 60, 60000000, 1000, 2, 2},      /* two a minute */
        {1000, 1000000, 1000, 990, 1010},      /* as coarse as a timer: the burst makes up for it */
        {20000, 1000000, 1000, 19900, 20200},  /**/
        {20000, 1000000, 10000, 19800, 20200}, /* up to 10 ms */
        {1e6, 100000, 1, 100000, 110001},      /**/
        {1e12, 10, 1, 10, 10000100},           /* more than the clock can distinguish */
        {1e-9, 1000000, 1000, 1, 1},           /**/
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned n = run(cases[i].per_s, cases[i].span_us, cases[i].tick_us);
        if (n < cases[i].least || n > cases[i].most)
            fail_msg("case %zu, %g/s: %u starts, expected %u to %u", i, cases[i].per_s, n,
                     cases[i].least, cases[i].most);
    }
}

/* The next start is as far behind the last one as the new rate says. */
static void another_rate(void **state)
{
    (void)state;
    static const struct {
        double before, after;
        int64_t due_us; /* after a start at 1 s; INT64_MIN: now */
    } cases[] = {
        {10, 5, 1200000},   {5, 10, 1100000},  {1.0 / 60, 10, 1100000}, {10, 1.0 / 60, 61000000},
        {10, 0, INT64_MIN}, {10, 10, 1100000}, {0, 10, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rate r;
        rate_init(&r, cases[i].before);
        rate_take(&r, 1000000);
        rate_change(&r, cases[i].after);
        int64_t due_us = rate_due_us(&r);
        if (due_us != cases[i].due_us)
            fail_msg("case %zu, %g/s to %g/s: due %lld, expected %lld", i, cases[i].before,
                     cases[i].after, (long long)due_us, (long long)cases[i].due_us);
    }
}

static void no_limit(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(rate_due_us(&r) == INT64_MIN);
        rate_take(&r, 7);
    }
}

static void a_pause_saves_nothing_up(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, 10);
    rate_take(&r, 0);
    rate_take(&r, 60000000);
    assert_int_equal(rate_due_us(&r), 60100000);
}

static void never_early(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, 3); /* an interval that is no whole number of microseconds */
    rate_take(&r, 0);
    assert_true(rate_due_us(&r) * 1000 >= r.interval_ns);
    assert_true(rate_due_us(&r) <= 333334);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_per_time), cmocka_unit_test(another_rate),
        cmocka_unit_test(no_limit),        cmocka_unit_test(a_pause_saves_nothing_up),
        cmocka_unit_test(never_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
