/* What `do` of a destination makes of a text. */
#include "cmocka_all.h"

#include <stdio.h>

#include "sinks/push/case_map.h"
#include "sinks/push/transform.h"

#define NO_PHONE                                                                                   \
    "!is not a phone number: digits, with blanks, - . / ( ) between them and perhaps a + before "  \
    "them (e164)"
#define NO_LENGTH "!is not a phone number of 7 to 15 digits that begins with a country code (e164)"
#define NO_TEN "!is not a phone number of 10 digits (e164:+1)"
#define NO_COUNTRY "!has no + and country code, and e164 names no country (such as e164:+1)"
#define NO_DATE "!is not a date or time of RFC 3339 such as 2026-01-30T02:00:00Z (date)"
#define NO_TIME(name) "!is not a time of RFC 3339 such as 2026-01-30T02:00:00Z (" name ")"

static const struct {
    const char *transform, *in, *out; /* "!": the fault */
} rows[] = {
    {"trim", "  a b\t\r\n", "a b"},
    {"trim", "a", "a"},
    {"trim", " ", ""},
    {"trim", "", ""},
    {"trim", "\u00A0\u2003\u3000\uFEFF\u200Ba\u2028\xC2\x85", "a"},
    {"trim", "\u00E9\u00A0", "\u00E9"},
    {"trim", "\v\fx\u202F\u205F\u1680", "x"},
    {"trim", "\U0001F600 ", "\U0001F600"},
    {"trim", "\u200D", "\u200D"}, /* joins emoji: it is not white space */

    {"lower", "ABC xyz 019 [\\]@`{", "abc xyz 019 [\\]@`{"},
    {"lower", "\u00C9\u00D6\u00DE\u00D7\u00DF", "\u00E9\u00F6\u00FE\u00D7\u00DF"},
    {"lower", "\u0100\u0139\u0178\u0130", "\u0101\u013A\u00FFi"},
    {"lower", "\u0391\u03A3\u0386", "\u03B1\u03C3\u03AC"},
    {"lower", "\u0410\u042F\u0401\u0404", "\u0430\u044F\u0451\u0454"},
    {"lower", "\u1EA0\u1EF8", "\u1EA1\u1EF9"},
    {"lower", "\U00010400\U0001E900", "\U00010428\U0001E922"},
    {"lower", "\u4E2D\u0645\U0001F600", "\u4E2D\u0645\U0001F600"},
    {"upper", "abc XYZ 019", "ABC XYZ 019"},
    {"upper", "\u00E9\u00F6\u00FF\u00F7", "\u00C9\u00D6\u0178\u00F7"},
    {"upper", "stra\u00DFe", "STRA\u00DFE"}, /* "ss" would be two characters for one */
    {"upper", "\u03C3\u03C2\u03AC", "\u03A3\u03A3\u0386"},
    {"upper", "\u044F\u0451\u0131", "\u042F\u0401I"},

    {"digits", "+1 (678) 231-9992", "16782319992"},
    {"digits", "abc", ""},
    {"digits", "\u0663x7", "7"},

    {"e164", "+1 (678) 231-9992", "+16782319992"},
    {"e164", "  +49 (0)30 / 1234-567 ", "+49301234567"},
    {"e164", "+49.30.1234567", "+49301234567"},
    {"e164", "0049 30 1234567", "+49301234567"},
    {"e164", "+1\u00A0678\u202F2319992", "+16782319992"},
    {"e164", "+123456789012345", "+123456789012345"},
    {"e164", "+2901234", "+2901234"},
    {"e164", "+39 06 1234567", "+39061234567"},
    {"e164", "", ""},
    {"e164", "678 231 9992", NO_COUNTRY},
    {"e164", "+1234567890123456", NO_LENGTH},
    {"e164", "+12345678901234567890123", NO_PHONE},
    {"e164", "+12345", NO_LENGTH},
    {"e164", "+049301234567", NO_LENGTH},
    {"e164", "+", NO_LENGTH},
    {"e164", "+1 678 CALL NOW", NO_PHONE},
    {"e164", "+1 678 231 9992 ext. 5", NO_PHONE},
    {"e164", "++16782319992", NO_PHONE},
    {"e164", "1+6782319992", NO_PHONE},
    {"e164", " ", NO_PHONE},
    {"e164", "n/a", NO_PHONE},
    {"e164:+1", "(678) 231-9992", "+16782319992"},
    {"e164:+1", "1-678-231-9992", "+16782319992"},
    {"e164:+1", "+44 20 7946 0000", "+442079460000"},
    {"e164:+1", "231-9992", NO_TEN},
    {"e164:+1", "0678 231 9992", NO_TEN},
    {"e164:+1", "2 678 231 9992", NO_TEN},
    {"e164:+1", " ", NO_PHONE},
    {"e164:+7", "8 (912) 345-67-89", "+79123456789"},
    {"e164:+7", "912 345 67 89", "+79123456789"},
    {"e164:+7", "1 912 345 67 89", "!is not a phone number of 10 digits (e164:+7)"},
    {"e164:+7", "8 912 345", "!is not a phone number of 10 digits (e164:+7)"},
    {"e164:+49", "030 1234567", "+49301234567"},
    {"e164:+49", "30 1234567", "+49301234567"},
    {"e164:+49", "0044 20 7946 0000", "+442079460000"},
    {"e164:+39", "06 1234567", "+39061234567"},
    {"e164:+49", "12", NO_LENGTH},

    {"date", "2026-01-30T02:00:00Z", "2026-01-30"},
    {"date", "2026-01-30T23:30:00-05:00", "2026-01-30"},
    {"date", "2026-01-30T00:30:00.1234567+14:00", "2026-01-30"},
    {"date", "2024-02-29", "2024-02-29"},
    {"date", "2026-02-29", NO_DATE},
    {"date", "2026-01-30T02:00:00", NO_DATE},
    {"date", "30.01.2026", NO_DATE},
    {"date", "1769738400", NO_DATE},
    {"date", "", ""},

    {"epoch_s", "1970-01-01T00:00:00Z", "0"},
    {"epoch_s", "2026-01-30T02:00:00.999Z", "1769738400"},
    {"epoch_s", "2026-01-30T03:00:00+01:00", "1769738400"},
    {"epoch_s", "1969-12-31T23:59:59.5Z", "-1"},
    {"epoch_s", "0001-01-01T00:00:00Z", "-62135596800"},
    {"epoch_ms", "2026-01-30T02:00:00.123Z", "1769738400123"},
    {"epoch_ms", "2026-01-30T02:00:00.1239999999Z", "1769738400123"},
    {"epoch_ms", "1969-12-31T23:59:59.9999Z", "-1"},
    {"epoch_ms", "9999-12-31T23:59:59.999Z", "253402300799999"},
    {"epoch_ms", "", ""},
    {"epoch_ms", "abc", NO_TIME("epoch_ms")},
    {"epoch_ms", "2026-01-30", NO_TIME("epoch_ms")},
    {"epoch_ms", "1769738400", NO_TIME("epoch_ms")},
    {"epoch_ms", "2026-01-30T02:00:00.Z", NO_TIME("epoch_ms")},
    {"epoch_s", "2016-12-31T23:59:60Z", NO_TIME("epoch_s")},
    {"epoch_s", " 2026-01-30T02:00:00Z", NO_TIME("epoch_s")},

    {"first:1", "abc", "a"},
    {"first:3", "abc", "abc"},
    {"first:4", "abc", "abc"},
    {"first:2", "\u00E9\U0001F600x", "\u00E9\U0001F600"},
    {"first:1", "", ""},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct transform t;
        struct buf out;
        char got[256];
        buf_init(&out, 1 << 16);
        if (!transform_parse(str_c(rows[i].transform), &t))
            fail_msg("%s: is unknown", rows[i].transform);
        const char *fault = transform_apply(&t, str_c(rows[i].in), &out);
        (void)snprintf(got, sizeof got, "%s%s", fault ? "!" : "", fault ? fault : buf_cstr(&out));
        if (strcmp(got, rows[i].out) != 0)
            fail_msg("%s of \"%s\": \"%s\", not \"%s\"", rows[i].transform, rows[i].in, got,
                     rows[i].out);
        assert_int_equal(buf_rc(&out), RC_OK);
        buf_free(&out);
    }
}

static const struct {
    const char *text;
    int kind; /* -1: there is none */
    unsigned n;
} names[] = {
    {"trim", DO_TRIM, 0},
    {"lower", DO_LOWER, 0},
    {"upper", DO_UPPER, 0},
    {"digits", DO_DIGITS, 0},
    {"e164", DO_E164, 0},
    {"e164:+1", DO_E164, 1},
    {"e164:+998", DO_E164, 998},
    {"date", DO_DATE, 0},
    {"epoch_s", DO_EPOCH_S, 0},
    {"epoch_ms", DO_EPOCH_MS, 0},
    {"first:1", DO_FIRST, 1},
    {"first:1000000", DO_FIRST, 1000000},
    {"", -1, 0},
    {"Trim", -1, 0},
    {"trim ", -1, 0},
    {"trim:1", -1, 0},
    {"first", -1, 0},
    {"first:", -1, 0},
    {"first:0", -1, 0},
    {"first:01", -1, 0},
    {"first:-1", -1, 0},
    {"first:1000001", -1, 0},
    {"first:99999999999999999999", -1, 0},
    {"first:+1", -1, 0},
    {"e164:", -1, 0},
    {"e164:1", -1, 0},
    {"e164:+", -1, 0},
    {"e164:+01", -1, 0},
    {"e164:+1000", -1, 0},
    {"e164:+1x", -1, 0},
    {"epoch", -1, 0},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct transform t = {.n = 0};
        bool is_known = transform_parse(str_c(names[i].text), &t);
        if (is_known != (names[i].kind >= 0))
            fail_msg("\"%s\": %s", names[i].text, is_known ? "is known" : "is unknown");
        if (is_known) {
            assert_int_equal(t.kind, names[i].kind);
            assert_int_equal(t.n, names[i].n);
        }
    }
}

/* The mappings of Unicode are its own, and most pairs go both ways. */
static void test_case_map(void **state)
{
    (void)state;
    unsigned lower = 0, upper = 0, pairs = 0;
    for (uint32_t c = 0; c < 0x20000; c++) { /* beyond are no letters with two cases */
        lower += case_lower(c) != c;
        upper += case_upper(c) != c;
        pairs += case_lower(c) != c && case_upper(case_lower(c)) == c;
        assert_true(case_lower(c) < 0x110000 && case_upper(c) < 0x110000);
        assert_int_equal(case_lower(case_lower(c)), case_lower(c));
    }
    assert_int_equal(lower, 1433);
    assert_int_equal(upper, 1450);
    assert_true(pairs > 1380);
}

/* Errors of memory stick in the buffer. */
static void test_limit(void **state)
{
    (void)state;
    struct transform t;
    struct buf out;
    buf_init(&out, 2);
    assert_true(transform_parse(STR("lower"), &t));
    assert_null(transform_apply(&t, STR("ABC"), &out));
    assert_int_equal(buf_rc(&out), RC_LIMIT);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_case_map),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
