#include "core/source/list_queue.h"

#include <pthread.h>
#include <stdio.h>

#include "cmocka_all.h"

#define LEADS 5000
#define PAGE 7

static void count_wait(void *ctx)
{
    ++*(int *)ctx;
}

static enum rc next_of(struct list_queue *q, struct arena *a, struct id_item *out, struct err *e)
{
    struct id_source *s = list_queue_source(q);
    arena_reset(a, 0);
    return s->ops->next(s, a, out, e);
}

static void test_pages(void **state)
{
    (void)state;
    int waits = 0;
    const struct source_wait wait = {0, count_wait, &waits};
    struct list_queue *q = NULL;
    struct arena a;
    struct id_item item;
    struct err e;
    const struct str params[] = {STR("p"), STR_NONE};
    arena_init(&a, 1 << 20);
    assert_int_equal(list_queue_new(&q, 2, &wait, NULL), RC_OK);
    assert_int_equal(list_queue_put(q, STR("a"), params, NULL), RC_OK);
    assert_int_equal(list_queue_put(q, STR("b"), params, NULL), RC_OK);
    assert_int_equal(list_queue_ahead(q), 0); /* the page is not complete */
    list_queue_flush(q);
    assert_int_equal(list_queue_ahead(q), 2);
    assert_int_equal(next_of(q, &a, &item, NULL), RC_OK);
    assert_true(str_eq_c(item.id, "a") && item.id.ptr[1] == '\0');
    assert_true(str_eq_c(item.params[0], "p") && !item.params[1].ptr);
    assert_null(item.bad);
    list_queue_end(q, RC_END, NULL);
    assert_int_equal(list_queue_ahead(q), 1);
    assert_int_equal(next_of(q, &a, &item, NULL), RC_OK); /* what is there comes before the end */
    assert_true(str_eq_c(item.id, "b"));
    assert_int_equal(next_of(q, &a, &item, &e), RC_END);
    assert_int_equal(waits, 0);
    list_queue_source(q)->ops->close(list_queue_source(q));
    arena_free(&a);
}

/* A run that stops waits for nothing, and takes nothing any more. */
static void test_stopped(void **state)
{
    (void)state;
    const struct source_wait wait = {0, NULL, NULL};
    struct list_queue *q = NULL;
    struct arena a;
    struct id_item item;
    struct err e;
    arena_init(&a, 1 << 20);
    assert_int_equal(list_queue_new(&q, 0, &wait, NULL), RC_OK);
    assert_int_equal(list_queue_put(q, STR("a"), NULL, NULL), RC_OK);
    list_queue_flush(q);
    assert_int_equal(list_queue_put(q, STR("b"), NULL, NULL), RC_OK); /* never complete */
    list_queue_end(q, RC_STOPPED, NULL);
    list_queue_end(q, RC_END, NULL); /* the first one counts */
    assert_int_equal(next_of(q, &a, &item, &e), RC_STOPPED);
    list_queue_source(q)->ops->close(list_queue_source(q));
    arena_free(&a);
}

static void *put_all(void *queue)
{
    struct list_queue *q = queue;
    for (int i = 0; i < LEADS; i++) {
        char id[16];
        int n = snprintf(id, sizeof id, "%d", i);
        if (list_queue_put(q, (struct str){id, (size_t)n}, NULL, NULL) != RC_OK)
            break;
        if (i % PAGE == PAGE - 1)
            list_queue_flush(q);
    }
    list_queue_flush(q);
    list_queue_end(q, RC_END, NULL);
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    int waits = 0;
    const struct source_wait wait = {0, count_wait, &waits};
    struct list_queue *q = NULL;
    struct arena a;
    struct id_item item;
    struct err e;
    pthread_t lister;
    arena_init(&a, 1 << 20);
    assert_int_equal(list_queue_new(&q, 0, &wait, NULL), RC_OK);
    assert_int_equal(pthread_create(&lister, NULL, put_all, q), 0);
    for (int i = 0; i < LEADS; i++) {
        char want[16];
        (void)snprintf(want, sizeof want, "%d", i);
        assert_int_equal(next_of(q, &a, &item, &e), RC_OK);
        assert_string_equal(item.id.ptr, want);
    }
    assert_int_equal(next_of(q, &a, &item, &e), RC_END);
    assert_int_equal(pthread_join(lister, NULL), 0);
    list_queue_source(q)->ops->close(list_queue_source(q));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
