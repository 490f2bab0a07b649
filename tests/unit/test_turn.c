/* Each waits for the one before, whoever comes first. */
#include "cmocka_all.h"

#include <pthread.h>

#include "core/run/turn.h"

#define N 5

static struct turn turns[N];
static unsigned order[N];
static unsigned n_done;

static void *take(void *number)
{
    unsigned n = *(const unsigned *)number;
    if (n)
        turn_wait(&turns[n - 1]);
    order[n_done++] = n;
    turn_end(&turns[n]);
    return NULL;
}

static void test_order(void **state)
{
    pthread_t threads[N];
    static unsigned numbers[N] = {4, 2, 0, 3, 1};
    (void)state;
    for (size_t i = 0; i < N; i++)
        assert_int_equal(turn_init(&turns[i]), RC_OK);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take, &numbers[i]), 0);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(order[i], i);
        turn_free(&turns[i]);
        turn_free(&turns[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
