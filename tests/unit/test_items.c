/* Items as a text: what was put is taken, and what was damaged is refused. */
#include "cmocka_all.h"

#include "sinks/push/items.h"

#define MOST 3

static void expect_str(struct str got, struct str want)
{
    assert_int_equal(!got.ptr, !want.ptr);
    assert_true(str_eq(got, want));
}

static void test_round_trip(void **state)
{
    (void)state;
    const struct item put[MOST] = {
        {STR("{}"), STR_NONE, STR_NONE},
        {STR("{\"a\":\"1:2:\"}"), STR("https://h/1:"), STR("1:a")},
        {STR("{\"\":\"\n\"}"), STR(""), STR("")},
    };
    for (size_t n = 1; n <= MOST; n++) {
        struct buf b;
        struct arena a;
        struct item *got = NULL;
        size_t n_got = 0;
        buf_init(&b, 4096);
        arena_init(&a, SIZE_MAX);
        for (size_t i = 0; i < n; i++)
            items_put(&b, &put[i]);
        assert_int_equal(items_take(&a, buf_str(&b), n, &got, &n_got), RC_OK);
        assert_int_equal(n_got, n);
        for (size_t i = 0; i < n; i++) {
            expect_str(got[i].json, put[i].json);
            expect_str(got[i].url, put[i].url);
            expect_str(got[i].headers, put[i].headers);
        }
        if (n > 1) /* more than may be */
            assert_int_equal(items_take(&a, buf_str(&b), n - 1, &got, &n_got), RC_SYNTAX);
        for (size_t len = 0; len < b.len; len++) { /* a part of it: none, or fewer whole ones */
            struct buf again;
            enum rc rc = items_take(&a, (struct str){b.data, len}, n, &got, &n_got);
            assert_true(rc == RC_SYNTAX || (rc == RC_OK && n_got < n));
            buf_init(&again, 4096);
            for (size_t i = 0; rc == RC_OK && i < n_got; i++)
                items_put(&again, &got[i]);
            assert_true(rc == RC_SYNTAX || again.len == len);
            buf_free(&again);
        }
        arena_free(&a);
        buf_free(&b);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "x",
        "2",
        "2:",
        "2:{",
        "2:{}",
        "2:{}-:",
        "2:{}-:-:x",
        "-:-:-:",
        "3:{}-:-:",
        "-2:{}-:-:",
        "+2:{}-:-:",
        " 2:{}-:-:",
        "18446744073709551615:{}-:-:",
        "18446744073709551616:{}-:-:",
        "99999999999999999999999999:{}-:-:",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct arena a;
        struct item *items;
        size_t n;
        arena_init(&a, SIZE_MAX);
        if (items_take(&a, str_c(wrong[i]), MOST, &items, &n) != RC_SYNTAX)
            fail_msg("\"%s\" was taken", wrong[i]);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
