/* Marks of axes. */
#include "monitor/scale.h"

#include <inttypes.h>
#include <string.h>

#include "cmocka_all.h"

#define SECOND INT64_C(1000000)

static void steps(void **state)
{
    (void)state;
    static const struct {
        double max;
        unsigned most;
        bool is_whole;
        double step, top;
    } rows[] = {
        {0, 4, true, 1, 1},           {1, 4, true, 1, 1},          {3, 4, true, 1, 3},
        {4, 4, true, 1, 4},           {5, 4, true, 2, 6},          {17, 4, true, 5, 20},
        {40, 4, true, 10, 40},        {41, 4, true, 20, 60},       {64, 4, true, 20, 80},
        {1450, 4, true, 500, 1500},   {1e12, 4, true, 5e11, 1e12}, {0.3, 3, false, 0.1, 0.3},
        {0.05, 4, false, 0.02, 0.06}, {1.5, 4, false, 0.5, 1.5},   {0, 4, false, 1e-6, 1e-6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double top;
        double step = scale_step(rows[i].max, rows[i].most, rows[i].is_whole, &top);
        if (step < rows[i].step * 0.999999 || step > rows[i].step * 1.000001 ||
            top < rows[i].top * 0.999999 || top > rows[i].top * 1.000001)
            fail_msg("%g: step %g to %g, want %g to %g", rows[i].max, step, top, rows[i].step,
                     rows[i].top);
    }
}

/* As many marks as there is room for, and not a few only. */
static void any_maximum(void **state)
{
    (void)state;
    double max = 0.001;
    for (int i = 0; i < 130; i++) {
        max *= 1.37;
        double top;
        double step = scale_step(max, 4, max >= 1, &top);
        assert_true(top >= max * 0.999999 && top <= max + step * 1.000001);
        assert_true(max < 3 || (top / step < 4.001 && top / step > 1.999));
    }
}

static void time_steps(void **state)
{
    (void)state;
    static const struct {
        int64_t length_us, step_us;
    } rows[] = {
        {1, 1},
        {300000, 50000},
        {SECOND, 200000},
        {3 * SECOND, 500000},
        {8 * SECOND, SECOND},
        {9 * SECOND, 2 * SECOND},
        {60 * SECOND, 10 * SECOND},
        {600 * SECOND, 120 * SECOND},
        {3600 * SECOND, 600 * SECOND},
        {86400 * SECOND, 10800 * SECOND},
        {8 * 86400 * SECOND, 86400 * SECOND},
        {INT64_C(100) * 86400 * SECOND, INT64_C(13) * 86400 * SECOND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t step_us = scale_time_step_us(rows[i].length_us, 8);
        if (step_us != rows[i].step_us)
            fail_msg("%" PRId64 ": %" PRId64 ", want %" PRId64, rows[i].length_us, step_us,
                     rows[i].step_us);
        assert_true(rows[i].length_us / step_us <= 8);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *want;
    } rows[] = {
        {0, "0"},
        {50000, "0.05 s"},
        {2500000, "2.5 s"},
        {30 * SECOND, "30 s"},
        {60 * SECOND, "1 min"},
        {150 * SECOND, "2:30 min"},
        {7200 * SECOND, "2 h"},
        {5400 * SECOND, "1:30 h"},
        {86400 * SECOND, "1 d"},
        {INT64_C(194400) * SECOND, "2 d 6 h"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[SCALE_TIME_CHARS];
        scale_time(text, rows[i].us);
        assert_string_equal(text, rows[i].want);
    }
}

static void latencies(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *want;
    } rows[] = {{1, "0.001 ms"},
                {64, "0.064 ms"},
                {1024, "1.0 ms"},
                {4096, "4.1 ms"},
                {16384, "16 ms"},
                {131072, "130 ms"},
                {262144, "260 ms"},
                {994900, "990 ms"},
                {1048576, "1.0 s"},
                {2097152, "2.1 s"},
                {16777216, "17 s"},
                {UINT64_C(300000000), "5 min"},
                {UINT64_C(1) << 37, "2291 min"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[SCALE_TIME_CHARS];
        scale_latency(text, rows[i].us);
        assert_string_equal(text, rows[i].want);
    }
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        double n;
        const char *want;
    } rows[] = {{0, "0"},          {0.5, "0.5"},   {1500, "1500"},
                {9999, "9999"},    {10000, "10k"}, {12500, "12.5k"},
                {999999, "1000k"}, {2e6, "2M"},    {2.5e9, "2500M"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[SCALE_NUMBER_CHARS];
        scale_number(text, rows[i].n);
        assert_string_equal(text, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps), cmocka_unit_test(any_maximum), cmocka_unit_test(time_steps),
        cmocka_unit_test(times), cmocka_unit_test(latencies),   cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
