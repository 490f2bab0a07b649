#include "cmocka_all.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/random_hex.h"

/* In the place of the C library's: what each call returns, the last one again and again. */
struct call {
    ssize_t n; /* -1: fails with `errnum`; more than was asked for: as much as that */
    int errnum;
};

static const struct call *next; /* NULL: before main(), where libraries call it */
static unsigned char value;

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    if (!next) {
        errno = ENOSYS;
        return -1;
    }
    const struct call c = *next;
    assert_int_equal(flags, 0); /* it waits for the system to have some */
    if (next[1].n)
        next++;
    if (c.n < 0) {
        errno = c.errnum;
        return -1;
    }
    size_t n = (size_t)c.n < size ? (size_t)c.n : size;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)out)[i] = value++;
    return (ssize_t)n;
}

static void made(void **state)
{
    (void)state;
    static const struct call rows[][4] = {
        {{16, 0}},
        {{4, 0}, {5, 0}, {7, 0}}, /* only some at a time */
        {{-1, EINTR}, {3, 0}, {-1, EINTR}, {99, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[RANDOM_HEX_CHARS + 1];
        struct call calls[5] = {{0}};
        memcpy(calls, rows[i], sizeof rows[i]);
        next = calls;
        value = 0xf8;
        assert_int_equal(random_hex(out, NULL), RC_OK);
        assert_string_equal(out, "f8f9fafbfcfdfeff0001020304050607");
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct call rows[][3] = {
        {{-1, ENOSYS}},
        {{-1, EPERM}}, /* a sandbox */
        {{8, 0}, {-1, EIO}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[RANDOM_HEX_CHARS + 1] = "as it was";
        struct call calls[4] = {{0}};
        struct err e = {0};
        memcpy(calls, rows[i], sizeof rows[i]);
        next = calls;
        assert_int_equal(random_hex(out, &e), RC_IO);
        assert_string_equal(out, "as it was");
        assert_non_null(strstr(e.msg, "the system returns no random numbers: "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
