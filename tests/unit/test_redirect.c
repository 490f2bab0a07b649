#include "core/http/redirect.h"

#include "cmocka_all.h"
#include "core/base/str.h"

#define ASKED "http://api.example:8080/v1/leads/7?agentId=a"

static void targets(void **state)
{
    (void)state;
    static const struct {
        const char *url, *location, *expected;
    } cases[] = {
        {ASKED, "https://api.example/v1/leads/7?agentId=a",
         "https://api.example/v1/leads/7 (https instead of http)"},
        {ASKED, "http://api.example:8080/v1/leads/7/",
         "http://api.example:8080/v1/leads/7/ (with a slash at the end)"},
        {"http://api.example/a/", "/a", "http://api.example/a (without the slash at the end)"},
        {ASKED, "/login?next=%2Fv1&token=s3cret#x", "http://api.example:8080/login (a login page)"},
        {ASKED, "https://sso.example.com/start", "https://sso.example.com/start (a login page)"},
        {ASKED, "https://x.example/a/Sign-In/b", "https://x.example/a/Sign-In/b (a login page)"},
        {ASKED, "https://x.example/login.html", "https://x.example/login.html (a login page)"},
        {ASKED, "https://x.example/logins", "https://x.example/logins"},
        {ASKED, "https://author.example/authors", "https://author.example/authors"},
        {ASKED, "http://bob:pw@other.example:81/x/y?q=1#f", "http://other.example:81/x/y"},
        {ASKED, "//other.example/z", "http://other.example/z"},
        {ASKED, "elsewhere", "http://api.example:8080/v1/leads/elsewhere"},
        {ASKED, "../up", "http://api.example:8080/v1/up"},
        {ASKED, "?page=2", "http://api.example:8080/v1/leads/7"},
        {ASKED, "/with blank", "http://api.example:8080/with%20blank"},
        {ASKED, "ftp://files.example/x", "ftp://files.example/x"},
        {ASKED, "http://[bad", ""},
        {ASKED, "http://a\x01/", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[512];
        redirect_describe(cases[i].url, cases[i].location, out, sizeof out);
        if (strcmp(out, cases[i].expected) != 0)
            fail_msg("case %zu: \"%s\" is \"%s\", expected \"%s\"", i, cases[i].location, out,
                     cases[i].expected);
    }
}

/* A long one is cut, and stays valid text. */
static void is_cut(void **state)
{
    (void)state;
    char out[40];
    redirect_describe(
        "http://a.example/",
        "/\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
        out, sizeof out);
    assert_true(utf8_valid(out, strlen(out)));
    assert_in_range(strlen(out), 20, sizeof out - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
