#include "core/json/json.h"

#include <stdio.h>

#include "cmocka_all.h"

#define ARENA_MAX ((size_t)64 << 20)

struct hashed {
    struct buf canonical;
    unsigned char hash[JSON_HASH_BYTES];
};

static void collect(void *ctx, const char *p, size_t n)
{
    buf_add(ctx, p, n);
}

static void hash_text(struct hashed *out, struct str text, const struct json_nulls *nulls)
{
    struct arena a;
    struct json_doc doc;
    struct err e = {.msg = ""};
    arena_init(&a, ARENA_MAX);
    buf_init(&out->canonical, ARENA_MAX);
    if (json_parse(&a, text, JSON_TREE, &doc, &e) != RC_OK)
        fail_msg(STR_FMT ": %s", STR_ARG(text), e.msg);
    json_hash(doc.root, nulls, out->hash);
    assert_int_equal(json_canonical(doc.root, nulls, &a, collect, &out->canonical), RC_OK);
    arena_free(&a);
}

static bool same_hash(const struct hashed *a, const struct hashed *b)
{
    return memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

/* The hash is the same where the canonical form is. */
static void expect_as_canonical(const struct hashed *a, const struct hashed *b)
{
    bool same = str_eq(buf_str(&a->canonical), buf_str(&b->canonical));
    if (same_hash(a, b) != same)
        fail_msg(STR_FMT " and\n" STR_FMT " have %s hash", STR_ARG(buf_str(&a->canonical)),
                 STR_ARG(buf_str(&b->canonical)), same ? "not the same" : "the same");
}

/* ---- what is the same, and what is not ------------------------------------------------------ */

#define SAME_MAX 4

/* Texts of one row are the same, those of different rows are not. */
static const char *const rows[][SAME_MAX] = {
    {"{}", " { } "},
    {"[]", "[ ]"},
    {"\"\"", " \"\""},
    {"null"},
    {"\"null\""},
    {"true"},
    {"false"},
    {"0"},
    {"-0"},
    {"\"0\""},
    {"[0]"},
    {"[null]"},
    {"[[]]"},
    {"[{}]"},
    {"[[],[]]"},
    {"{\"\":{}}"},
    {"{\"\":[]}"},
    {"{\"\":\"\"}"},
    {"{\"\":null}"},
    /* members in any order, however they are written */
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "{ \"b\" : 2 , \"\\u0061\": 1 }",
     "{\"a\":3,\"b\":2,\"a\":1}"},
    {"{\"a\":2,\"b\":1}", "{\"b\":1,\"a\":2}"},
    {"{\"a\":1,\"b\":\"2\"}", "{\"b\":\"\\u0032\",\"a\":1}"},
    {"{\"a\":1}", "{\"a\": 1}", "{\"\\u0061\":1}", "{\"a\":2,\"a\":1}"},
    {"{\"a\":1.0}"},
    {"{\"a\":1e0}"},
    {"{\"a\":\"1\"}"},
    {"{\"a\":true}", "{\"a\":null,\"a\":true}", "{\"a\":\"x\",\"a\":true}", "{\"a\" :true}"},
    {"{\"a\":false}", "{\"a\": false}", "{\"a\":1,\"a\":false}"},
    {"{\"a\":null}", "{\"a\":\tnull}", "{\"a\":{\"a\":1},\"a\":null}"},
    {"{\"a\":\"true\"}"},
    {"{\"a\":\"x\\ny\"}", "{\"a\":\"x\\u000ay\"}", "{\"\\u0061\":\"\\u0078\\ny\"}"},
    {"{\"a\":\"xy\"}", "{\"a\":\"\\u0078y\"}", "{\"a\":1,\"a\":\"xy\"}"},
    {"{\"a\":{}}", "{\"\\u0061\" : {}}"},
    {"{\"a\":[]}"},
    /* where a name ends */
    {"{\"ab\":\"c\"}"},
    {"{\"a\":\"bc\"}"},
    {"{\"a:\":1}"},
    {"{\"a\\\":1,\\\"b\":2}"},
    {"{\"a\":\":1\"}"},
    /* elements in one order only */
    {"[1,2]", "[ 1 ,2]"},
    {"[2,1]"},
    {"[12]"},
    {"[[1],[2]]"},
    {"[[1,2]]"},
    {"[[1],2]"},
    {"[1,[2]]"},
    {"[\"10000001\",\"20000002\"]"},
    {"[\"20000002\",\"10000001\"]"},
    {"[\"1\",\"2\"]"},
    {"[\"1\\\",\\\"2\"]"},
    {"[{\"a\":1},{\"a\":2}]"},
    {"[{\"a\":2},{\"a\":1}]"},
    {"[{\"a\":1},{\"b\":2}]"},
    {"[{\"a\":1,\"b\":2}]", "[{\"b\":2,\"a\":1}]"},
    {"[{\"a\":1,\"b\":2},{}]"},
    {"[{},{\"b\":2,\"a\":1}]", "[{},{\"a\":1,\"b\":2}]"},
    /* nothing cancels out, and nothing moves from one object to another */
    {"[{\"k\":1},{\"k\":1}]"},
    {"[{\"k\":2},{\"k\":2}]"},
    {"{\"x\":{\"k\":1},\"y\":{\"k\":1}}", "{\"y\":{\"k\":1},\"x\":{\"k\":1}}"},
    {"{\"x\":{\"k\":2},\"y\":{\"k\":2}}"},
    {"{\"x\":{\"k\":1},\"y\":{\"k\":2}}", "{\"y\":{\"k\":2},\"x\":{\"k\":1}}"},
    {"{\"x\":{\"k\":2},\"y\":{\"k\":1}}"},
    {"{\"x\":{\"a\":1},\"y\":{\"b\":2}}"},
    {"{\"x\":{\"b\":2},\"y\":{\"a\":1}}"},
    {"{\"x\":{\"a\":1,\"b\":2},\"y\":{}}", "{\"y\":{},\"x\":{\"b\":2,\"a\":1}}"},
    {"{\"x\":{},\"y\":{\"a\":1,\"b\":2}}"},
    {"{\"x\":{\"a\":1,\"y\":{\"b\":2}}}", "{\"x\":{\"y\":{\"b\":2},\"a\":1}}"},
    {"{\"x\":{\"a\":1},\"b\":2,\"y\":{}}"},
    {"{\"x\":[[1]],\"y\":[[]]}"},
    {"{\"x\":[[]],\"y\":[[1]]}"},
    /* what U+FFFD stands for */
    {"{\"a\xEF\xBF\xBD\":1}", "{\"a\\uFFFD\":1}"},
    {"{\"a\\ud800\":1}", "{\"a\\uD800\":1}"},
    {"{\"a\\ud801\":1}"},
    {"{\"a\\u0000\":1}"},
    {"{\"a\xFC\":1}", "{\"a\xFC\" : 1}"},
    {"{\"a\xFC\":1,\"a\xF6\":2}", "{\"a\xF6\":2,\"a\xFC\":1}"},
    {"{\"a\xFC\":2,\"a\xF6\":1}"},
    {"[\"x\\u0000\"]"},
    {"[\"x\\ud800\"]"},
    {"[\"x\xFE\",\"y\"]"},
    {"[\"x\",\"\xFEy\"]"},
};

static void test_what_is_the_same(void **state)
{
    (void)state;
    enum { ROWS = sizeof rows / sizeof *rows };
    static struct hashed hashed[ROWS][SAME_MAX];
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < SAME_MAX && rows[i][k]; k++)
            hash_text(&hashed[i][k], str_c(rows[i][k]), NULL);
    }
    for (size_t i = 0; i < ROWS * SAME_MAX; i++) {
        for (size_t k = 0; k < i; k++) {
            const char *a = rows[i / SAME_MAX][i % SAME_MAX], *b = rows[k / SAME_MAX][k % SAME_MAX];
            const struct hashed *x = &hashed[i / SAME_MAX][i % SAME_MAX],
                                *y = &hashed[k / SAME_MAX][k % SAME_MAX];
            if (!a || !b)
                continue;
            expect_as_canonical(x, y);
            if (same_hash(x, y) != (i / SAME_MAX == k / SAME_MAX))
                fail_msg("%s and %s: the same %d", a, b, same_hash(x, y));
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < SAME_MAX && rows[i][k]; k++)
            buf_free(&hashed[i][k].canonical);
    }
}

/* ---- texts that are drawn ------------------------------------------------------------------- */

/* Written twice from the same numbers: as it is, and with members reversed, blanks and escapes. */
struct draw {
    uint64_t seed;
    bool otherwise;
};

static unsigned drawn(struct draw *d, unsigned n)
{
    d->seed = d->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(d->seed >> 33) % n;
}

static void draw_value(struct draw *d, struct buf *b, unsigned depth);

static void draw_members(struct draw *d, struct buf *b, unsigned n, unsigned depth)
{
    struct buf members[3];
    for (unsigned i = 0; i < n; i++) {
        unsigned name = 3 * drawn(d, 2) + i; /* no two are the same */
        buf_init(&members[i], ARENA_MAX);
        if (d->otherwise && name % 2)
            buf_addf(&members[i], "\"\\u00%02x\"\n: ", 'a' + name);
        else
            buf_addf(&members[i], "\"%c\":", 'a' + name);
        draw_value(d, &members[i], depth);
    }
    buf_addc(b, '{');
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buf_addc(b, ',');
        buf_add_str(b, buf_str(&members[d->otherwise ? n - 1 - i : i]));
    }
    buf_addc(b, '}');
    for (unsigned i = 0; i < n; i++)
        buf_free(&members[i]);
}

static void draw_elements(struct draw *d, struct buf *b, unsigned n, unsigned depth)
{
    buf_adds(b, d->otherwise ? "[ " : "[");
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buf_adds(b, d->otherwise ? " ,\t" : ",");
        draw_value(d, b, depth);
    }
    buf_addc(b, ']');
}

static void draw_value(struct draw *d, struct buf *b, unsigned depth)
{
    static const char *const scalars[][2] = {{"1", "1"},
                                             {"2", "2"},
                                             {"\"1\"", "\"\\u0031\""},
                                             {"\"a\\n\"", "\"\\u0061\\u000a\""},
                                             {"null", " null"},
                                             {"true", "true "}};
    unsigned kind = depth ? drawn(d, 4) : 0;
    if (kind < 2)
        buf_adds(b, scalars[drawn(d, sizeof scalars / sizeof *scalars)][d->otherwise]);
    else if (kind == 2)
        draw_members(d, b, drawn(d, 4), depth - 1);
    else
        draw_elements(d, b, drawn(d, 4), depth - 1);
}

static void test_as_canonical(void **state)
{
    (void)state;
    enum { VALUES = 3000 };
    static struct hashed hashed[VALUES];
    size_t n_same = 0;
    for (size_t i = 0; i < VALUES; i++) {
        struct hashed again;
        for (int otherwise = 0; otherwise < 2; otherwise++) {
            struct draw d = {.seed = i, .otherwise = otherwise};
            struct buf text;
            buf_init(&text, ARENA_MAX);
            draw_value(&d, &text, 3);
            hash_text(otherwise ? &again : &hashed[i], buf_str(&text), NULL);
            buf_free(&text);
        }
        assert_string_equal(buf_cstr(&hashed[i].canonical), buf_cstr(&again.canonical));
        expect_as_canonical(&hashed[i], &again);
        buf_free(&again.canonical);
        for (size_t k = 0; k < i; k++) {
            expect_as_canonical(&hashed[i], &hashed[k]);
            n_same += same_hash(&hashed[i], &hashed[k]);
        }
    }
    assert_in_range(n_same, VALUES, (size_t)VALUES * VALUES / 4); /* enough of both */
    for (size_t i = 0; i < VALUES; i++)
        buf_free(&hashed[i].canonical);
}

/* ---- lengths -------------------------------------------------------------------------------- */

/* Around those that are hashed otherwise: in one piece, in pieces, and with escapes they are the same. */
static void test_lengths(void **state)
{
    (void)state;
    static char x[5000];
    struct hashed before = {.hash = {0}};
    struct buf text;
    memset(x, 'x', sizeof x);
    buf_init(&text, ARENA_MAX);
    for (int n = 0; n < (int)sizeof x; n = n < 1100 ? n + 1 : n + 397) {
        struct hashed one, pieces, escaped;
        buf_clear(&text);
        buf_addf(&text, "{\"%.*s\":\"%.*s\",\"z\":[\"%.*s\",{\"%.*s\":[]}]}", n, x, n, x, n, x, n,
                 x);
        hash_text(&one, buf_str(&text), NULL);
        buf_clear(&text);
        buf_addf(&text, "{\"z\": [\"%.*s\" , {\"%.*s\": []}], \"%.*s\": \"%.*s\"}", n, x, n, x, n,
                 x, n, x);
        hash_text(&pieces, buf_str(&text), NULL);
        buf_clear(&text);
        int left = n ? n - 1 : 0;
        const char *first = n ? "\\u0078" : "";
        buf_addf(&text, "{\"%s%.*s\":\"%s%.*s\",\"z\":[\"%s%.*s\",{\"%s%.*s\":[]}]}", first, left,
                 x, first, left, x, first, left, x, first, left, x);
        hash_text(&escaped, buf_str(&text), NULL);
        expect_as_canonical(&one, &pieces);
        expect_as_canonical(&one, &escaped);
        assert_true(same_hash(&one, &pieces));
        assert_false(same_hash(&one, &before));
        before = one;
        buf_free(&one.canonical);
        buf_free(&pieces.canonical);
        buf_free(&escaped.canonical);
    }
    buf_free(&text);
}

/* ---- what counts as null -------------------------------------------------------------------- */

static void test_nulls(void **state)
{
    (void)state;
    static const struct str arrays[] = {{"docs", 4}}, members[] = {{"url", 3}, {"link", 4}};
    static const struct json_nulls nulls = {arrays, members, 1, 2};
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"{\"docs\":[{\"url\":\"a\",\"n\":1}]}", "{\"docs\":[{\"n\":1,\"url\":\"b\"}]}", true},
        {"{\"docs\":[{\"url\":\"a\"}]}", "{\"docs\":[{\"url\":null}]}", true},
        {"{\"docs\":[{\"\\u0075rl\":\"a\"}]}", "{\"\\u0064ocs\":[{\"url\":\"b\"}]}", true},
        {"{\"docs\":[{\"link\":\"a\"}]}", "{\"docs\":[{\"link\":\"b\"}]}", true},
        {"{\"docs\":[{\"link\":\"a\"}]}", "{\"docs\":[{\"url\":\"a\"}]}", false},
        {"{\"docs\":[{\"url\":\"a\"}]}", "{\"docs\":[{}]}", false},
        {"{\"docs\":[{\"url\":1}]}", "{\"docs\":[{\"url\":2}]}", false},
        {"{\"docs\":[{\"x\":{\"url\":\"a\"}}]}", "{\"docs\":[{\"x\":{\"url\":\"b\"}}]}", false},
        {"{\"docs\":[[{\"url\":\"a\"}]]}", "{\"docs\":[[{\"url\":\"b\"}]]}", false},
        {"{\"docs\":{\"url\":\"a\"}}", "{\"docs\":{\"url\":\"b\"}}", false},
        {"{\"x\":[{\"url\":\"a\"}]}", "{\"x\":[{\"url\":\"b\"}]}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hashed a, b;
        hash_text(&a, str_c(cases[i].a), &nulls);
        hash_text(&b, str_c(cases[i].b), &nulls);
        expect_as_canonical(&a, &b);
        if (same_hash(&a, &b) != cases[i].same)
            fail_msg("%s and %s: the same %d", cases[i].a, cases[i].b, same_hash(&a, &b));
        buf_free(&a.canonical);
        buf_free(&b.canonical);
    }
}

/* ---- what states have ----------------------------------------------------------------------- */

/* They never change. Computed from the description in json_hash.c in Python, with XXH3_128bits() of libxxhash. */
static void test_known(void **state)
{
    (void)state;
    static char long_text[2400];
    static const struct {
        const char *text, *hash;
    } cases[] = {
        {"{}", "08d9c61ca8eaa8d5bdc69e234c5463da"},
        {"[]", "012a24f48d7d358196ee214846135ebc"},
        {"\"\"", "748c656f86fdad7e277b1946ac9655b6"},
        {"-1.50", "2f8ad0d4522348c641dd2f93def3d97c"},
        {"{\"b\":\"x\\u0041\\/\\n\",\"a\":[1.50,-0,true,{\"d\":null,\"c\":false}],"
         "\"z\":\"\\u00e9\"}",
         "e31f236c3dfd257999343b5990b7f2d3"},
        /* {"name":"0123456789...0123456789","":["0123456789...0123456789"]}: 300 and 2000 digits */
        {long_text, "479c9f755192ec89706a3a2983e714e7"},
    };
    char digits[2001];
    for (size_t i = 0; i < sizeof digits; i++)
        digits[i] = (char)('0' + i % 10);
    (void)snprintf(long_text, sizeof long_text, "{\"name\":\"%.300s\",\"\":[\"%.2000s\"]}", digits,
                   digits);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hashed hashed;
        char hex[2 * JSON_HASH_BYTES + 1];
        hash_text(&hashed, str_c(cases[i].text), NULL);
        for (size_t k = 0; k < JSON_HASH_BYTES; k++)
            (void)snprintf(hex + 2 * k, 3, "%02x", hashed.hash[k]);
        if (strcmp(hex, cases[i].hash) != 0)
            fail_msg("%s: got %s, want %s", cases[i].text, hex, cases[i].hash);
        buf_free(&hashed.canonical);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_the_same),
        cmocka_unit_test(test_as_canonical),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
