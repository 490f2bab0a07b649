#include "core/run/budget.h"

#include <pthread.h>

#include "cmocka_all.h"

#define LIMIT ((size_t)1000)

/* One after the other: what each asks for, what it gets, and what is used then. */
static void test_who_gets_what(void **state)
{
    (void)state;
    static const struct {
        size_t used, bytes;
        enum budget_who who;
        bool gets;
    } cases[] = {
        {0, 0, BUDGET_ANYONE, true},
        {0, 500, BUDGET_ANYONE, true}, /* half is for all */
        {0, 501, BUDGET_ANYONE, false},
        {499, 1, BUDGET_ANYONE, true},
        {499, 2, BUDGET_ANYONE, false},
        {500, 0, BUDGET_ANYONE, true},
        {500, 1, BUDGET_ANYONE, false},
        {500, 500, BUDGET_FIRST, true}, /* and who is first finds as much again */
        {500, 501, BUDGET_FIRST, false},
        {0, 1000, BUDGET_FIRST, true},
        {0, 1001, BUDGET_FIRST, false},
        {1000, 0, BUDGET_FIRST, true},
        {1000, 1, BUDGET_FIRST, false},
        {999, 0, BUDGET_ANYONE, false},
        {1200, 0, BUDGET_ANYONE, false}, /* charged, room or no room */
        {1200, 1, BUDGET_FIRST, false},
        {1, SIZE_MAX, BUDGET_FIRST, false},
        {1, SIZE_MAX, BUDGET_ANYONE, false},
        {SIZE_MAX, 1, BUDGET_FIRST, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct budget b;
        budget_init(&b, LIMIT);
        budget_add(&b, cases[i].used);
        bool fits = budget_fits(&b, cases[i].used, cases[i].bytes, cases[i].who);
        bool got = budget_take(&b, cases[i].bytes, cases[i].who);
        size_t used = cases[i].used + (got ? cases[i].bytes : 0);
        if (got != cases[i].gets || fits != got || budget_used(&b) != used)
            fail_msg("%zu: %zu beside %zu: fits %d, got %d, wanted %d; used %zu", i, cases[i].bytes,
                     cases[i].used, fits, got, cases[i].gets, budget_used(&b));
        budget_give(&b, used);
        assert_int_equal(budget_used(&b), 0);
    }
}

#define THREADS 4
#define TRIES 50000

struct taker {
    struct budget *budget;
    pthread_barrier_t *begin;
    enum budget_who who;
    size_t bytes;
    size_t got, over; /* how often; `over`: another one had something, too */
    pthread_t thread;
};

static void *take_main(void *taker)
{
    struct taker *t = taker;
    (void)pthread_barrier_wait(t->begin);
    for (int i = 0; i < TRIES; i++) {
        if (!budget_take(t->budget, t->bytes, t->who))
            continue;
        t->got++;
        t->over += budget_used(t->budget) != t->bytes;
        budget_give(t->budget, t->bytes);
    }
    return NULL;
}

/* However many ask at a time for all that there is, one at a time gets it; and it comes back. */
static void test_many_at_a_time(void **state)
{
    (void)state;
    static const size_t bytes[] = {[BUDGET_ANYONE] = LIMIT / 2, [BUDGET_FIRST] = LIMIT};
    for (enum budget_who who = BUDGET_ANYONE; who <= BUDGET_FIRST; who++) {
        struct budget b;
        struct taker takers[THREADS];
        pthread_barrier_t begin;
        size_t got = 0;
        budget_init(&b, LIMIT);
        assert_int_equal(pthread_barrier_init(&begin, NULL, THREADS), 0);
        for (size_t i = 0; i < THREADS; i++) {
            takers[i] =
                (struct taker){.budget = &b, .begin = &begin, .who = who, .bytes = bytes[who]};
            assert_int_equal(pthread_create(&takers[i].thread, NULL, take_main, &takers[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
            assert_int_equal(takers[i].over, 0);
            got += takers[i].got;
        }
        assert_true(got > 0);
        assert_int_equal(budget_used(&b), 0);
        pthread_barrier_destroy(&begin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_gets_what),
        cmocka_unit_test(test_many_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
