#include "core/run/sink_worker.h"

#include "fake_sink.h"
#include "run_world.h"

/* One or two sinks with their workers, and a checkpoint whose state is a text. */
struct workers_world {
    struct run_world w;
    struct tally tally;
    struct schema *schema;
    struct checkpoint *checkpoint;
    struct resume_plan resume;
    struct run_cfg run_cfg;
    struct sink_worker workers[2];
    struct fake_sink *fakes[2];
    size_t n;
    uint64_t n_pushed;
    unsigned commits;
    struct buf committed; /* the marks */
};

/* ---- checkpoints ------------------------------------------------------------------------------ */

static void note_nothing(void *ctx, struct state_tally *sums, struct buf *totals)
{
    (void)ctx;
    (void)sums;
    (void)totals;
}

static void push_barriers(void *ctx)
{
    struct workers_world *w = ctx;
    for (size_t i = 0; i < w->n; i++)
        sink_worker_push_barrier(&w->workers[i]);
}

static enum rc sync_nothing(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    return RC_OK;
}

static enum rc commit_marks(void *ctx, const struct state_checkpoint *c, struct err *e)
{
    struct workers_world *w = ctx;
    (void)e;
    w->commits++;
    buf_clear(&w->committed);
    for (size_t i = 0; i < c->n_marks; i++)
        buf_addf(&w->committed, "[" STR_FMT "]", STR_ARG(c->marks[i]));
    return RC_OK;
}

static void make_checkpoint(struct workers_world *w)
{
    const struct checkpoint_cfg cfg = {
        .control = &w->w.control,
        .n_sinks = w->n,
        .n_tables = w->w.profile->n_tables,
        .tally = &w->tally,
        .schema = w->schema,
        .ctx = w,
        .note = note_nothing,
        .barrier = push_barriers,
        .sync = sync_nothing,
        .commit = commit_marks,
    };
    assert_int_equal(checkpoint_new(&w->checkpoint, &cfg), RC_OK);
}

/* ---- the workers ------------------------------------------------------------------------------ */

static void world_open(struct workers_world *w, size_t n)
{
    memset(w, 0, sizeof *w);
    run_world_init(&w->w, NULL);
    assert_int_equal(schema_new(&w->schema, w->w.profile, SCHEMA_COLUMNS_MAX), RC_OK);
    buf_init(&w->committed, 1 << 20);
    w->n = n;
    make_checkpoint(w);
    w->run_cfg.profile = w->w.profile;
    w->resume.cfg = &w->run_cfg;
    for (unsigned i = 0; i < n; i++) {
        w->fakes[i] = fake_init(i);
        w->workers[i] = (struct sink_worker){
            .control = &w->w.control,
            .memory = &w->w.memory,
            .outcomes = &w->w.outcomes,
            .arenas = w->w.arenas,
            .resume = &w->resume,
            .checkpoint = w->checkpoint,
            .index = i,
            .ops = &w->fakes[i]->ops,
            .cfg = {.spec = "fake:", .index = i},
        };
    }
}

static void open_sinks(struct workers_world *w)
{
    struct err e = {0};
    for (size_t i = 0; i < w->n; i++) {
        if (sink_worker_open(&w->workers[i], NULL, &e) != RC_OK)
            fail_msg("%s", e.msg);
    }
}

static void world_close(struct workers_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        sink_worker_close(&w->workers[i]);
        fake_free(w->fakes[i]);
    }
    checkpoint_free(w->checkpoint);
    schema_free(w->schema);
    tally_free(&w->tally);
    free(w->resume.sent);
    buf_free(&w->committed);
    run_world_free(&w->w);
}

static void push(struct workers_world *w, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct lead *lead = run_world_lead(&w->w, w->n_pushed++);
        outcome_hold(lead, (unsigned)w->n);
        for (size_t i = 0; i < w->n; i++)
            sink_worker_push(&w->workers[i], &lead, 1);
    }
}

static void begin_checkpoint(struct workers_world *w)
{
    const unsigned char key[LEAD_KEY_BYTES] = {1};
    assert_int_equal(tally_note(&w->tally, w->tally.sums.high, key), RC_OK);
    run_world_pass_ms(&w->w, CHECKPOINT_MS);
    checkpoint_consider(w->checkpoint);
}

/* Lets all threads run to their end. */
static void run_all(struct workers_world *w)
{
    assert_int_equal(checkpoint_start(w->checkpoint), RC_OK);
    checkpoint_end(w->checkpoint, false);
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(sink_worker_start(&w->workers[i]), RC_OK);
    for (size_t i = 0; i < w->n; i++)
        sink_worker_end_queue(&w->workers[i]);
    for (size_t i = 0; i < w->n; i++)
        sink_worker_join(&w->workers[i]);
    checkpoint_join(w->checkpoint);
}

static void expect_calls(struct fake_sink *s, const char *want)
{
    assert_string_equal(buf_cstr(&s->calls), want);
}

/* ---- verdicts --------------------------------------------------------------------------------- */

static enum verdict_kind kind_by_seq(uint64_t seq)
{
    return (enum verdict_kind)(seq % (VERDICT_PENDING + 1));
}

static void one_outcome_a_lead(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct workers_world w;
        world_open(&w, 1);
        w.fakes[0]->kind_of = kind_by_seq;
        w.fakes[0]->decides_late = late;
        open_sinks(&w);
        push(&w, 8);
        run_all(&w);
        expect_calls(w.fakes[0], "open put(0,1,2,3,4,5,6,7) finish");
        expect_counts(&w.w, 8,
                      "exported 4, unchanged 0, missing 0, failed 2 (2 by sinks), pending 2");
        assert_string_equal(ledger_first_failure(w.w.outcomes.ledger), "id-2: refused");
        expect_error(&w.w, RC_OK, NULL);
        world_close(&w);
    }
}

static void each_sink_has_its_own_verdict(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 2);
    w.fakes[1]->kind_of = kind_by_seq;
    open_sinks(&w);
    push(&w, 8);
    run_all(&w);
    expect_calls(w.fakes[0], "open put(0,1,2,3,4,5,6,7) finish");
    expect_calls(w.fakes[1], "open put(0,1,2,3,4,5,6,7) finish");
    expect_counts(&w.w, 8, "exported 4, unchanged 0, missing 0, failed 2 (2 by sinks), pending 2");
    world_close(&w);
}

/* More than its queue has room for: whoever pushes waits, and the order stays. */
static void more_than_fit(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    open_sinks(&w);
    assert_int_equal(sink_worker_start(&w.workers[0]), RC_OK);
    push(&w, FAKE_LEADS_MAX);
    sink_worker_end_queue(&w.workers[0]);
    sink_worker_join(&w.workers[0]);
    struct ledger_counts counts = ledger_counts(w.w.outcomes.ledger, FAKE_LEADS_MAX);
    assert_int_equal(counts.exported, FAKE_LEADS_MAX);
    const char *at = buf_cstr(&w.fakes[0]->calls);
    for (unsigned long want = 0, in_batch = 0; want < FAKE_LEADS_MAX; want++) {
        in_batch = at[strcspn(at, "0123456789") - 1] == '(' ? 1 : in_batch + 1;
        at += strcspn(at, "0123456789");
        assert_int_equal(strtoul(at, NULL, 10), want);
        assert_true(in_batch <= SINK_WORKER_BATCH);
        at += strspn(at, "0123456789");
    }
    world_close(&w);
}

/* ---- a sink that fails ------------------------------------------------------------------------ */

/* The leads that had a verdict keep it; all others, and those that come later, get none. */
static void put_fails(void **state)
{
    (void)state;
    for (size_t after = 0; after < 100; after += after < 60 ? 7 : 1) {
        struct workers_world w;
        char want[200];
        world_open(&w, 1);
        w.fakes[0]->fails_at = "put";
        w.fakes[0]->fails_after = after;
        open_sinks(&w);
        push(&w, 100);
        run_all(&w);
        (void)snprintf(want, sizeof want,
                       "exported %zu, unchanged 0, missing 0, failed 0 (0 by sinks), pending %zu",
                       after, 100 - after);
        expect_counts(&w.w, 100, want);
        expect_error(&w.w, RC_IO, "put failed");
        assert_int_equal(w.fakes[0]->n_put, after < SINK_WORKER_BATCH ? SINK_WORKER_BATCH : 100);
        assert_null(strstr(buf_cstr(&w.fakes[0]->calls), "finish"));
        world_close(&w);
    }
}

/* The other one goes on with what is in its queue. */
static void one_of_two_fails(void **state)
{
    (void)state;
    for (size_t failing = 0; failing < 2; failing++) {
        struct workers_world w;
        world_open(&w, 2);
        w.fakes[failing]->fails_at = "put";
        w.fakes[failing]->fails_after = 3;
        w.fakes[!failing]->kind_of = kind_by_seq;
        open_sinks(&w);
        push(&w, 8);
        run_all(&w);
        assert_int_equal(w.fakes[!failing]->n_put, 8);
        /* 0 and 1 were accepted by both; 2 and 6 refused; of the others nobody knows. */
        expect_counts(&w.w, 8,
                      "exported 2, unchanged 0, missing 0, failed 2 (2 by sinks), pending 4");
        world_close(&w);
    }
}

/* Leads that it took in before, and that have no verdict yet, are its own until it is closed. */
static void put_fails_with_leads_undecided(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    w.fakes[0]->decides_late = true;
    open_sinks(&w);
    push(&w, 5);
    begin_checkpoint(&w);
    push(&w, 3);
    w.fakes[0]->fails_at = "put";
    w.fakes[0]->fails_after = 0;
    run_all(&w);
    expect_counts(&w.w, 8, "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 8");
    world_close(&w);
}

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
        buf_adds(&want, " finish");
        expect_calls(w.fakes[0], buf_cstr(&want));
        (void)snprintf(mark, sizeof mark, "[after %zu]", before);
        assert_string_equal(buf_cstr(&w.committed), mark);
        assert_int_equal(w.commits, 1);
        buf_free(&want);
        world_close(&w);
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
    assert_non_null(strstr(buf_cstr(&w.fakes[0]->calls), ",63) mark put(64) finish"));
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
    w.fakes[1]->ops.stop = fake_stop;
    open_sinks(&w);
    push(&w, 1);
    begin_checkpoint(&w);
    push(&w, 1);
    run_all(&w);
    expect_calls(w.fakes[1], "open put(0) mark put(1) finish");
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

/* Its mark was made, and a put() or finish() behind it fails before the checkpoint is committed. */
static void a_failure_behind_the_mark(void **state)
{
    (void)state;
    static const char *const calls[] = {"put", "finish"};
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

/* ---- the end ---------------------------------------------------------------------------------- */

static void whether_it_is_finished(void **state)
{
    (void)state;
    static const struct {
        bool stopping, has_stop, dead, is_finished;
    } cases[] = {
        {false, false, false, true}, {false, true, false, true},  {true, false, false, false},
        {true, true, false, true},   {false, false, true, false}, {true, true, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct workers_world w;
        world_open(&w, 1);
        w.fakes[0]->ops.stop = cases[i].has_stop ? fake_stop : NULL;
        w.fakes[0]->fails_at = cases[i].dead ? "put" : NULL;
        w.fakes[0]->decides_late = true;
        open_sinks(&w);
        push(&w, 3);
        if (cases[i].stopping)
            control_stop(&w.w.control, 15);
        run_all(&w);
        bool is_finished = strstr(buf_cstr(&w.fakes[0]->calls), "finish") != NULL;
        if (is_finished != cases[i].is_finished)
            fail_msg("%zu: finished %d, wanted %d", i, is_finished, cases[i].is_finished);
        sink_worker_close(&w.workers[0]);
        expect_counts(&w.w, 3,
                      is_finished
                          ? "exported 3, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0"
                          : "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 3");
        assert_int_equal(w.fakes[0]->n_undecided, 0);
        world_close(&w);
    }
}

static void finish_fails(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    w.fakes[0]->fails_at = "finish";
    open_sinks(&w);
    push(&w, 1);
    run_all(&w);
    expect_error(&w.w, RC_IO, "finish failed");
    world_close(&w);
}

static void stopping(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 2);
    w.fakes[1]->ops.stop = fake_stop;
    open_sinks(&w);
    sink_worker_stop(&w.workers[0], 1234); /* never waits for anybody */
    sink_worker_stop(&w.workers[1], 1234);
    expect_calls(w.fakes[0], "open");
    expect_calls(w.fakes[1], "open stop(1234)");
    world_close(&w);
}

/* ---- opening ---------------------------------------------------------------------------------- */

static void opening(void **state)
{
    (void)state;
    struct workers_world w;
    struct err e = {0};
    const struct sink_mark mark = {STR("here")};
    world_open(&w, 2);
    w.fakes[1]->fails_at = "open";
    assert_int_equal(sink_worker_open(&w.workers[0], &mark, &e), RC_OK);
    assert_int_equal(sink_worker_open(&w.workers[1], NULL, &e), RC_IO);
    assert_string_equal(e.msg, "open failed");
    sink_worker_close(&w.workers[0]);
    sink_worker_close(&w.workers[1]);
    expect_calls(w.fakes[0], "open@here close");
    expect_calls(w.fakes[1], "open"); /* what could not be opened is not closed */
    world_close(&w);
    struct sink_worker never = {.ops = NULL};
    sink_worker_close(&never);
    sink_worker_join(&never);
}

static void what_the_sink_is_offered(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    open_sinks(&w);
    const struct sink_host *host = &w.workers[0].cfg.host;
    host->holds(host->ctx, 500);
    assert_int_equal(budget_used(&w.w.memory.budget), 500);
    atomic_store(&w.w.control.wants_wake, true);
    host->releases(host->ctx, 500);
    assert_int_equal(budget_used(&w.w.memory.budget), 0);
    assert_false(atomic_load(&w.w.control.wants_wake)); /* another lead may have room now */
    struct err e = {0};
    assert_int_equal(host->sent(host->ctx, &w.fakes[0]->sink, 77, &e), RC_OK);
    assert_true(resume_was_sent(&w.resume, 77));
    assert_false(resume_was_sent(&w.resume, 78));
    struct lead *lead = run_world_lead(&w.w, 0), *owed = lead;
    outcome_finish(&w.w.outcomes, lead);
    const struct owed_lead not_done = {.seq = 5, .id = STR("id-5")};
    assert_int_equal(host->owed(host->ctx, &w.fakes[0]->sink, &not_done, &owed, &e), RC_OK);
    assert_null(owed);
    world_close(&w);
}

/* ---- the content of leads --------------------------------------------------------------------- */

#define CONTENT "the content of a lead"

static void fill(struct run_world *w, struct lead *lead)
{
    lead->original.max = 1000;
    buf_adds(&lead->original, CONTENT);
    assert_non_null(arena_strdup(&lead->arena, STR(CONTENT)));
    memory_charge_as(&w->memory, lead, 5000);
}

static void expect_content(struct fake_sink *s, struct lead *const leads[], size_t n)
{
    (void)s;
    for (size_t i = 0; i < n; i++) {
        assert_true(leads[i]->arena.held_bytes > 0);
        assert_string_equal(buf_cstr(&leads[i]->original), CONTENT);
    }
}

/* It is there while any sink may read it, and gone (with its memory given back) once all have taken the
 * lead in, though its verdict is not known. */
static void content_is_dropped_by_the_last(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 2);
    for (size_t i = 0; i < 2; i++) {
        w.fakes[i]->on_put = expect_content;
        w.fakes[i]->decides_late = true;
        w.fakes[i]->fails_at = NULL;
    }
    open_sinks(&w);
    struct lead *lead = run_world_lead(&w.w, 0);
    fill(&w.w, lead);
    outcome_hold(lead, 2);
    for (size_t i = 0; i < 2; i++) {
        sink_worker_push(&w.workers[i], &lead, 1);
        sink_worker_end_queue(&w.workers[i]);
    }
    control_stop(&w.w.control, 15); /* so that they are not finished */
    assert_int_equal(sink_worker_start(&w.workers[0]), RC_OK);
    sink_worker_join(&w.workers[0]);
    expect_content(NULL, &lead, 1);
    assert_int_equal(budget_used(&w.w.memory.budget), 5000);
    assert_int_equal(sink_worker_start(&w.workers[1]), RC_OK);
    sink_worker_join(&w.workers[1]);
    assert_int_equal(lead->arena.held_bytes, 0);
    assert_int_equal(lead->original.cap, 0);
    assert_int_equal(budget_used(&w.w.memory.budget), 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_outcome_a_lead),
        cmocka_unit_test(each_sink_has_its_own_verdict),
        cmocka_unit_test(more_than_fit),
        cmocka_unit_test(put_fails),
        cmocka_unit_test(one_of_two_fails),
        cmocka_unit_test(put_fails_with_leads_undecided),
        cmocka_unit_test(a_barrier_between_leads),
        cmocka_unit_test(a_barrier_behind_a_full_batch),
        cmocka_unit_test(marks_of_two_sinks),
        cmocka_unit_test(a_mark_fails),
        cmocka_unit_test(a_barrier_behind_a_failed_put),
        cmocka_unit_test(a_failure_behind_the_mark),
        cmocka_unit_test(whether_it_is_finished),
        cmocka_unit_test(finish_fails),
        cmocka_unit_test(stopping),
        cmocka_unit_test(opening),
        cmocka_unit_test(what_the_sink_is_offered),
        cmocka_unit_test(content_is_dropped_by_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
