#include "sink_worker_world.h"

/* ---- barriers --------------------------------------------------------------------------------- */

static void add_put(struct buf *b, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        buf_addf(b, "%s%zu", i == from ? " put(" : ",", i);
    buf_adds(b, from < to ? ")" : "");
}

/* Where the barrier is among the leads decides what the mark covers, wherever batches end. */
static void a_barrier_between_leads(void **state)
{
    (void)state;
    static const struct {
        size_t before, behind;
    } cases[] = {{0, 0},  {0, 1},  {1, 0},  {1, 1},  {0, 5},  {2, 3}, {5, 0},
                 {62, 1}, {62, 3}, {63, 0}, {63, 1}, {63, 9}, {0, 63}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct workers_world w;
        struct buf want;
        char mark[64];
        size_t before = cases[i].before, all = before + cases[i].behind;
        /* The barrier has a place in the batch, too. */
        size_t rest = before < SINK_WORKER_BATCH ? SINK_WORKER_BATCH - 1 : all;
        world_open(&w, 1);
        open_sinks(&w);
        push(&w, before);
        begin_checkpoint(&w);
        push(&w, cases[i].behind);
        run_all(&w);
        buf_init(&want, 1 << 16);
        buf_adds(&want, "open");
        add_put(&want, 0, before);
        buf_adds(&want, " mark");
        add_put(&want, before, all < rest ? all : rest);
        add_put(&want, rest, all);
        buf_adds(&want, " prepare");
        expect_calls(w.fakes[0], buf_cstr(&want));
        (void)snprintf(mark, sizeof mark, "[after %zu]", before);
        assert_string_equal(buf_cstr(&w.committed), mark);
        assert_int_equal(w.commits, 1);
        buf_free(&want);
        world_close(&w);
    }
}

/* Pushes what a text says: r: a lead with rows, m: a missing one, |: a barrier. */
static void push_kinds(struct workers_world *w, const char *kinds)
{
    for (const char *k = kinds; *k; k++) {
        if (*k == 'r') {
            push(w, 1);
        } else if (*k == '|') {
            begin_checkpoint(w);
        } else {
            struct lead *lead = run_world_lead(&w->w, w->n_pushed++);
            lead->run->ready = false;
            lead->run->outcome = OUTCOME_MISSING;
            outcome_hold_missing(&w->w.outcomes, lead, (unsigned)w->n);
            for (size_t i = 0; i < w->n; i++)
                sink_worker_push(&w->workers[i], &lead, 1);
        }
    }
}

/* What the queue has, one call after the other, wherever batches end: consecutive calls are joined. */
static void put_calls(struct buf *out, const char *kinds)
{
    char last = '\0';
    size_t seq = 0;
    buf_adds(out, "open");
    for (size_t i = 0; kinds[i]; i++) {
        if (kinds[i] == '|') {
            buf_adds(out, last && last != '|' ? ") mark" : " mark");
        } else if (kinds[i] == last && i % SINK_WORKER_BATCH != 0) {
            buf_addf(out, ",%zu", seq++);
        } else {
            buf_adds(out, last && last != '|' ? ")" : "");
            buf_addf(out, " %s(%zu", kinds[i] == 'r' ? "put" : "missing", seq++);
        }
        last = kinds[i];
    }
    buf_adds(out, last && last != '|' ? ") prepare" : " prepare");
}

/* One instance gets leads and missing ones, and its marks between them, in the order in which they came. */
static void missing_leads_in_order(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "m",   "rm",  "mr",  "mmm", "rmrm",  "rrmmrr",  "mr|",
        "|mr", "m|r", "r|m", "m|m", "rm|mr", "rrm|rmm", "mmr|mrr",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* At the beginning of a batch, and across its end. */
        for (size_t n = 0; n < SINK_WORKER_BATCH; n += SINK_WORKER_BATCH - 2) {
            struct workers_world w;
            struct buf want;
            char kinds[SINK_WORKER_BATCH + 16] = "";
            memset(kinds, 'm', n);
            (void)strcat(kinds, cases[i]);
            world_open(&w, 1);
            open_sinks(&w);
            push_kinds(&w, kinds);
            run_all(&w);
            buf_init(&want, 1 << 16);
            put_calls(&want, kinds);
            expect_calls(w.fakes[0], buf_cstr(&want));
            buf_free(&want);
            world_close(&w);
        }
    }
}

/* At the beginning of the second batch. */
static void a_barrier_behind_a_full_batch(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    open_sinks(&w);
    push(&w, SINK_WORKER_BATCH);
    begin_checkpoint(&w);
    push(&w, 1);
    run_all(&w);
    assert_non_null(strstr(buf_cstr(&w.fakes[0]->calls), ",63) mark put(64) prepare"));
    assert_string_equal(buf_cstr(&w.committed), "[after 64]");
    world_close(&w);
}

static void marks_of_two_sinks(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 2);
    w.fakes[0]->mark_is_absent = true; /* nothing to remember, and no failure */
    open_sinks(&w);
    push(&w, 2);
    begin_checkpoint(&w);
    run_all(&w);
    assert_string_equal(buf_cstr(&w.committed), "[][after 2]");
    expect_error(&w.w, RC_OK, NULL);
    world_close(&w);
}

/* The run must stop, and nothing is committed; the sink can be used all the same. */
static void a_mark_fails(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 2);
    w.fakes[1]->fails_at = "mark";
    w.fakes[1]->ops.on_stop = SINK_STOP_FLUSH;
    open_sinks(&w);
    push(&w, 1);
    begin_checkpoint(&w);
    push(&w, 1);
    run_all(&w);
    expect_calls(w.fakes[1], "open put(0) mark put(1) flush");
    assert_int_equal(w.commits, 0);
    expect_error(&w.w, RC_IO, "mark failed");
    expect_counts(&w.w, 2, "exported 2, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0");
    world_close(&w);
}

/* What came before it cannot be trusted either: its mark is not even asked for. */
static void a_barrier_behind_a_failed_put(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    w.fakes[0]->fails_at = "put";
    w.fakes[0]->fails_after = 1;
    open_sinks(&w);
    push(&w, 2);
    begin_checkpoint(&w);
    push(&w, 1);
    run_all(&w);
    expect_calls(w.fakes[0], "open put(0,1)");
    assert_int_equal(w.commits, 0);
    expect_error(&w.w, RC_IO, "put failed");
    world_close(&w);
}

/* Its mark was made, and a put() or prepare() behind it fails before the checkpoint is committed. */
static void a_failure_behind_the_mark(void **state)
{
    (void)state;
    static const char *const calls[] = {"put", "prepare"};
    for (size_t i = 0; i < 2; i++) {
        struct workers_world w;
        world_open(&w, 2);
        w.fakes[0]->fails_at = calls[i];
        w.fakes[0]->fails_after = 2;
        open_sinks(&w);
        push(&w, 2);
        begin_checkpoint(&w);
        push(&w, 1);
        assert_int_equal(checkpoint_start(w.checkpoint), RC_OK);
        checkpoint_end(w.checkpoint, false);
        for (size_t k = 0; k < 2; k++) { /* the second sink comes to the barrier afterwards */
            assert_int_equal(sink_worker_start(&w.workers[k]), RC_OK);
            sink_worker_end_queue(&w.workers[k]);
            sink_worker_join(&w.workers[k]);
        }
        checkpoint_join(w.checkpoint);
        assert_non_null(strstr(buf_cstr(&w.fakes[0]->calls), "mark"));
        assert_non_null(strstr(buf_cstr(&w.fakes[1]->calls), "mark"));
        assert_int_equal(w.commits, 0);
        expect_error(&w.w, RC_IO, calls[i]);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_barrier_between_leads),
        cmocka_unit_test(missing_leads_in_order),
        cmocka_unit_test(a_barrier_behind_a_full_batch),
        cmocka_unit_test(marks_of_two_sinks),
        cmocka_unit_test(a_mark_fails),
        cmocka_unit_test(a_barrier_behind_a_failed_put),
        cmocka_unit_test(a_failure_behind_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
