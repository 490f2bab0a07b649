/* A worker's part of the rate of all workers. */
#include "cmocka_all.h"

#include "core/source.h"

static const struct {
    struct source_share share;
    double together, own;
} cases[] = {
    {{3, 12}, 100, 25}, {{12, 12}, 100, 100},     {{1, 3}, 30, 10},
    {{0, 4}, 100, 25},  {{0, 0}, 100, 100},       {{0, 1}, 100, 100},
    {{2, 1}, 100, 100}, {{1, 1000}, 0.5, 0.0005}, {{1, 2}, 0, 0},
};

static void shares(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double own = source_share_of(&cases[i].share, cases[i].together);
        if (own < cases[i].own * 0.999999 || own > cases[i].own * 1.000001)
            fail_msg("%llu of %llu, %g together: got %g, want %g",
                     (unsigned long long)cases[i].share.part,
                     (unsigned long long)cases[i].share.whole, cases[i].together, own,
                     cases[i].own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
