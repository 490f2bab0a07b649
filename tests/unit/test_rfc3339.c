/* The wanted microseconds are of Python's datetime, where it has such a time. */
#include "core/base/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmocka_all.h"

#define NONE INT64_MIN

static const struct {
    const char *text;
    int64_t want;
} rows[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"2026-01-30T02:00:00.000Z", 1769738400000000},
    {"2026-01-30t02:00:00z", 1769738400000000},
    {"2026-01-30 02:00:00Z", 1769738400000000},
    {"2026-01-30T02:00:00.5Z", 1769738400500000},
    {"2026-01-30T02:00:00.123456Z", 1769738400123456},
    {"2026-01-30T02:00:00.123456000000000Z", 1769738400123456},
    {"2026-01-30T02:00:00.1234567Z", NONE},
    {"2026-01-30T02:00:00.0000000000001Z", NONE},
    {"1969-12-31T23:59:59.999999Z", -1},
    {"1970-01-01T00:00:00+00:00", 0},
    {"1970-01-01T00:00:00-00:00", 0},
    {"1970-01-01T01:30:00+01:30", 0},
    {"1969-12-31T18:00:00-06:00", 0},
    {"1970-01-01T23:59:00+23:59", 0},
    {"1970-01-01T00:00:00+24:00", NONE},
    {"1970-01-01T00:00:00+01:60", NONE},
    {"1970-01-01T00:00:00+1:00", NONE},
    {"1970-01-01T00:00:00+0100", NONE},
    {"1970-01-01T00:00:00+01", NONE},
    {"1970-01-01T00:00:00 +01:00", NONE},
    {"1970-01-01T00:00:00", NONE},
    {"1970-01-01T00:00Z", NONE},
    {"1970-01-01", NONE},
    {"1970-01-01T", NONE},
    {"", NONE},
    {" 1970-01-01T00:00:00Z", NONE},
    {"1970-01-01T00:00:00Z ", NONE},
    {"1970-01-01T00:00:00ZZ", NONE},
    {"1970-01-01T00:00:00.Z", NONE},
    {"1970-01-01T00:00:00,5Z", NONE},
    {"1970-01-01T00:00:00.5", NONE},
    {"1970-01-01T00:00:00.-5Z", NONE},
    {"1970-01-01_00:00:00Z", NONE},
    {"1970-1-1T00:00:00Z", NONE},
    {"70-01-01T00:00:00Z", NONE},
    {"19700101T000000Z", NONE},
    {"+1970-01-01T00:00:00Z", NONE},
    {"-1970-01-01T00:00:00Z", NONE},
    {"12026-01-01T00:00:00Z", NONE},
    {"1970-W01-1T00:00:00Z", NONE},
    {"1970-001T00:00:00Z", NONE},
    {"1970-00-01T00:00:00Z", NONE},
    {"1970-13-01T00:00:00Z", NONE},
    {"1970-01-00T00:00:00Z", NONE},
    {"1970-01-32T00:00:00Z", NONE},
    {"1970-04-31T00:00:00Z", NONE},
    {"1970-01-01T24:00:00Z", NONE},
    {"1970-01-01T00:60:00Z", NONE},
    {"1970-01-01T00:00:60Z", NONE},
    {"2016-12-31T23:59:60Z", NONE}, /* there was one */
    {"2016-12-31T23:59:59.999999Z", 1483228799999999},
    {"2024-02-29T00:00:00Z", 1709164800000000},
    {"2023-02-29T00:00:00Z", NONE},
    {"2000-02-29T00:00:00Z", 951782400000000},
    {"1900-02-29T00:00:00Z", NONE},
    {"1900-03-01T00:00:00Z", -2203891200000000},
    {"0001-01-01T00:00:00Z", TIME_YEAR_1_US},
    {"9999-12-31T23:59:59.999999Z", TIME_YEAR_9999_END_US},
    /* what a target can hold is the target's matter */
    {"0001-01-01T00:00:00+00:01", TIME_YEAR_1_US - 60000000},
    {"9999-12-31T23:59:59.999999-00:01", TIME_YEAR_9999_END_US + 60000000},
    {"0000-12-31T00:00:00Z", TIME_YEAR_1_US - INT64_C(86400000000)},
    {"0000-02-29T00:00:00Z", TIME_YEAR_1_US - 307 * INT64_C(86400000000)},
    {"0000-01-01T00:00:00Z", TIME_YEAR_1_US - 366 * INT64_C(86400000000)},
    {"1970\xE2\x88\x92"
     "01-01T00:00:00Z",
     NONE},
    {"Thu, 01 Jan 1970 00:00:00 GMT", NONE},
    {"now", NONE},
    {"0", NONE},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = NONE;
        bool is_time = rfc3339_parse(str_c(rows[i].text), &got);
        if (!is_time)
            got = NONE;
        if (got != rows[i].want)
            fail_msg("\"%s\": got %" PRId64 ", want %" PRId64, rows[i].text, got, rows[i].want);
    }
}

/* Every beginning of a time that is none is refused; nothing is read behind it. */
static void test_beginnings(void **state)
{
    (void)state;
    static const char whole[] = "2026-01-30T02:00:00.123456+01:00";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        char *piece = test_malloc(n ? n : 1);
        int64_t got;
        memcpy(piece, whole, n);
        if (rfc3339_parse((struct str){piece, n}, &got))
            fail_msg("%.*s", (int)n, whole);
        test_free(piece);
    }
}

/* Each day from the year 1 to 9999, by a calendar that counts. */
static void test_every_day(void **state)
{
    (void)state;
    int64_t want = TIME_YEAR_1_US;
    for (int year = 1; year <= 9999; year++) {
        bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 1; month <= 12; month++) {
            int days = month == 2                                              ? 28 + is_leap
                       : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                               : 31;
            for (int day = 1; day <= 31; day++) {
                char text[40];
                int64_t got = NONE;
                int len = snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
                bool is_time = rfc3339_parse((struct str){text, (size_t)len}, &got);
                if (is_time != (day <= days) || (is_time && got != want))
                    fail_msg("%s: got %" PRId64 ", want %" PRId64, text, got, want);
                want += is_time ? INT64_C(86400000000) : 0;
            }
        }
    }
    assert_int_equal(want, TIME_YEAR_9999_END_US + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_every_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
