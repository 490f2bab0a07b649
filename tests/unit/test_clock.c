#include "core/base/clock.h"

#include "cmocka_all.h"

static void format(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1769738400000, "2026-01-30T02:00:00.000Z"},
        {1769738400007, "2026-01-30T02:00:00.007Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951827696789, "2000-02-29T12:34:56.789Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[25];
        clock_format(cases[i].wall_ms, out);
        assert_string_equal(out, cases[i].text);
    }
}

static void chance(void **state)
{
    (void)state;
    struct rng a, b;
    rng_seed(&a, 7);
    rng_seed(&b, 7);
    unsigned seen[10] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t n = rng_below(&a, 10);
        assert_int_equal(n, rng_below(&b, 10)); /* the same seed, the same sequence */
        assert_in_range(n, 0, 9);
        seen[n]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 800, 1200);
    assert_int_equal(rng_below(&a, 0), 0);
    assert_int_equal(rng_below(&a, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format),
        cmocka_unit_test(chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
