#include "core/json/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmocka_all.h"

/* STR() for tables that are static */
/* clang-format off */
#define TEXT(literal) {literal, sizeof(literal) - 1}
/* clang-format on */

#define ARENA_MAX ((size_t)512 << 20)
#define FFFD "\xEF\xBF\xBD"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* The tree written again and the compact text must be as given. */
static void expect(struct str text, const char *tree, const char *compact, uint64_t replaced)
{
    struct json_doc doc;
    struct err e = {0};
    struct buf b;
    if (json_parse(&arena, text, JSON_TREE | JSON_COMPACT, &doc, &e) != RC_OK)
        fail_msg("%.*s: %s", STR_ARG(text), e.msg);
    buf_init(&b, ARENA_MAX);
    json_write(&b, doc.root);
    assert_string_equal(buf_cstr(&b), tree);
    buf_clear(&b);
    buf_add_str(&b, doc.compact);
    assert_string_equal(buf_cstr(&b), compact);
    assert_int_equal(doc.replaced, replaced);
    buf_free(&b);
}

/* ---- what is JSON --------------------------------------------------------------------------- */

static const struct str accepted[] = {
    TEXT("null"),
    TEXT("true"),
    TEXT("false"),
    TEXT("0"),
    TEXT("-0"),
    TEXT("\"\""),
    TEXT("[]"),
    TEXT("{}"),
    TEXT(" \t\r\n[ ]\n"),
    TEXT("{ }"),
    TEXT("\xEF\xBB\xBF{}"),
    TEXT("[[],[[]],{}]"),
    TEXT("[1,2.5,-3e4,5E+6,7e-8,0.0,-0.0e0,1E400]"),
    TEXT("{\"\":0}"),
    TEXT("{\"a\":{\"b\":[null,true,false]},\"c\":\"d\"}"),
    TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uabcd\\uABCD\""),
    TEXT("\"\\uD83D\\uDE00\""),
    TEXT("\"\x7f\""),
    TEXT("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""),
    TEXT("\"\\uFFFF\\uFDD0\""),
    TEXT("\"\\\\u0000\""),
    TEXT("\"[,]{:}\""),
    TEXT("[\"a\" , \"b\" ]"),
};

static const struct str rejected[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("\xEF\xBB\xBF"),
    TEXT("\xEF\xBB\xBF\xEF\xBB\xBF{}"),
    TEXT(" \xEF\xBB\xBF{}"),
    TEXT("\xFF\xFE{\0}\0"),
    TEXT("[1"),
    TEXT("[1,"),
    TEXT("[1,]"),
    TEXT("[,1]"),
    TEXT("[,]"),
    TEXT("[1,,2]"),
    TEXT("[1 2]"),
    TEXT("[1:2]"),
    TEXT("[1}"),
    TEXT("[\"a\""),
    TEXT("]"),
    TEXT("["),
    TEXT("{"),
    TEXT("}"),
    TEXT("{1:2}"),
    TEXT("{a:1}"),
    TEXT("{'a':1}"),
    TEXT("{\"a\"}"),
    TEXT("{\"a\":}"),
    TEXT("{\"a\":1,}"),
    TEXT("{\"a\":1]"),
    TEXT("{\"a\" 1}"),
    TEXT("{\"a\":1 \"b\":2}"),
    TEXT("{\"a\":1,,\"b\":2}"),
    TEXT("{\"a\":"),
    TEXT("{\"a\""),
    TEXT("{\"a"),
    TEXT("{,}"),
    TEXT("{[]:1}"),
    TEXT("{} {}"),
    TEXT("{}x"),
    TEXT("[]]"),
    TEXT("1 2"),
    TEXT("{}\0"),
    TEXT("{}#c"),
    TEXT("/**/1"),
    TEXT("nul"),
    TEXT("nulll"),
    TEXT("NULL"),
    TEXT("True"),
    TEXT("tru"),
    TEXT("NaN"),
    TEXT("Infinity"),
    TEXT("-Infinity"),
    TEXT("undefined"),
    TEXT("+1"),
    TEXT("-"),
    TEXT("--1"),
    TEXT("- 1"),
    TEXT("01"),
    TEXT("-01"),
    TEXT("00"),
    TEXT("1."),
    TEXT(".5"),
    TEXT("-.5"),
    TEXT("1.e3"),
    TEXT("1e"),
    TEXT("1e+"),
    TEXT("1e1.5"),
    TEXT("1.2.3"),
    TEXT("0x10"),
    TEXT("1_000"),
    TEXT("1a"),
    TEXT("\xEF\xBC\x91"),
    TEXT("\""),
    TEXT("\"\\\""),
    TEXT("\"\\"),
    TEXT("\"a\nb\""),
    TEXT("\"\t\""),
    TEXT("\"\0\""),
    TEXT("\"\x1f\""),
    TEXT("\"12345678\x01\""),
    TEXT("\"\\a\""),
    TEXT("\"\\x41\""),
    TEXT("\"\\'\""),
    TEXT("\"\\u\""),
    TEXT("\"\\u12\""),
    TEXT("\"\\u123g\""),
    TEXT("\"\\u 123\""),
    TEXT("\"\\U0041\""),
    TEXT("\"\\u00"),
    TEXT("\"\\\0\""),
    TEXT("\xA0[]"),
    TEXT("[\x0c]"),
    TEXT("[\xC2\xA0]"),
    TEXT("\xFF\"1\""),
    TEXT("<html></html>"),
    TEXT("<!DOCTYPE html>"),
};

static void test_accepts(void **state)
{
    (void)state;
    struct json_doc doc;
    struct err e = {0};
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        for (unsigned want = 0; want <= (JSON_TREE | JSON_COMPACT); want++)
            if (json_parse(&arena, accepted[i], want, &doc, &e) != RC_OK || doc.replaced)
                fail_msg("refused: %.*s: %s", STR_ARG(accepted[i]), e.msg);
}

static void test_rejects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rejected / sizeof *rejected; i++) {
        for (unsigned want = 0; want <= (JSON_TREE | JSON_COMPACT); want++) {
            struct json_doc doc = {.replaced = 77};
            struct err e = {0};
            if (json_parse(&arena, rejected[i], want, &doc, &e) != RC_SYNTAX)
                fail_msg("%zu, taken for JSON: %.*s", i, STR_ARG(rejected[i]));
            assert_non_null(strstr(e.msg, "not JSON"));
            assert_non_null(strstr(e.msg, "at byte"));
            assert_int_equal(doc.replaced, 77);
        }
    }
}

/* Whatever is cut off, the text is not JSON, and nothing beyond its end is read (the copy has no
 * byte to spare, which AddressSanitizer watches). */
static void test_cut_short(void **state)
{
    (void)state;
    struct str whole = STR("{\"a\\u00e9\":[-1.5e+3,true,null,\"\xE2\x82\xAC\\uD83D\\uDE00\"]}");
    struct json_doc doc;
    for (size_t n = 0; n < whole.len; n++) {
        char *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, whole.ptr, n);
        enum rc rc = json_parse(&arena, (struct str){cut, n}, JSON_TREE, &doc, NULL);
        free(cut);
        assert_int_equal(rc, RC_SYNTAX);
    }
}

static void test_error_says_where(void **state)
{
    (void)state;
    struct json_doc doc;
    struct err e = {0};
    json_parse(&arena, STR("{\"a\": 1, \"b\": x}"), JSON_TREE, &doc, &e);
    assert_string_equal(e.msg, "not JSON: a value is expected (at byte 14)");
    json_parse(&arena, STR("[1 2]"), JSON_TREE, &doc, &e);
    assert_string_equal(e.msg, "not JSON: a comma or ] is expected (at byte 3)");
}

/* ---- values --------------------------------------------------------------------------------- */

static void test_values(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *tree, *compact;
        uint64_t replaced;
    } cases[] = {
        {TEXT(" { \"a\" : [ 1 , 2 ] ,\n\t\"b\" : \"c d\" } \r\n"), "{\"a\":[1,2],\"b\":\"c d\"}",
         "{\"a\":[1,2],\"b\":\"c d\"}", 0},
        {TEXT("\xEF\xBB\xBF[true, false, null]"), "[true,false,null]", "[true,false,null]", 0},
        {TEXT("\"\\u0041\\/\\u00e9\\u20AC\\ud83d\\ude00\\u001F\\u007f\""),
         "\"A/\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\\u001f\x7f\"",
         "\"\\u0041\\/\\u00e9\\u20AC\\ud83d\\ude00\\u001F\\u007f\"", 0},
        {TEXT("\"a\\u0000b\""), "\"a" FFFD "b\"", "\"a\\u0000b\"", 1},
        {TEXT("\"\\u0000\\u0000\""), "\"" FFFD FFFD "\"", "\"\\u0000\\u0000\"", 2},
        {TEXT("{\"k\\u0000\":1}"), "{\"k" FFFD "\":1}", "{\"k\\u0000\":1}", 1},
        {TEXT("\"\\ud83d\""), "\"" FFFD "\"", "\"\\ud83d\"", 1},
        {TEXT("\"\\uDE00x\""), "\"" FFFD "x\"", "\"\\uDE00x\"", 1},
        {TEXT("\"\\ud83d\\ud83d\\ude00\""), "\"" FFFD "\xF0\x9F\x98\x80\"",
         "\"\\ud83d\\ud83d\\ude00\"", 1},
        {TEXT("\"\\ude00\\ud83d\""), "\"" FFFD FFFD "\"", "\"\\ude00\\ud83d\"", 2},
        {TEXT("\"\\ud83d\\u0041\""), "\"" FFFD "A\"", "\"\\ud83d\\u0041\"", 1},
        {TEXT("\"\\ud83d\\u0000\""), "\"" FFFD FFFD "\"", "\"\\ud83d\\u0000\"", 2},
        {TEXT("\"\\ud83d\\n\""), "\"" FFFD "\\n\"", "\"\\ud83d\\n\"", 1},
        {TEXT("\"\\\\u0000\""), "\"\\\\u0000\"", "\"\\\\u0000\"", 0},
        /* not UTF-8: as Python's bytes.decode(errors="replace") */
        {TEXT("\"\x80\""), "\"" FFFD "\"", "\"" FFFD "\"", 1},
        {TEXT("\"\xC3\""), "\"" FFFD "\"", "\"" FFFD "\"", 1},
        {TEXT("\"\xC0\x80\""), "\"" FFFD FFFD "\"", "\"" FFFD FFFD "\"", 2},
        {TEXT("\"\xED\xA0\x80\""), "\"" FFFD FFFD FFFD "\"", "\"" FFFD FFFD FFFD "\"", 3},
        {TEXT("\"\xE2\x82\""), "\"" FFFD "\"", "\"" FFFD "\"", 1},
        {TEXT("\"\xE2\x82x\xF0\x9F\x98\""), "\"" FFFD "x" FFFD "\"", "\"" FFFD "x" FFFD "\"", 2},
        {TEXT("\"\xF4\x90\x80\x80\""), "\"" FFFD FFFD FFFD FFFD "\"", "\"" FFFD FFFD FFFD FFFD "\"",
         4},
        {TEXT("[\"\xFF\", 1]"), "[\"" FFFD "\",1]", "[\"" FFFD "\",1]", 1},
        {TEXT("\"\xFF"
              "1\""),
         "\"" FFFD "1\"", "\"" FFFD "1\"", 1},
        /* numbers keep their digits */
        {TEXT("10000000000000000999"), "10000000000000000999", "10000000000000000999", 0},
        {TEXT("[0.1, 1e-7,1046.8333333333335,1.10,-0,1E400,-1.0e+05]"),
         "[0.1,1e-7,1046.8333333333335,1.10,-0,1E400,-1.0e+05]",
         "[0.1,1e-7,1046.8333333333335,1.10,-0,1E400,-1.0e+05]", 0},
        /* members that come again */
        {TEXT("{\"a\":1,\"b\":2,\"a\":3}"), "{\"a\":3,\"b\":2}", "{\"a\":1,\"b\":2,\"a\":3}", 0},
        {TEXT("{\"a\":1,\"a\":{\"a\":2,\"a\":[4]}}"), "{\"a\":{\"a\":[4]}}",
         "{\"a\":1,\"a\":{\"a\":2,\"a\":[4]}}", 0},
        {TEXT("{\"a\":[],\"b\":0,\"a\":\"x\",\"a\":null}"), "{\"a\":null,\"b\":0}",
         "{\"a\":[],\"b\":0,\"a\":\"x\",\"a\":null}", 0},
        {TEXT("{\"a\":1,\"A\":2,\"\":3,\"\\u0061\":4}"), "{\"a\":4,\"A\":2,\"\":3}",
         "{\"a\":1,\"A\":2,\"\":3,\"\\u0061\":4}", 0},
        /* of a member whose name has escapes, or comes again, the text has its own length */
        {TEXT("{\"\\u0061\":\"bcd\",\"\\u0062\":12,\"\\u0063\":[\"e\\u0000\",34]}"),
         "{\"a\":\"bcd\",\"b\":12,\"c\":[\"e" FFFD "\",34]}",
         "{\"\\u0061\":\"bcd\",\"\\u0062\":12,\"\\u0063\":[\"e\\u0000\",34]}", 1},
        {TEXT("{\"a\":\"long\\u0041\",\"\\u0061\":\"b\",\"\\u0063\":1,\"c\":234}"),
         "{\"a\":\"b\",\"c\":234}",
         "{\"a\":\"long\\u0041\",\"\\u0061\":\"b\",\"\\u0063\":1,\"c\":234}", 0},
        /* members whose names only U+FFFD makes the same */
        {TEXT("{\"H\xF6he\":3,\"H\xFChe\":4}"), "{\"H" FFFD "he\":3,\"H" FFFD "he_2\":4}",
         "{\"H" FFFD "he\":3,\"H" FFFD "he_2\":4}", 2},
        {TEXT("{\"H\xF6he\":3,\"H\xF6he\":4}"), "{\"H" FFFD "he\":4}",
         "{\"H" FFFD "he\":3,\"H" FFFD "he\":4}", 2},
        {TEXT("{\"\\ud800\":1,\"\\ud801\":2,\"\\u0000\":3,\"\\uD800\":4,\"\\udc00\":5}"),
         "{\"" FFFD "\":4,\"" FFFD "_2\":2,\"" FFFD "_3\":3,\"" FFFD "_4\":5}",
         "{\"\\ud800\":1,\"\\ud801\":2,\"\\u0000\":3,\"\\uD800\":4,\"\\udc00\":5}", 5},
        /* one in which nothing was replaced keeps its name, and a "_n" is nobody else's */
        {TEXT("{\"\xF6\":1,\"\xEF\xBF\xBD\":2,\"\\ufffd_2\":3,\"\xFC\":4}"),
         "{\"" FFFD "_3\":1,\"" FFFD "\":2,\"" FFFD "_2\":3,\"" FFFD "_4\":4}",
         "{\"" FFFD "_3\":1,\"" FFFD "\":2,\"\\ufffd_2\":3,\"" FFFD "_4\":4}", 2},
        {TEXT("{\"\xF6\":1,\"\xFC_2\":2,\"\xFC\":3,\"\xFE_2\":4}"),
         "{\"" FFFD "\":1,\"" FFFD "_2\":2,\"" FFFD "_3\":3,\"" FFFD "_2_2\":4}",
         "{\"" FFFD "\":1,\"" FFFD "_2\":2,\"" FFFD "_3\":3,\"" FFFD "_2_2\":4}", 4},
        /* bytes are not the escape that they look like, nor two runs of bytes one */
        {TEXT("{\"\xED\xA0\x80\":1,\"\\ud800\\ud800\\ud800\":2}"),
         "{\"" FFFD FFFD FFFD "\":1,\"" FFFD FFFD FFFD "_2\":2}",
         "{\"" FFFD FFFD FFFD "\":1,\"\\ud800\\ud800\\ud800\":2}", 6},
        {TEXT("{\"\xE2\x82x\":1,\"\xE2x\":2}"), "{\"" FFFD "x\":1,\"" FFFD "x_2\":2}",
         "{\"" FFFD "x\":1,\"" FFFD "x_2\":2}", 2},
        /* within each other, out of the order of their ends; values with bad bytes are no names */
        {TEXT("{\"a\":{\"\xF6\":[{\"\xF6\":\"\xF6\",\"\xFC\":\"\xFC\"}],\"\xFC\":2},\"\xFC\":3,"
              " \"\xF6\":4}"),
         "{\"a\":{\"" FFFD "\":[{\"" FFFD "\":\"" FFFD "\",\"" FFFD "_2\":\"" FFFD "\"}],\"" FFFD
         "_2\":2},\"" FFFD "\":3,\"" FFFD "_2\":4}",
         "{\"a\":{\"" FFFD "\":[{\"" FFFD "\":\"" FFFD "\",\"" FFFD "_2\":\"" FFFD "\"}],\"" FFFD
         "_2\":2},\"" FFFD "\":3,\"" FFFD "_2\":4}",
         8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].text, cases[i].tree, cases[i].compact, cases[i].replaced);
}

static void test_number_nodes(void **state)
{
    (void)state;
    struct json_doc doc;
    char text[410] = "";
    memset(text, '9', 400);
    assert_int_equal(json_parse(&arena, str_c(text), JSON_TREE, &doc, NULL), RC_OK);
    assert_true(cJSON_IsNumber(doc.root));
    assert_string_equal(doc.root->valuestring, text);

    assert_int_equal(json_parse(&arena, STR("{\"n\":-0,\"s\":\"-0\"}"), JSON_TREE, &doc, NULL),
                     RC_OK);
    assert_true(cJSON_IsNumber(json_member(doc.root, "n")));
    assert_true(cJSON_IsString(json_member(doc.root, "s")));
    assert_string_equal(json_member(doc.root, "n")->valuestring, "-0");
    assert_null(json_member(doc.root, "N"));
}

static void test_wants(void **state)
{
    (void)state;
    struct json_doc doc;
    assert_int_equal(json_parse(&arena, STR("[ 1 ]"), JSON_COMPACT, &doc, NULL), RC_OK);
    assert_null(doc.root);
    assert_int_equal(doc.compact.len, 3);
    assert_int_equal(json_parse(&arena, STR("[ 1 ]"), JSON_TREE, &doc, NULL), RC_OK);
    assert_non_null(doc.root);
    assert_null(doc.compact.ptr);
}

/* ---- limits --------------------------------------------------------------------------------- */

/* `levels` arrays or, every other one, objects around a number. */
static char *nested(unsigned levels)
{
    char *text = malloc(levels * 10 + 10);
    assert_non_null(text);
    char *p = text;
    for (unsigned i = 0; i < levels; i++)
        p = stpcpy(p, i % 2 ? "{\"a\":" : "[ ");
    *p++ = '1';
    for (unsigned i = levels; i-- > 0;)
        *p++ = i % 2 ? '}' : ']';
    *p = '\0';
    return text;
}

static void test_depth(void **state)
{
    (void)state;
    struct json_doc doc;
    struct err e = {0};
    for (unsigned want = 0; want <= JSON_COMPACT; want++) {
        char *text = nested(JSON_DEPTH_MAX);
        assert_int_equal(json_parse(&arena, str_c(text), want, &doc, &e), RC_OK);
        free(text);
        text = nested(JSON_DEPTH_MAX + 1);
        assert_int_equal(json_parse(&arena, str_c(text), want, &doc, &e), RC_LIMIT);
        free(text);
        assert_non_null(strstr(e.msg, "nested deeper than 200"));
        text = nested(JSON_DEPTH_OWN_MAX);
        assert_int_equal(json_parse(&arena, str_c(text), want | JSON_OWN, &doc, &e), RC_OK);
        free(text);
        text = nested(JSON_DEPTH_OWN_MAX + 1);
        assert_int_equal(json_parse(&arena, str_c(text), want | JSON_OWN, &doc, &e), RC_LIMIT);
        free(text);
    }
}

/* Every refusal of memory is an error code, and one that says why. */
static void test_arena_too_small(void **state)
{
    (void)state;
    char text[4000] = "{";
    char *p = text + 1;
    for (int i = 0; i < 40; i++)
        p += sprintf(p, "%s\"k%d\":[%d,\"\xFFx%d\",{\"\xFE\":1,\"\xFD\":2,\"\xFE\":3}]",
                     i ? "," : "", i / 2, i, i);
    stpcpy(p, "}");
    struct json_doc doc;
    bool done = false;
    for (size_t max = 0; !done; max += 7) {
        struct arena small;
        struct err e = {0};
        arena_init(&small, max);
        enum rc rc = json_parse(&small, str_c(text), JSON_TREE | JSON_COMPACT, &doc, &e);
        done = rc == RC_OK;
        if (!done) {
            assert_int_equal(rc, RC_LIMIT);
            assert_non_null(strstr(e.msg, "bytes of memory"));
        }
        arena_free(&small);
        assert_true(max < ARENA_MAX);
    }
}

static void test_invalid_bytes_only(void **state)
{
    (void)state;
    char text[1002];
    struct json_doc doc;
    memset(text, 0xFF, sizeof text);
    text[0] = text[1001] = '"';
    struct str s = {text, sizeof text};
    assert_int_equal(json_parse(&arena, s, JSON_TREE | JSON_COMPACT, &doc, NULL), RC_OK);
    assert_int_equal(doc.replaced, 1000);
    assert_int_equal(doc.compact.len, 3002);
    assert_int_equal(strlen(doc.root->valuestring), 3000);
}

/* Every byte at every place of strings of every length: texts are looked at in steps of many bytes. */
static void test_each_byte_at_each_place(void **state)
{
    (void)state;
    char text[64];
    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                memset(text, 'x', sizeof text);
                text[0] = text[len + 1] = '"';
                text[1 + at] = (char)c;
                struct json_doc doc;
                enum rc rc = json_parse(&arena, (struct str){text, len + 2}, JSON_TREE, &doc, NULL);
                bool is_valid = c >= 0x20 && c != '"' && c != '\\';
                if ((rc == RC_OK) != is_valid)
                    fail_msg("byte %u at %zu of %zu: %d", c, at, len, (int)rc);
                if (is_valid && c < 0x80)
                    assert_memory_equal(doc.root->valuestring, text + 1, len);
                if (is_valid)
                    assert_int_equal(doc.replaced, c >= 0x80);
            }
            arena_reset(&arena, 0);
        }
    }
}

/* ---- many ----------------------------------------------------------------------------------- */

static void assert_linked(const cJSON *list, size_t count)
{
    const cJSON *last = NULL;
    size_t n = 0;
    for (const cJSON *node = list->child; node; last = node, node = node->next, n++)
        if (last)
            assert_ptr_equal(node->prev, last);
    assert_int_equal(n, count);
    if (last)
        assert_ptr_equal(list->child->prev, last);
}

/* n members, of which each `period`th name comes again; the order of names is shuffled. */
static void members(size_t n, size_t period)
{
    struct buf b;
    buf_init(&b, ARENA_MAX);
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s\"member_%zu\":%zu", i ? "," : "{", i % period * 7919 % period, i);
    buf_adds(&b, "}");
    struct json_doc doc;
    assert_int_equal(json_parse(&arena, buf_str(&b), JSON_TREE, &doc, NULL), RC_OK);
    assert_linked(doc.root, period < n ? period : n);
    size_t at = 0;
    for (const cJSON *node = doc.root->child; node; node = node->next, at++) {
        size_t last = at + (n - 1 - at) / period * period;
        assert_int_equal(strtoull(node->valuestring, NULL, 10), last);
        char name[40];
        (void)snprintf(name, sizeof name, "member_%zu", at * 7919 % period);
        assert_string_equal(node->string, name);
    }
    buf_free(&b);
}

static void test_many_members(void **state)
{
    (void)state;
    for (size_t n = 1; n < 70; n++)
        for (size_t period = 1; period <= n; period++)
            members(n, period);
    members(1000, 1);
    members(200000, 200000);
    members(200000, 1009);
}

/* Names of two bytes that are not UTF-8, most of them twice: as many members as different names, and
 * no name of them twice, in no more than n log n. */
static void test_many_replaced_names(void **state)
{
    (void)state;
    struct buf b;
    struct json_doc doc;
    buf_init(&b, ARENA_MAX);
    for (unsigned i = 0; i < 200000; i++)
        buf_addf(&b, "%s\"%c%c\":%u", i ? "," : "{", (int)(0x80 + i % 64), (int)(0xF5 + i / 64 % 8),
                 i);
    buf_adds(&b, ",\"" FFFD FFFD "\":1,\"" FFFD FFFD "_7\":2}");
    assert_int_equal(json_parse(&arena, buf_str(&b), JSON_TREE | JSON_COMPACT, &doc, NULL), RC_OK);
    assert_linked(doc.root, 64 * 8 + 2);
    unsigned number = 1;
    for (const cJSON *node = doc.root->child; node->valueint & JSON_NAME_REPLACED;
         node = node->next) {
        char name[40];
        number += number == 6 ? 2 : 1;
        (void)snprintf(name, sizeof name, FFFD FFFD "_%u", number);
        assert_string_equal(node->string, name);
    }
    buf_clear(&b);
    json_write(&b, doc.root);
    struct json_doc again;
    assert_int_equal(json_parse(&arena, doc.compact, JSON_TREE, &again, NULL), RC_OK);
    struct buf text;
    buf_init(&text, ARENA_MAX);
    json_write(&text, again.root);
    assert_true(str_eq(buf_str(&text), buf_str(&b)));
    buf_free(&text);
    buf_free(&b);
}

static void test_many_numbers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, ARENA_MAX);
    for (int i = 0; i < 200000; i++)
        buf_adds(&b, i ? ",1" : "[1");
    buf_adds(&b, "]");
    struct json_doc doc;
    assert_int_equal(json_parse(&arena, buf_str(&b), JSON_TREE, &doc, NULL), RC_OK);
    assert_linked(doc.root, 200000);
    struct buf again;
    buf_init(&again, ARENA_MAX);
    json_write(&again, doc.root);
    assert_true(str_eq(buf_str(&again), buf_str(&b)));
    buf_free(&again);
    buf_free(&b);
}

/* A made name may be longer than the one that was received; the node has room for so many bytes alone. */
static void lengths_of_names(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        bool fits;
    } rows[] = {
        {0, true},
        {1, true},
        {JSON_NAME_BYTES_MAX, true},
        {JSON_NAME_BYTES_MAX + 1, false},
        {(size_t)1 << 28, false},
        {(size_t)1 << 32, false},
        {SIZE_MAX, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cJSON node = {.type = cJSON_Number};
        assert_true(json_set_name(&node, STR("before")));
        node.valueint |= JSON_NAME_REPLACED;
        bool fits = json_set_name(&node, (struct str){"after", rows[i].len}); /* nobody reads it */
        assert_int_equal(fits, rows[i].fits);
        struct str name = json_member_name(&node);
        assert_int_equal(name.len, fits ? rows[i].len : strlen("before"));
        assert_string_equal(name.ptr, fits ? "after" : "before");
        assert_true(node.valueint & JSON_NAME_REPLACED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_rejects),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_error_says_where),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_number_nodes),
        cmocka_unit_test(test_wants),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_arena_too_small),
        cmocka_unit_test(test_invalid_bytes_only),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_many_replaced_names),
        cmocka_unit_test(lengths_of_names),
        cmocka_unit_test(test_many_numbers),
        cmocka_unit_test(test_each_byte_at_each_place),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
