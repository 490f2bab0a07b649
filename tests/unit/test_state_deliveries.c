#include <stdatomic.h>

#include "state_answers.h"
#include "state_world.h"

static int64_t add(struct state *s, unsigned sink, const char *id, uint64_t last_seq)
{
    struct err e = {0};
    char leads[64], body[64];
    (void)snprintf(leads, sizeof leads, "leads of %s", id);
    (void)snprintf(body, sizeof body, "{\"body\":\"%s\"}", id);
    const struct state_delivery d = {.id = str_c(id), .leads = str_c(leads), .body = str_c(body)};
    int64_t row = -1;
    OK(state_add_delivery(s, sink, &d, last_seq, &row, &e));
    return row;
}

/* "id leads body answer;", with a dash for what is absent. */
static enum rc describe(void *ctx, const struct state_delivery *d, struct err *e)
{
    (void)e;
    const struct str none = STR("-");
    const struct str body = d->body.ptr ? d->body : none, answer = d->answer.ptr ? d->answer : none;
    buf_addf(ctx, STR_FMT "|" STR_FMT "|" STR_FMT "|" STR_FMT ";", STR_ARG(d->id),
             STR_ARG(d->leads), STR_ARG(body), STR_ARG(answer));
    return RC_OK;
}

static void expect_deliveries(struct state *s, unsigned sink, const char *want)
{
    struct err e = {0};
    struct buf text;
    buf_init(&text, 4096);
    OK(state_each_delivery(s, sink, describe, &text, &e));
    assert_string_equal(buf_cstr(&text), want);
    buf_free(&text);
}

static void expect_counts(struct state *s, unsigned sink, uint64_t want_delivered,
                          uint64_t want_failed)
{
    struct err e = {0};
    uint64_t delivered, failed;
    OK(state_delivery_counts(s, sink, &delivered, &failed, &e));
    assert_int_equal(delivered, want_delivered);
    assert_int_equal(failed, want_failed);
}

static void what_is_durable_survives(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t a = add(s, 0, "a", 0);
    (void)add(s, 0, "b", 1);
    (void)add(s, 1, "c", 1);
    OK(state_answer(s, a, ONE_DELIVERED, STR("200"), &e));
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    expect_deliveries(s, 0, "a|leads of a|-|200;b|leads of b|{\"body\":\"b\"}|-;");
    expect_deliveries(s, 1, "c|leads of c|{\"body\":\"c\"}|-;");
    expect_deliveries(s, 2, "");
    expect_counts(s, 0, 1, 0);
    expect_counts(s, 1, 0, 0);
    state_close(s);
}

/* While somebody holds the state nothing of what is put becomes durable. */
static void what_is_held_comes_whole(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t a = add(s, 0, "a", 0);
    assert_int_equal(wait_durable(s), RC_OK);
    state_hold(s);
    (void)add(s, 0, "b", 1);
    state_hold(s);
    OK(state_answer(s, a, ONE_DELIVERED, STR(""), &e));
    state_release(s);
    (void)add(s, 0, "c", 2);
    crash_into("s", "before");
    state_release(s);
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    expect_deliveries(s, 0,
                      "a|leads of a|-|;b|leads of b|{\"body\":\"b\"}|-;"
                      "c|leads of c|{\"body\":\"c\"}|-;");
    state_close(s);
    s = open_ok("before");
    expect_deliveries(s, 0, "a|leads of a|{\"body\":\"a\"}|-;");
    expect_counts(s, 0, 0, 0);
    state_close(s);
}

/* A checkpoint forgets what was answered and lies below all that is not done; it counts on. */
static void checkpoint_forgets_the_answered(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t rows[6];
    for (int i = 0; i < 6; i++)
        rows[i] = add(s, 0, (const char *[]){"a", "b", "c", "d", "e", "f"}[i], (uint64_t)i);
    OK(state_answer(s, rows[0], ONE_DELIVERED, STR("0"), &e));
    OK(state_answer(s, rows[2], ONE_FAILED, STR("2"), &e));
    OK(state_answer(s, rows[3], NONE_SENT, STR("3"), &e));
    OK(state_answer(s, rows[4], ONE_DELIVERED, STR("4"), &e));
    const uint64_t gaps[] = {3};
    struct state_checkpoint c = {.progress.high = 5, .gaps = gaps, .n_gaps = 1};
    OK(state_checkpoint(s, &c, &e));
    expect_deliveries(s, 0,
                      "b|leads of b|{\"body\":\"b\"}|-;d|leads of d|-|3;e|leads of e|-|4;"
                      "f|leads of f|{\"body\":\"f\"}|-;");
    c.n_gaps = 0;
    OK(state_checkpoint(s, &c, &e));
    expect_counts(s, 0, 2, 1);
    s = crash(s, "s");
    expect_deliveries(s, 0, "b|leads of b|{\"body\":\"b\"}|-;f|leads of f|{\"body\":\"f\"}|-;");
    expect_counts(s, 0, 2, 1);
    FAILS(state_answer(s, rows[0], ONE_DELIVERED, STR(""), &e), RC_INTERNAL, "no delivery");
    OK(state_answer(s, rows[5], ONE_FAILED, STR(""), &e));
    FAILS(state_answer(s, rows[5], ONE_FAILED, STR(""), &e), RC_INTERNAL, "no delivery");
    expect_counts(s, 0, 2, 2);
    state_close(s);
}

static void other_sinks_and_next_runs(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t a = add(s, 7, "a", 0);
    (void)add(s, 31, "b", 0);
    OK(state_answer(s, a, ONE_FAILED, STR_NONE, &e));
    expect_deliveries(s, 7, "a|leads of a|-|;"); /* no answer is one, too */
    expect_deliveries(s, 31, "b|leads of b|{\"body\":\"b\"}|-;");
    expect_counts(s, 7, 0, 1);
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    expect_deliveries(s, 7, "");
    expect_deliveries(s, 31, "");
    begin_run(s);
    expect_counts(s, 7, 0, 0);
    state_close(s);
}

static enum rc stop_at_once(void *ctx, const struct state_delivery *d, struct err *e)
{
    ++*(int *)ctx;
    (void)d;
    return err_set(e, RC_STOPPED, "stopped");
}

static void the_first_error_ends_it(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    int calls = 0;
    begin_run(s);
    (void)add(s, 0, "a", 0);
    (void)add(s, 0, "b", 0);
    FAILS(state_each_delivery(s, 0, stop_at_once, &calls, &e), RC_STOPPED, "stopped");
    assert_int_equal(calls, 1);
    (void)add(s, 0, "c", 0); /* the reading has ended */
    assert_int_equal(wait_durable(s), RC_OK);
    state_close(s);
}

static void expect_no_body(struct state *s, int64_t row)
{
    struct err e = {0};
    struct buf body;
    buf_init(&body, 4096);
    FAILS(state_delivery_body(s, row, &body, &e), RC_INTERNAL, "waits for an answer");
    assert_int_equal(body.len, 0);
    buf_free(&body);
}

/* One by one, while others are answered; no larger than who asks can take. */
static void bodies_are_read_when_they_are_sent(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t a = add(s, 0, "a", 0);
    int64_t b = add(s, 0, "b", 0);
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    struct buf body;
    buf_init(&body, sizeof "{'body':'b'}");
    OK(state_answer(s, a, ONE_DELIVERED, STR("200"), &e));
    OK(state_delivery_body(s, b, &body, &e));
    assert_string_equal(buf_cstr(&body), "{\"body\":\"b\"}");
    FAILS(state_delivery_body(s, b, &body, &e), RC_LIMIT, "a delivery");
    buf_free(&body);
    expect_no_body(s, a);
    expect_no_body(s, b + 1);
    OK(state_answer(s, b, ONE_FAILED, STR("500"), &e)); /* the state has not failed */
    state_close(s);
}

struct comparison {
    const struct state_delivery *want;
    bool same;
};

static enum rc compare_delivery(void *ctx, const struct state_delivery *d, struct err *e)
{
    struct comparison *c = ctx;
    (void)e;
    c->same = str_eq(d->id, c->want->id) && str_eq(d->leads, c->want->leads) && d->leads.ptr &&
              str_eq(d->body, c->want->body);
    return RC_OK;
}

static enum rc count_delivery(void *ctx, const struct state_delivery *d, struct err *e)
{
    (void)d;
    (void)e;
    ++*(int *)ctx;
    return RC_OK;
}

static void a_body_of_any_bytes(void **state)
{
    (void)state;
    struct err e = {0};
    enum { BYTES = 3000000 };
    char *bytes = malloc(BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * i >> 5);
    const struct state_delivery d = {.id = STR("a\0b"), .leads = STR(""), .body = {bytes, BYTES}};
    struct state *s = open_ok("s");
    int64_t row;
    begin_run(s);
    OK(state_add_delivery(s, 0, &d, 0, &row, &e));
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    struct comparison comparison = {&d, false};
    OK(state_each_delivery(s, 0, compare_delivery, &comparison, &e));
    assert_true(comparison.same);
    state_close(s);
    free(bytes);
}

/* ---- threads -------------------------------------------------------------------------------- */

/* A waiter that puts something itself and waits for that once more. */
struct chain {
    struct wait wait;
    struct state *state;
    int links;
};

static void on_link(struct state_waiter *w, enum rc rc)
{
    struct chain *chain = (struct chain *)w; /* its first member's first member */
    if (rc == RC_OK && chain->links > 0) {
        chain->links--;
        (void)add(chain->state, 0, "link", 0);
        state_when_durable(chain->state, w);
        return;
    }
    on_durable(w, rc);
}

static void waiters_may_wait_again(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    struct chain chain = {.wait = WAIT_INIT(on_link), .state = s, .links = 3};
    (void)add(s, 0, "first", 0);
    state_when_durable(s, &chain.wait.waiter);
    assert_int_equal(wait_for(&chain.wait), RC_OK);
    s = crash(s, "s");
    struct err e = {0};
    int n = 0;
    OK(state_each_delivery(s, 0, count_delivery, &n, &e));
    assert_int_equal(n, 4);
    state_close(s);
}

static atomic_int calls;

static void on_call_in_order(struct state_waiter *w, enum rc rc)
{
    ((struct wait *)w)->order = atomic_fetch_add(&calls, 1);
    on_durable(w, rc);
}

/* One commit is for all that gathered, and waiters are called in their order. */
static void waiters_keep_their_order(void **state)
{
    (void)state;
    enum { N = 50 };
    static struct wait waits[N];
    struct state *s = open_ok("s");
    begin_run(s);
    atomic_store(&calls, 0);
    state_hold(s);
    for (int i = 0; i < N; i++) {
        waits[i] = (struct wait)WAIT_INIT(on_call_in_order);
        waits[i].order = -1;
        (void)add(s, 0, "x", 0);
        state_when_durable(s, &waits[i].waiter);
    }
    assert_int_equal(atomic_load(&calls), 0); /* nothing is durable while it is held */
    state_release(s);
    for (int i = 0; i < N; i++) {
        assert_int_equal(wait_for(&waits[i]), RC_OK);
        assert_int_equal(waits[i].order, i);
    }
    state_close(s);
}

#define THREADS 4
#define EACH 100

struct worker {
    struct state *s;
    unsigned number;
    pthread_t thread;
};

/* Adds, answers, fails, notes, looks up, and makes a checkpoint now and then. */
static void *work(void *arg)
{
    const struct worker *w = arg;
    struct err e = {0};
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t seq = i * THREADS + w->number;
        struct state_content content = {.acceptance = STATE_ACCEPTED};
        bool accepted;
        memcpy(content.key, &seq, sizeof seq);
        state_hold(w->s);
        int64_t row = add(w->s, w->number, "id", seq);
        OK(state_fail(w->s, seq, i % 2, STR("line\n"), STR("summary"), &e));
        state_release(w->s);
        if (i % 10 == 0)
            assert_int_equal(wait_durable(w->s), RC_OK);
        OK(state_answer(w->s, row, i % 3 ? ONE_DELIVERED : ONE_FAILED, STR("answer"), &e));
        OK(state_note_accepted(w->s, &content, 1, &e));
        OK(state_is_accepted(w->s, &content, 1, &accepted, &e));
        assert_false(accepted);
        if (i % 25 == 0) {
            const struct state_checkpoint c = {.progress.high = 0};
            OK(state_checkpoint(w->s, &c, &e));
        }
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    struct err e = {0};
    struct worker workers[THREADS];
    struct state *s = open_ok("s");
    begin_run(s);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.s = s, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    struct state_failures failures;
    OK(state_count_failures(s, &failures, &e));
    assert_int_equal(failures.n, THREADS * EACH);
    assert_int_equal(failures.by_sink, THREADS * EACH / 2);
    for (unsigned i = 0; i < THREADS; i++) {
        int n = 0;
        OK(state_each_delivery(s, i, count_delivery, &n, &e));
        assert_int_equal(n, EACH);
        expect_counts(s, i, EACH - (EACH + 2) / 3, (EACH + 2) / 3);
    }
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    struct state_content content = {.acceptance = STATE_ACCEPTED};
    const uint64_t seq = THREADS * EACH - 1;
    bool accepted;
    memcpy(content.key, &seq, sizeof seq);
    OK(state_is_accepted(s, &content, 1, &accepted, &e));
    assert_true(accepted);
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_durable_survives),
        IN_FOLDER(what_is_held_comes_whole),
        IN_FOLDER(checkpoint_forgets_the_answered),
        IN_FOLDER(other_sinks_and_next_runs),
        IN_FOLDER(the_first_error_ends_it),
        IN_FOLDER(bodies_are_read_when_they_are_sent),
        IN_FOLDER(a_body_of_any_bytes),
        IN_FOLDER(waiters_may_wait_again),
        IN_FOLDER(waiters_keep_their_order),
        IN_FOLDER(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
