/* A webhook sink that resumes after a crash: what it repeats, and what it does not. */
#include "state_answers.h"
#include "outbox_world.h"

#define HELD_AND_LATER "2021-02-25T16:02:10.123Z"
#define LATER "{\"type\":\"leads.exported\",\"timestamp\":\"" HELD_AND_LATER "\",\"data\":["

/* Batches of two; the first is answered, the second is not. */
static void answer_one_of_two(struct outworld *o)
{
    o->w.opts.batch = 2;
    o->w.stub.answers[1] = STUB_HOLD;
    out_begin(o);
    world_put(&o->w, 0, 4);
    stub_wait(&o->w.stub, 2);
    wait_settled(&o->w, 0, 2);
}

static void what_was_not_answered_goes_again(void **state)
{
    struct outworld *o = *state;
    answer_one_of_two(o);
    out_crash(o, 0);
    for (size_t i = 0; i < LEADS; i++)
        assert_int_equal(o->sent[i], i < 4);
    world_put(&o->w, 0, 6);
    out_end(o);
    expect_settled(&o->w, 0, 6, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->asked, 2);
    assert_int_equal(o->w.stub.n, 4);
    expect_same_message(o, 1, 2);
    expect_body(&o->w, 2, MANY DATA("2") "," DATA("3") "]}");
    expect_body(&o->w, 3, LATER DATA("4") "," DATA("5") "]}");
    assert_int_equal(o->w.result.deliveries, 3);
    assert_int_equal(o->w.result.delivered, 3);
}

static void leads_that_were_done_are_unacknowledged(void **state)
{
    struct outworld *o = *state;
    answer_one_of_two(o);
    out_crash(o, 3);
    world_put(&o->w, 3, 1);
    wait_settled(&o->w, 2, 2);
    world_put(&o->w, 4, 2);
    wait_settled(&o->w, 4, 2);
    world_put(&o->w, 6, 10); /* what carried the repeated one carries another now */
    out_end(o);
    assert_int_equal(o->w.settled[0].n + o->w.settled[1].n, 0); /* they had their verdict */
    expect_settled(&o->w, 2, 14, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 9);
    expect_same_message(o, 1, 2);
    expect_body(&o->w, 3, LATER DATA("4") "," DATA("5") "]}");
}

/* Also when no more leads come, and in the order in which they were recorded. */
static void they_go_first_and_in_order(void **state)
{
    struct outworld *o = *state;
    o->w.stub.answers[0] = STUB_HOLD;
    out_begin(o);
    world_put(&o->w, 0, 4);
    stub_wait(&o->w.stub, 1);
    out_crash(o, 4);
    out_end(o);
    expect_settled(&o->w, 0, 4, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 5);
    expect_same_message(o, 0, 1);
    expect_body(&o->w, 2, ONE DATA("1") "}");
    expect_body(&o->w, 3, ONE DATA("2") "}");
    expect_body(&o->w, 4, ONE DATA("3") "}");
}

/* A request of our own, so that whatever was on its way to the receiver has arrived. */
static void ask_receiver(const struct outworld *o)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[64];
    const char *port = strrchr(o->w.stub.url, ':') + 1;
    a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stub_must(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0, "connect");
    stub_must(write(fd, "GET / HTTP/1.1\r\n\r\n", 18) == 18, "write");
    stub_must(read(fd, answer, sizeof answer) > 0, "read");
    (void)close(fd);
}

/* Where the run is refused, for one. */
static void nothing_goes_before_the_first_lead(void **state)
{
    struct outworld *o = *state;
    answer_one_of_two(o);
    out_crash(o, 4);
    ask_receiver(o);
    sink_webhook.close(o->w.sink);
    expect_settled(&o->w, 2, 2, VERDICT_PENDING, 0, "");
    state_close(o->state);
    out_resume(o, 4);
    sink_webhook.stop(o->w.sink, 10000);
    out_finish(o);
    expect_settled(&o->w, 2, 2, VERDICT_PENDING, 0, "");
    state_close(o->state);
    out_resume(o, 4);
    out_end(o);
    expect_settled(&o->w, 2, 2, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 4); /* one of them was ours */
    expect_same_message(o, 1, 3);
}

static void a_crash_after_a_crash(void **state)
{
    struct outworld *o = *state;
    answer_one_of_two(o);
    o->w.stub.answers[2] = STUB_HOLD;
    out_crash(o, 0);
    world_put(&o->w, 0, 6);
    stub_wait(&o->w.stub, 3);
    expect_settled(&o->w, 0, 2, VERDICT_ACCEPTED, 200, "");
    out_crash(o, 5);
    world_put(&o->w, 5, 1);
    out_end(o);
    expect_settled(&o->w, 2, 4, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 5);
    expect_same_message(o, 1, 2);
    expect_same_message(o, 1, 3);
    expect_body(&o->w, 4, LATER DATA("4") "," DATA("5") "]}");
    assert_int_equal(o->w.result.delivered, 3);
}

/* ---- batches that were not full ------------------------------------------------------------- */

static void a_batch_is_resumed(void **state)
{
    struct outworld *o = *state;
    o->w.opts.batch = 3;
    out_begin(o);
    world_put(&o->w, 0, 5);
    wait_settled(&o->w, 0, 3);
    out_mark(o);
    world_put(&o->w, 5, 1); /* what comes after the mark is as if it had never been */
    wait_settled(&o->w, 3, 3);
    out_finish(o);
    state_close(o->state);
    out_next_path(o);
    out_resume(o, 5);
    world_put(&o->w, 5, 1);
    out_end(o);
    expect_settled(&o->w, 3, 3, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->asked, 2);
    assert_int_equal(o->w.stub.n, 3);
    expect_same_message(o, 1, 2);
    expect_body(&o->w, 2, MANY DATA("3") "," DATA("4") "," DATA("5") "]}");
}

static void a_resumed_batch_is_resumed_again(void **state)
{
    struct outworld *o = *state;
    o->w.opts.batch = 3;
    o->w.stub.answers[0] = STUB_HOLD;
    out_begin(o);
    world_put(&o->w, 0, 2);
    out_mark(o);
    out_crash(o, 2);
    world_put(&o->w, 2, 1);
    stub_wait(&o->w.stub, 1);
    out_crash(o, 2);
    world_put(&o->w, 2, 1);
    out_end(o);
    expect_settled(&o->w, 0, 3, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->asked, 3);
    assert_int_equal(o->w.stub.n, 2);
    expect_same_message(o, 0, 1);
    expect_body(&o->w, 0, MANY DATA("0") "," DATA("1") "," DATA("2") "]}");
}

/* The batch was completed after the mark: what is recorded counts. `hold`: without an answer. */
static void supersede(struct outworld *o, bool hold)
{
    o->w.opts.batch = 3;
    o->w.stub.answers[1] = hold ? STUB_HOLD : NULL;
    out_begin(o);
    world_put(&o->w, 0, 4);
    wait_settled(&o->w, 0, 3);
    out_mark(o);
    world_put(&o->w, 4, 2);
    stub_wait(&o->w.stub, 2);
    if (!hold)
        wait_settled(&o->w, 3, 3);
    out_crash(o, 4);
    world_put(&o->w, 4, 5);
    out_mark(o);
    assert_string_equal(o->mark, "");
    out_end(o);
}

static void an_answered_batch_is_not_resumed(void **state)
{
    struct outworld *o = *state;
    supersede(o, false);
    assert_int_equal(o->w.settled[3].n, 0);
    expect_settled(&o->w, 4, 5, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 3);
    expect_body(&o->w, 2, LATER DATA("6") "," DATA("7") "," DATA("8") "]}");
}

static void a_recorded_batch_is_not_resumed(void **state)
{
    struct outworld *o = *state;
    supersede(o, true);
    expect_settled(&o->w, 3, 6, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 4);
    expect_same_message(o, 1, 2);
    expect_body(&o->w, 3, LATER DATA("6") "," DATA("7") "," DATA("8") "]}");
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static void failures_are_remembered(void **state)
{
    struct outworld *o = *state;
    static const char *const no = ANSWER("422 No", "", "{\"error\":\"nö: 1:2\"}");
    o->w.opts.batch = 2;
    o->w.stub.answers[0] = no;
    out_begin(o);
    world_put(&o->w, 0, 4);
    wait_settled(&o->w, 0, 4);
    const struct settled first = o->w.settled[0];
    out_crash(o, 1);
    world_put(&o->w, 1, 3);
    out_end(o);
    assert_int_equal(o->w.settled[0].n, 0);
    expect_settled(&o->w, 1, 1, VERDICT_FAILED, 422, "returned 422: {\"error\":\"nö: 1:2\"}");
    assert_memory_equal(&o->w.settled[1], &first, sizeof first);
    expect_settled(&o->w, 2, 2, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 2);
    assert_int_equal(o->w.result.delivered, 1);
    assert_int_equal(o->w.result.failed, 1);
}

static void other_content_is_reported(void **state)
{
    struct outworld *o = *state;
    answer_one_of_two(o);
    out_crash(o, 0);
    o->w.leads[1].fingerprint[0] ^= 1;
    o->w.leads[3].fingerprint[31] ^= 1;
    world_put(&o->w, 0, 4);
    out_end(o);
    expect_settled(&o->w, 0, 1, VERDICT_ACCEPTED, 200, "");
    expect_settled(&o->w, 1, 1, VERDICT_OUTDATED, 200, "");
    expect_settled(&o->w, 2, 1, VERDICT_ACCEPTED, 200, "");
    expect_settled(&o->w, 3, 1, VERDICT_OUTDATED, 200, "");
    assert_int_equal(o->w.stub.n, 3);
}

/* Of other content that was refused, nothing is to be said but that. */
static void other_content_that_failed(void **state)
{
    struct outworld *o = *state;
    o->w.stub.answers[0] = ANSWER("400 No", "", "");
    out_begin(o);
    world_put(&o->w, 0, 1);
    wait_settled(&o->w, 0, 1);
    out_crash(o, 0);
    o->w.leads[0].fingerprint[0] ^= 1;
    world_put(&o->w, 0, 1);
    out_end(o);
    expect_settled(&o->w, 0, 1, VERDICT_FAILED, 400, "");
    assert_int_equal(o->w.stub.n, 1);
}

/* Leads that were never done may hold other IDs, or parameters, in the run that is resumed. */
static void another_lead_of_its_number(void **state)
{
    struct outworld *o = *state;
    struct str other = STR("other");
    answer_one_of_two(o);
    out_crash(o, 0);
    o->w.leads[1].id = STR("one");
    o->w.leads[3].params = &other;
    world_put(&o->w, 0, 4);
    out_end(o);
    expect_settled(&o->w, 0, 4, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(o->w.stub.n, 4);
    expect_same_message(o, 1, 2);
    expect_body(&o->w, 3, LATER DATA("one") "," DATA("3") "]}");
}

/* ---- what cannot be resumed ------------------------------------------------------------- */

static void expect_refused(struct outworld *o, const char *text)
{
    struct err e = {0};
    assert_int_equal(out_open(o, &e), RC_USAGE);
    assert_non_null(strstr(e.msg, "webhook:SPEC"));
    if (!strstr(e.msg, text))
        fail_msg("%s, wanted %s", e.msg, text);
}

static void damaged_marks(void **state)
{
    struct outworld *o = *state;
    o->w.opts.batch = 3;
    out_begin(o);
    world_put(&o->w, 0, 2);
    out_mark(o);
    char *whole = o->mark;
    out_abandon(o);
    out_open_state(o);
    o->done[0] = true;
    expect_refused(o, "mark in the state is damaged"); /* the run does not have the second lead */
    o->done[1] = true;
    size_t len = strlen(whole);
    for (size_t n = 1; n < len; n++) {
        o->mark = strndup(whole, n);
        assert_non_null(o->mark);
        expect_refused(o, "mark in the state is damaged");
        free(o->mark);
    }
    o->mark = whole;
    o->w.opts.batch = 2;
    expect_refused(o, "mark in the state is damaged"); /* that batch would have been full */
    stub_end(&o->w.stub);
    assert_int_equal(o->w.stub.n, 0);
}

#define A_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AN_ID "msg_0123456789abcdef0123456789abcdef"

static void damaged_deliveries(void **state)
{
    struct outworld *o = *state;
    static const struct {
        const char *id, *leads, *answer;
    } rows[] = {
        {AN_ID, "", NULL},
        {AN_ID, "0:" A_64 "1:x3:a-1", NULL},
        {AN_ID, "0:" A_64 "1:x3:a-1\nx", NULL},
        {AN_ID, "0:" A_64 "0:3:a-1\n", NULL},
        {AN_ID, "0:" A_64 "9:x3:a-1\n", NULL},
        {AN_ID, "-:" A_64 "1:x3:a-1\n", NULL},
        {AN_ID, "0:A" A_64 "1:x3:a-1\n", NULL},
        {AN_ID "0", "0:" A_64 "1:x3:a-1\n", NULL},
        {AN_ID, "0:" A_64 "1:x3:a-1\n", "accepted:200:1:-:"},
        {AN_ID, "0:" A_64 "1:x3:a-1\n", "perhaps:200:1:-:-:"},
        {AN_ID, "0:" A_64 "1:x3:a-1\n", "accepted:200:1:-:-: "},
        {AN_ID, "0:" A_64 "1:x3:a-1\n", "accepted:9999999999:1:-:-:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct state_delivery delivery = {
            .id = str_c(rows[i].id), .leads = str_c(rows[i].leads), .body = STR("{}")};
        struct err e;
        int64_t row;
        assert_int_equal(state_add_delivery(o->state, o->w.cfg.index, &delivery, 0, &row, &e),
                         RC_OK);
        if (rows[i].answer)
            assert_int_equal(state_answer(o->state, row, ONE_DELIVERED, str_c(rows[i].answer), &e),
                             RC_OK);
        expect_refused(o, "a delivery in the state is damaged");
        state_close(o->state);
        out_next_path(o);
        out_open_state(o);
    }
    stub_end(&o->w.stub);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, out_enter, out_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_not_answered_goes_again),
        CASE(leads_that_were_done_are_unacknowledged),
        CASE(they_go_first_and_in_order),
        CASE(nothing_goes_before_the_first_lead),
        CASE(a_crash_after_a_crash),
        CASE(a_batch_is_resumed),
        CASE(a_resumed_batch_is_resumed_again),
        CASE(an_answered_batch_is_not_resumed),
        CASE(a_recorded_batch_is_not_resumed),
        CASE(failures_are_remembered),
        CASE(other_content_is_reported),
        CASE(other_content_that_failed),
        CASE(another_lead_of_its_number),
        CASE(damaged_marks),
        CASE(damaged_deliveries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
