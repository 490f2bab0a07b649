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

struct world {
    struct list_queue *q;
    struct arena a;
    struct id_item item;
    struct err e;
    int waits;
};

static void begin(struct world *w, size_t n_params)
{
    *w = (struct world){0};
    const struct source_wait wait = {0, count_wait, &w->waits};
    arena_init(&w->a, 1 << 20);
    assert_int_equal(list_queue_new(&w->q, n_params, &wait, NULL), RC_OK);
}

static void end(struct world *w)
{
    list_queue_source(w->q)->ops->close(list_queue_source(w->q));
    arena_free(&w->a);
}

static enum rc next(struct world *w)
{
    struct id_source *s = list_queue_source(w->q);
    arena_reset(&w->a, 0);
    return s->ops->next(s, &w->a, &w->item, &w->e);
}

static void test_pages(void **state)
{
    (void)state;
    struct world w;
    const struct str params[] = {STR("p"), STR_NONE};
    begin(&w, 2);
    assert_int_equal(list_queue_put(w.q, STR("a"), params, NULL), RC_OK);
    assert_int_equal(list_queue_put(w.q, STR("b"), params, NULL), RC_OK);
    assert_int_equal(list_queue_ahead(w.q), 0); /* the page is not complete */
    list_queue_flush(w.q);
    assert_int_equal(list_queue_ahead(w.q), 2);
    assert_int_equal(next(&w), RC_OK);
    assert_true(str_eq_c(w.item.id, "a") && w.item.id.ptr[1] == '\0');
    assert_true(str_eq_c(w.item.params[0], "p") && !w.item.params[1].ptr);
    assert_null(w.item.bad);
    list_queue_end(w.q, RC_END, NULL);
    assert_int_equal(list_queue_ahead(w.q), 1);
    assert_int_equal(next(&w), RC_OK); /* what is there comes before the end */
    assert_true(str_eq_c(w.item.id, "b"));
    assert_int_equal(next(&w), RC_END);
    assert_int_equal(w.waits, 0);
    end(&w);
}

/* A run that stops waits for nothing, and takes nothing any more. */
static void test_stopped(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 0);
    assert_int_equal(list_queue_put(w.q, STR("a"), NULL, NULL), RC_OK);
    list_queue_flush(w.q);
    assert_int_equal(list_queue_put(w.q, STR("b"), NULL, NULL), RC_OK); /* never complete */
    list_queue_end(w.q, RC_STOPPED, NULL);
    list_queue_end(w.q, RC_END, NULL); /* the first one counts */
    assert_int_equal(next(&w), RC_STOPPED);
    end(&w);
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
    struct world w;
    pthread_t lister;
    begin(&w, 0);
    assert_int_equal(pthread_create(&lister, NULL, put_all, w.q), 0);
    for (int i = 0; i < LEADS; i++) {
        char want[16];
        (void)snprintf(want, sizeof want, "%d", i);
        assert_int_equal(next(&w), RC_OK);
        assert_string_equal(w.item.id.ptr, want);
    }
    assert_int_equal(next(&w), RC_END);
    assert_int_equal(pthread_join(lister, NULL), 0);
    end(&w);
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
