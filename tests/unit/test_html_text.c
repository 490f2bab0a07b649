#include "core/http/html_text.h"

#include "cmocka_all.h"

static void pages(void **state)
{
    (void)state;
    static const struct {
        const char *page, *expected;
    } cases[] = {
        {"<html><head><title>Down for maintenance</title></head><body>x</body>",
         "Down for maintenance"},
        {"<!DOCTYPE html>\n<TITLE lang=en>\n  502\tBad\r\nGateway </TITLE>", "502 Bad Gateway"},
        {"<title>A &amp; B &lt;C&gt; &#39;d&#x27; &nbsp;&eacute;</title>",
         "A & B <C> 'd' &eacute;"},
        {"<title></title><body><h1>Please</h1> log  in</body>", "Please log in"},
        {"<title> </title>  <p>words</p>", "words"},
        {"<html><head><style>p{}</style><script>var a='<p>';</script></head><!-- <p>no</p> --><p>seen</p>",
         "seen"},
        {"<body>a<br>b<br/>c</body>", "a b c"},
        {"<titles>x</titles>", "x"},
        {"<title>never closed", "never closed"},
        {"<p unended", NULL},
        {"<html></html>", NULL},
        {"<title>\x1b[31mred\x07\xc2\x9b</title>", "[31mred"},
        {"<title>&#27;[31m&#0;&#xD800;&#x110000;</title>",
         "[31m\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"<title>\xff\xc3(\xc3\xa9</title>", "\xef\xbf\xbd\xef\xbf\xbd(\xc3\xa9"},
        {"<title>&#;&#x;&#xfffffffff;&amp</title>", "&#;&#x;&#xfffffffff;&amp"},
        {"<script>no end", NULL},
        {"<!-- no end", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        const char *text = html_text(&a, str_c(cases[i].page), 100);
        const char *expected = cases[i].expected ? cases[i].expected : "(none)";
        if (strcmp(text ? text : "(none)", expected) != 0)
            fail_msg("case %zu: \"%s\", expected \"%s\"", i, text ? text : "(none)", expected);
        arena_free(&a);
    }
}

/* Cut between characters, wherever. */
static void is_cut(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t max = 0; max < 12; max++) {
        const char *text =
            html_text(&a, str_c("<title>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.</title>"), max);
        size_t n = text ? strlen(text) : 0;
        assert_true(n <= max && (!text || utf8_valid(text, n)));
    }
    arena_free(&a);
}

static void what_is_a_page(void **state)
{
    (void)state;
    assert_true(html_is_page(str_c("\xef\xbb\xbf \n<html>")));
    assert_true(html_is_page(str_c("<?xml version='1.0'?>")));
    assert_false(html_is_page(str_c("{\"a\":\"<b>\"}")));
    assert_false(html_is_page(str_c("")));
    assert_false(html_is_page(STR_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages),
        cmocka_unit_test(is_cut),
        cmocka_unit_test(what_is_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
