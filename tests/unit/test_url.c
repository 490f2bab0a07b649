#include "core/base/url.h"

#include "core/provider/profile.h"

#include "cmocka_all.h"

static void test_servers(void **state)
{
    (void)state;
    static const struct {
        const char *url, *refusal; /* NULL: fine */
    } cases[] = {
        {"https://api.example", NULL},
        {"https://api.example/v1", NULL},
        {"http://127.0.0.1:8080/api/v1", NULL},
        {"http://[::1]:8080/", NULL},
        {"HTTPS://api.example/a%20b", NULL},
        {"", "begin with https://"},
        {"ftp://api.example", "begin with https://"},
        {"api.example/v1", "begin with https://"},
        {"https://", "URL"},
        {"https://a:b@api.example/", "user name"},
        {"https://a@api.example/", "user name"},
        {"https://api.example/?a=1", "query"},
        {"https://api.example/#x", "fragment"},
        {"https://api.example/a b", "character"},
        {"https://api.example/\x01", "character"},
        {"https://api.example/{id}", "character"},
        {"https://api.example/\xC3\xA9", "character"},
        {"https://api.example:99999/", "URL"},
        {"https://api.example/../v1", ".."},
        {"https://api.example/v1/.", ".."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {.msg = ""};
        enum rc rc = url_check(str_c(cases[i].url), &e);
        bool as_wanted =
            cases[i].refusal ? rc == RC_SYNTAX && strstr(e.msg, cases[i].refusal) : rc == RC_OK;
        if (!as_wanted)
            fail_msg("%s: %s %s", cases[i].url, rc_text(rc), e.msg);
    }
    struct buf too_long;
    buf_init(&too_long, 1 << 20);
    buf_adds(&too_long, "https://api.example/");
    while (too_long.len <= SERVER_URL_BYTES_MAX)
        buf_adds(&too_long, "aaaaaaaaaaaaaaaa");
    assert_int_equal(url_check(buf_str(&too_long), NULL), RC_SYNTAX);
    buf_free(&too_long);
}

static void test_templates(void **state)
{
    (void)state;
    static const struct {
        const char *text, *refusal;
    } cases[] = {
        {"/leads/{id}", NULL},
        {"/{a}/leads/{id}?b={b_2}&c=%20", NULL},
        {"/leads?id={id}&again={id}", NULL},
        {"leads/{id}", "slash"},
        {"", "slash"},
        {"/leads/", "{id}"},
        {"/leads/{agentId}", "{id}"},
        {"/leads/{id", "braces"},
        {"/leads/id}{id}", "braces"},
        {"/leads/{}{id}", "braces"},
        {"/leads/{{id}}", "braces"},
        {"/leads/{a-b}/{id}", "braces"},
        {"/leads/{2a}/{id}", "braces"},
        {"/leads/{id}#x", "character"},
        {"/le ads/{id}", "character"},
        {"/leads/../{id}", ".."},
        {"/./{id}", ".."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {.msg = ""};
        enum rc rc = url_template_check(str_c(cases[i].text), &e);
        bool as_wanted =
            cases[i].refusal ? rc == RC_SYNTAX && strstr(e.msg, cases[i].refusal) : rc == RC_OK;
        if (!as_wanted)
            fail_msg("%s: %s %s", cases[i].text, rc_text(rc), e.msg);
    }
}

static void test_encoding(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    url_encode(&b, STR("aZ0-._~ /?#%&=+:@\xC3\xA9{}"));
    assert_string_equal(buf_cstr(&b), "aZ0-._~%20%2F%3F%23%25%26%3D%2B%3A%40%C3%A9%7B%7D");
    buf_free(&b);
}

#define PROFILE                                                                                    \
    "{\"profile\":1,\"name\":\"t\",\"servers\":[{\"name\":\"m\",\"url\":\"https://h/v1//\"}],"     \
    "\"path\":\"/agents/{agentId}/leads/x{id}?again={agentId}&q={q}\","                            \
    "\"tables\":[{\"name\":\"leads\",\"each\":\"\",\"columns\":[]}]}"

static void test_filling_in(void **state)
{
    (void)state;
    static const struct {
        const char *id, *agent, *q, *url; /* url NULL: refused */
    } cases[] = {
        {"1", "a", "b", "https://h/v1/agents/a/leads/x1?again=a&q=b"},
        {"a/../b", "..%2F", "&x=1",
         "https://h/v1/agents/..%252F/leads/xa%2F..%2Fb"
         "?again=..%252F&q=%26x%3D1"},
        {".", "a", "..", "https://h/v1/agents/a/leads/x.?again=a&q=.."},
        {"1", "..", "b", NULL},
        {"1", ".", "b", NULL},
        {"1", "", "b", NULL},
        {"1", "a", NULL, NULL},
    };
    struct profile *p;
    struct err e;
    if (profile_parse(&p, STR(PROFILE), "t", &e))
        fail_msg("%s", e.msg);
    assert_string_equal(p->servers[0].url.ptr, "https://h/v1//");
    assert_int_equal(p->servers[0].url.len, strlen("https://h/v1"));
    assert_int_equal(p->n_params, 2);
    assert_int_equal(profile_param(p, STR("q")), 1);
    assert_int_equal(profile_param(p, STR("id")), -1);
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct str values[] = {str_c(cases[i].agent), str_c(cases[i].q)};
        buf_clear(&b);
        enum rc rc = profile_url(p, p->servers[0].url, str_c(cases[i].id), values, &b, &e);
        assert_int_equal(rc, cases[i].url ? RC_OK : RC_SYNTAX);
        if (cases[i].url)
            assert_string_equal(buf_cstr(&b), cases[i].url);
    }
    const struct str values[] = {STR("a"), STR("b")};
    buf_clear(&b);
    assert_int_equal(profile_url(p, STR("http://o:1/"), STR("1"), values, &b, &e), RC_OK);
    assert_string_equal(buf_cstr(&b), "http://o:1/agents/a/leads/x1?again=a&q=b");
    struct buf tiny;
    buf_init(&tiny, 5);
    assert_int_equal(profile_url(p, STR("http://o"), STR("1"), values, &tiny, &e), RC_LIMIT);
    buf_free(&tiny);
    buf_free(&b);
    profile_free(p);
}

static void test_resolve(void **state)
{
    (void)state;
    static const struct {
        const char *base, *reference, *want; /* want: NULL: refused, because of */
        const char *refusal;
    } cases[] = {
        {"https://h.example/v1/l?p=1", "/v2/l?p=2", "https://h.example/v2/l?p=2", NULL},
        {"https://h.example/v1/l?p=1", "?p=2", "https://h.example/v1/l?p=2", NULL},
        {"https://h.example/v1/l", "m", "https://h.example/v1/m", NULL},
        {"https://h.example/v1/l", "https://H.example:443/x#y", "https://H.example:443/x", NULL},
        {"http://127.0.0.1:80/l", "http://127.0.0.1/x", "http://127.0.0.1/x", NULL},
        {"http://h.example/l", "https://h.example/x", NULL, "another server"},
        {"https://h.example/l", "http://h.example/x", NULL, "another server"},
        {"https://h.example/l", "https://h.example:444/x", NULL, "another server"},
        {"https://h.example/l", "https://h.example.evil/x", NULL, "another server"},
        {"https://h.example/l", "//evil.example/x", NULL, "another server"},
        {"https://h.example/l", "https://u:p@h.example/x", NULL, "not a valid URL"},
        {"https://h.example/l", "https://h.example@evil.example/", NULL, "not a valid URL"},
        {"https://h.example/l", "a b", NULL, "character"},
        {"https://h.example/l", "/a\r\nb", NULL, "character"},
        {"https://h.example/l", "", NULL, "character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        struct err e = {.msg = ""};
        buf_init(&out, 4096);
        enum rc rc = url_resolve(cases[i].base, str_c(cases[i].reference), &out, &e);
        bool as_wanted = cases[i].want ? rc == RC_OK && !strcmp(buf_cstr(&out), cases[i].want)
                                       : rc == RC_SYNTAX && strstr(e.msg, cases[i].refusal);
        if (!as_wanted)
            fail_msg("%s + %s: %s %s %s", cases[i].base, cases[i].reference, rc_text(rc), e.msg,
                     buf_cstr(&out));
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve),    cmocka_unit_test(test_servers),
        cmocka_unit_test(test_templates),  cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_filling_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
