#include "core/run/queue.h"

#include <pthread.h>

#include "cmocka_all.h"

static void batches_keep_their_order(void **state)
{
    (void)state;
    struct queue *q;
    int numbers[8];
    void *in[8], *out[8];
    for (int i = 0; i < 8; i++)
        in[i] = &numbers[i];
    assert_int_equal(queue_new(&q, 8), RC_OK);
    for (int round = 0; round < 5; round++) { /* goes round the ring */
        assert_int_equal(queue_push(q, in, 5, NULL), RC_OK);
        assert_int_equal(queue_pop(q, out, 2), 2);
        assert_int_equal(queue_try_pop(q, out + 2, 8), 3);
        for (int i = 0; i < 5; i++)
            assert_ptr_equal(out[i], in[i]);
        assert_int_equal(queue_try_pop(q, out, 8), 0);
    }
    queue_free(q);
}

static void closing_lets_the_rest_out(void **state)
{
    (void)state;
    struct queue *q;
    int number;
    void *item = &number, *out[2];
    size_t done = 9;
    assert_int_equal(queue_new(&q, 2), RC_OK);
    assert_int_equal(queue_push(q, &item, 1, NULL), RC_OK);
    queue_close(q);
    assert_false(queue_ended(q));
    assert_int_equal(queue_push(q, &item, 1, &done), RC_CLOSED);
    assert_int_equal(done, 0);
    assert_int_equal(queue_pop(q, out, 2), 1);
    assert_int_equal(queue_pop(q, out, 2), 0);
    assert_true(queue_ended(q));
    queue_free(q);
}

static void a_wait_ends(void **state)
{
    (void)state;
    struct queue *q;
    int number;
    void *item = &number, *out[2];
    bool timed_out = false;
    assert_int_equal(queue_new(&q, 2), RC_OK);
    assert_int_equal(queue_pop_within(q, out, 2, 1, &timed_out), 0);
    assert_true(timed_out);
    assert_int_equal(queue_push(q, &item, 1, NULL), RC_OK);
    assert_int_equal(queue_pop_within(q, out, 2, 1, &timed_out), 1);
    assert_false(timed_out);
    assert_ptr_equal(out[0], item);
    queue_close(q);
    assert_int_equal(queue_pop_within(q, out, 2, 60000, &timed_out), 0);
    assert_false(timed_out);
    queue_free(q);
}

#define MANY 100000

static void *push_many(void *arg)
{
    static char items[MANY];
    for (size_t i = 0; i < MANY; i += 10) {
        void *batch[10];
        for (size_t k = 0; k < 10; k++)
            batch[k] = &items[i + k];
        if (queue_push(arg, batch, 10, NULL) != RC_OK)
            break;
    }
    queue_close(arg);
    return items;
}

static void a_full_queue_waits(void **state)
{
    (void)state;
    struct queue *q;
    pthread_t thread;
    void *out[7], *first;
    size_t n, total = 0;
    char *expected = NULL;
    assert_int_equal(queue_new(&q, 16), RC_OK);
    assert_int_equal(pthread_create(&thread, NULL, push_many, q), 0);
    while ((n = queue_pop(q, out, 7))) {
        if (!expected)
            expected = out[0];
        for (size_t i = 0; i < n; i++)
            assert_ptr_equal(out[i], expected + total + i);
        total += n;
    }
    assert_int_equal(pthread_join(thread, &first), 0);
    assert_ptr_equal(first, expected);
    assert_int_equal(total, MANY);
    queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_keep_their_order),
        cmocka_unit_test(closing_lets_the_rest_out),
        cmocka_unit_test(a_wait_ends),
        cmocka_unit_test(a_full_queue_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
