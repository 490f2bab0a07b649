#include "core/base/arena.h"

#include "cmocka_all.h"

static void allocations_are_apart_and_aligned(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    char *before = NULL;
    for (size_t n = 0; n < 3000; n++) {
        char *p = arena_alloc(&a, n);
        assert_non_null(p);
        assert_ptr_not_equal(p, before);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        memset(p, 0xAA, n);
        before = p;
    }
    arena_free(&a);
    assert_int_equal(a.held_bytes, 0);
}

static void maximum(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_null(arena_alloc(&a, 1001));
    assert_int_equal(a.refused, RC_LIMIT);
    assert_non_null(arena_alloc(&a, 1000 - 16));
    assert_null(arena_alloc(&a, 1000));
    arena_free(&a);
}

static void reset_keeps_a_little(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 4000));
    arena_reset(&a, 64 * 1024);
    size_t kept = a.held_bytes;
    assert_true(kept > 0 && kept <= 64 * 1024);
    for (int i = 0; i < 10; i++)
        assert_non_null(arena_alloc(&a, 100));
    assert_int_equal(a.held_bytes, kept); /* nothing new was needed */
    arena_reset(&a, 64 * 1024);
    assert_int_equal(a.held_bytes, kept);
    arena_reset(&a, 0);
    assert_int_equal(a.held_bytes, 0);
    arena_free(&a);
}

static void overflow(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_int_equal(a.refused, RC_LIMIT);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 32));
    assert_int_equal(a.refused, RC_LIMIT);
    int *zeroes = arena_array(&a, 10, sizeof *zeroes);
    assert_non_null(zeroes);
    assert_int_equal(zeroes[9], 0);
    assert_string_equal(arena_strdup(&a, STR("text")), "text");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_apart_and_aligned),
        cmocka_unit_test(maximum),
        cmocka_unit_test(reset_keeps_a_little),
        cmocka_unit_test(overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
