/* What flatten makes of answers that are no payload, of its limits, and of want of memory. */
#include <stdio.h>

#include "tables_text.h"

#include "core/flatten/walk.h"

static const struct {
    const char *profile, *body, *result;
} answers[] = {
    {"omni", "{\"success\":false,\"message\":\"No such lead\",\"code\":\"NOT_FOUND\",\"lead\":{}}",
     "failed: NOT_FOUND: No such lead\n"},
    {"omni", "{\"success\":false,\"error\":{\"message\":\"a\\n  b\\u0007\",\"code\":17}}",
     "failed: 17: a b\n"},
    {"omni", "{\"success\":false,\"error\":\"just a text\"}",
     "failed: not_successful: just a text\n"},
    {"omni", "{\"success\":false}", "failed: not_successful: the response reports a failure\n"},
    {"omni", "{\"success\":\"false\",\"lead\":{}}", NULL},
    {"omni", "{\"success\":null,\"lead\":{}}", NULL},
    {"omni", "{}", "failed: no_lead: the response has no object at \"/lead\"\n"},
    {"omni", "{\"lead\":null}", "failed: no_lead: the response has no object at \"/lead\"\n"},
    {"omni", "{\"lead\":[{}]}", "failed: no_lead: the response has no object at \"/lead\"\n"},
    {"omni", "{\"message\":\"gone\",\"code\":\"X\"}",
     "failed: X: the response has no object at \"/lead\": gone\n"},
    {"omni", "[]", "failed: no_lead: the response has no object at \"/lead\"\n"},
    {"convocore", "{\"success\":true,\"message\":\"ok\"}",
     "failed: no_lead: the response has no object at \"/data\": ok\n"},
    {"convocore", "{\"success\":true,\"data\":[]}",
     "failed: no_lead: the response has no object at \"/data\"\n"},
    {"convocore", "{\"success\":false,\"code\":\"C\",\"issues\":[{\"message\":\"first\"},{}]}",
     "failed: C: first\n"},
};

static void test_answers_that_are_no_lead(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct tables_fixture f;
        fixture_load(&f, answers[i].profile, SIGNED_URLS_STRIP);
        const char *got = tables_of(&f, answers[i].body);
        if (answers[i].result ? strcmp(got, answers[i].result) != 0 : strncmp(got, "leads", 5) != 0)
            fail_msg("\n%s\n--- wanted\n%s--- got\n%s", answers[i].body, answers[i].result, got);
        fixture_free(&f);
    }
}

static void test_failure_without_text(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    struct lead *lead = lead_with_body(str_c(answers[0].body));
    const char *code;
    assert_int_equal(flatten_parse(f.plan, lead, JSON_COMPACT, &code, NULL), RC_CLOSED);
    assert_string_equal(code, "NOT_FOUND");
    assert_null(lead->root);
    lead_free(lead);
    fixture_free(&f);
}

static void test_bodies_that_are_not_json(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    static const char *const wrong[] = {"", "<html>", "{\"lead\":{}", "{\"lead\":{}} x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct lead *lead = lead_with_body(str_c(wrong[i]));
        struct err e;
        const char *code = NULL;
        assert_int_equal(flatten_parse(f.plan, lead, JSON_TREE, &code, &e), RC_SYNTAX);
        assert_null(code);
        lead_free(lead);
    }
    fixture_free(&f);
}

static void test_nesting(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    for (int over = 0; over < 2; over++) {
        struct buf b;
        buf_init(&b, 10000);
        buf_adds(&b, "{\"lead\":{\"documents\":");
        for (int i = 0; i < JSON_DEPTH_MAX - 2 + over; i++)
            buf_addc(&b, '[');
        for (int i = 0; i < JSON_DEPTH_MAX - 2 + over; i++)
            buf_addc(&b, ']');
        buf_adds(&b, "}}");
        const char *got = tables_of(&f, buf_cstr(&b));
        assert_int_equal(strncmp(got, "limit exceeded: ", 16) == 0, over);
        buf_free(&b);
    }
    fixture_free(&f);
}

/* ---- error bodies --------------------------------------------------------------------------- */

static void check_error_body(const struct tables_fixture *f, struct str body, const char *message,
                             const char *code)
{
    struct lead *lead = lead_with_body(body);
    const char *got_message = "unset", *got_code = "unset";
    flatten_error_body(f->plan, lead, body, &got_message, &got_code);
    if (message)
        assert_string_equal(got_message, message);
    else
        assert_null(got_message);
    if (code)
        assert_string_equal(got_code, code);
    else
        assert_null(got_code);
    lead_free(lead);
}

static void test_error_bodies(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    static const struct {
        const char *body, *message, *code;
    } cases[] = {
        {"{\"message\":\"m\",\"code\":\"c\"}", "m", "c"},
        {"{\"message\":\"\",\"error\":{\"message\":\"m\",\"code\":404}}", "m", "404"},
        {"{\"error\":\"e\"}", "e", NULL},
        {"{\"detail\": \"d\"}", "{\"detail\": \"d\"}", NULL},
        {"", NULL, NULL},
        {" \n ", NULL, NULL},
        {"<html>\r\n\t<b>502</b>\x01\n</html>\n", "<html> <b>502</b> </html>", NULL},
        {"\xff\xc3\xa9\xc3", "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_error_body(&f, str_c(cases[i].body), cases[i].message, cases[i].code);
    fixture_free(&f);
}

/* Cut between characters, whatever their length. */
static void test_long_messages(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe5\x90\x8d", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 4; i++) {
        struct buf body;
        buf_init(&body, 1 << 16);
        buf_addc(&body, '<');
        while (body.len < 2000)
            buf_adds(&body, characters[i]);
        struct lead *lead = lead_with_body(buf_str(&body));
        const char *message, *code;
        flatten_error_body(f.plan, lead, buf_str(&body), &message, &code);
        size_t len = strlen(message);
        assert_in_range(len, FLATTEN_MESSAGE_BYTES_MAX - 3, FLATTEN_MESSAGE_BYTES_MAX);
        assert_true(utf8_valid(message, len));
        lead_free(lead);
        buf_free(&body);
    }
    fixture_free(&f);
}

/* ---- own ID, tree, fingerprint -------------------------------------------------------------- */

static void test_other_id(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    static const struct {
        const char *body, *other;
    } cases[] = {
        {"{\"lead\":{\"id\":\"L-1\"}}", NULL},
        {"{\"lead\":{\"id\":\"l-1\"}}", "l-1"},
        {"{\"lead\":{\"id\":12}}", "12"},
        {"{\"lead\":{\"id\":null}}", NULL},
        {"{\"lead\":{}}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lead *lead = lead_with_body(str_c(cases[i].body));
        const char *code;
        assert_int_equal(flatten_parse(f.plan, lead, JSON_TREE, &code, NULL), RC_OK);
        struct str other = lead->other_id;
        assert_true(cases[i].other ? str_eq_c(other, cases[i].other) : other.ptr == NULL);
        lead_free(lead);
    }
    fixture_free(&f);
}

#define WITH_URLS                                                                                  \
    "{\"lead\":{},\"documents\":[{\"url\":\"a?1\",\"x\":{\"documents\":[{\"url\":\"b?2\"}]}}]}"

static void test_tree_stays_as_received(void **state)
{
    (void)state;
    for (int mode = SIGNED_URLS_STRIP; mode <= SIGNED_URLS_DROP; mode++) {
        struct tables_fixture f;
        fixture_load(&f, "omni", (enum signed_urls)mode);
        struct lead *lead = lead_with_body(str_c(WITH_URLS));
        assert_int_equal(lead_flatten(&f, lead, true, NULL), RC_OK);
        json_write(&f.text, lead->root);
        assert_string_equal(buf_cstr(&f.text), WITH_URLS);
        lead_free(lead);
        fixture_free(&f);
    }
}

/* `content_hash` may be NULL. */
static void fingerprint_of(enum signed_urls mode, const char *body, unsigned char *out,
                           unsigned char *content_hash)
{
    struct tables_fixture f;
    fixture_load(&f, "omni", mode);
    struct lead *lead = lead_with_body(str_c(body));
    assert_int_equal(lead_flatten(&f, lead, FLATTEN_FINGERPRINT | FLATTEN_CONTENT_HASH, NULL),
                     RC_OK);
    memcpy(out, lead->fingerprint, FINGERPRINT_BYTES);
    if (content_hash)
        memcpy(content_hash, lead->content_hash, CONTENT_HASH_BYTES);
    lead_free(lead);
    fixture_free(&f);
}

static void test_fingerprints(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"{\"lead\":{\"a\":1,\"b\":2}}", " {\"lead\":{\"b\":2, \"a\":1}} ", true},
        {"{\"lead\":{\"a\":1}}", "{\"lead\":{\"a\":2}}", false},
        {"{\"lead\":{\"a\":1}}", "{\"lead\":{\"a\":\"1\"}}", false},
        {"{\"lead\":{\"a\":[1,2]}}", "{\"lead\":{\"a\":[2,1]}}", false},
        {"{\"lead\":{},\"documents\":[{\"url\":\"a?1\"}]}",
         "{\"lead\":{},\"documents\":[{\"url\":\"b?2\"}]}", true},
        {"{\"lead\":{\"url\":\"a?1\"}}", "{\"lead\":{\"url\":\"a?2\"}}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char a[FINGERPRINT_BYTES], b[FINGERPRINT_BYTES], c[FINGERPRINT_BYTES];
        unsigned char hash_a[CONTENT_HASH_BYTES], hash_b[CONTENT_HASH_BYTES],
            hash_c[CONTENT_HASH_BYTES];
        fingerprint_of(SIGNED_URLS_STRIP, cases[i].a, a, hash_a);
        fingerprint_of(SIGNED_URLS_STRIP, cases[i].b, b, hash_b);
        fingerprint_of(SIGNED_URLS_KEEP, cases[i].a, c, hash_c);
        assert_int_equal(memcmp(a, b, sizeof a) == 0, cases[i].same);
        assert_int_equal(memcmp(hash_a, hash_b, sizeof hash_a) == 0, cases[i].same);
        assert_memory_equal(a, c, sizeof a); /* whatever the rows show */
        assert_memory_equal(hash_a, hash_c, sizeof hash_a);
    }
}

/* States of all versions have them: they never change. By sha256sum of the text in the comment. */
static void test_known_fingerprints(void **state)
{
    (void)state;
    static const struct {
        const char *body, *fingerprint;
    } cases[] = {
        /* {"lead":{}} */
        {"{ \"lead\" : {} }", "c3805f406195a297a4c95c70ffba7f94c60d65950fa15fd24cfead9977529340"},
        /* {"lead":{"a":[1.50,-0,true,{"c":false,"d":null}],"b":"xA/\n"},"z":"\xc3\xa9\xc3\xa9"} */
        {"{\"lead\":{\"b\":\"x\\u0041\\/\\n\",\"a\":[1.50,-0,true,{\"d\":null,\"c\":false}]},\"z\":\"\xc3\xa9\\u00e9\"}",
         "eddacec11c35206deb0c48ef83366999818b3d9466934cb25df3c95db80298c0"},
        /* {"documents":[{"n":1,"url":null,"url2":"y","x":{"url":"kept"}},[{"url":"kept, too"}],"url"],"lead":{"a":"last","b":2}} */
        {"{\"lead\":{\"a\":1,\"b\":2,\"a\":\"last\"},\"documents\":[{\"url\":\"https://x/?sig=1\",\"url2\":\"y\",\"n\":1,\"x\":{\"url\":\"kept\"}},[{\"url\":\"kept, too\"}],\"url\"]}",
         "c2eaac8252262e836d3ee75a9eeee6e55e9632bf1919db9b0c57f638a90013e1"},
        /* {"checklist":3,"checklistItem":2,"checklistItemId":1,"lead":{"x":{"documents":[{"url":null},{"url":3}]}}} */
        {"{\"lead\":{\"x\":{\"documents\":[{\"url\":\"a?1\",\"\\u0075rl\":\"b?2\"},{\"url\":3}]}},\"checklistItemId\":1,\"checklistItem\":2,\"checklist\":3}",
         "bb88e5bb88e3fd27732d670dd238202ae798880ad273a2e4c46578c3552242a7"},
        /* {"lead":{"a":"U+FFFD\u0000u0000","aU+FFFD\u0000ud800":1,"aU+FFFD\u0000xfc":"U+FFFD\u0000xfe"}} */
        {"{\"lead\":{\"a\xfc\":\"\xfe\",\"a\\ud800\":1,\"a\":\"\\u0000\"}}",
         "301e7787565eeac2acfbe08a80174107ffd84df5201fdd97aa856dba7218160d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char fingerprint[FINGERPRINT_BYTES];
        char hex[2 * FINGERPRINT_BYTES + 1];
        fingerprint_of(SIGNED_URLS_STRIP, cases[i].body, fingerprint, NULL);
        for (size_t k = 0; k < FINGERPRINT_BYTES; k++)
            snprintf(hex + 2 * k, 3, "%02x", fingerprint[k]);
        if (strcmp(hex, cases[i].fingerprint) != 0)
            fail_msg("%s: got %s, want %s", cases[i].body, hex, cases[i].fingerprint);
    }
}

/* States have them, too. See test_json_hash.c. */
static void test_content_hashes(void **state)
{
    (void)state;
    static const char xxh3[] = "3958d64211785a1d42693c5e86546bcd";
    static const char sha256[] = "c3805f406195a297a4c95c70ffba7f94";
    static const struct {
        unsigned hashes;
        bool has_fingerprint;
        const char *content_hash;
    } cases[] = {
        {0, false, "00000000000000000000000000000000"},
        {FLATTEN_FINGERPRINT, true, sha256},
        {FLATTEN_CONTENT_HASH, false, xxh3},
        {FLATTEN_FINGERPRINT | FLATTEN_CONTENT_HASH, true, xxh3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tables_fixture f;
        char hex[2 * CONTENT_HASH_BYTES + 1];
        fixture_load(&f, "omni", SIGNED_URLS_STRIP);
        struct lead *lead = lead_with_body(STR("{ \"lead\" : {} }"));
        assert_int_equal(lead_flatten(&f, lead, cases[i].hashes, NULL), RC_OK);
        for (size_t k = 0; k < CONTENT_HASH_BYTES; k++)
            snprintf(hex + 2 * k, 3, "%02x", lead->content_hash[k]);
        assert_string_equal(hex, cases[i].content_hash);
        assert_int_equal(lead->fingerprint[0] != 0, cases[i].has_fingerprint);
        lead_free(lead);
        fixture_free(&f);
    }
}

/* ---- limits --------------------------------------------------------------------------------- */

static void add_repeated(struct buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_adds(b, text);
}

/* A large value in every one of many rows: refused before it is written once. */
static void test_repeated_values(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    static const char *const members[] = {"\"conditions\":\"", "\"colour\":\"",
                                          "\"conditions\":[{\"a\":\""};
    static const char *const ends[] = {"\"", "\"", "\"}]"};
    for (size_t i = 0; i < 3; i++) {
        struct buf b;
        buf_init(&b, (size_t)8 << 20);
        buf_adds(&b, "{\"lead\":{},\"checklistItems\":[{\"items\":[0");
        add_repeated(&b, ",0", 20000);
        buf_adds(&b, "],");
        buf_adds(&b, members[i]);
        add_repeated(&b, "0123456789abcdef", 1024);
        buf_adds(&b, ends[i]);
        buf_adds(&b, "}]}");
        const char *got = tables_of(&f, buf_cstr(&b));
        assert_string_equal(got, "limit exceeded: values repeated in each row take more than "
                                 "256 MiB\n");
        buf_free(&b);
    }
    fixture_free(&f);
}

/* More undocumented members than a table can ever have columns. */
static void test_many_members(void **state)
{
    (void)state;
    enum { MANY = 3 * SCHEMA_COLUMNS_MAX };
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    buf_adds(&b, "{\"lead\":{");
    for (int i = 0; i < MANY; i++)
        buf_addf(&b, "%s\"k%d\":%d", i ? "," : "", i, i);
    buf_adds(&b, "},\"checklistItems\":[{\"items\":[");
    for (int i = 0; i < MANY; i++)
        buf_addf(&b, "%s{\"value\":%d,\"checklistItem\":{\"code\":\"c%d\"}}", i ? "," : "", i, i);
    buf_adds(&b, "]}]}");
    struct lead *lead = lead_with_body(buf_str(&b));
    const char *got = tables_of_lead(&f, lead);
    size_t columns = SCHEMA_COLUMNS_MAX - 2 - f.profile->tables[0].n_columns;
    assert_int_equal(schema_columns(f.schema, 0), columns);
    assert_int_equal(lead->codes_beyond, MANY - (columns - 1));
    assert_int_equal(lead->members_beyond, MANY);
    assert_non_null(strstr(got, " other_members={\"k0\":0,"));
    assert_non_null(strstr(got, "\"k196607\":196607}\n"));
    assert_int_equal(lead->tables[1].n_rows, MANY);
    lead_free(lead);
    buf_free(&b);
    fixture_free(&f);
}

static void test_positions_beyond_the_table_of_digits(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    struct buf b;
    buf_init(&b, (size_t)1 << 20);
    buf_adds(&b, "{\"lead\":{},\"documents\":[{}");
    add_repeated(&b, ",{}", 1200);
    buf_adds(&b, "]}");
    struct lead *lead = lead_with_body(buf_str(&b));
    assert_int_equal(lead_flatten(&f, lead, false, NULL), RC_OK);
    const struct rows *rows = &lead->tables[profile_table(f.profile, STR("documents"))];
    assert_int_equal(rows->n_rows, 1201);
    for (uint32_t i = 0; i < rows->n_rows; i++) {
        char want[16];
        (void)snprintf(want, sizeof want, "%u", i);
        const struct cell *c = &rows->rows[i].cells[0];
        assert_true(str_eq_c((struct str){c->u.text, c->len}, want));
    }
    lead_free(lead);
    buf_free(&b);
    fixture_free(&f);
}

/* Whatever the maximum, it is a lead or a refusal, and the lead holds no half of anything. */
static void test_any_maximum_of_memory(void **state)
{
    (void)state;
    static const char body[] =
        "{\"lead\":{\"id\":\"L-1\",\"a\":1,\"b\":[{\"documents\":[{\"url\":\"x?y\"}]}]},"
        "\"checklistItems\":[{\"x\":1,\"items\":[{\"value\":{\"a\":1,\"b\":2},\"documents\":"
        "[{\"url\":\"a?b\"},2],\"checklistItem\":{\"code\":\"c\",\"z\":1}},{}]}],"
        "\"actionLogs\":[{\"messages\":[{\"documents\":[{}]}]}]}";
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    bool done = false;
    for (size_t max = 0; !done; max += 64) {
        struct lead *lead = lead_with_body(STR(body));
        arena_init(&lead->arena, max);
        struct err e = {.msg = ""};
        const char *code;
        enum rc rc = flatten_parse(f.plan, lead, JSON_TREE | JSON_COMPACT, &code, &e);
        if (rc == RC_OK)
            rc = flatten_rows(f.plan, lead, true, &e);
        else
            assert_null(lead->root);
        done = rc == RC_OK;
        if (!done) {
            assert_int_equal(rc, RC_LIMIT);
            assert_null(lead->tables);
            assert_string_not_equal(e.msg, "");
        }
        lead_free(lead);
    }
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_that_are_no_lead),
        cmocka_unit_test(test_failure_without_text),
        cmocka_unit_test(test_bodies_that_are_not_json),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_error_bodies),
        cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_other_id),
        cmocka_unit_test(test_tree_stays_as_received),
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_known_fingerprints),
        cmocka_unit_test(test_content_hashes),
        cmocka_unit_test(test_repeated_values),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_positions_beyond_the_table_of_digits),
        cmocka_unit_test(test_any_maximum_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
