/* Where values begin and end in JSON and MessagePack that is copied. */
#include "sinks/record/record_scan.h"

#include "cmocka_all.h"

struct value {
    enum scan_format format;
    const char *text;
    size_t len;
    size_t end; /* of the value; 0: it is damaged */
};

#define JSON(text, end)                                                                            \
    {                                                                                              \
        SCAN_JSON, text, sizeof(text) - 1, end                                                     \
    }
#define PACK(text, end)                                                                            \
    {                                                                                              \
        SCAN_MSGPACK, text, sizeof(text) - 1, end                                                  \
    }

static const struct value values[] = {
    JSON("1,2", 1),
    JSON("-1.5e3}", 6),
    JSON("null", 4),
    JSON("\"a\",", 3),
    JSON("\"\"", 2),
    JSON("\"a\\\"b\"]", 6),
    JSON("\"\\\\\",1", 4),
    JSON("\"\\\\\\\"\"", 6),
    JSON("[1,[2,{\"a\":\"]\"}]],3", 17),
    JSON("{}", 2),
    JSON("", 0),
    JSON("\"a", 0),
    JSON("\"a\\\"", 0),
    JSON("[1", 0),
    JSON("[\"a]", 0),
    JSON(",", 0),
    PACK("\x01\x02", 1),
    PACK("\xe0", 1),
    PACK("\xc0", 1),
    PACK("\xc2\xc3", 1),
    PACK("\xa3"
         "abcd",
         4),
    PACK("\xd9\x02"
         "abc",
         4),
    PACK("\xda\x00\x01"
         "ab",
         4),
    PACK("\xdb\x00\x00\x00\x01"
         "ab",
         6),
    PACK("\xcc\xff\x00", 2),
    PACK("\xcd\xff\xff\x00", 3),
    PACK("\xce\xff\xff\xff\xff\x00", 5),
    PACK("\xcf"
         "12345678\x00",
         9),
    PACK("\xd0\x80\x00", 2),
    PACK("\xd3"
         "12345678\x00",
         9),
    PACK("\xcb"
         "12345678\x00",
         9),
    PACK("\x92\x01\x91\x02\x03", 4),
    PACK("\x81\xa1"
         "a\x90\x03",
         4),
    PACK("\xdc\x00\x02\x01\x02\x03", 5),
    PACK("\xde\x00\x01\x01\x02\x03", 5),
    PACK("\xdd\x00\x00\x00\x01\x01\x03", 6),
    PACK("\xdf\x00\x00\x00\x01\x01\x02\x03", 7),
    PACK("", 0),
    PACK("\xa3"
         "ab",
         0),
    PACK("\x92\x01", 0),
    PACK("\xdd\xff\xff\xff\xff\x01", 0),
    PACK("\xdf\xff\xff\xff\xff\x01", 0),
    PACK("\xc1", 0),
    PACK("\xd4\x01\x02", 0),
    PACK("\xdb\xff\xff\xff\xff", 0),
};

static void ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct value *v = &values[i];
        struct str rest = {v->text, v->len};
        bool good = scan_value(v->format, &rest);
        size_t end = good ? v->len - rest.len : 0;
        if (end != v->end)
            fail_msg("value %zu: ends at %zu, not at %zu", i, end, v->end);
    }
}

static void maps(void **state)
{
    struct scan_members m = {0};
    (void)state;
    assert_int_equal(scan_map(SCAN_JSON, STR("{\"a\":1,\"b:\":[\",\"]}"), &m), RC_OK);
    assert_int_equal(m.n, 2);
    assert_true(str_eq_c(m.items[0].name, "\"a\":") && str_eq_c(m.items[0].value, "1"));
    assert_true(str_eq_c(m.items[1].name, "\"b:\":") && str_eq_c(m.items[1].value, "[\",\"]"));
    m.n = 0;
    assert_int_equal(scan_map(SCAN_MSGPACK,
                              STR("\x81\xa1"
                                  "a\x05"),
                              &m),
                     RC_OK);
    assert_int_equal(m.n, 1);
    assert_true(str_eq_c(m.items[0].value, "\x05"));
    static const char *const damaged[] = {
        "", "{", "[]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1}}", "{,}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        m.n = 0;
        if (scan_map(SCAN_JSON, str_c(damaged[i]), &m) != RC_SYNTAX)
            fail_msg("%s is a map", damaged[i]);
    }
    m.n = 0;
    assert_int_equal(scan_map(SCAN_MSGPACK, STR("\x82\x01\x02"), &m), RC_SYNTAX);
    scan_members_free(&m);
}

static void arrays(void **state)
{
    static const char *const texts[] = {"[]", "[1]", "[1,\"a,b\",{}]"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct str text = str_c(texts[i]);
        struct str element;
        uint64_t n = 0;
        size_t found = 0;
        bool ended = false;
        assert_true(scan_array(SCAN_JSON, &text, &n));
        while (scan_element(SCAN_JSON, &text, &n, &element, &ended) && !ended)
            found++;
        assert_true(ended);
        assert_int_equal(found, i == 2 ? 3 : i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ends), cmocka_unit_test(maps),
                                       cmocka_unit_test(arrays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
