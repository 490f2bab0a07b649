#include "sink_worker_world.h"

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
        expect_calls(w.fakes[0], "open put(0,1,2,3,4,5,6,7) prepare");
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
    expect_calls(w.fakes[0], "open put(0,1,2,3,4,5,6,7) prepare");
    expect_calls(w.fakes[1], "open put(0,1,2,3,4,5,6,7) prepare");
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
        assert_null(strstr(buf_cstr(&w.fakes[0]->calls), "prepare"));
        world_close(&w);
    }
}

/* The other one continues with what is in its queue. */
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

/* ---- the end ---------------------------------------------------------------------------------- */

/* What is called at the end, and what becomes of leads that have no verdict by then. */
static void the_end_by_its_policy(void **state)
{
    (void)state;
    static const struct {
        bool stopping, dead;
        enum sink_stop policy;
        const char *called;
        bool are_decided;
    } cases[] = {
        {false, false, SINK_STOP_KEEP, "prepare", true},
        {false, false, SINK_STOP_FLUSH, "prepare", true},
        {false, false, SINK_STOP_ROLL_BACK, "prepare", true},
        {true, false, SINK_STOP_KEEP, "", false},
        {true, false, SINK_STOP_FLUSH, "flush", true},
        {true, false, SINK_STOP_ROLL_BACK, "roll_back", false},
        {false, true, SINK_STOP_KEEP, "", false},
        {true, true, SINK_STOP_FLUSH, "", false},
        {true, true, SINK_STOP_ROLL_BACK, "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct workers_world w;
        char want[64];
        world_open(&w, 1);
        w.fakes[0]->ops.on_stop = cases[i].policy;
        w.fakes[0]->fails_at = cases[i].dead ? "put" : NULL;
        w.fakes[0]->decides_late = true;
        open_sinks(&w);
        push(&w, 3);
        if (cases[i].stopping)
            control_stop(&w.w.control, 15);
        run_all(&w);
        (void)snprintf(want, sizeof want, "open put(0,1,2)%s%s", *cases[i].called ? " " : "",
                       cases[i].called);
        expect_calls(w.fakes[0], want);
        bool is_prepared = strcmp(cases[i].called, "prepare") == 0;
        assert_string_equal(buf_cstr(&w.workers[0].text), is_prepared ? "of 0" : "");
        assert_int_equal(w.fakes[0]->is_asked_how, is_prepared);
        assert_false(w.workers[0].must_stay);
        sink_worker_close(&w.workers[0]);
        expect_counts(&w.w, 3,
                      cases[i].are_decided
                          ? "exported 3, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0"
                          : "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 3");
        assert_int_equal(w.fakes[0]->n_undecided, 0);
        world_close(&w);
    }
}

static void an_end_that_fails(void **state)
{
    (void)state;
    static const char *const calls[] = {"prepare", "flush", "roll_back"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct workers_world w;
        world_open(&w, 1);
        w.fakes[0]->ops.on_stop = i == 1 ? SINK_STOP_FLUSH : SINK_STOP_ROLL_BACK;
        w.fakes[0]->fails_at = calls[i];
        open_sinks(&w);
        push(&w, 1);
        if (i > 0)
            control_stop(&w.w.control, 15);
        run_all(&w);
        expect_error(&w.w, RC_IO, calls[i]);
        world_close(&w);
    }
}

/* Nobody will recover: the sink is not asked how. */
static void no_text_without_a_state(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    w.workers[0].checkpoint = NULL;
    open_sinks(&w);
    run_all(&w);
    expect_calls(w.fakes[0], "open prepare");
    assert_false(w.fakes[0]->is_asked_how);
    world_close(&w);
}

static enum rc prepare_much(struct sink *s, struct buf *text, struct err *e)
{
    (void)s;
    (void)e;
    for (size_t i = 0; i <= SINK_TEXT_BYTES_MAX / 1024; i++)
        buf_addf(text, "%1024d", 1);
    return RC_OK;
}

static void a_text_that_is_too_long(void **state)
{
    (void)state;
    struct workers_world w;
    world_open(&w, 1);
    w.fakes[0]->ops.prepare = prepare_much;
    open_sinks(&w);
    run_all(&w);
    expect_error(&w.w, RC_LIMIT, "fake:");
    world_close(&w);
}

/* What a mark refers to must stay: of an earlier run's, or of its own. */
static void what_must_stay(void **state)
{
    (void)state;
    const struct sink_mark mark = {STR("here")};
    for (int marked = 0; marked < 2; marked++) {
        struct workers_world w;
        struct err e = {0};
        world_open(&w, 1);
        assert_int_equal(sink_worker_open(&w.workers[0], marked ? &mark : NULL, &e), RC_OK);
        assert_int_equal(w.workers[0].must_stay, marked);
        push(&w, 1);
        begin_checkpoint(&w);
        run_all(&w);
        assert_true(w.workers[0].must_stay);
        world_close(&w);
    }
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
    struct lead *lead = run_world_lead(&w.w, 0);
    const struct lead *unacked = lead;
    outcome_finish(&w.w.outcomes, lead);
    const struct unacked_lead not_done = {.seq = 5, .id = STR("id-5")};
    assert_int_equal(host->unacked(host->ctx, &w.fakes[0]->sink, &not_done, &unacked, &e), RC_OK);
    assert_null(unacked);
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

static void expect_content(struct fake_sink *s, const struct lead *const leads[], size_t n)
{
    (void)s;
    for (size_t i = 0; i < n; i++) {
        assert_true(leads[i]->arena.held_bytes > 0);
        assert_true(str_eq(buf_str(&leads[i]->original), STR(CONTENT)));
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
    control_stop(&w.w.control, 15); /* so that they are not prepared */
    assert_int_equal(sink_worker_start(&w.workers[0]), RC_OK);
    sink_worker_join(&w.workers[0]);
    const struct lead *as_sinks_see_it = lead;
    expect_content(NULL, &as_sinks_see_it, 1);
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
        cmocka_unit_test(the_end_by_its_policy),
        cmocka_unit_test(an_end_that_fails),
        cmocka_unit_test(no_text_without_a_state),
        cmocka_unit_test(a_text_that_is_too_long),
        cmocka_unit_test(what_must_stay),
        cmocka_unit_test(stopping),
        cmocka_unit_test(opening),
        cmocka_unit_test(what_the_sink_is_offered),
        cmocka_unit_test(content_is_dropped_by_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
