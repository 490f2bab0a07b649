#include "core/source/list_link.h"

#include <stdlib.h>

#include "cmocka_all.h"

static void test_links(void **state)
{
    (void)state;
    static const struct {
        const char *field, *next; /* NULL: none */
    } cases[] = {
        {"</p?2>; rel=\"next\"", "/p?2"},
        {"</p>;rel=next", "/p"},
        {"  </p>  ;  REL  =  \"NEXT\"  ", "/p"},
        {"</p>; rel=\"prev next\"", "/p"},
        {"</p>; title=\"a, b; rel=prev\"; rel=next", "/p"},
        {"</p>; title=\"a \\\"quoted\\\" one\"; rel=next", "/p"},
        {"</1>; rel=first, </2>; rel=next, </3>; rel=next", "/2"},
        {", ,</2>; rel=next", "/2"},
        {"</a,b;c>; rel=next", "/a,b;c"},
        {"<>; rel=next", ""},
        {"</p>; rel=prev; rel=next", NULL}, /* the first rel counts */
        {"</p>; rel=nextpage", NULL},
        {"</p>; rel=\"nextpage\"", NULL},
        {"</p>; rel", NULL},
        {"</p>; rel=", NULL},
        {"</p>; xrel=next", NULL},
        {"</p>", NULL},
        {"</p>; rel=\"next", "/p"}, /* the quote is not closed: the field ends */
        {"</p; rel=next", NULL},
        {"/p; rel=next", NULL},
        {"</1>; rel=first x </2>; rel=next", NULL},
        {"</1> </2>; rel=next", NULL},
        {"", NULL},
        {";", NULL},
        {"</p>; title=\"\\", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* Exactly as many bytes as there are: what reads beyond is found by the sanitizer. */
        size_t len = strlen(cases[i].field);
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        char *field = copy + 1;
        memcpy(field, cases[i].field, len);
        struct str next = list_link_next((struct str){field, len});
        bool as_wanted = cases[i].next ? next.ptr && str_eq_c(next, cases[i].next) : !next.ptr;
        if (!as_wanted)
            fail_msg("%s\n  wanted: %s\n  got:    " STR_FMT, cases[i].field,
                     cases[i].next ? cases[i].next : "none", STR_ARG(next));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
