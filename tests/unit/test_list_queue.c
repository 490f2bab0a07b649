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
    struct buf pack;
    struct list_part part;
    int waits;
};

static void world_open(struct world *w, size_t n_params)
{
    const struct source_wait wait = {0, count_wait, &w->waits};
    *w = (struct world){.q = NULL};
    buf_init(&w->pack, LIST_PACK_BYTES_MAX);
    assert_int_equal(list_queue_new(&w->q, n_params, &wait, NULL), RC_OK);
}

static void world_close(struct world *w)
{
    list_queue_free(w->q);
    buf_free(&w->pack);
}

static void add(struct world *w, const char *id, const char *param)
{
    const struct str params[] = {str_c(param)};
    bool is_full = true;
    assert_int_equal(list_queue_add(w->q, str_c(id), params, &is_full, NULL), RC_OK);
    assert_false(is_full);
}

static void put(struct world *w, size_t list, enum list_part_end end, uint64_t bad)
{
    const struct list_part part = {.list = list, .end = end, .bad = bad, .n = 99};
    assert_int_equal(list_queue_put(w->q, &part, NULL), RC_OK);
}

static void expect_part(struct world *w, size_t list, enum list_part_end end, uint64_t bad,
                        const char *leads)
{
    char got[256] = "";
    struct str id, param, rest;
    assert_int_equal(list_queue_take(w->q, &w->part, &w->pack, NULL), RC_OK);
    assert_int_equal(w->part.list, list);
    assert_int_equal(w->part.end, end);
    assert_int_equal(w->part.bad, bad);
    assert_true(list_pack_check(w->part.pack, 1, w->part.n));
    for (rest = w->part.pack; rest.len;) {
        assert_true(list_pack_take(&rest, 1, &id, &param));
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), STR_FMT "?" STR_FMT " ",
                       STR_ARG(id), STR_ARG(param));
    }
    assert_string_equal(got, leads);
}

static void test_pages(void **state)
{
    (void)state;
    struct world w;
    struct err e;
    world_open(&w, 1);
    add(&w, "a", "x");
    add(&w, "b", "y");
    assert_int_equal(list_queue_ahead(w.q), 0); /* the page is not complete */
    put(&w, 0, LIST_PART_GOES_ON, 0);
    put(&w, 0, LIST_PART_GOES_ON, 0); /* of a page without new leads there is nothing to say */
    put(&w, 0, LIST_PART_INCOMPLETE, 3);
    add(&w, "c", "x");
    put(&w, 1, LIST_PART_COMPLETE, 0);
    assert_int_equal(list_queue_ahead(w.q), 3);
    expect_part(&w, 0, LIST_PART_GOES_ON, 0, "a?x b?y ");
    assert_int_equal(list_queue_ahead(w.q), 3); /* taken, but not handed on */
    list_queue_count(w.q);
    assert_int_equal(list_queue_ahead(w.q), 2);
    list_queue_end(w.q, RC_END, NULL);
    expect_part(&w, 0, LIST_PART_INCOMPLETE, 3, "");
    expect_part(&w, 1, LIST_PART_COMPLETE, 0, "c?x "); /* what is there comes before the end */
    assert_int_equal(list_queue_take(w.q, &w.part, &w.pack, &e), RC_END);
    assert_int_equal(w.waits, 0);
    world_close(&w);
}

/* A run that stops waits for nothing, and takes nothing any more. */
static void test_stopped(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1);
    add(&w, "a", "x");
    put(&w, 0, LIST_PART_GOES_ON, 0);
    add(&w, "b", "x"); /* never complete */
    list_queue_end(w.q, RC_STOPPED, NULL);
    list_queue_end(w.q, RC_END, NULL); /* the first one counts */
    assert_int_equal(list_queue_take(w.q, &w.part, &w.pack, NULL), RC_STOPPED);
    world_close(&w);
}

/* What is handed over at once is bounded, however large a page is. */
static void test_large_pages(void **state)
{
    (void)state;
    struct world w;
    bool is_full = false;
    char id[ID_BYTES_MAX + 2];
    struct str params[] = {{id, ID_BYTES_MAX}};
    world_open(&w, 1);
    memset(id, 'x', sizeof id);
    size_t n = 0;
    for (; !is_full; n++)
        assert_int_equal(
            list_queue_add(w.q, (struct str){id, ID_BYTES_MAX}, params, &is_full, NULL), RC_OK);
    assert_int_equal(n, (LIST_PACK_BYTES_FULL + 1027) / 1028);
    put(&w, 0, LIST_PART_GOES_ON, 0);
    assert_int_equal(list_queue_take(w.q, &w.part, &w.pack, NULL), RC_OK);
    assert_true(list_pack_check(w.part.pack, 1, n));
    struct err e;
    assert_int_equal(list_queue_add(w.q, (struct str){id, ID_BYTES_MAX + 1}, params, &is_full, &e),
                     RC_LIMIT);
    world_close(&w);
}

static void *list_all(void *world)
{
    struct world *w = world;
    const struct list_part part = {.list = 0};
    bool is_full;
    char id[16];
    for (int i = 0; i < LEADS; i++) {
        int n = snprintf(id, sizeof id, "%d", i);
        if (list_queue_add(w->q, (struct str){id, (size_t)n}, NULL, &is_full, NULL) != RC_OK)
            return w;
        if (i % PAGE == PAGE - 1 && list_queue_put(w->q, &part, NULL) != RC_OK)
            return w;
    }
    if (list_queue_put(w->q, &part, NULL) != RC_OK)
        return w;
    list_queue_end(w->q, RC_END, NULL);
    return NULL;
}

/* Each lead once, in order, whatever the two threads do. */
static void test_two_threads(void **state)
{
    (void)state;
    struct world w;
    pthread_t thread;
    void *failed = NULL;
    char want[16];
    int n = 0;
    world_open(&w, 0);
    assert_int_equal(pthread_create(&thread, NULL, list_all, &w), 0);
    while (list_queue_take(w.q, &w.part, &w.pack, NULL) == RC_OK) {
        struct str id, rest = w.part.pack;
        for (; rest.len; n++) {
            assert_true(list_pack_take(&rest, 0, &id, NULL));
            (void)snprintf(want, sizeof want, "%d", n);
            assert_true(str_eq_c(id, want));
            list_queue_count(w.q);
        }
    }
    assert_int_equal(n, LEADS);
    assert_int_equal(list_queue_ahead(w.q), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_large_pages),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
