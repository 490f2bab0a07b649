#include "core/file/renames.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cmocka_all.h"

static struct buf list;

static int set_up(void **state)
{
    (void)state;
    buf_init(&list, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&list);
    return 0;
}

static void expect_next(struct str *rest, const char *from, const char *to, uint64_t bytes,
                        uint32_t crc)
{
    struct file_rename one;
    assert_int_equal(renames_take(rest, &one), RC_OK);
    assert_string_equal(one.from.ptr, from);
    assert_string_equal(one.to.ptr, to);
    assert_int_equal(one.from.len, strlen(from));
    assert_int_equal(one.to.len, strlen(to));
    assert_int_equal(one.print.bytes, bytes);
    assert_int_equal(one.print.crc, crc);
}

static void what_was_put_comes_back(void **state)
{
    (void)state;
    struct file_rename none;
    renames_put(&list, "/a/.b.part", "/a/b", (struct file_signature){INT64_MAX, UINT32_MAX});
    renames_put_removal(&list, "/a/.c:1:.part");
    renames_put(&list, "/d", "/e", (struct file_signature){0, 0});
    struct str rest = buf_str(&list);
    expect_next(&rest, "/a/.b.part", "/a/b", INT64_MAX, UINT32_MAX);
    expect_next(&rest, "/a/.c:1:.part", "", 0, 0);
    expect_next(&rest, "/d", "/e", 0, 0);
    assert_int_equal(renames_take(&rest, &none), RC_END);
}

static void paths_become_absolute(void **state)
{
    (void)state;
    char folder[PATH_MAX], from[PATH_MAX + 16], to[PATH_MAX + 16];
    assert_non_null(getcwd(folder, sizeof folder));
    (void)snprintf(from, sizeof from, "%s/x/.y.part", folder);
    (void)snprintf(to, sizeof to, "%s/x/y", folder);
    renames_put(&list, "x/.y.part", "x/y", (struct file_signature){3, 4});
    struct str rest = buf_str(&list);
    expect_next(&rest, from, to, 3, 4);
}

static void nothing(void **state)
{
    (void)state;
    struct file_rename none;
    struct str rest = buf_str(&list);
    assert_int_equal(renames_take(&rest, &none), RC_END);
}

/* A text that comes out of a state may be anything. */
static void what_was_not_put_is_refused(void **state)
{
    (void)state;
    const struct str texts[] = {
        STR("\0"),
        STR("a"),
        STR("a\0"),
        STR("a\0b"),
        STR("a\0b\0"),
        STR("a\0b\0"
            "1:2:"), /* no end */
        STR("\0b\0"
            "1:2:\0"),   /* no source */
        STR("a\0b\0\0"), /* no length */
        STR("a\0b\0"
            "1:\0"),
        STR("a\0b\0"
            "1:2\0"),
        STR("a\0b\0"
            "1:2:3\0"),
        STR("a\0b\0"
            "-1:2:\0"),
        STR("a\0b\0"
            "1:-2:\0"),
        STR("a\0b\0"
            "9223372036854775808:2:\0"),
        STR("a\0b\0"
            "1:4294967296:\0"),
        STR("a\0b\0"
            "x:2:\0"),
        STR("a\0\0"
            "1:2:\0"), /* a removal has none */
    };
    struct file_rename one;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct str rest = texts[i];
        enum rc rc = renames_take(&rest, &one);
        if (rc != RC_SYNTAX)
            fail_msg("%zu: %s", i, rc_text(rc));
    }
    char path[PATH_MAX + 1];
    memset(path, 'a', sizeof path);
    path[PATH_MAX] = '\0';
    for (int second = 0; second < 2; second++) {
        buf_clear(&list);
        renames_put(&list, second ? "/a" : path, second ? path : "/a",
                    (struct file_signature){1, 2});
        struct str rest = buf_str(&list);
        assert_int_equal(renames_take(&rest, &one), RC_SYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_become_absolute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_put_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
