/* A payload that only passes through is examined without a tree: the result must be the same as with one. */
#include "core/flatten/flatten.h"

#include <stdio.h>

#include "cmocka_all.h"

static struct lead *make_lead(const char *body)
{
    struct lead *lead = lead_new(STR("lead-1"), NULL, 0, sizeof(struct lead));
    assert_non_null(lead);
    lead->http_status = 200;
    buf_init(&lead->body, 1 << 20);
    buf_adds(&lead->body, body);
    return lead;
}

/* One line that says all that can be seen of the outcome. */
static void parse_to_text(const struct flatten_plan *plan, const char *body, unsigned want,
                          bool *had_tree, char *out, size_t size)
{
    struct err e = {.msg = ""};
    struct lead *lead = make_lead(body);
    const char *code = "";
    enum rc rc = flatten_parse(plan, lead, want, &code, &e);
    struct str other = rc == RC_OK ? lead->other_id : STR_NONE;
    struct str compact = rc == RC_OK ? lead->doc.compact : STR_NONE;
    (void)snprintf(out, size, "rc %d, %s, code %s, other " STR_FMT ", replaced %d, " STR_FMT,
                   (int)rc, rc == RC_OK ? "" : e.msg, code, STR_ARG(other),
                   rc == RC_OK ? (int)lead->doc.replaced : 0, STR_ARG(compact));
    *had_tree = lead->root != NULL;
    lead_free(lead);
}

static void same_result(const char *provider, const char *body, bool tree_expected)
{
    struct profile *p;
    struct flatten_plan *plan;
    struct err e;
    char with_tree[2048], without[2048];
    bool had_tree;
    assert_int_equal(profile_load(&p, provider, &e), RC_OK);
    assert_int_equal(flatten_plan_new(&plan, p, SIGNED_URLS_STRIP, &e), RC_OK);
    parse_to_text(plan, body, JSON_TREE | JSON_COMPACT, &had_tree, with_tree, sizeof with_tree);
    parse_to_text(plan, body, JSON_COMPACT, &had_tree, without, sizeof without);
    print_message("%s\n", body);
    assert_string_equal(without, with_tree);
    assert_int_equal(had_tree, tree_expected);
    flatten_plan_free(plan);
    profile_free(p);
}

static void omni(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool tree; /* was needed, and the answer is a payload */
    } cases[] = {
        {"{\"lead\":{\"id\":\"lead-1\"},\"status\":\"X\"}", false},
        {" { \"lead\" : { \"id\" : \"lead-1\" , \"a\" : [ 1, 2 ] } } ", false},
        {"{\"lead\":{}}", false},
        {"{\"lead\":{\"id\":\"other\"}}", false},
        {"{\"lead\":{\"id\":17}}", false},
        {"{\"lead\":{\"id\":null}}", false},
        {"{\"lead\":{\"id\":[1]}}", false},
        {"{\"lead\":{\"id\":\"o\\\"ther\"}}", true},
        {"{\"lead\":{\"id\":-1.5e+3}}", false},
        {"{\"lead\":{\"id\":\"lead-12\"}}", false},
        {"{\"lead\":{\"id\":\"lead-1\"},\"success\":true}", false},
        {"{\"lead\":{\"id\":\"lead-1\"},\"success\":false,\"message\":\"no\"}", false},
        {"{\"success\":false,\"success\":true,\"lead\":{}}", false},
        {"{\"success\":true,\"success\":false,\"lead\":{}}", false},
        {"{\"lead\":{},\"lead\":null}", false},
        {"{\"lead\":null,\"lead\":{}}", false},
        {"{\"lead\":{\"id\":\"other\"},\"lead\":{}}", false},
        {"{\"lead\":{\"id\":\"other\"},\"lead\":{\"id\":\"lead-1\"}}", false},
        {"{\"lead\":[{\"id\":\"other\"}]}", false},
        {"{\"x\":{\"lead\":{\"id\":\"other\"}}}", false},
        {"{\"x\":{\"id\":\"other\"},\"lead\":{\"x\":{\"id\":\"other\"}}}", false},
        {"{\"lead\":{\"x\":[{\"id\":\"other\"}],\"id\":\"lead-1\"}}", false},
        {"[{\"lead\":{}}]", false},
        {"\"lead\"", false},
        {"null", false},
        {"{}", false},
        {"", false},
        {"{\"lead\":{}", false},
        {"{\"l\\u0065ad\":{\"id\":\"other\"}}", true}, /* a name with escapes */
        {"{\"lead\":{\"a\":\"\xff\"}}", true},         /* replaced */
        {"{\"lead\":{\"a\":\"\\u0000\"}}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        same_result("omni", cases[i].body, cases[i].tree);
}

static void convocore(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool tree;
    } cases[] = {
        {"{\"success\":true,\"message\":\"ok\",\"data\":{\"id\":\"lead-1\"}}", false},
        {"{\"success\":true,\"data\":{\"id\":\"other\"}}", false},
        {"{\"success\":false,\"message\":\"gone\",\"code\":\"X\"}", false},
        {"{\"success\":true,\"message\":\"ok\"}", false},
        {"{\"success\":true,\"data\":null}", false},
        {"{\"data\":{\"success\":false}}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        same_result("convocore", cases[i].body, cases[i].tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(omni),
        cmocka_unit_test(convocore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
