#include "core/json/json.h"

#include "cmocka_all.h"

/* STR() for tables that are static */
/* clang-format off */
#define TEXT(literal) {literal, sizeof(literal) - 1}
/* clang-format on */

#define ARENA_MAX ((size_t)64 << 20)

static void test_strings(void **state)
{
    (void)state;
    /* the right side is what Python's json.dumps(s, ensure_ascii=False) gives */
    static const struct {
        struct str text;
        const char *json;
    } cases[] = {
        {TEXT(""), "\"\""},
        {TEXT("plain"), "\"plain\""},
        {TEXT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {TEXT("\x01\x0b\x1f\x7f"), "\"\\u0001\\u000b\\u001f\x7f\""},
        {TEXT("a\0b"), "\"a\\u0000b\""},
        {TEXT("\"\\/"), "\"\\\"\\\\/\""},
        {TEXT("0123456\"89012345\\7"), "\"0123456\\\"89012345\\\\7\""},
        {TEXT("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {TEXT("\xE2\x80\xA8 ends a line"), "\"\xE2\x80\xA8 ends a line\""},
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&b);
        json_write_string(&b, cases[i].text);
        assert_string_equal(buf_cstr(&b), cases[i].json);
    }
    buf_free(&b);
}

/* Every byte at every place: the search for what must be escaped goes eight bytes at a time. */
static void test_every_byte_everywhere(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (int c = 0; c < 256; c++) {
        bool is_short =
            c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t' || c == '"' || c == '\\';
        for (size_t i = 0; i < 17 * 17; i++) {
            char text[17];
            size_t n = i / 17 + 1;
            size_t at = i % n;
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            buf_clear(&b);
            json_write_string(&b, (struct str){text, n});
            assert_int_equal(b.len, 2 + n - 1 + (is_short ? 2 : c < 0x20 ? 6 : 1));
        }
    }
    buf_free(&b);
}

static void test_ints(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        const char *text;
    } cases[] = {
        {0, "0"},
        {7, "7"},
        {-1, "-1"},
        {1234567890, "1234567890"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&b);
        json_write_int(&b, cases[i].n);
        assert_string_equal(buf_cstr(&b), cases[i].text);
    }
    buf_free(&b);
}

/* What json_written_bytes() says is what json_write() writes. */
static void test_written_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "-1.5e+10",
        "\"\"",
        "[]",
        "{}",
        "[[],{},[[]]]",
        "{\"\":{}}",
        "[1,2,3]",
        "[\"a\",null,{\"b\":[true,false]}]",
        "{\"a\\u0001\\n\\\"\\\\\":\"\\u001f\\t/\\u00e9\"}",
        "{\"a\":1,\"a\":2,\"\xF6\":\"\xFF\",\"\xFC\":3}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct arena a;
        struct json_doc doc;
        struct buf b;
        arena_init(&a, ARENA_MAX);
        buf_init(&b, ARENA_MAX);
        assert_int_equal(json_parse(&a, str_c(texts[i]), JSON_TREE, &doc, NULL), RC_OK);
        json_write(&b, doc.root);
        if (b.len != json_written_bytes(doc.root))
            fail_msg("%s: %zu, said %zu", buf_cstr(&b), b.len, json_written_bytes(doc.root));
        buf_free(&b);
        arena_free(&a);
    }
}

static void test_full_buffer_sticks(void **state)
{
    (void)state;
    struct arena a;
    struct json_doc doc;
    struct buf b;
    arena_init(&a, ARENA_MAX);
    buf_init(&b, 10);
    assert_int_equal(json_parse(&a, STR("{\"abc\":[1,2,3],\"d\":4}"), JSON_TREE, &doc, NULL),
                     RC_OK);
    json_write(&b, doc.root);
    assert_int_equal(buf_rc(&b), RC_LIMIT);
    buf_free(&b);
    arena_free(&a);
}

/* ---- canonical form ------------------------------------------------------------------------- */

static void collect(void *ctx, const char *p, size_t n)
{
    struct buf *b = ctx;
    buf_add(b, p, n);
}

static void expect_canonical(const char *text, const char *canonical)
{
    struct arena a;
    struct json_doc doc;
    struct buf b;
    arena_init(&a, ARENA_MAX);
    buf_init(&b, ARENA_MAX);
    assert_int_equal(json_parse(&a, str_c(text), JSON_TREE, &doc, NULL), RC_OK);
    assert_int_equal(json_canonical(doc.root, NULL, &a, collect, &b), RC_OK);
    assert_string_equal(buf_cstr(&b), canonical);
    buf_free(&b);
    arena_free(&a);
}

static void test_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"1.10", "1.10"},
        {"\"a\\/\\u0001\"", "\"a/\\u0001\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {"[ {} , [ ] , null , true , false , -0 ]", "[{},[],null,true,false,-0]"},
        {"{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}"},
        {"{\"b\":{\"d\":1,\"c\":[{\"z\":1,\"y\":2}]},\"a\":{\"f\":1,\"e\":2},\"\":0}",
         "{\"\":0,\"a\":{\"e\":2,\"f\":1},\"b\":{\"c\":[{\"y\":2,\"z\":1}],\"d\":1}}"},
        {"{\"abcdefghij\":1,\"abcdefgh\":2,\"abcdefghi\":3,\"abcdefg\":4,\"Abcdefgh\":5}",
         "{\"Abcdefgh\":5,\"abcdefg\":4,\"abcdefgh\":2,\"abcdefghi\":3,\"abcdefghij\":1}"},
        {"{\"\xC3\xA9\":1,\"z\":2,\"\xF0\x9F\x98\x80\":3}",
         "{\"z\":2,\"\xC3\xA9\":1,\"\xF0\x9F\x98\x80\":3}"},
        {"{\"b\":1,\"a\":2,\"b\":3}", "{\"a\":2,\"b\":3}"},
        /* a value that took another's place is not where its name is */
        {"{\"a\":null,\"b\":true,\"c\":1,\"d\":\"x\",\"a\":true,\"b\":null,\"c\":\"y\",\"d\":22}",
         "{\"a\":true,\"b\":null,\"c\":\"y\",\"d\":22}"},
        {"{\"a\":\"x\",\"a\":\"\\n\",\"b\":[1],\"\\u0062\":null,\"c\":\"\\t\",\"c\":false}",
         "{\"a\":\"\\n\",\"b\":null,\"c\":false}"},
        {" { \"b\" : \"x\" , \"a\"\t:\n1.5 ,\"d\": null, \"c\" :true }",
         "{\"a\":1.5,\"b\":\"x\",\"c\":true,\"d\":null}"},
        {"{\"b\\u0041\":\"x\",\"a\":\"\\u0041\\/\\\"\\\\\\n\"}",
         "{\"a\":\"A/\\\"\\\\\\n\",\"bA\":\"x\"}"},
        {"{\"a\\\"\":1,\"a!\":2,\"\\u00e9\":3}", "{\"a!\":2,\"a\\\"\":1,\"\xC3\xA9\":3}"},
        /* what was replaced counts, and the order of members does not */
        {"{\"a\xFC\":\"\xFE\",\"a\xF6\":2,\"a\xEF\xBF\xBD\":3,\"a\\ud800\":4,\"a\":5}",
         "{\"a\":5,\"a\xEF\xBF\xBD\":3,\"a\xEF\xBF\xBD\\u0000ud800\":4,"
         "\"a\xEF\xBF\xBD\\u0000xf6\":2,\"a\xEF\xBF\xBD\\u0000xfc\":\"\xEF\xBF\xBD\\u0000xfe\"}"},
        {"{\"a\\uD800\":4,\"a\":5,\"a\xEF\xBF\xBD\":3,\"a\xF6\":2,\"a\xFC\":\"\xFE\"}",
         "{\"a\":5,\"a\xEF\xBF\xBD\":3,\"a\xEF\xBF\xBD\\u0000ud800\":4,"
         "\"a\xEF\xBF\xBD\\u0000xf6\":2,\"a\xEF\xBF\xBD\\u0000xfc\":\"\xEF\xBF\xBD\\u0000xfe\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_canonical(cases[i].text, cases[i].canonical);
}

/* More than the block in which pieces are gathered, and objects of all sizes. */
static void test_canonical_large(void **state)
{
    (void)state;
    struct buf text;
    struct buf sorted;
    buf_init(&text, ARENA_MAX);
    buf_init(&sorted, ARENA_MAX);
    for (unsigned n = 1; n < 300; n += 7) {
        buf_clear(&text);
        buf_clear(&sorted);
        for (unsigned i = 0; i < n; i++) {
            unsigned shuffled = i * 1009 % n; /* a prime: each once */
            buf_addf(&text, "%s\"member%04u\":[%u,{\"x\":\"%0*u\"}]", i ? "," : "{", shuffled,
                     shuffled, (int)(shuffled * 20 + 1), 7);
            buf_addf(&sorted, "%s\"member%04u\":[%u,{\"x\":\"%0*u\"}]", i ? "," : "{", i, i,
                     (int)(i * 20 + 1), 7);
        }
        buf_addc(&text, '}');
        buf_addc(&sorted, '}');
        expect_canonical(buf_cstr(&text), buf_cstr(&sorted));
    }
    buf_free(&text);
    buf_free(&sorted);
}

/* Texts and names of all lengths around those that are treated otherwise, last in the text. */
static void test_canonical_lengths(void **state)
{
    (void)state;
    static char long_text[9000];
    struct buf text;
    struct buf sorted;
    memset(long_text, 'x', sizeof long_text);
    buf_init(&text, ARENA_MAX);
    buf_init(&sorted, ARENA_MAX);
    for (int n = 0; n < (int)sizeof long_text; n = n < 200 ? n + 1 : n + 397) {
        const char *x = long_text;
        for (int at_end = 0; at_end < 2; at_end++) {
            int before = at_end ? 4090 - n % 97 : 1; /* the block ends somewhere in what follows */
            buf_clear(&text);
            buf_clear(&sorted);
            buf_addf(&text, "[\"%.*s\",{\"z%.*s\":7,\"y\":\"%.*s\",\"x\":null},\"%.*s\"]", before,
                     x, n, x, n, x, n, x);
            buf_addf(&sorted, "[\"%.*s\",{\"x\":null,\"y\":\"%.*s\",\"z%.*s\":7},\"%.*s\"]", before,
                     x, n, x, n, x, n, x);
            expect_canonical(buf_cstr(&text), buf_cstr(&sorted));
        }
        buf_clear(&text);
        buf_addf(&text, "\"%.*s\"", n, x);
        expect_canonical(buf_cstr(&text), buf_cstr(&text));
    }
    buf_free(&text);
    buf_free(&sorted);
}

static void drop(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
}

static void test_canonical_without_memory(void **state)
{
    (void)state;
    struct arena a;
    struct arena small;
    struct json_doc doc;
    arena_init(&a, ARENA_MAX);
    assert_int_equal(json_parse(&a, STR("[{\"a\":{\"b\":1,\"c\":2}}]"), JSON_TREE, &doc, NULL),
                     RC_OK);
    enum rc rc = RC_LIMIT;
    for (size_t max = 0; rc != RC_OK; max += 7) {
        assert_true(max < 10000);
        arena_init(&small, max);
        rc = json_canonical(doc.root, NULL, &small, drop, NULL);
        assert_true(rc == RC_OK || rc == RC_LIMIT);
        arena_free(&small);
    }
    arena_free(&a);
}

/* One U+FFFD for each maximal subpart, as the Unicode Standard's table 3-8 and its neighbours have it. */
static void test_any_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *json;
    } cases[] = {
        {"", "\"\""},
        {"plain \xc3\xa9", "\"plain \xc3\xa9\""},
        {"caf\xe9", "\"caf\xef\xbf\xbd\""},
        {"\xe9\"\n", "\"\xef\xbf\xbd\\\"\\n\""},
        {"\xe2\x82", "\"\xef\xbf\xbd\""},
        {"\xe2\x82x", "\"\xef\xbf\xbdx\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xf0\x9f\x98", "\"\xef\xbf\xbd\""},
        {"\xf1\x80\x80\xe1\x80\xc2", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\x80", "\"\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 1000);
        json_write_bytes(&b, str_c(cases[i].bytes));
        if (strcmp(buf_cstr(&b), cases[i].json) != 0)
            fail_msg("case %zu: got %s, want %s", i, buf_cstr(&b), cases[i].json);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_ints),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_full_buffer_sticks),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_canonical_large),
        cmocka_unit_test(test_canonical_lengths),
        cmocka_unit_test(test_canonical_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
