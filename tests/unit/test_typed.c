#include "cmocka_all.h"

#include "typed_text.h"

/* A value, and what it becomes in each of the targets. */
struct line {
    const char *json;
    const char *wants[TYPED_TARGETS]; /* NULL: as the one before */
};

#define LINES(type)                                                                                \
    {                                                                                              \
        type, type##_lines, sizeof type##_lines / sizeof *type##_lines                             \
    }

static const struct line TYPE_TEXT_lines[] = {
    {"absent", {"null"}},
    {"null", {"null"}},
    {"\"\"", {"text "}},
    {"\"null\"", {"text null"}},
    {"\" \\u0009x\"", {"text  \tx"}},
    {"true", {"text true"}},
    {"false", {"text false"}},
    {"-0.10e+007", {"text -0.10e+007"}},
    {"1e400", {"text 1e400"}},
    {"[1, {\"b\": \"\\u00e9\"}]", {"text [1,{\"b\":\"\xC3\xA9\"}]"}},
    {"{}", {"text {}"}},
};

static const struct line TYPE_INTEGER_lines[] = {
    {"absent", {"null"}},
    {"null", {"null"}},
    {"5", {"integer 5"}},
    {"-5", {"integer -5"}},
    {"-0", {"integer 0"}},
    {"1.0", {"integer 1"}},
    {"-1.000", {"integer -1"}},
    {"1e3", {"integer 1000"}},
    {"15E-1", {"misfit {\"c\":15E-1}"}},
    {"1.5", {"misfit {\"c\":1.5}"}},
    {"1e-400", {"misfit {\"c\":1e-400}"}},
    {"9223372036854775807", {"integer 9223372036854775807"}},
    {"9223372036854775808", {"misfit {\"c\":9223372036854775808}"}},
    {"-9223372036854775808", {"integer -9223372036854775808"}},
    {"-9223372036854775809", {"misfit {\"c\":-9223372036854775809}"}},
    {"123456789012345678901234567890", {"misfit {\"c\":123456789012345678901234567890}"}},
    {"1e400", {"misfit {\"c\":1e400}"}},
    {"1e999999999999",
     {"misfit {\"c\":1e999999999999}", NULL, "misfit {\"c\":\"1e999999999999\"}"}},
    {"\"5\"", {"integer 5"}},
    {"\"1e3\"", {"integer 1000"}},
    {"\"-0\"", {"integer 0"}},
    {"\"+5\"", {"misfit {\"c\":\"+5\"}"}},
    {"\" 5\"", {"misfit {\"c\":\" 5\"}"}},
    {"\"5 \"", {"misfit {\"c\":\"5 \"}"}},
    {"\"5\\n\"", {"misfit {\"c\":\"5\\n\"}"}},
    {"\"007\"", {"misfit {\"c\":\"007\"}"}},
    {"\"\"", {"misfit {\"c\":\"\"}"}},
    {"\"1,000\"", {"misfit {\"c\":\"1,000\"}"}},
    {"\"0x10\"", {"misfit {\"c\":\"0x10\"}"}},
    {"\"null\"", {"misfit {\"c\":\"null\"}"}},
    {"true", {"misfit {\"c\":true}"}},
    {"[5]", {"misfit {\"c\":[5]}"}},
    {"{}", {"misfit {\"c\":{}}"}},
};

static const struct line TYPE_NUMBER_lines[] = {
    {"null", {"null"}},
    {"0.1", {"double 0x1.999999999999ap-4", "decimal 0.1"}},
    {"1.50", {"double 0x1.8p+0", "decimal 1.50"}},
    {"-0", {"double -0x0p+0", "decimal -0"}},
    {"0e999", {"double 0x0p+0", "decimal 0e999"}},
    {"9007199254740992", {"double 0x1p+53", "decimal 9007199254740992"}},
    {"9007199254740993", {"misfit {\"c\":9007199254740993}", "decimal 9007199254740993"}},
    {"0.1000000000000000055",
     {"misfit {\"c\":0.1000000000000000055}", "decimal 0.1000000000000000055"}},
    {"3.141592653589793238",
     {"misfit {\"c\":3.141592653589793238}", "decimal 3.141592653589793238"}},
    {"1e22", {"double 0x1.0f0cf064dd592p+73", "decimal 1e22"}},
    {"1.7976931348623157e308",
     {"double 0x1.fffffffffffffp+1023", "decimal 1.7976931348623157e308"}},
    {"1e309", {"misfit {\"c\":1e309}", "decimal 1e309"}},
    {"1e400", {"misfit {\"c\":1e400}", "decimal 1e400"}},
    {"5e-324", {"double 0x0.0000000000001p-1022", "decimal 5e-324"}},
    {"1e-400", {"misfit {\"c\":1e-400}", "decimal 1e-400"}},
    {"1e131071", {"misfit {\"c\":1e131071}", "decimal 1e131071"}},
    {"1e131072", {"misfit {\"c\":1e131072}", "decimal 1e131072", "misfit {\"c\":\"1e131072\"}"}},
    {"1e-16383", {"misfit {\"c\":1e-16383}", "decimal 1e-16383"}},
    {"10e-16384",
     {"misfit {\"c\":10e-16384}", "decimal 10e-16384", "misfit {\"c\":\"10e-16384\"}"}},
    {"0e-20000", {"double 0x0p+0", "decimal 0e-20000", "misfit {\"c\":\"0e-20000\"}"}},
    {"0e99999999999",
     {"double 0x0p+0", "decimal 0e99999999999", "misfit {\"c\":\"0e99999999999\"}"}},
    {"\"0.5\"", {"double 0x1p-1", "decimal 0.5"}},
    {"\"1e131072\"",
     {"misfit {\"c\":\"1e131072\"}", "decimal 1e131072", "misfit {\"c\":\"1e131072\"}"}},
    {"\".5\"", {"misfit {\"c\":\".5\"}"}},
    {"\"+0.5\"", {"misfit {\"c\":\"+0.5\"}"}},
    {"\"1,5\"", {"misfit {\"c\":\"1,5\"}"}},
    {"\"NaN\"", {"misfit {\"c\":\"NaN\"}"}},
    {"\"Infinity\"", {"misfit {\"c\":\"Infinity\"}"}},
    {"false", {"misfit {\"c\":false}"}},
    {"[]", {"misfit {\"c\":[]}"}},
};

static const struct line TYPE_BOOLEAN_lines[] = {
    {"absent", {"null"}},
    {"null", {"null"}},
    {"true", {"boolean true"}},
    {"false", {"boolean false"}},
    {"\"true\"", {"boolean true"}},
    {"\"false\"", {"boolean false"}},
    {"\"no\"", {"misfit {\"c\":\"no\"}"}},
    {"\"True\"", {"misfit {\"c\":\"True\"}"}},
    {"\" true\"", {"misfit {\"c\":\" true\"}"}},
    {"\"\"", {"misfit {\"c\":\"\"}"}},
    {"0", {"misfit {\"c\":0}"}},
    {"1", {"misfit {\"c\":1}"}},
    {"\"1\"", {"misfit {\"c\":\"1\"}"}},
    {"[true]", {"misfit {\"c\":[true]}"}},
};

static const struct line TYPE_TIMESTAMP_lines[] = {
    {"absent", {"null"}},
    {"null", {"null"}},
    {"\"2026-01-30T02:00:00.000Z\"", {"time 1769738400000000"}},
    {"\"2026-01-30T03:00:00+01:00\"", {"time 1769738400000000"}},
    {"\"0001-01-01T00:00:00Z\"", {"time -62135596800000000"}},
    {"\"9999-12-31T23:59:59.999999Z\"", {"time 253402300799999999"}},
    {"\"0001-01-01T00:00:00+00:01\"",
     {"misfit {\"c\":\"0001-01-01T00:00:00+00:01\"}", "time -62135596860000000"}},
    {"\"9999-12-31T23:59:59-00:01\"",
     {"misfit {\"c\":\"9999-12-31T23:59:59-00:01\"}", "time 253402300859000000"}},
    {"\"0000-01-01T00:00:00Z\"",
     {"misfit {\"c\":\"0000-01-01T00:00:00Z\"}", "time -62167219200000000"}},
    {"\"2016-12-31T23:59:60Z\"", {"misfit {\"c\":\"2016-12-31T23:59:60Z\"}"}},
    {"\"2026-01-30T02:00:00.1234567Z\"", {"misfit {\"c\":\"2026-01-30T02:00:00.1234567Z\"}"}},
    {"\"2026-01-30T02:00:00.1234560Z\"", {"time 1769738400123456"}},
    {"\"2026-01-30\"", {"misfit {\"c\":\"2026-01-30\"}"}},
    {"\"2026-01-30T02:00:00\"", {"misfit {\"c\":\"2026-01-30T02:00:00\"}"}},
    {"\"yesterday\"", {"misfit {\"c\":\"yesterday\"}"}},
    {"\"\"", {"misfit {\"c\":\"\"}"}},
    {"1769738400", {"misfit {\"c\":1769738400}"}},
    {"{\"$date\":\"2026-01-30T02:00:00Z\"}",
     {"misfit {\"c\":{\"$date\":\"2026-01-30T02:00:00Z\"}}"}},
};

static const struct line TYPE_TIMESTAMP_S_lines[] = {
    {"null", {"null"}},
    {"0", {"time 0"}},
    {"-0", {"time 0"}},
    {"-1", {"time -1000000"}},
    {"1769738400", {"time 1769738400000000"}},
    {"1769738400.0", {"time 1769738400000000"}},
    {"1.7697384e9", {"time 1769738400000000"}},
    {"1769738400.123456", {"time 1769738400123456"}},
    {"1769738400.1234560", {"time 1769738400123456"}},
    {"1769738400.1234567", {"misfit {\"c\":1769738400.1234567}"}},
    {"\"1769738400\"", {"time 1769738400000000"}},
    {"\"1769738400.5\"", {"time 1769738400500000"}},
    {"\"+1769738400\"", {"misfit {\"c\":\"+1769738400\"}"}},
    {"\"2026-01-30T02:00:00Z\"", {"misfit {\"c\":\"2026-01-30T02:00:00Z\"}"}},
    {"\"\"", {"misfit {\"c\":\"\"}"}},
    {"253402300799.999999", {"time 253402300799999999"}},
    {"253402300800", {"misfit {\"c\":253402300800}", "time 253402300800000000"}},
    {"-62135596800", {"time -62135596800000000"}},
    {"-62135596800.000001", {"misfit {\"c\":-62135596800.000001}", "time -62135596800000001"}},
    {"-210866803200", {"misfit {\"c\":-210866803200}", "time -210866803200000000"}},
    {"-210866803200.000001",
     {"misfit {\"c\":-210866803200.000001}", "time -210866803200000001",
      "misfit {\"c\":-210866803200.000001}"}},
    {"9223372036854.775807", {"misfit {\"c\":9223372036854.775807}", "time 9223372036854775807"}},
    {"9223372036854.775808", {"misfit {\"c\":9223372036854.775808}"}},
    {"1e400", {"misfit {\"c\":1e400}"}},
    {"true", {"misfit {\"c\":true}"}},
};

static const struct line TYPE_TIMESTAMP_MS_lines[] = {
    {"null", {"null"}},
    {"1769738400000", {"time 1769738400000000"}},
    {"1769738400000.5", {"time 1769738400000500"}},
    {"1769738400000.0001", {"misfit {\"c\":1769738400000.0001}"}},
    {"\"1769738400000\"", {"time 1769738400000000"}},
    {"-1e-3", {"time -1"}},
    {"253402300799999.999", {"time 253402300799999999"}},
    {"253402300800000", {"misfit {\"c\":253402300800000}", "time 253402300800000000"}},
    {"\"1769738400000ms\"", {"misfit {\"c\":\"1769738400000ms\"}"}},
};

static const struct line TYPE_JSON_lines[] = {
    {"absent", {"null"}},
    {"null", {"null"}},
    {"{\"a\": [1.50, null, true]}", {"json {\"a\":[1.50,null,true]}"}},
    {"[]", {"json []"}},
    {"\"text \\\"x\\\"\"", {"json \"text \\\"x\\\"\""}},
    {"\"\"", {"json \"\""}},
    {"\"5\"", {"json \"5\""}},
    {"5.10", {"json 5.10"}},
    {"false", {"json false"}},
    {"1e400", {"json 1e400"}},
    {"1e131072", {"json 1e131072", NULL, "misfit {\"c\":\"1e131072\"}"}},
    {"\"1e131072\"", {"json \"1e131072\""}},
    {"{\"1e131072\":[{}]}", {"json {\"1e131072\":[{}]}"}},
    {"[1,{\"a\":[\"x\",-1e-16384]}]",
     {"json [1,{\"a\":[\"x\",-1e-16384]}]", NULL,
      "misfit {\"c\":\"[1,{\\\"a\\\":[\\\"x\\\",-1e-16384]}]\"}"}},
};

static const struct {
    enum column_type type;
    const struct line *lines;
    size_t n;
} all[] = {
    LINES(TYPE_TEXT),      LINES(TYPE_INTEGER),     LINES(TYPE_NUMBER),       LINES(TYPE_BOOLEAN),
    LINES(TYPE_TIMESTAMP), LINES(TYPE_TIMESTAMP_S), LINES(TYPE_TIMESTAMP_MS), LINES(TYPE_JSON),
};

static void check_line(enum column_type type, const struct line *line)
{
    const char *want = line->wants[0];
    for (size_t t = 0; t < TYPED_TARGETS; t++) {
        struct buf b;
        struct err e = {.msg = ""};
        buf_init(&b, 1 << 20);
        want = line->wants[t] ? line->wants[t] : want;
        enum rc rc = typed_line(&b, &typed_targets[t].target, type, str_c(line->json), &e);
        if (rc != RC_OK || strcmp(buf_cstr(&b), want) != 0)
            fail_msg("%s as %s for %s: %s\n  got:  %s\n  want: %s", line->json,
                     column_type_text(type), typed_targets[t].name, e.msg, buf_cstr(&b), want);
        buf_free(&b);
    }
}

static void test_values(void **state)
{
    (void)state;
    assert_int_equal(sizeof all / sizeof *all, COLUMN_TYPES);
    for (size_t i = 0; i < COLUMN_TYPES; i++) {
        assert_int_equal(all[i].type, i);
        for (size_t line = 0; line < all[i].n; line++)
            check_line(all[i].type, &all[i].lines[line]);
    }
}

/* The limits of a number's length, at them and one beyond. */
static void test_long_numbers(void **state)
{
    (void)state;
    static const struct {
        size_t whole, fraction;
        bool fits;
    } rows[] = {
        {131072, 0, true}, {131073, 0, false},    {1, 16383, true},
        {1, 16384, false}, {131072, 16383, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf json, line;
        buf_init(&json, 1 << 20);
        buf_init(&line, 1 << 20);
        for (size_t n = 0; n < rows[i].whole; n++)
            buf_addc(&json, '9');
        buf_adds(&json, rows[i].fraction ? "." : "");
        for (size_t n = 0; n < rows[i].fraction; n++)
            buf_addc(&json, '0');
        assert_int_equal(
            typed_line(&line, &typed_targets[2].target, TYPE_NUMBER, buf_str(&json), NULL), RC_OK);
        bool fits = strncmp(buf_cstr(&line), "decimal ", 8) == 0;
        if (fits != rows[i].fits)
            fail_msg("%zu.%zu digits: got %.20s..., want %s", rows[i].whole, rows[i].fraction,
                     buf_cstr(&line), rows[i].fits ? "decimal" : "misfit");
        buf_free(&json);
        buf_free(&line);
    }
}

static void test_misfits(void **state)
{
    (void)state;
    const struct typed_target *postgres = &typed_targets[2].target;
    const struct cell no = {.kind = CELL_TEXT, .len = 2, .u.text = "no"};
    const struct cell large = {.kind = CELL_NUMBER, .len = 5, .u.text = "1e400"};
    const struct cell huge = {.kind = CELL_NUMBER, .len = 8, .u.text = "1e400000"};
    struct buf b;
    buf_init(&b, 1 << 10);
    struct misfits none = {.b = &b};
    misfits_end(&none);
    assert_int_equal(b.len, 0); /* null, and no JSON */
    struct misfits some = {.b = &b};
    misfits_add(&some, postgres, STR("is_test"), &no);
    misfits_add(&some, postgres, STR("a \"b\""), &large);
    misfits_add(&some, postgres, STR("size"), &huge);
    misfits_end(&some);
    assert_int_equal(some.n, 3);
    assert_string_equal(buf_cstr(&b),
                        "{\"is_test\":\"no\",\"a \\\"b\\\"\":1e400,\"size\":\"1e400000\"}");
    buf_free(&b);
    buf_init(&b, 20); /* too small: the failure stays, and is that of the buffer */
    struct misfits cut = {.b = &b};
    misfits_add(&cut, postgres, STR("is_test"), &no);
    misfits_add(&cut, postgres, STR("size"), &huge);
    misfits_end(&cut);
    assert_int_equal(buf_rc(&b), RC_LIMIT);
    buf_free(&b);
}

static void test_names_of_types(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "Text", "text ", "int", "timestamp_s", "timestamptz"};
    enum column_type type;
    for (int i = 0; i < COLUMN_TYPES; i++) {
        assert_true(column_type_of(str_c(column_type_text((enum column_type)i)), &type));
        assert_int_equal(type, i);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(column_type_of(str_c(wrong[i]), &type));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_names_of_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
