/* What the sink "sqlite" gives SQLite: times.
 * What comes of it in a database: tests/e2e/test_sqlite.py. */
#include "cmocka_all.h"

#include <string.h>

#include "core/base/rfc3339.h"
#include "sinks/sqlite/place.h"

/* ---- times ---------------------------------------------------------------------------------- */

static void times(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0001-01-01T00:00:00.000000Z", "0004-02-29T12:00:00.000001Z", "1582-10-15T00:00:00.000000Z",
        "1600-02-29T23:59:59.999999Z", "1900-02-28T23:59:59.000000Z", "1900-03-01T00:00:00.000000Z",
        "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z", "2000-02-29T00:00:00.500000Z",
        "2024-12-31T23:59:59.000000Z", "2026-11-29T02:00:00.123456Z", "9999-12-31T23:59:59.999999Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char got[SQLITE_TIME_BYTES];
        int64_t us = 0;
        assert_true(rfc3339_parse(str_c(texts[i]), &us));
        sqlite_time_text(us, got);
        assert_string_equal(got, texts[i]);
    }
}

/* Moments all over the years 1 to 9999, against what reads them. */
static void all_months(void **state)
{
    (void)state;
    const int64_t step_us = INT64_C(86400000000) * 30 + 1;
    for (int64_t us = TIME_YEAR_1_US; us < TIME_YEAR_9999_END_US - step_us; us += step_us * 7) {
        char got[SQLITE_TIME_BYTES];
        int64_t back = 0;
        sqlite_time_text(us, got);
        if (!rfc3339_parse(str_c(got), &back) || back != us)
            fail_msg("%s is %lld, wanted %lld", got, (long long)back, (long long)us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(all_months),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
