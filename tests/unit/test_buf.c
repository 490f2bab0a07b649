#include "core/base/buf.h"

#include "cmocka_all.h"

static void appends(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    buf_adds(&b, "one ");
    buf_addc(&b, '2');
    buf_add_str(&b, STR(" three"));
    buf_addf(&b, " %d %s", 4, "five");
    assert_string_equal(buf_cstr(&b), "one 2 three 4 five");
    assert_int_equal(b.len, 18); /* the NUL is not counted */
    buf_free(&b);
    assert_int_equal(b.len, 0);
}

static void long_format(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct buf b;
    buf_init(&b, 4096);
    buf_addf(&b, "<%s>", text);
    assert_int_equal(b.len, sizeof text + 1);
    assert_int_equal(buf_cstr(&b)[600], '>');
    buf_free(&b);
}

static void maximum_sticks(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_adds(&b, "12345678");
    assert_int_equal(buf_rc(&b), RC_OK);
    buf_addc(&b, '9');
    assert_int_equal(buf_rc(&b), RC_LIMIT);
    assert_int_equal(b.len, 8);
    assert_string_equal(buf_cstr(&b), "");
    buf_clear(&b);
    buf_adds(&b, "1234567"); /* and the NUL */
    assert_string_equal(buf_cstr(&b), "1234567");
    buf_free(&b);
}

/* A maximum that is lowered below what is there already: nothing more, and nothing is lost. */
static void lowered_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    for (int i = 0; i < 100; i++)
        buf_addc(&b, 'x');
    b.max = 50;
    char *room = buf_reserve(&b, b.cap - b.len + 1);
    assert_null(room);
    assert_int_equal(buf_rc(&b), RC_LIMIT);
    assert_int_equal(b.len, 100);
    assert_in_range(b.cap, 100, 4096);
    buf_free(&b);
}

static void reserve(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    char *room = buf_reserve(&b, 100);
    assert_non_null(room);
    assert_null(buf_reserve(&b, 101));
    assert_int_equal(buf_rc(&b), RC_LIMIT);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),        cmocka_unit_test(long_format),
        cmocka_unit_test(maximum_sticks), cmocka_unit_test(lowered_maximum),
        cmocka_unit_test(reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
