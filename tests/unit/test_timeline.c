/* How a run went over time: intervals, their merging, and spans. */
#include "core/run/timeline.h"

#include <inttypes.h>

#include "core/base/clock.h"

#include "cmocka_all.h"

#define MS INT64_C(1000)
#define SECOND (1000 * MS)

static uint64_t sum_of(const struct timeline *t, enum timeline_figure figure)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < TIMELINE_INTERVALS; i++)
        sum += t->intervals[i].figures[figure];
    return sum;
}

static void expect_sums(const struct timeline *t, uint64_t exported, uint64_t in_flight_us)
{
    uint64_t sum = sum_of(t, TIMELINE_EXPORTED);
    uint64_t integral = sum_of(t, TIMELINE_IN_FLIGHT_US);
    if (sum != exported || integral != in_flight_us)
        fail_msg("got %" PRIu64 " leads and %" PRIu64 " us, want %" PRIu64 " and %" PRIu64, sum,
                 integral, exported, in_flight_us);
}

/* ---- intervals ------------------------------------------------------------------------------ */

static void samples_are_spread(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t first_ms, second_ms; /* of two samples, with 30 leads between them */
        size_t intervals;
        uint64_t want[4];
    } rows[] = {
        {"within one", 20, 80, 1, {30, 0, 0, 0}},
        {"to the end of one", 0, 100, 1, {30, 0, 0, 0}},
        {"over two", 50, 150, 2, {15, 15, 0, 0}},
        {"over three", 50, 350, 4, {5, 10, 10, 5}},
        {"beginning at an edge", 100, 400, 4, {0, 10, 10, 10}},
        {"a third each, rounded", 90, 120, 2, {10, 20, 0, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct timeline t;
        struct timeline_sample s = {.counts = {[TIMELINE_EXPORTED] = 7}};
        timeline_begin(&t, 5 * SECOND, &s);
        timeline_add(&t, 5 * SECOND + rows[i].first_ms * MS, &s);
        s.counts[TIMELINE_EXPORTED] += 30;
        timeline_add(&t, 5 * SECOND + rows[i].second_ms * MS, &s);
        if (timeline_intervals(&t) != rows[i].intervals)
            fail_msg("%s: %zu intervals, want %zu", rows[i].name, timeline_intervals(&t),
                     rows[i].intervals);
        for (size_t k = 0; k < 4; k++) {
            uint64_t got = t.intervals[k].figures[TIMELINE_EXPORTED];
            if (got != rows[i].want[k])
                fail_msg("%s: interval %zu has %" PRIu64 ", want %" PRIu64, rows[i].name, k, got,
                         rows[i].want[k]);
        }
    }
}

static void width_doubles(void **state)
{
    (void)state;
    static const struct {
        int64_t end_us, width_us;
        size_t intervals;
    } rows[] = {
        {24 * SECOND, 100 * MS, 240},       {24 * SECOND + 1, 200 * MS, 121},
        {48 * SECOND, 200 * MS, 240},       {60 * SECOND, 400 * MS, 150},
        {86400 * SECOND, 409600 * MS, 211}, {400 * 86400 * SECOND, 100 * MS << 21, 165},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct timeline t;
        struct timeline_sample s = {.in_flight = 3};
        int64_t step_us = rows[i].end_us / 1000 + 1;
        timeline_begin(&t, -SECOND, &s);
        for (int64_t at_us = 0; at_us < rows[i].end_us;) {
            at_us += step_us;
            at_us = at_us > rows[i].end_us ? rows[i].end_us : at_us;
            s.counts[TIMELINE_EXPORTED]++;
            timeline_add(&t, at_us - SECOND, &s);
        }
        if (t.width_us != rows[i].width_us || timeline_intervals(&t) != rows[i].intervals)
            fail_msg("row %zu: %zu intervals of %" PRId64 " us, want %zu of %" PRId64, i,
                     timeline_intervals(&t), t.width_us, rows[i].intervals, rows[i].width_us);
        expect_sums(&t, s.counts[TIMELINE_EXPORTED], 3 * (uint64_t)rows[i].end_us);
        int64_t covered_us = 0;
        for (size_t k = 0; k < timeline_intervals(&t); k++)
            covered_us += timeline_covered_us(&t, k);
        assert_int_equal(covered_us, rows[i].end_us);
    }
}

/* Two intervals that become one have the figures of both, wherever they are. */
static void merging_keeps_figures(void **state)
{
    (void)state;
    struct timeline t;
    struct timeline_sample s = {.counts = {0}};
    timeline_begin(&t, 0, &s);
    for (int64_t i = 1; i <= TIMELINE_INTERVALS; i++) {
        s.counts[TIMELINE_FAILED] += (uint64_t)i;
        timeline_add(&t, i * TIMELINE_WIDTH_US, &s);
    }
    for (size_t i = 0; i < TIMELINE_INTERVALS; i++)
        assert_int_equal(t.intervals[i].figures[TIMELINE_FAILED], i + 1);
    timeline_add(&t, (TIMELINE_INTERVALS + 1) * TIMELINE_WIDTH_US, &s);
    for (size_t i = 0; i < TIMELINE_INTERVALS / 2; i++)
        assert_int_equal(t.intervals[i].figures[TIMELINE_FAILED], 4 * i + 3);
    for (size_t i = TIMELINE_INTERVALS / 2; i < TIMELINE_INTERVALS; i++)
        assert_int_equal(t.intervals[i].figures[TIMELINE_FAILED], 0);
}

static void odd_samples(void **state)
{
    (void)state;
    struct timeline t;
    struct timeline_sample s = {.counts = {[TIMELINE_EXPORTED] = 100}, .in_flight = 1};
    timeline_begin(&t, SECOND, &s);
    assert_int_equal(timeline_intervals(&t), 0);
    timeline_add(&t, SECOND, &s); /* no time has passed */
    timeline_add(&t, 0, &s);      /* the clock went back */
    assert_int_equal(timeline_intervals(&t), 0);
    s.counts[TIMELINE_EXPORTED] = 40; /* fewer than before */
    timeline_add(&t, 2 * SECOND, &s);
    expect_sums(&t, 0, (uint64_t)SECOND);
    s.counts[TIMELINE_EXPORTED] = 45;
    timeline_add(&t, 3 * SECOND, &s);
    expect_sums(&t, 5, 2 * (uint64_t)SECOND);
    s.counts[TIMELINE_EXPORTED] = UINT64_MAX;
    s.in_flight = 4096;
    timeline_add(&t, 3 * SECOND + INT64_C(3600) * SECOND, &s);
    assert_true(sum_of(&t, TIMELINE_EXPORTED) == UINT64_MAX - 40);
}

/* ---- spans ---------------------------------------------------------------------------------- */

/* One letter for each 100 ms: "." nothing, "D" down, "H" held back, "B" both. */
static void spans(void **state)
{
    (void)state;
    static const struct {
        const char *samples;
        size_t n[TIMELINE_SPAN_KINDS];
        struct timeline_span first[TIMELINE_SPAN_KINDS]; /* in 100 ms */
    } rows[] = {
        {"....", {0, 0}, {{0, 0}, {0, 0}}},   {"D", {1, 0}, {{0, 1}, {0, 0}}},
        {".DD.", {1, 0}, {{1, 4}, {0, 0}}}, /* until it was seen to be over */
        {".DD", {1, 0}, {{1, 3}, {0, 0}}},    {"D.D.", {2, 0}, {{0, 2}, {0, 0}}},
        {"HH..DD", {1, 1}, {{4, 6}, {0, 3}}}, {"BB", {1, 1}, {{0, 2}, {0, 2}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct timeline t;
        struct timeline_sample s = {.counts = {0}};
        timeline_begin(&t, 0, &s);
        for (int64_t k = 0; rows[i].samples[k]; k++) {
            s.is[TIMELINE_DOWN] = rows[i].samples[k] == 'D' || rows[i].samples[k] == 'B';
            s.is[TIMELINE_HELD] = rows[i].samples[k] == 'H' || rows[i].samples[k] == 'B';
            timeline_add(&t, (k + 1) * 100 * MS, &s);
        }
        for (size_t k = 0; k < TIMELINE_SPAN_KINDS; k++) {
            const struct timeline_spans *got = &t.spans[k];
            int64_t from = got->n ? got->items[0].from_us / (100 * MS) : 0;
            int64_t to = got->n ? got->items[0].to_us / (100 * MS) : 0;
            if (got->n != rows[i].n[k] || from != rows[i].first[k].from_us ||
                to != rows[i].first[k].to_us)
                fail_msg("%s: kind %zu: %zu spans, the first from %" PRId64 " to %" PRId64,
                         rows[i].samples, k, got->n, from, to);
        }
    }
}

/* Of too many those become one that are closest to each other; none is lost, and they stay apart. */
static void too_many_spans(void **state)
{
    (void)state;
    struct timeline t;
    struct timeline_sample s = {.counts = {0}};
    int64_t at_us = 0;
    int64_t first_us = -1;
    struct rng rng;
    rng_seed(&rng, 7);
    timeline_begin(&t, 0, &s);
    for (int i = 0; i < 5000; i++) {
        at_us += (int64_t)(1 + rng_below(&rng, 50)) * 100 * MS;
        s.is[TIMELINE_DOWN] = i % 2 == 1;
        if (i == 1)
            first_us = t.end_us;
        timeline_add(&t, at_us, &s);
        const struct timeline_spans *got = &t.spans[TIMELINE_DOWN];
        assert_true(got->n <= TIMELINE_SPANS_MAX);
        for (size_t k = 0; k < got->n; k++) {
            assert_true(got->items[k].from_us < got->items[k].to_us);
            assert_true(k == 0 || got->items[k - 1].to_us <= got->items[k].from_us);
        }
    }
    const struct timeline_spans *got = &t.spans[TIMELINE_DOWN];
    assert_int_equal(got->n, TIMELINE_SPANS_MAX);
    assert_int_equal(got->items[0].from_us, first_us);
    assert_int_equal(got->items[got->n - 1].to_us, at_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_spread),
        cmocka_unit_test(width_doubles),
        cmocka_unit_test(merging_keeps_figures),
        cmocka_unit_test(odd_samples),
        cmocka_unit_test(spans),
        cmocka_unit_test(too_many_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
