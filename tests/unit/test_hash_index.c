#include "core/base/hash_index.h"

#include "core/base/clock.h"

#include "cmocka_all.h"

#define N 3000

static bool has(const struct hash_index *x, uint64_t hash, uint32_t want)
{
    uint32_t item;
    for (size_t cursor = 0; hash_index_next(x, hash, &cursor, &item);) {
        if (item == want)
            return true;
    }
    return false;
}

/* Few different hashes, so that there are long runs, and all of them near the end of the table. */
static uint64_t bad_hash(uint32_t item)
{
    return UINT64_MAX - item % 7;
}

static void test_finds_all_and_only_what_is_there(void **state)
{
    (void)state;
    struct hash_index x = {0};
    assert_false(has(&x, 1, 0));
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(hash_index_add(&x, bad_hash(i), i), RC_OK);
    for (uint32_t i = 0; i < N; i += 3)
        hash_index_remove(&x, bad_hash(i), i);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(has(&x, bad_hash(i), i), i % 3 != 0);
    hash_index_free(&x);
    assert_false(has(&x, bad_hash(1), 1));
}

static void test_random_adding_and_removing(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    struct hash_index x = {0};
    bool there[64] = {false};
    for (int i = 0; i < 20000; i++) {
        uint32_t item = (uint32_t)rng_below(&r, 64);
        if (there[item])
            hash_index_remove(&x, bad_hash(item), item);
        else
            assert_int_equal(hash_index_add(&x, bad_hash(item), item), RC_OK);
        there[item] = !there[item];
        uint32_t probe = (uint32_t)rng_below(&r, 64);
        assert_int_equal(has(&x, bad_hash(probe), probe), there[probe]);
    }
    hash_index_free(&x);
}

static void test_clearing(void **state)
{
    (void)state;
    struct hash_index x = {0};
    hash_index_clear(&x);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(hash_index_add(&x, i, i), RC_OK);
    hash_index_clear(&x);
    assert_false(has(&x, 5, 5));
    assert_int_equal(hash_index_add(&x, 5, 5), RC_OK);
    hash_index_clear(&x); /* one in many slots: these go */
    assert_int_equal(x.n_slots, 0);
    assert_int_equal(hash_index_add(&x, 5, 9), RC_OK);
    assert_true(has(&x, 5, 9));
    hash_index_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_all_and_only_what_is_there),
        cmocka_unit_test(test_random_adding_and_removing),
        cmocka_unit_test(test_clearing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
