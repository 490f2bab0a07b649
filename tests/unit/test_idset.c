#include "core/source/idset.h"

#include <string.h>

#include "cmocka_all.h"

/* Digests are uniform; these are, too, and repeat with `i`. */
static void digest_of(uint64_t i, unsigned char digest[IDSET_KEY_BYTES])
{
    uint64_t words[2];
    for (size_t w = 0; w < 2; w++) {
        uint64_t z = i * 2 + w + 0x9e3779b97f4a7c15u * (i * 2 + w + 1);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        words[w] = z ^ (z >> 31);
    }
    memcpy(digest, words, IDSET_KEY_BYTES);
}

static bool add(struct idset *s, uint64_t i)
{
    unsigned char digest[IDSET_KEY_BYTES];
    bool added = false;
    digest_of(i, digest);
    assert_int_equal(idset_add(s, digest, &added), RC_OK);
    return added;
}

/* At most 40 bytes an ID from 10,000 on, at every size, the moments of growth included. */
static void test_small_at_every_size(void **state)
{
    (void)state;
    struct idset s;
    idset_init(&s);
    for (uint64_t i = 0; i < 1000000; i++) {
        assert_true(add(&s, i));
        if (s.n >= 10000 && s.peak_bytes > 40 * s.n)
            fail_msg("%zu bytes at %llu", s.peak_bytes, (unsigned long long)s.n);
    }
    assert_int_equal(s.n, 1000000);
    for (uint64_t i = 0; i < 1000000; i++)
        assert_false(add(&s, i));
    assert_int_equal(s.n, 1000000);
    idset_free(&s);
    assert_int_equal(s.held_bytes, 0);
}

/* The digest that looks like a free slot. */
static void test_zero(void **state)
{
    (void)state;
    static const unsigned char zero[IDSET_KEY_BYTES];
    struct idset s;
    bool added;
    idset_init(&s);
    assert_int_equal(idset_add(&s, zero, &added), RC_OK);
    assert_true(added);
    assert_int_equal(idset_add(&s, zero, &added), RC_OK);
    assert_false(added);
    idset_free(&s);
}

/* All in one shard, and all wanting one slot: slower, but right. */
static void test_colliding(void **state)
{
    (void)state;
    struct idset s;
    idset_init(&s);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 2000; i++) {
            uint64_t words[2] = {0, UINT64_MAX - i};
            unsigned char digest[IDSET_KEY_BYTES];
            bool added;
            memcpy(digest, words, sizeof digest);
            assert_int_equal(idset_add(&s, digest, &added), RC_OK);
            assert_int_equal(added, round == 0);
        }
    }
    idset_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_at_every_size),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_colliding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
