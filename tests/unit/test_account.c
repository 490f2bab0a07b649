/* What answers say about each item: those of the built-in destinations' APIs, and hostile ones. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/provider/profile.h"
#include "sinks/push/answer_room.h"
#include "sinks/push/destination.h"

#define ITEMS_MAX 1000

struct rules {
    struct profile *profile;
    struct destination *d;
};

static void rules_load(struct rules *r, const char *name, const char *const *params, size_t n)
{
    const struct text_list list = {.items = (const char **)(uintptr_t)params, .n = n};
    struct err e = {.msg = ""};
    if (profile_load(&r->profile, "omni", &e) != RC_OK ||
        destination_load(&r->d, name, r->profile, &list, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

/* Of items such as {"id":"a","trace":"1"}. */
static void rules_parse(struct rules *r, size_t max_items, const char *answer)
{
    const struct text_list none = {.n = 0};
    struct err e = {.msg = ""};
    struct buf b;
    buf_init(&b, 65536);
    buf_addf(
        &b,
        "{\"destination\":1,\"method\":\"POST\",\"url\":\"https://h/x\",\"batch\":{\"max_items\":%zu},",
        max_items);
    buf_addf(
        &b,
        "\"body\":{\"i\":{\"$items\":true}},\"item\":{\"id\":{\"$field\":\"lead_id\"},\"trace\":"
        "{\"$field\":\"lead_id\"}},\"answer\":%s}",
        answer);
    assert_int_equal(buf_rc(&b), RC_OK);
    if (profile_load(&r->profile, "omni", &e) != RC_OK ||
        destination_parse(&r->d, buf_str(&b), "x.json", r->profile, &none, &e) != RC_OK)
        fail_msg("%s: %s", e.msg, answer);
    buf_free(&b);
}

static void rules_free(struct rules *r)
{
    destination_free(r->d);
    profile_free(r->profile);
}

/* As a text: "ok", "failed CODE: MESSAGE" or "again ...", one a line, behind "bisect" where that is what is to
 * be done. `items`: separated by blanks. */
static void account_text(const struct answer_rules *rules, int status, struct str body,
                         const char *items, struct buf *out)
{
    static const char *const fates[] = {"ok", "failed", "again"};
    static struct str list[ITEMS_MAX];
    static struct item_answer answers[ITEMS_MAX];
    struct arena a;
    enum answer_kind kind;
    size_t n = 0;
    while (*items) {
        size_t len = strcspn(items, " ");
        list[n++] = (struct str){items, len};
        items += len + (items[len] == ' ');
    }
    arena_init(&a, SIZE_MAX);
    const cJSON *tree = NULL;
    assert_int_equal(account_parse(body, &a, &tree), RC_OK);
    assert_int_equal(account_answer(rules, status, tree, list, n, &a, answers, &kind), RC_OK);
    buf_clear(out);
    if (kind == ANSWER_BISECT)
        buf_adds(out, "bisect\n");
    for (size_t i = 0; i < n; i++) {
        buf_adds(out, fates[answers[i].fate]);
        if (answers[i].fate != ITEM_ACCEPTED)
            buf_addf(out, " " STR_FMT ": " STR_FMT, STR_ARG(answers[i].code),
                     STR_ARG(answers[i].message));
        buf_addc(out, '\n');
    }
    arena_free(&a);
}

static void expect_account(const struct answer_rules *rules, int status, const char *body,
                           const char *items, const char *want)
{
    struct buf got;
    buf_init(&got, (size_t)1 << 20);
    account_text(rules, status, str_c(body), items, &got);
    if (strcmp(buf_cstr(&got), want) != 0)
        fail_msg("%d %.300s\ngot:\n%swant:\n%s", status, body, buf_cstr(&got), want);
    buf_free(&got);
}

/* ---- the built-in destinations' ------------------------------------------------------------- */

#define UNACCOUNTED "failed unaccounted: the answer does not say what became of this item\n"
#define NO_JSON                                                                                    \
    "failed unaccounted: the answer is not JSON, so it does not say what became of this item\n"
#define STRAY                                                                                      \
    "failed unaccounted: the answer does not say what became of this item; it has an error that names none of the items"

#define HUBSPOT_ITEMS                                                                              \
    "{\"id\":\"a@x\",\"objectWriteTraceId\":\"1\"} {\"id\":\"b@x\",\"objectWriteTraceId\":\"2\"} " \
    "{\"id\":\"c@x\",\"objectWriteTraceId\":\"3\"}"

struct account_case {
    int status;
    const char *body, *items, *want;
};

static void expect_all(const struct answer_rules *rules, const struct account_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_account(rules, cases[i].status, cases[i].body, cases[i].items, cases[i].want);
}

#define EXPECT_ALL(rules, cases) expect_all(rules, cases, sizeof(cases) / sizeof *(cases))

static void test_hubspot(void **state)
{
    (void)state;
    static const struct account_case cases[] = {
        {201,
         "{\"status\":\"COMPLETE\",\"results\":[{\"objectWriteTraceId\":\"1\"},{\"objectWriteTraceId\":\"2\"},"
         "{\"objectWriteTraceId\":\"3\"}]}",
         HUBSPOT_ITEMS, "ok\nok\nok\n"},
        /* in another order */
        {200,
         "{\"results\":[{\"objectWriteTraceId\":\"3\"},{\"objectWriteTraceId\":\"1\"},"
         "{\"objectWriteTraceId\":\"2\"}],\"errors\":[]}",
         HUBSPOT_ITEMS, "ok\nok\nok\n"},
        /* one is missing, one is there twice */
        {200,
         "{\"results\":[{\"objectWriteTraceId\":\"3\"},{\"objectWriteTraceId\":\"3\"},"
         "{\"objectWriteTraceId\":\"1\"}]}",
         HUBSPOT_ITEMS, "ok\n" UNACCOUNTED "ok\n"},
        {207,
         "{\"results\":[{\"objectWriteTraceId\":\"1\"}],\"numErrors\":2,\"errors\":["
         "{\"category\":\"VALIDATION_ERROR\",\"message\":\"bad\\nphone\",\"context\":{\"id\":[\"b@x\"]}},"
         "{\"category\":\"CONFLICT\",\"message\":\"there\",\"context\":{\"id\":[\"c@x\"]}}]}",
         HUBSPOT_ITEMS, "ok\nfailed VALIDATION_ERROR: bad phone\nfailed CONFLICT: there\n"},
        /* an error and a result for the same item; two errors for one */
        {207,
         "{\"results\":[{\"objectWriteTraceId\":\"1\"},{\"objectWriteTraceId\":\"2\"}],\"errors\":["
         "{\"category\":\"X\",\"context\":{\"id\":[\"b@x\"]}},{\"category\":\"Y\",\"context\":{\"id\":"
         "[\"b@x\"]}}]}",
         HUBSPOT_ITEMS, "ok\nfailed X: \n" UNACCOUNTED},
        /* errors that name no item, or one that was not sent */
        {207,
         "{\"results\":[{\"objectWriteTraceId\":\"1\"}],\"errors\":[{\"category\":\"X\",\"message\":\"no\"}]}",
         HUBSPOT_ITEMS, "ok\n" STRAY ": no\n" STRAY ": no\n"},
        {207,
         "{\"results\":[{\"objectWriteTraceId\":\"1\"}],\"errors\":[{\"context\":{\"id\":[\"z@x\"]}}]}",
         HUBSPOT_ITEMS, "ok\n" STRAY "\n" STRAY "\n"},
        {200, "{\"results\":[]}", HUBSPOT_ITEMS, UNACCOUNTED UNACCOUNTED UNACCOUNTED},
        {200, "{\"results\":null,\"errors\":null}", HUBSPOT_ITEMS,
         UNACCOUNTED UNACCOUNTED UNACCOUNTED},
        {200, "{\"results\":[null,1,[],{}]}", HUBSPOT_ITEMS, UNACCOUNTED UNACCOUNTED UNACCOUNTED},
        {200, "{}", HUBSPOT_ITEMS, UNACCOUNTED UNACCOUNTED UNACCOUNTED},
        {200, "", HUBSPOT_ITEMS, NO_JSON NO_JSON NO_JSON},
        {200, "<html>", HUBSPOT_ITEMS, NO_JSON NO_JSON NO_JSON},
        {202, "{\"results\":[{\"objectWriteTraceId\":\"1\"}]}", HUBSPOT_ITEMS,
         "failed : \nfailed : \nfailed : \n"},
        /* refused as a whole */
        {400,
         "{\"status\":\"error\",\"category\":\"VALIDATION_ERROR\",\"message\":\"no such property\"}",
         HUBSPOT_ITEMS,
         "bisect\nfailed VALIDATION_ERROR: no such property\nfailed VALIDATION_ERROR: no such property\n"
         "failed VALIDATION_ERROR: no such property\n"},
        {400, "{\"category\":\"VALIDATION_ERROR\",\"message\":\"m\"}", "{\"id\":\"a\"}",
         "failed VALIDATION_ERROR: m\n"},
        {403, "{\"category\":\"MISSING_SCOPES\",\"message\":\"m\"}", "{} {}",
         "failed MISSING_SCOPES: m\nfailed MISSING_SCOPES: m\n"},
        {413, "", "{} {}", "bisect\nfailed : \nfailed : \n"},
        {503, "oops", "{} {}", "failed : \nfailed : \n"},
    };
    struct rules r;
    rules_load(&r, "hubspot-contacts", NULL, 0);
    EXPECT_ALL(&r.d->answer, cases);
    rules_free(&r);
}

static void test_salesforce(void **state)
{
    (void)state;
    static const struct account_case cases[] = {
        {200, "[{\"success\":true,\"errors\":[]},{\"success\":true,\"errors\":[]}]", "{} {}",
         "ok\nok\n"},
        {200,
         "[{\"success\":false,\"errors\":[{\"statusCode\":\"REQUIRED_FIELD_MISSING\",\"message\":\"LastName\"}]},"
         "{\"success\":true}]",
         "{} {}", "failed REQUIRED_FIELD_MISSING: LastName\nok\n"},
        {200,
         "[{\"success\":false,\"errors\":[{\"statusCode\":\"UNABLE_TO_LOCK_ROW\",\"message\":\"m\"}]},"
         "{\"success\":true}]",
         "{} {}", "again UNABLE_TO_LOCK_ROW: m\nok\n"},
        /* success is true, and nothing else */
        {200, "[{\"success\":\"true\"},{\"success\":1},{},null,{\"success\":true}]",
         "{} {} {} {} {}", "failed : \nfailed : \nfailed : \n" UNACCOUNTED "ok\n"},
        /* not as many as were sent: whose they are cannot be known */
        {200, "[{\"success\":true}]", "{} {}", UNACCOUNTED UNACCOUNTED},
        {200, "[{\"success\":true},{\"success\":true},{\"success\":true}]", "{} {}",
         UNACCOUNTED UNACCOUNTED},
        {200, "[{\"success\":false,\"errors\":[{\"message\":\"m\"}]}]", "{} {}",
         STRAY ": m\n" STRAY ": m\n"},
        {200, "[]", "{} {}", UNACCOUNTED UNACCOUNTED},
        {400, "[{\"errorCode\":\"JSON_PARSER_ERROR\",\"message\":\"m\"}]", "{} {}",
         "bisect\nfailed JSON_PARSER_ERROR: m\nfailed JSON_PARSER_ERROR: m\n"},
        {400, "[]", "{}", "failed : \n"},
        {404, "[{\"errorCode\":\"NOT_FOUND\",\"message\":\"m\"}]", "{} {}",
         "failed NOT_FOUND: m\nfailed NOT_FOUND: m\n"},
    };
    static const char *const params[] = {"domain=acme.my.salesforce.com"};
    struct rules r;
    rules_load(&r, "salesforce-lead", params, 1);
    EXPECT_ALL(&r.d->answer, cases);
    rules_free(&r);
}

static void test_zoho(void **state)
{
    (void)state;
    static const struct account_case cases[] = {
        {200,
         "{\"data\":[{\"status\":\"success\",\"code\":\"SUCCESS\"},{\"status\":\"error\",\"code\":\"INVALID_DATA\","
         "\"message\":\"m\"}]}",
         "{} {}", "ok\nfailed INVALID_DATA: m\n"},
        {202, "{\"data\":[{\"status\":\"error\",\"code\":\"RECORD_LOCKED\",\"message\":\"m\"}]}",
         "{}", "again RECORD_LOCKED: m\n"},
        {200, "{\"data\":[{\"status\":\"Success\"},{\"status\":true}]}", "{} {}",
         "failed : \nfailed : \n"},
        {400, "{\"status\":\"error\",\"code\":\"INVALID_MODULE\",\"message\":\"m\"}", "{} {}",
         "bisect\nfailed INVALID_MODULE: m\nfailed INVALID_MODULE: m\n"},
        /* a single one, refused with a code of those that are tried again */
        {400, "{\"code\":\"RECORD_LOCKED\",\"message\":\"m\"}", "{}", "again RECORD_LOCKED: m\n"},
    };
    static const char *const params[] = {"accounts=accounts.zoho.eu"};
    struct rules r;
    rules_load(&r, "zoho-leads", params, 1);
    EXPECT_ALL(&r.d->answer, cases);
    rules_free(&r);
}

static void test_singles(void **state)
{
    (void)state;
    static const struct account_case pipedrive[] = {
        {201, "{\"success\":true,\"data\":{\"id\":1}}", "{}", "ok\n"},
        {200, "{\"success\":false,\"error\":\"no\",\"code\":\"ERR_X\"}", "{}",
         "failed ERR_X: no\n"},
        {200, "{\"data\":{}}", "{}", "failed : \n"},
        {200, "null", "{}", UNACCOUNTED},
        {400, "{\"success\":false,\"error\":\"no name\",\"code\":\"ERR_SCHEMA\"}", "{}",
         "failed ERR_SCHEMA: no name\n"},
    };
    static const struct account_case close_lead[] = {
        {200, "{\"id\":\"lead_x\"}", "{}", "ok\n"},
        {200, "", "{}", NO_JSON},
        {400, "{\"error\":\"no name\"}", "{}", "failed : no name\n"},
    };
    static const struct account_case dynamics[] = {
        {204, "", "{}", "ok\n"},
        {200, "<html>", "{}", "ok\n"},
        {412, "{\"error\":{\"code\":\"0x80060882\",\"message\":\"m\"}}", "{}",
         "failed 0x80060882: m\n"},
    };
    static const char *const params[] = {"host=acme.crm.dynamics.com", "tenant=t-1"};
    struct rules r;
    rules_load(&r, "pipedrive-person", NULL, 0);
    EXPECT_ALL(&r.d->answer, pipedrive);
    rules_free(&r);
    rules_load(&r, "close-lead", NULL, 0);
    EXPECT_ALL(&r.d->answer, close_lead);
    rules_free(&r);
    rules_load(&r, "dynamics-lead", params, 2);
    EXPECT_ALL(&r.d->answer, dynamics);
    rules_free(&r);
}

/* ---- other rules ---------------------------------------------------------------------------- */

#define ERRORS_ONLY                                                                                \
    "{\"ok\":[200],\"errors\":{\"at\":\"/errors\",\"match\":{\"entry\":\"/of\",\"item\":\"/id\"}," \
    "\"code\":\"/code\",\"message\":\"/text\"},\"unaccounted\":\"ok\",\"retry_if\":[\"LOCKED\"]}"
#define ERRORS_BY_POSITION                                                                         \
    "{\"ok\":[200],\"errors\":{\"at\":\"/errors\",\"match\":\"position\",\"message\":\"/text\"},"  \
    "\"unaccounted\":\"ok\"}"
#define BOTH                                                                                           \
    "{\"ok\":[200],\"errors\":{\"at\":\"/errors\",\"match\":{\"entry\":\"/of\",\"item\":\"/trace\"}}," \
    "\"results\":{\"at\":\"/done/list\",\"match\":{\"entry\":\"\",\"item\":\"/id\"}}}"

static void test_other_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        struct account_case c;
    } cases[] = {
        /* what no error speaks of is accepted, if each speaks of an item */
        {ERRORS_ONLY, {200, "{}", "{\"id\":\"a\"} {\"id\":\"b\"}", "ok\nok\n"}},
        {ERRORS_ONLY, {200, "{\"errors\":[]}", "{\"id\":\"a\"} {\"id\":\"b\"}", "ok\nok\n"}},
        {ERRORS_ONLY,
         {200, "{\"errors\":[{\"of\":\"b\",\"code\":\"X\",\"text\":\"t\"}]}",
          "{\"id\":\"a\"} {\"id\":\"b\"}", "ok\nfailed X: t\n"}},
        {ERRORS_ONLY,
         {200, "{\"errors\":{\"of\":\"b\",\"code\":\"LOCKED\",\"text\":7}}",
          "{\"id\":\"a\"} {\"id\":\"b\"}", "ok\nagain LOCKED: 7\n"}},
        {ERRORS_ONLY,
         {200, "{\"errors\":[{\"of\":\"z\",\"text\":\"t\"}]}", "{\"id\":\"a\"} {\"id\":\"b\"}",
          STRAY ": t\n" STRAY ": t\n"}},
        {ERRORS_ONLY,
         {200, "{\"errors\":[{\"of\":\"a\"},{\"of\":\"a\"}]}", "{\"id\":\"a\"} {\"id\":\"b\"}",
          "failed : \nok\n"}},
        {ERRORS_ONLY, {200, "", "{\"id\":\"a\"}", NO_JSON}},
        /* two items that are alike: each error takes one */
        {ERRORS_ONLY,
         {200,
          "{\"errors\":[{\"of\":\"a\",\"code\":\"1\"},{\"of\":\"a\",\"code\":\"2\"},{\"of\":\"a\"}]}",
          "{\"id\":\"a\"} {\"id\":\"b\"} {\"id\":\"a\"}", "failed 1: \nok\nfailed 2: \n"}},
        /* numbers, words and texts are alike where they look alike; null, arrays and objects are like nothing */
        {ERRORS_ONLY,
         {200, "{\"errors\":[{\"of\":\"7\"},{\"of\":true}]}",
          "{\"id\":7} {\"id\":\"true\"} {\"id\":null} {\"id\":[]} {\"id\":{}} {}",
          "failed : \nfailed : \nok\nok\nok\nok\n"}},
        {ERRORS_BY_POSITION,
         {200, "{\"errors\":[null,{\"text\":\"t\"},null]}", "{} {} {}", "ok\nfailed : t\nok\n"}},
        {ERRORS_BY_POSITION,
         {200, "{\"errors\":[{\"text\":\"t\"},{\"text\":\"u\"}]}", "{}", STRAY ": t\n"}},
        {ERRORS_BY_POSITION, {200, "{\"errors\":[null,null]}", "{}", "ok\n"}},
        {BOTH,
         {200, "{\"done\":{\"list\":[\"b\",\"a\"]}}",
          "{\"id\":\"a\",\"trace\":\"1\"} {\"id\":\"b\",\"trace\":\"2\"}", "ok\nok\n"}},
        {BOTH,
         {200, "{\"done\":{\"list\":[\"b\",\"a\"]},\"errors\":[{\"of\":2}]}",
          "{\"id\":\"a\",\"trace\":\"1\"} {\"id\":\"b\",\"trace\":\"2\"}", "ok\nfailed : \n"}},
        {BOTH,
         {200, "{\"done\":[{\"list\":\"a\"}]}", "{\"id\":\"a\",\"trace\":\"1\"}", UNACCOUNTED}},
        {BOTH,
         {200, "{\"done\":{\"list\":\"a\"}}",
          "{\"id\":\"a\",\"trace\":\"1\"} {\"id\":\"b\",\"trace\":\"2\"}", "ok\n" UNACCOUNTED}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rules r;
        rules_parse(&r, 1000, cases[i].rules);
        expect_account(&r.d->answer, cases[i].c.status, cases[i].c.body, cases[i].c.items,
                       cases[i].c.want);
        rules_free(&r);
    }
}

/* ---- hostile -------------------------------------------------------------------------------- */

static void put_many(struct buf *b, const char *before, const char *each, size_t n,
                     const char *behind)
{
    buf_clear(b);
    buf_adds(b, before);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && behind[0] == ']')
            buf_addc(b, ',');
        buf_adds(b, each);
    }
    buf_adds(b, behind);
    assert_int_equal(buf_rc(b), RC_OK);
}

static void test_hostile(void **state)
{
    (void)state;
    struct rules r;
    struct buf b;
    buf_init(&b, (size_t)16 << 20);
    rules_load(&r, "hubspot-contacts", NULL, 0);
    /* deep: in what is read, and in what is not */
    put_many(&b, "{\"results\":", "[", 100000, "");
    expect_account(&r.d->answer, 200, buf_cstr(&b), "{}", NO_JSON);
    put_many(&b, "", "{\"errors\":", 100000, "");
    expect_account(&r.d->answer, 400, buf_cstr(&b), "{}", "failed : \n");
    /* not UTF-8, control characters, long */
    expect_account(&r.d->answer, 400,
                   "{\"category\":\"a\\u0000b\\u001b[2J\",\"message\":\"\xff\xfe\\ud800\x7f\"}",
                   "{}",
                   "failed a\xef\xbf\xbd"
                   "b [2J: \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \n");
    put_many(&b, "{\"message\":\"", "\xc3\xab", 100000, "\"}");
    struct buf got;
    buf_init(&got, (size_t)1 << 20);
    account_text(&r.d->answer, 400, buf_str(&b), "{}", &got);
    assert_int_equal(got.len, strlen("failed : \n") + ACCOUNT_TEXT_MAX);
    assert_true(utf8_valid(got.data, got.len));
    /* an item that is not JSON (a state that was tampered with), or has not what entries look for */
    expect_account(&r.d->answer, 200, "{\"results\":[{\"objectWriteTraceId\":\"1\"}]}",
                   "{ {\"objectWriteTraceId\":{}} {\"objectWriteTraceId\":\"1\"}",
                   UNACCOUNTED UNACCOUNTED "ok\n");
    rules_free(&r);
    buf_free(&b);
    buf_free(&got);
}

/* As many entries as an answer can have, for as many items as a request can have, all of them alike: each is
 * looked for in a time that does not grow with what was found before. */
static void test_many(void **state)
{
    (void)state;
    struct rules r;
    struct buf b, items, got;
    buf_init(&b, (size_t)16 << 20);
    buf_init(&items, (size_t)1 << 20);
    buf_init(&got, (size_t)1 << 20);
    rules_parse(&r, 1000, ERRORS_ONLY);
    put_many(&b, "{\"errors\":[", "{\"of\":\"a\"}", 400000, "]}");
    for (size_t i = 0; i < ITEMS_MAX; i++)
        buf_adds(&items, i % 2 ? "{\"id\":\"b\"} " : "{\"id\":\"a\"} ");
    account_text(&r.d->answer, 200, buf_str(&b), buf_cstr(&items), &got);
    for (size_t i = 0; i < ITEMS_MAX / 2; i++)
        assert_memory_equal(got.data + i * strlen("failed : \nok\n"), "failed : \nok\n",
                            strlen("failed : \nok\n"));
    rules_free(&r);
    buf_free(&b);
    buf_free(&items);
    buf_free(&got);
}

/* ---- codes ---------------------------------------------------------------------------------- */

static void test_codes(void **state)
{
    (void)state;
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"{\"errorCode\":\"X\"}", "X"},
        {"[{\"errorCode\":\"X\"},{\"errorCode\":\"Y\"}]", "X"},
        {"[{\"success\":false,\"errors\":[{\"statusCode\":\"Z\"}]}]", "Z"},
        {"[{\"errorCode\":{},\"errors\":[{\"statusCode\":\"Z\"}]}]", "Z"},
        {"[]", NULL},
        {"", NULL},
        {"x", NULL},
        {"{\"errorCode\":\"\"}", NULL},
        {"{\"errorCode\":12}", "12"},
    };
    const struct answer_match matches[] = {{403, STR("LIMIT")}, {401, STR_NONE}};
    static const char *const params[] = {"domain=acme.my.salesforce.com"};
    struct rules r;
    struct arena a;
    rules_load(&r, "salesforce-lead", params, 1);
    arena_init(&a, SIZE_MAX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const cJSON *body = NULL;
        assert_int_equal(account_parse(str_c(cases[i].body), &a, &body), RC_OK);
        struct str code = account_code(&r.d->answer, body, &a);
        if (!code.ptr != !cases[i].code || !str_eq_c(code, cases[i].code))
            fail_msg("%s: \"" STR_FMT "\", want \"%s\"", cases[i].body, STR_ARG(code),
                     cases[i].code ? cases[i].code : "(none)");
    }
    arena_free(&a);
    rules_free(&r);
    assert_true(answer_matches(matches, 2, 403, STR("LIMIT")));
    assert_false(answer_matches(matches, 2, 403, STR("LIMITS")));
    assert_false(answer_matches(matches, 2, 403, STR_NONE));
    assert_true(answer_matches(matches, 2, 401, STR_NONE));
    assert_true(answer_matches(matches, 2, 401, STR("LIMIT")));
    assert_false(answer_matches(matches, 0, 401, STR_NONE));
}

/* ---- memory --------------------------------------------------------------------------------- */

/* The largest answers that are received: what they have in them decides, and nothing goes over the bound. */
static void test_memory(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *repeat, *end;
        enum rc want;
    } cases[] = {
        {"{\"results\":[0", ",0", "]}", RC_LIMIT},
        {"[[]", ",[]", "]", RC_LIMIT},
        {"[{}", ",{\"\":{}}", "]", RC_LIMIT},
        {"{\"message\":\"", "x", "\"}", RC_OK},
        {"{\"results\":[0",
         ",{\"id\":\"a-long-id-of-a-record\",\"properties\":{\"email\":\"somebody@somewhere.example\","
         "\"description\":\"a description of some length, as they are, with a few words in it\"}}",
         "]}", RC_OK},
        {"[0", ",0", "", RC_LIMIT},
    };
    struct answer_room room;
    answer_room_init(&room, (size_t)512 << 20);
    const size_t most = answer_room_most(&room);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf body;
        struct arena a;
        const cJSON *tree = NULL;
        buf_init(&body, most + 4096);
        arena_init(&a, room.tree_max);
        buf_adds(&body, cases[i].begin);
        while (body.len < most)
            buf_adds(&body, cases[i].repeat);
        buf_adds(&body, cases[i].end);
        assert_int_equal(buf_rc(&body), RC_OK);
        enum rc rc = account_parse(buf_str(&body), &a, &tree);
        if (rc != cases[i].want || !tree != (rc != RC_OK) || a.held_bytes > room.tree_max)
            fail_msg("%zu: %s, want %s; %zu bytes", i, rc_text(rc), rc_text(cases[i].want),
                     a.held_bytes);
        arena_free(&a);
        buf_free(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hubspot),     cmocka_unit_test(test_salesforce),
        cmocka_unit_test(test_zoho),        cmocka_unit_test(test_singles),
        cmocka_unit_test(test_other_rules), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_many),        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
