#include "core/run/progress.h"

#include "cmocka_all.h"

static void key_of(uint64_t seq, unsigned char key[LEAD_KEY_BYTES])
{
    for (size_t i = 0; i < LEAD_KEY_BYTES; i++)
        key[i] = (unsigned char)(seq * 31 + i * 7 + 1);
}

static void note(struct progress *t, uint64_t seq)
{
    unsigned char key[LEAD_KEY_BYTES];
    key_of(seq, key);
    assert_int_equal(progress_note(t, seq, seq, key), RC_OK);
}

/* Places in the order in which they are done, up to UINT64_MAX; what is left out afterwards. */
struct order_case {
    const char *name;
    uint64_t numbers[8], high, gaps[8];
};

static void expect_gaps(const struct order_case *c, const struct progress *t)
{
    size_t n = 0;
    while (c->gaps[n] != UINT64_MAX)
        n++;
    assert_int_equal(t->sums.high, c->high);
    assert_int_equal(t->n_gaps, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(t->gaps[i], c->gaps[i]);
    assert_int_equal(progress_done(t), c->high - n);
}

#define END UINT64_MAX

static void leaves_out_what_is_not_done(void **state)
{
    (void)state;
    static const struct order_case cases[] = {
        {"nothing", {END}, 0, {END}},
        {"in order", {0, 1, 2, END}, 3, {END}},
        {"the first one last", {1, 2, 0, END}, 3, {END}},
        {"a gap", {0, 3, END}, 4, {1, 2, END}},
        {"gaps that close", {5, 1, 3, END}, 6, {0, 2, 4, END}},
        {"all gaps closed", {3, 0, 2, 1, END}, 4, {END}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct progress t = {0};
        print_message("%s\n", cases[i].name);
        for (size_t k = 0; cases[i].numbers[k] != END; k++)
            note(&t, cases[i].numbers[k]);
        expect_gaps(&cases[i], &t);
        for (size_t k = 0; cases[i].numbers[k] != END; k++)
            assert_true(progress_is_done(&t, cases[i].numbers[k]));
        for (size_t k = 0; k < t.n_gaps; k++)
            assert_false(progress_is_done(&t, t.gaps[k]));
        assert_false(progress_is_done(&t, cases[i].high));
        progress_free(&t);
    }
}

static void sums_differ_for_other_keys_and_numbers(void **state)
{
    (void)state;
    struct progress forth = {0}, back = {0};
    struct state_progress swapped = {0}, other = {0};
    unsigned char key[LEAD_KEY_BYTES];
    for (uint64_t i = 0; i < 100; i++) {
        note(&forth, i);
        note(&back, 99 - i);
        key_of(i == 7 ? 8 : i == 8 ? 7 : i, key);
        progress_add_key(&swapped, i, key);
        key_of(i == 50 ? 1000 : i, key);
        progress_add_key(&other, i, key);
    }
    assert_true(forth.sums.key_a == back.sums.key_a && forth.sums.key_b == back.sums.key_b);
    assert_true(forth.sums.key_a != swapped.key_a);
    assert_true(forth.sums.key_a != other.key_a && forth.sums.key_b != other.key_b);
    progress_free(&forth);
    progress_free(&back);
}

static void continues(void **state)
{
    (void)state;
    static const uint64_t gaps[] = {2, 5};
    const struct state_checkpoint c = {
        .progress = {.high = 8, .handed = 3}, .gaps = gaps, .n_gaps = 2};
    struct progress t = {0};
    assert_int_equal(progress_load(&t, &c), RC_OK);
    assert_int_equal(t.sums.handed, 3);
    note(&t, 5);
    note(&t, 8);
    assert_int_equal(t.sums.high, 9);
    assert_int_equal(t.n_gaps, 1);
    assert_int_equal(t.gaps[0], 2);
    progress_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_out_what_is_not_done),
        cmocka_unit_test(sums_differ_for_other_keys_and_numbers),
        cmocka_unit_test(continues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
