#include "core/http/proxy.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"127.0.0.1:3128", true},
        {"http:3128", true}, /* a host of that name */
        {"proxy.example", true},
        {"ftp.example:21", true},
        {"http://proxy.example:3128", true},
        {"http://proxy.example:3128/", true},
        {"HTTP://proxy.example", true},
        {"https://proxy.example:443", true},
        {"socks4://p:1080", true},
        {"socks4a://p:1080", true},
        {"socks5://p:1080", true},
        {"socks5h://bob:pw@p:1080", true},
        {"bob:pw@p:3128", true},
        {"http://bob:p%40w@p:3128", true},
        {"http://bob@p", true},
        {"http://[::1]:3128", true},
        {"[::1]:3128", true},
        {"http//bob:pw@p", false},
        {"http:/bob:pw@p", false},
        {"http:bob:pw@p", false},
        {"//bob:pw@p", false},
        {"://bob:pw@p", false},
        {"htp://bob:pw@p", false},
        {"ftp://bob:pw@p", false},
        {"socks6://bob:pw@p", false},
        {"http://", false},
        {"http://bob:pw@", false},
        {"http://bob:pw@:3128", false},
        {"http://bob:pw@p:port", false},
        {"http://bob:pw@p:99999", false},
        {"http://bob:pw@p:0", false},
        {"http://bob:pw@p/path", false},
        {"http://bob:pw@p?q", false},
        {"http://bob:pw@p#f", false},
        {"http://bob:p w@p", false},
        {"http://bob:pw@p\n", false},
        {"http://[::1", false},
        {"http://bob:pw@p p", false},
        {"p:3128:pw", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        enum rc rc = proxy_check(cases[i].text, &e);
        if (rc != (cases[i].good ? RC_OK : RC_USAGE))
            fail_msg("\"%s\": %s; expected %s", cases[i].text, rc == RC_OK ? "taken" : e.msg,
                     cases[i].good ? "taken" : "refused");
        if (rc != RC_OK && (strstr(e.msg, "pw") || strstr(e.msg, "bob")))
            fail_msg("\"%s\": the message shows the password: %s", cases[i].text, e.msg);
    }
}

static void set(const char *name, const char *value)
{
    if (value)
        assert_int_equal(setenv(name, value, 1), 0);
    else
        assert_int_equal(unsetenv(name), 0);
}

static void variables(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        struct {
            const char *name, *value;
        } set[3];
        const char *expected;
    } cases[] = {
        {"https://a.example/", {{NULL}}, NULL},
        {"https://a.example/", {{"https_proxy", "p"}, {"HTTPS_PROXY", "q"}}, "https_proxy"},
        {"https://a.example/", {{"HTTPS_PROXY", "q"}, {"all_proxy", "r"}}, "HTTPS_PROXY"},
        {"https://a.example/", {{"https_proxy", ""}, {"ALL_PROXY", "r"}}, "ALL_PROXY"},
        {"https://a.example/", {{"http_proxy", "p"}}, NULL},
        {"http://a.example/", {{"http_proxy", "p"}, {"https_proxy", "q"}}, "http_proxy"},
        {"http://a.example/", {{"HTTP_PROXY", "p"}}, NULL},
        {"http://a.example/", {{"all_proxy", "p"}}, "all_proxy"},
        {"https://a.example/", {{"https_proxy", "p"}, {"no_proxy", "*"}}, NULL},
        {"https://a.example/", {{"https_proxy", "p"}, {"no_proxy", "b.example"}}, "https_proxy"},
        {"https://a.example/", {{"https_proxy", "p"}, {"no_proxy", "x, .example"}}, NULL},
        {"https://a.example/", {{"https_proxy", "p"}, {"NO_PROXY", "A.EXAMPLE"}}, NULL},
        {"https://ba.example/", {{"https_proxy", "p"}, {"no_proxy", "a.example"}}, "https_proxy"},
        {"https://[::1]/", {{"https_proxy", "p"}, {"no_proxy", "::1"}}, NULL},
        {"https://a.example/", {{"https_proxy", "p"}, {"no_proxy", "example,"}}, NULL},
    };
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY",
                                        "all_proxy",   "ALL_PROXY",   "no_proxy",   "NO_PROXY"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            set(names[j], NULL);
        for (size_t j = 0; j < 3 && cases[i].set[j].name; j++)
            set(cases[i].set[j].name, cases[i].set[j].value);
        const char *name = proxy_variable(cases[i].url);
        if (strcmp(name ? name : "", cases[i].expected ? cases[i].expected : "") != 0)
            fail_msg("case %zu: %s, expected %s", i, name ? name : "none",
                     cases[i].expected ? cases[i].expected : "none");
    }
    struct err e;
    set("no_proxy", NULL);
    set("https_proxy", "http//bob:pw@p");
    assert_int_equal(proxy_check_for("https://a.example/", NULL, &e), RC_USAGE);
    assert_non_null(strstr(e.msg, "the environment variable https_proxy: "));
    assert_int_equal(proxy_check_for("https://a.example/", "", &e), RC_OK); /* none, as given */
    assert_int_equal(proxy_check_for("https://a.example/", "p:1", &e), RC_OK);
    assert_int_equal(proxy_check_for("https://a.example/", "p:x", &e), RC_USAGE);
    assert_non_null(strstr(e.msg, "--proxy: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
