#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "core/base/err.h"

static void expect_ends(const struct err *e, const char *begins, const char *ends)
{
    size_t n = strlen(e->msg), n_ends = strlen(ends);
    if (n >= sizeof e->msg || strncmp(e->msg, begins, strlen(begins)) != 0 || n < n_ends ||
        strcmp(e->msg + n - n_ends, ends) != 0)
        fail_msg("got %zu bytes: \"%s\", want \"%s...%s\"", n, e->msg, begins, ends);
}

/* A path may be longer than a message: who it is about and why stay. */
static void long_texts(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 900, 1000, 1023, 1024, 1100, 4096, 8000, 8192, 20000};
    static char path[20001];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct err e = {0};
        memset(path, 'p', lengths[i]);
        path[lengths[i]] = '\0';
        assert_int_equal(err_sys(&e, RC_IO, ENOENT, "%s", path), RC_IO);
        expect_ends(&e, "p", ": No such file or directory");
        err_prefix(&e, "%s", path);
        expect_ends(&e, "p", ": No such file or directory");
        if (lengths[i] > 8000)
            continue;
        assert_int_equal(err_set(&e, RC_USAGE, "%s: is a directory", path), RC_USAGE);
        expect_ends(&e, "p", ": is a directory");
        assert_int_equal(e.rc, RC_USAGE);
    }
    assert_int_equal(err_set(NULL, RC_NET, "x"), RC_NET);
    err_prefix(NULL, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
