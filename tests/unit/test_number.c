/* The wanted floats were computed by hand and by Python's repr(), not by the code under test. */
#include "cmocka_all.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/json/number.h"

struct whole_row {
    const char *digits;
    enum number_kind kind;
    uint64_t u;
    int64_t i;
};

static const char *kind_text(enum number_kind kind)
{
    static const char *const texts[] = {"UINT", "INT", "FLOAT", "TEXT"};
    return texts[kind];
}

static void whole_numbers(void **state)
{
    (void)state;
    static const struct whole_row rows[] = {
        {"0", NUMBER_UINT, 0, 0},
        {"1", NUMBER_UINT, 1, 0},
        {"127", NUMBER_UINT, 127, 0},
        {"128", NUMBER_UINT, 128, 0},
        {"9007199254740993", NUMBER_UINT, 9007199254740993u, 0},
        {"9223372036854775807", NUMBER_UINT, INT64_MAX, 0},
        {"9223372036854775808", NUMBER_UINT, UINT64_C(9223372036854775808), 0},
        {"18446744073709551615", NUMBER_UINT, UINT64_MAX, 0},
        {"10000000000000000000", NUMBER_UINT, UINT64_C(10000000000000000000), 0},
        {"-1", NUMBER_INT, 0, -1},
        {"-32", NUMBER_INT, 0, -32},
        {"-33", NUMBER_INT, 0, -33},
        {"-9223372036854775807", NUMBER_INT, 0, -INT64_MAX},
        {"-9223372036854775808", NUMBER_INT, 0, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct number n = number_of(str_c(rows[i].digits));
        bool same = n.kind == rows[i].kind &&
                    (n.kind == NUMBER_UINT ? n.v.u == rows[i].u : n.v.i == rows[i].i);
        if (!same)
            fail_msg("%s: got %s %" PRIu64 ", want %s %" PRIu64 " %" PRId64, rows[i].digits,
                     kind_text(n.kind), n.v.u, kind_text(rows[i].kind), rows[i].u, rows[i].i);
    }
}

struct float_row {
    const char *digits;
    double want; /* NAN: only as text */
};

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void floats(void **state)
{
    (void)state;
    static const struct float_row rows[] = {
        {"-0", -0.0},
        {"0.0", 0.0},
        {"-0.0", -0.0},
        {"0e5", 0.0},
        {"-0e-99999999999999999999", -0.0},
        {"0.0000e+400", 0.0},
        {"1.0", 1.0},
        {"1.10", 1.1},
        {"0.1", 0.1},
        {"1e2", 100.0},
        {"1E+2", 100.0},
        {"100e-2", 1.0},
        {"-2.5e-3", -0.0025},
        {"0.30000000000000004", 0.30000000000000004},
        {"0.300000000000000040000", 0.30000000000000004},
        {"12345678901234.5", 12345678901234.5},
        {"123456789012345678901234567890e-15", NAN},
        {"1e19", 1e19},
        {"100000000000000000000", 1e20},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"18446744073709552000", 18446744073709552000.0},
        {"-9223372036854775808.0", NAN}, /* the shortest is -9223372036854776000 */
        {"-9223372036854776000", -9223372036854775808.0},
        {"9007199254740993.0", NAN},
        {"9007199254740992.0", 9007199254740992.0},
        {"5.684341886080802e-14", 0x1p-44},               /* a power of two: its gaps differ */
        {"5.684341886080801e-14", 0x1.fffffffffffffp-45}, /* its neighbour below */
        {"9.5367431640625e-07", 0x1p-20},
        {"1.7976931348623157e308", 0x1.fffffffffffffp1023},
        {"2.2250738585072014e-308", 0x1p-1022},
        {"5e-324", 0x1p-1074},
        {"4.94e-324", NAN},
        {"1e-323", 0x1p-1073},
        {"2.225073858507201e-308", 0x1.ffffffffffffep-1023},
        {"1e-307", 1e-307},
        {"1e307", 1e307},
        {"0.000000000000000000000000000000000000000001e42", 1.0},
        {"10000000000000000000000000000000000000000000e-43", 1.0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct number n = number_of(str_c(rows[i].digits));
        bool same = isnan(rows[i].want)
                        ? n.kind == NUMBER_TEXT
                        : n.kind == NUMBER_FLOAT && same_double(n.v.d, rows[i].want);
        if (!same)
            fail_msg("%s: got %s %.17g, want %.17g", rows[i].digits, kind_text(n.kind),
                     n.kind == NUMBER_FLOAT ? n.v.d : NAN, rows[i].want);
    }
}

static void texts(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "18446744073709551616", /* 2^64: a double has it, but is written 18446744073709552000 */
        "-9223372036854775809",
        "340282366920938463463374607431768211456",
        "0.1000000000000000055511151231257827",
        "0.10000000000000001", /* reads as 0.1 */
        "1.1000000000000001",  /* reads as 1.1 with one digit too many */
        "3.14159265358979323846",
        "1e400",
        "-1e400",
        "1e-400",
        "1e99999999999999999999999",
        "1e-99999999999999999999999",
        "3e-324", /* reads as 5e-324 */
        "2e-324",
        "1.7976931348623159e308",
        "1.79769313486231570e309",
        "5.6843418860808015e-14", /* reads as 2^-44, one digit too many */
        "0.1e",                   /* no JSON at all must not hurt either */
        "",
        "-",
        "abc",
        "+1",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct number n = number_of(str_c(rows[i]));
        if (n.kind != NUMBER_TEXT && strcmp(rows[i], "0.1e") != 0)
            fail_msg("\"%s\": got %s, want TEXT", rows[i], kind_text(n.kind));
    }
}

/* Digits in any number cost no more than reading them. */
static void long_numbers(void **state)
{
    (void)state;
    size_t len = 4000000;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '9', len);
    assert_int_equal(number_of((struct str){text, len}).kind, NUMBER_TEXT);
    memset(text, '0', len);
    memcpy(text, "0.", 2);
    memcpy(text + len - 9, "1e3999990", 9);
    struct number n = number_of((struct str){text, len});
    assert_int_equal(n.kind, NUMBER_FLOAT);
    assert_true(same_double(n.v.d, 1.0));
    int64_t whole = 0;
    assert_true(number_to_scaled((struct str){text, len}, 0, &whole));
    assert_int_equal(whole, 1);
    assert_int_equal(number_extent((struct str){text, len}).whole, 1);
    text[0] = '1';
    text[1] = '0';
    memcpy(text + len - 9, "e-3999990", 9);
    n = number_of((struct str){text, len});
    assert_int_equal(n.kind, NUMBER_FLOAT);
    assert_true(same_double(n.v.d, 1.0));
    free(text);
}

static void scaled(void **state)
{
    (void)state;
    static const struct {
        const char *digits;
        unsigned scale;
        bool fits;
        int64_t want;
    } rows[] = {
        {"0", 0, true, 0},
        {"-0", 0, true, 0},
        {"-0.000e999999999999999999999", 6, true, 0},
        {"5.0", 0, true, 5},
        {"5e0", 0, true, 5},
        {"1E+3", 0, true, 1000},
        {"1500e-2", 0, true, 15},
        {"1501e-2", 0, false, 0},
        {"1.5", 0, false, 0},
        {"0.5e1", 0, true, 5},
        {"1.5", 3, true, 1500},
        {"0.001", 3, true, 1},
        {"0.0001", 3, false, 0},
        {"0.00010e1", 3, true, 1},
        {"9223372036854775807", 0, true, INT64_MAX},
        {"9223372036854775807.000", 0, true, INT64_MAX},
        {"9223372036854775808", 0, false, 0},
        {"-9223372036854775808", 0, true, INT64_MIN},
        {"-9223372036854775809", 0, false, 0},
        {"-9.223372036854775808e18", 0, true, INT64_MIN},
        {"9.223372036854775808e18", 0, false, 0},
        {"18446744073709551616", 0, false, 0},
        {"1844674407370955161600e-2", 0, false, 0},
        {"922337203685477580700e-2", 0, true, INT64_MAX},
        {"1e18", 0, true, 1000000000000000000},
        {"1e19", 0, false, 0},
        {"1e400", 0, false, 0},
        {"1e-400", 0, false, 0},
        {"1e99999999999999999999", 0, false, 0},
        {"1e-99999999999999999999", 0, false, 0},
        {"1700000000.123456", 6, true, 1700000000123456},
        {"1700000000.1234560", 6, true, 1700000000123456},
        {"1700000000.1234561", 6, false, 0},
        {"9223372036854.775807", 6, true, INT64_MAX},
        {"9223372036854.775808", 6, false, 0},
        {"-9223372036854.775808", 6, true, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = 0;
        bool fits = number_to_scaled(str_c(rows[i].digits), rows[i].scale, &got);
        if (fits != rows[i].fits || (fits && got != rows[i].want))
            fail_msg("%s * 10^%u: got %s %" PRId64 ", want %s %" PRId64, rows[i].digits,
                     rows[i].scale, fits ? "" : "none", got, rows[i].fits ? "" : "none",
                     rows[i].want);
    }
}

static void extents(void **state)
{
    (void)state;
    static const struct {
        const char *digits;
        struct number_extent want;
    } rows[] = {
        {"0", {0, 0, 0}},
        {"-0.00", {0, 2, 0}},
        {"0e7", {0, 0, 7}},
        {"0e-7", {0, 7, -7}},
        {"5", {1, 0, 0}},
        {"-120", {3, 0, 0}},
        {"0.5", {0, 1, 0}},
        {"0.05e3", {2, 0, 3}},
        {"0.05e1", {0, 1, 1}},
        {"10.50", {2, 2, 0}},
        {"10.50e-3", {0, 5, -3}},
        {"1e3", {4, 0, 3}},
        {"1.5E+3", {4, 0, 3}},
        {"1e-3", {0, 3, -3}},
        {"1e99999999999999999999", {1000000000000001, 0, 1000000000000000}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct number_extent got = number_extent(str_c(rows[i].digits)), want = rows[i].want;
        if (i == sizeof rows / sizeof *rows - 1) /* of which no more is said */
            want = got.exponent >= 1000000000000000 ? got : want;
        if (got.whole != want.whole || got.fraction != want.fraction ||
            got.exponent != want.exponent)
            fail_msg("%s: got %" PRId64 " %" PRId64 " %" PRId64 ", want %" PRId64 " %" PRId64
                     " %" PRId64,
                     rows[i].digits, got.whole, got.fraction, got.exponent, want.whole,
                     want.fraction, want.exponent);
    }
}

static void syntax(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"0", true},     {"-0", true},        {"5", true},     {"42", true},
        {"-1.50", true}, {"1e5", true},       {"1E+5", true},  {"1e-05", true},
        {"0.0e0", true}, {"", false},         {"-", false},    {"+5", false},
        {" 5", false},   {"5 ", false},       {"05", false},   {"-00", false},
        {".5", false},   {"5.", false},       {"1.e3", false}, {"1e", false},
        {"1e+", false},  {"0x1", false},      {"1,5", false},  {"1_000", false},
        {"NaN", false},  {"Infinity", false}, {"5\n", false},  {"1e5.0", false},
        {"--1", false},  {"\xD9\xA1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool got = number_is_json(str_c(rows[i].text));
        if (got != rows[i].want)
            fail_msg("\"%s\": got %d, want %d", rows[i].text, got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers), cmocka_unit_test(floats), cmocka_unit_test(texts),
        cmocka_unit_test(long_numbers),  cmocka_unit_test(scaled), cmocka_unit_test(extents),
        cmocka_unit_test(syntax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
