#include "core/http/retry_after.h"

#include "cmocka_all.h"

#define NOW_MS INT64_C(1769738400000) /* Fri, 30 Jan 2026 02:00:00 GMT */
#define NONE (-1)

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *value, *date;
        int64_t expected_ms; /* NONE: says nothing */
    } cases[] = {
        {"0", NULL, 0},
        {"120", NULL, 120000},
        {" 7\t", NULL, 7000},
        {"007", NULL, 7000},
        {"99999999999999999999999999", NULL, RETRY_AFTER_US_MAX / 1000},
        {"3155760001", NULL, RETRY_AFTER_US_MAX / 1000},
        {"", NULL, NONE},
        {"-5", NULL, NONE},
        {"+5", NULL, NONE},
        {"1.5", NULL, 1500},
        {"1e3", NULL, NONE},
        {"120s", NULL, 120000},
        {"20.0", NULL, 20000},
        {"0.25", NULL, 250},
        {"20 s", NULL, 20000},
        {"20 Seconds", NULL, 20000},
        {"1.5 min", NULL, 90000},
        {"2m", NULL, 120000},
        {"1 hour", NULL, 3600000},
        {"1500ms", NULL, 1500},
        {"99999999999999999999h", NULL, RETRY_AFTER_US_MAX / 1000},
        {"\"30\"", NULL, 30000},
        {"10, 30", NULL, 30000},
        {"30,10", NULL, 30000},
        {"30, soon", NULL, NONE},
        {"30,", NULL, NONE},
        {"20.", NULL, NONE},
        {".5", NULL, NONE},
        {"20.0.0", NULL, NONE},
        {"20d", NULL, NONE},
        {"20 s later", NULL, NONE},
        {"0x14", NULL, NONE},
        {"PT20S", NULL, 20000},
        {"pt1m30.5s", NULL, 90500},
        {"PT1H", NULL, 3600000},
        {"PT", NULL, NONE},
        {"PT20", NULL, NONE},
        {"PT1S1M", NULL, NONE},
        {"P1D", NULL, NONE},
        {"1 2", NULL, NONE},
        {"soon", NULL, NONE},
        /* the three forms */
        {"Fri, 30 Jan 2026 02:00:30 GMT", NULL, 30000},
        {"Friday, 30-Jan-26 02:00:30 GMT", NULL, 30000},
        {"Fri Jan 30 02:00:30 2026", NULL, 30000},
        {"Sun Feb  1 02:00:00 2026", NULL, 2 * 86400000},
        {"Fri, 30 Jan 2026 01:59:00 GMT", NULL, 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", NULL, 0},
        /* in another case, other zones, other forms */
        {"fri, 30 jan 2026 02:00:30 gmt", NULL, 30000},
        {"FRI, 30 JAN 2026 02:00:30 GMT", NULL, 30000},
        {"friday, 30-jan-26 02:00:30 gmt", NULL, 30000},
        {"fri jan 30 02:00:30 2026", NULL, 30000},
        {"Fri, 30 Jan 2026 02:00:30 UTC", NULL, 30000},
        {"Fri, 30 Jan 2026 03:00:30 +0100", NULL, 30000},
        {"Thu, 29 Jan 2026 21:00:30 -0500", NULL, 30000},
        {"Sun, 1 Feb 2026 02:00:00 GMT", NULL, 2 * 86400000},
        {"2026-01-30T02:00:30Z", NULL, 30000},
        {"2026-01-30t02:00:30z", NULL, 30000},
        {"2026-01-30T02:00:30.999Z", NULL, 30000},
        {"2026-01-30 02:00:30Z", NULL, 30000},
        {"2026-01-30 02:00:30 UTC", NULL, 30000},
        {"2026-01-30T03:30:30+01:30", NULL, 30000},
        {"2026-01-29T21:00:30-0500", NULL, 30000},
        {"2026-01-30T03:00:30+01", NULL, 30000},
        {"20260130T020030Z", NULL, 30000},
        {"2024-02-29T00:00:00Z", NULL, 0},
        {"2026-03-01T02:00:00Z", NULL, INT64_C(30) * 86400000},
        {"1769738430", NULL, 30000},
        {"1769738430000", NULL, 30000},
        {"1769738399", NULL, 0},
        /* what has no one meaning, and nonsense */
        {"2026-01-30T02:00:30", NULL, NONE},
        {"2026-01-30", NULL, NONE},
        {"2026-13-30T02:00:30Z", NULL, NONE},
        {"2026-01-30T02:60:30Z", NULL, NONE},
        {"2026-01-30T02:00:30+25:00", NULL, NONE},
        {"2026-01-30T02:00:30+01:00:00", NULL, NONE},
        {"2026-01-30T02:00:30.Z", NULL, NONE},
        {"Fri, 30 Jan 2026 02:00:30 PST", NULL, NONE},
        {"Fri, 30 Jan 2026 02:00:30", NULL, NONE},
        {"30 Jan 2026 02:00:30 GMT", NULL, NONE},
        {"Fri, 30 Xxx 2026 02:00:30 GMT", NULL, NONE},
        {"Fri, 30 Jan 2026 25:00:30 GMT", NULL, NONE},
        {"Fri, 30 Jan 2026 02:00:30 GMT and more", NULL, NONE},
        /* relative to the server's own clock, a year behind */
        {"Thu, 30 Jan 2025 02:01:00 GMT", "Thu, 30 Jan 2025 02:00:00 GMT", 60000},
        {"Thu, 30 Jan 2025 02:01:00 GMT", "yesterday", 0},
        {"Fri, 30 Jan 2026 02:00:30 GMT", "", 30000},
        {"1738202460", "Thu, 30 Jan 2025 02:00:00 GMT", 60000},
        {"2025-01-30T02:01:00Z", "Thu, 30 Jan 2025 02:00:00 GMT", 60000},
        {"5", "Thu, 30 Jan 2025 02:00:00 GMT", 5000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = -1000;
        bool ok = retry_after_parse(str_c(cases[i].value), str_c(cases[i].date), NOW_MS, &us);
        if (ok != (cases[i].expected_ms != NONE) || us / 1000 != cases[i].expected_ms)
            fail_msg("\"%s\" (Date \"%s\"): %s, %lld ms; expected %lld ms", cases[i].value,
                     cases[i].date ? cases[i].date : "", ok ? "read" : "refused",
                     (long long)us / 1000, (long long)cases[i].expected_ms);
    }
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t expected_s;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* the examples of RFC 9110 */
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Wednesday, 30-Sep-26 00:00:00 GMT", 1790726400},
        {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1;
        assert_true(http_date_parse(str_c(cases[i].text), &ms));
        if (ms != cases[i].expected_s * 1000)
            fail_msg("\"%s\": %lld, expected %lld", cases[i].text, (long long)ms / 1000,
                     (long long)cases[i].expected_s);
    }
}

/* The text need not end in a NUL. */
static void is_length_counted(void **state)
{
    (void)state;
    int64_t us;
    char digits[3] = {'1', '2', '3'};
    assert_true(retry_after_parse((struct str){digits, 2}, STR_NONE, NOW_MS, &us));
    assert_int_equal(us, 12000000);
    assert_false(retry_after_parse(STR_NONE, STR_NONE, NOW_MS, &us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(dates),
        cmocka_unit_test(is_length_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
