#include "core/file/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void continues_anywhere(void **state)
{
    (void)state;
    char text[300], whole[DIGEST_CHARS + 1], again[DIGEST_CHARS + 1];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    struct digest *d = digest_new();
    assert_non_null(d);
    digest_add(d, text, sizeof text);
    digest_end(d, whole);
    digest_free(d);
    for (size_t cut = 0; cut <= sizeof text; cut++) {
        struct buf mark;
        struct digest *first = digest_new(), *second = digest_new();
        assert_true(first && second);
        buf_init(&mark, 1000);
        digest_add(first, text, cut);
        digest_put(first, &mark);
        digest_add(second, "something else", 14);
        assert_true(digest_take(second, buf_str(&mark)));
        digest_add(second, text + cut, sizeof text - cut);
        digest_end(second, again);
        assert_string_equal(again, whole);
        buf_free(&mark);
        digest_free(first);
        digest_free(second);
    }
}

static void known(void **state)
{
    (void)state;
    char hex[DIGEST_CHARS + 1];
    struct digest *d = digest_new();
    assert_non_null(d);
    digest_add(d, "abc", 3); /* FIPS 180-2, appendix B.1 */
    digest_end(d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_free(d);
}

static void damaged(void **state)
{
    (void)state;
#define WORDS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char *const rows[] = {
        "",
        ".",
        WORDS,
        WORDS ".0",
        "x" WORDS ".0.",
        WORDS ".8.",
        WORDS ".8.a",
        WORDS ".8.ag",
        WORDS ".0.aa",
        WORDS ".9.aa",
        WORDS ".-8.aa",
        "G123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.0."};
    struct digest *d = digest_new();
    assert_non_null(d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (digest_take(d, str_c(rows[i])))
            fail_msg("%s was taken", rows[i]);
    }
    assert_true(digest_take(d, str_c(WORDS ".8.aa")));
    digest_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(continues_anywhere),
                                       cmocka_unit_test(known), cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
