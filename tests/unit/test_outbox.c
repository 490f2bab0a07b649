/* A webhook sink that records its deliveries: what is recorded when, and what when that fails. */
#include "outbox_world.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sinks/delivery/answer.h"

/* ---- before it is sent ---------------------------------------------------------------------- */

struct record_check {
    struct outworld *o;
    const char *request;
    unsigned n_found, n_requests, n_recorded;
};

static enum rc count_recorded(void *ctx, const struct state_delivery *d, struct err *e)
{
    struct record_check *check = ctx;
    (void)e;
    check->n_found += !d->answer.ptr &&
                      str_eq_c(d->id, stub_header(check->request, "webhook-id")) &&
                      str_eq_c(d->body, stub_body(check->request));
    return RC_OK;
}

/* On the receiver's thread: had the power been cut now, would it be in the state? */
static void check_recorded(void *ctx, const char *request)
{
    struct record_check *check = ctx;
    struct outworld *o = check->o;
    char from[sizeof o->path];
    struct state *state = NULL;
    memcpy(from, o->path, sizeof from);
    out_next_path(o);
    const struct state_cfg cfg = {.path = o->path};
    check->request = request;
    check->n_found = 0;
    check->n_requests++;
    if (out_copy_state(from, o->path) && state_open(&state, &cfg, NULL) == RC_OK &&
        state_each_delivery(state, o->w.cfg.index, count_recorded, check, NULL) == RC_OK)
        check->n_recorded += check->n_found == 1;
    state_close(state);
    memcpy(o->path, from, sizeof from);
}

static void nothing_is_sent_before_it_is_recorded(void **state)
{
    struct outworld *o = *state;
    struct record_check check = {.o = o};
    o->w.stub.received = check_recorded;
    o->w.stub.ctx = &check;
    o->w.opts.batch = 2;
    o->w.opts.concurrency = 2;
    out_begin(o);
    for (size_t i = 0; i < 11; i++)
        world_put(&o->w, i, 1);
    out_end(o);
    expect_settled(&o->w, 0, 11, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(check.n_requests, 6);
    assert_int_equal(check.n_recorded, 6);
    assert_int_equal(o->w.result.deliveries, 6);
    assert_int_equal(o->w.result.delivered, 6);
}

/* Every write to a file fails from now on, or none. */
static void refuse_writes(bool refuse)
{
    static struct rlimit before;
    struct rlimit none;
    if (refuse) {
        assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    }
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, refuse ? &none : &before), 0);
}

static void nothing_is_sent_when_it_cannot_be_recorded(void **state)
{
    struct outworld *o = *state;
    struct err e;
    o->w.opts.batch = 2;
    out_begin(o);
    out_settle_down(o);
    refuse_writes(true);
    world_put(&o->w, 0, 2); /* the state finds out later */
    wait_settled(&o->w, 0, 2);
    enum rc put = sink_webhook.put(o->w.sink, o->w.list + 2, 3, &e);
    enum rc finished = sink_webhook.prepare(o->w.sink, NULL, &e);
    sink_webhook.close(o->w.sink);
    state_close(o->state);
    refuse_writes(false);
    o->state = NULL;
    stub_end(&o->w.stub);
    assert_int_not_equal(put, RC_OK);
    assert_int_not_equal(finished, RC_OK);
    expect_settled(&o->w, 0, 4, VERDICT_PENDING, 0, "");
    assert_int_equal(o->w.settled[4].n, 0); /* it was not taken in */
    assert_int_equal(o->w.stub.n, 0);
    assert_int_equal(o->state_failures, 1);
}

/* ---- answers -------------------------------------------------------------------------------- */

static enum rc note_answer(void *ctx, const struct state_delivery *d, struct err *e)
{
    char *all = ctx;
    size_t len = strlen(all);
    (void)e;
    (void)snprintf(all + len, 1024 - len, STR_FMT "%s", STR_ARG(d->answer), d->body.ptr ? "?" : "");
    (void)strncat(all, "\n", 2);
    return RC_OK;
}

static void expect_answers(struct outworld *o, const char *want)
{
    char all[1024] = "";
    struct err e;
    if (state_each_delivery(o->state, o->w.cfg.index, note_answer, all, &e) != RC_OK)
        fail_msg("%s", e.msg);
    assert_string_equal(all, want);
}

static void answers_are_recorded(void **state)
{
    struct outworld *o = *state;
    o->w.stub.answers[1] = ANSWER("422 No", "", "such thing");
    o->w.stub.answers[2] = ANSWER("302 Found", "Location: https://evil.example/x\r\n", "");
    o->w.stub.answers[3] = ANSWER("410 Gone", "", "");
    out_begin(o);
    world_put(&o->w, 0, 4);
    out_end(o);
    expect_answers(o, "accepted:200:1:-:-:\n"
                      "failed:422:1:8:http_42237:the receiver returned 422: such thing\n"
                      "failed:302:1:8:redirect91:the receiver returned 302, a redirect to "
                      "https://evil.example/x; redirects are not followed\n"
                      "failed:410:1:8:http_41030:the receiver returned 410 Gone\n");
    assert_int_equal(o->w.result.delivered, 1);
    assert_int_equal(o->w.result.failed, 3);
}

/* What a closed receiver was never sent has failed, too, but is no delivery. */
static void unsent_ones_are_recorded(void **state)
{
    struct outworld *o = *state;
    o->w.stub.answers[0] = ANSWER("410 Gone", "", "");
    out_begin(o);
    state_hold(o->state); /* all three become durable at once */
    world_put(&o->w, 0, 3);
    state_release(o->state);
    wait_settled(&o->w, 0, 3);
    out_crash(o, 0);
    world_put(&o->w, 0, 3);
    out_end(o);
    expect_settled(&o->w, 0, 1, VERDICT_FAILED, 410, "410 Gone");
    expect_settled(&o->w, 1, 2, VERDICT_FAILED, 0, "410 Gone");
    assert_int_equal(o->w.stub.n, 1);
    assert_int_equal(o->w.result.deliveries, 1);
    assert_int_equal(o->w.result.failed, 1);
}

/* It is answered after a mark that still holds its lead, and before that is durable. */
static void the_last_batch_stays_recorded(void **state)
{
    struct outworld *o = *state;
    struct err e;
    o->w.opts.batch = 3;
    out_begin(o);
    world_put(&o->w, 0, 4);
    wait_settled(&o->w, 0, 3);
    out_mark(o);
    out_finish(o);
    const struct str marks[] = {STR(""), STR(""), STR(""), str_c(o->mark)};
    const struct state_checkpoint checkpoint = {
        .progress = {.high = 4, .handed = 4}, .marks = marks, .n_marks = 4, .totals = STR("")};
    if (state_checkpoint(o->state, &checkpoint, &e) != RC_OK)
        fail_msg("%s", e.msg);
    expect_answers(o, "accepted:200:1:-:-:\n"); /* the first is not needed any more */
    state_close(o->state);
    out_resume(o, 4);
    out_end(o);
    assert_int_equal(o->asked, 0);
    assert_int_equal(o->w.stub.n, 2);
    assert_int_equal(o->w.result.delivered, 2);
}

/* ---- a clean stop --------------------------------------------------------------------------- */

struct gate {
    sem_t reached, open;
    bool is_first_through;
    unsigned n_requests;
};

/* The first request is answered once the gate is opened. */
static void wait_at_gate(void *ctx, const char *request)
{
    struct gate *gate = ctx;
    (void)request;
    if (gate->is_first_through)
        return;
    gate->is_first_through = true;
    stub_must(sem_post(&gate->reached) == 0, "sem_post");
    stub_must(sem_wait(&gate->open) == 0, "sem_wait");
}

static void a_stop_loses_and_repeats_nothing(void **state)
{
    struct outworld *o = *state;
    struct gate gate = {.is_first_through = false};
    assert_int_equal(sem_init(&gate.reached, 0, 0) | sem_init(&gate.open, 0, 0), 0);
    o->w.stub.received = wait_at_gate;
    o->w.stub.ctx = &gate;
    o->w.opts.batch = 2;
    out_begin(o);
    world_put(&o->w, 0, 5);
    assert_int_equal(sem_wait(&gate.reached), 0);
    sink_webhook.stop(o->w.sink, 60000);
    world_put(&o->w, 5, 2);
    out_mark(o);
    assert_int_equal(sem_post(&gate.open), 0);
    out_finish(o);
    expect_settled(&o->w, 0, 2, VERDICT_ACCEPTED, 200, "");
    expect_settled(&o->w, 2, 5, VERDICT_PENDING, 0, "");
    assert_int_equal(o->w.stub.n, 1);
    assert_int_equal(o->w.result.delivered, 1);
    state_close(o->state);
    out_resume(o, 7);
    world_put(&o->w, 7, 1);
    out_end(o);
    assert_int_equal(o->w.settled[0].n + o->w.settled[1].n, 0);
    expect_settled(&o->w, 2, 6, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 4);
    assert_int_equal(o->w.result.delivered, 4);
    expect_body(&o->w, 3, MANY DATA("6") "," DATA("7") "]}");
    assert_int_equal(sem_destroy(&gate.reached) | sem_destroy(&gate.open), 0);
}

/* No answer within the grace: it is not known what became of it. */
static void no_answer_within_the_grace(void **state)
{
    struct outworld *o = *state;
    o->w.stub.answers[0] = STUB_HOLD;
    out_begin(o);
    world_put(&o->w, 0, 2);
    stub_wait(&o->w.stub, 1);
    sink_webhook.stop(o->w.sink, 1);
    out_finish(o);
    expect_settled(&o->w, 0, 2, VERDICT_PENDING, 0, "");
    expect_answers(o, "?\n?\n");
    state_close(o->state);
    out_resume(o, 2);
    out_end(o);
    expect_settled(&o->w, 0, 2, VERDICT_ACCEPTED, 200, "");
    expect_same_message(o, 0, 1);
    assert_int_equal(o->w.stub.n, 3);
}

/* On the receiver's thread: the second request is answered once the gate is opened. */
static void wait_at_second(void *ctx, const char *request)
{
    struct gate *gate = ctx;
    (void)request;
    if (++gate->n_requests != 2)
        return;
    stub_must(sem_post(&gate->reached) == 0, "sem_post");
    stub_must(sem_wait(&gate->open) == 0, "sem_wait");
}

/* Of a delivery that is sent again one lead was done; the others come while it is on its way, and after
 * its answer. */
static void leads_join_a_recorded_delivery(void **state)
{
    struct outworld *o = *state;
    struct gate gate = {.n_requests = 0};
    assert_int_equal(sem_init(&gate.reached, 0, 0) | sem_init(&gate.open, 0, 0), 0);
    o->w.stub.received = wait_at_second;
    o->w.stub.ctx = &gate;
    o->w.stub.answers[0] = STUB_HOLD;
    o->w.opts.batch = 3;
    out_begin(o);
    world_put(&o->w, 0, 3);
    stub_wait(&o->w.stub, 1);
    sink_webhook.stop(o->w.sink, 1);
    out_finish(o);
    state_close(o->state);
    out_resume(o, 1);
    assert_int_equal(o->asked, 3);
    world_put(&o->w, 3, 1);
    assert_int_equal(sem_wait(&gate.reached), 0);
    world_put(&o->w, 1, 1);
    assert_int_equal(sem_post(&gate.open), 0);
    wait_settled(&o->w, 0, 2);
    world_put(&o->w, 2, 1);
    expect_settled(&o->w, 2, 1, VERDICT_ACCEPTED, 200, ""); /* at once */
    out_end(o);
    expect_settled(&o->w, 0, 4, VERDICT_ACCEPTED, 200, "");
    expect_same_message(o, 0, 1);
    assert_int_equal(o->w.stub.n, 3);
    assert_int_equal(sem_destroy(&gate.reached) | sem_destroy(&gate.open), 0);
}

static void marks_need_a_state(void **state)
{
    struct outworld *o = *state;
    struct sink_mark mark;
    struct err e;
    o->w.cfg.state = NULL;
    out_begin(o);
    assert_int_equal(sink_webhook.mark(o->w.sink, &mark, &e), RC_USAGE);
    out_end(o);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, out_enter, out_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_sent_before_it_is_recorded),
        CASE(nothing_is_sent_when_it_cannot_be_recorded),
        CASE(answers_are_recorded),
        CASE(unsent_ones_are_recorded),
        CASE(the_last_batch_stays_recorded),
        CASE(a_stop_loses_and_repeats_nothing),
        CASE(no_answer_within_the_grace),
        CASE(leads_join_a_recorded_delivery),
        CASE(marks_need_a_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
