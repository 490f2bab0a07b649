/* The sink `push`: messages that need several requests, are answered in part, or are stopped in between; what is
 * recorded of them, and what a run that resumes makes of that. */
#include "push_world.h"

static void expect_failed(const struct pushworld *p, size_t i, int status, const char *code,
                          const char *error)
{
    const struct settled *t = &p->o.w.settled[i];
    expect_settled(&p->o.w, i, 1, VERDICT_FAILED, status, error);
    assert_string_equal(t->code, code);
}

static void expect_pending(const struct pushworld *p, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++)
        expect_settled(&p->o.w, i, 1, VERDICT_PENDING, p->o.w.settled[i].http_status, "");
}

/* ---- several requests ----------------------------------------------------------------------- */

#define REFUSED ANSWER("400 Bad Request", "", "{\"code\":\"BAD\",\"m\":\"no such property\"}")

static void the_bad_item_is_found(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    w->stub.answers[0] = REFUSED;
    w->stub.answers[1] = OK_ANSWER("{\"r\":[\"1\",\"0\"]}");
    w->stub.answers[2] = REFUSED;
    w->stub.answers[3] = REFUSED;
    w->stub.answers[4] = OK_ANSWER("{\"r\":[\"3\"]}");
    push_destination(p, PUSH_BATCH(4), PUSH_ITEM, PUSH_ANSWER ",\"bisect_on\":[400]");
    out_begin(&p->o);
    world_put(w, 0, 4);
    out_end(&p->o);
    expect_settled(w, 0, 2, VERDICT_ACCEPTED, 200, "");
    expect_failed(p, 2, 400, "BAD", "no such property");
    expect_settled(w, 3, 1, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->settled[0].attempts, 2);
    assert_int_equal(w->settled[2].attempts, 3);
    assert_int_equal(w->stub.n, 5); /* 1 + 2 * 1 * 2 */
    expect_body(w, 0, "{\"in\":[{\"id\":\"0\"},{\"id\":\"1\"},{\"id\":\"2\"},{\"id\":\"3\"}]}");
    expect_body(w, 1, "{\"in\":[{\"id\":\"0\"},{\"id\":\"1\"}]}");
    expect_body(w, 2, "{\"in\":[{\"id\":\"2\"},{\"id\":\"3\"}]}");
    expect_body(w, 3, "{\"in\":[{\"id\":\"2\"}]}");
    assert_int_equal(w->result.delivered, 3);
    assert_int_equal(w->result.failed, 1);
}

/* Every one is bad: as many requests as a whole tree of halves has. */
static void all_items_are_bad(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    for (size_t i = 0; i < STUB_REQUESTS_MAX; i++)
        w->stub.answers[i] = REFUSED;
    push_destination(p, PUSH_BATCH(16), PUSH_ITEM, PUSH_ANSWER ",\"bisect_on\":[400]");
    out_begin(&p->o);
    world_put(w, 0, 16);
    out_end(&p->o);
    expect_settled(w, 0, 16, VERDICT_FAILED, 400, "no such property");
    assert_int_equal(w->stub.n, 31);
    assert_int_equal(w->result.failed, 16);
}

static void what_is_locked_goes_again_alone(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    w->stub.answers[0] = OK_ANSWER("{\"r\":[\"0\",\"2\"],\"e\":[{\"id\":\"1\",\"code\":\"LOCKED\"},"
                                   "{\"id\":\"3\",\"code\":\"LOCKED\"}]}");
    w->stub.answers[1] = OK_ANSWER("{\"r\":[\"1\"]}");
    w->stub.answers[2] = OK_ANSWER("{\"e\":[{\"id\":\"3\",\"code\":\"GONE\",\"m\":\"deleted\"}]}");
    push_destination(p, PUSH_BATCH(4), PUSH_ITEM, PUSH_ANSWER);
    out_begin(&p->o);
    world_put(w, 0, 4);
    out_end(&p->o);
    expect_settled(w, 0, 3, VERDICT_ACCEPTED, 200, "");
    expect_failed(p, 3, 200, "GONE", "deleted");
    assert_int_equal(w->stub.n, 3);
    expect_body(w, 1, "{\"in\":[{\"id\":\"1\"}]}");
    expect_body(w, 2, "{\"in\":[{\"id\":\"3\"}]}");
}

/* Its attempts count, and it fails with what the API said. */
static void what_stays_locked_fails(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    for (size_t i = 0; i < 4; i++)
        w->stub.answers[i] = OK_ANSWER("{\"e\":{\"id\":\"0\",\"code\":\"LOCKED\",\"m\":\"busy\"}}");
    push_destination(p, "", PUSH_ITEM, PUSH_ANSWER);
    out_begin(&p->o);
    world_put(w, 0, 1);
    out_end(&p->o);
    expect_failed(p, 0, 200, "LOCKED", "busy");
    assert_int_equal(w->settled[0].attempts, 2);
    assert_int_equal(w->stub.n, 2);
}

/* What is not known of the batch fails with it, and what waits behind it; nothing more is sent. */
static void closes_within_a_batch(struct pushworld *p, const char *answer, int status,
                                  const char *error)
{
    struct world *w = &p->o.w;
    char code[16];
    (void)snprintf(code, sizeof code, "http_%d", status);
    w->stub.answers[0] = REFUSED;
    w->stub.answers[1] = OK_ANSWER("{\"r\":[\"0\",\"1\"]}");
    w->stub.answers[2] = answer;
    push_destination(p, PUSH_BATCH(4), PUSH_ITEM, PUSH_ANSWER ",\"bisect_on\":[400]");
    out_begin(&p->o);
    world_put(w, 0, 6);
    out_end(&p->o);
    expect_settled(w, 0, 2, VERDICT_ACCEPTED, 200, "");
    for (size_t i = 2; i < 4; i++)
        expect_failed(p, i, status, code, error);
    for (size_t i = 4; i < 6; i++)
        expect_failed(p, i, 0, code, error);
    assert_int_equal(w->stub.n, 3);
    assert_int_equal(w->result.delivered, 2);
    assert_int_equal(w->result.failed, 2); /* what was never sent is no delivery */
}

static void refused_credentials_close(void **state)
{
    closes_within_a_batch(*state, ANSWER("401 Unauthorized", "", "who?"), 401,
                          "credentials refused");
}

static void gone_closes(void **state)
{
    closes_within_a_batch(*state, ANSWER("410 Gone", "", ""), 410, "410 Gone");
}

/* ---- a clean stop --------------------------------------------------------------------------- */

/* On the CRM's thread: the run is stopped before that request is answered. */
struct stopper {
    struct pushworld *p;
    size_t at, n; /* that request, from 1; how many came */
};

static void stop_before_answer(void *ctx, const char *request)
{
    struct stopper *s = ctx;
    (void)request;
    if (++s->n == s->at)
        sink_push.stop(s->p->o.w.sink, 60000);
}

static enum rc note_delivery(void *ctx, const struct state_delivery *d, struct err *e)
{
    struct buf *all = ctx;
    (void)e;
    buf_addf(all, "%s\n", d->answer.ptr ? "" : "unanswered");
    buf_add_str(all, d->answer);
    return RC_OK;
}

static void expect_recorded(struct pushworld *p, const char *want)
{
    struct buf all;
    struct err e;
    buf_init(&all, 65536);
    assert_int_equal(state_each_delivery(p->o.state, p->o.w.cfg.index, note_delivery, &all, &e),
                     RC_OK);
    assert_string_equal(buf_cstr(&all), want);
    buf_free(&all);
}

/* The first half is answered when the run is stopped: the second becomes a delivery of its own, and the run that
 * resumes sends it, once, as it was. */
static void a_stop_within_a_batch(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    struct stopper stopper = {.p = p, .at = 2};
    w->stub.received = stop_before_answer;
    w->stub.ctx = &stopper;
    w->stub.answers[0] = REFUSED;
    w->stub.answers[1] =
        OK_ANSWER("{\"r\":[\"1\"],\"e\":[{\"id\":\"0\",\"code\":\"NO\",\"m\":\"bad\"}]}");
    w->stub.answers[2] = OK_ANSWER("{\"r\":[\"2\",\"3\"]}");
    w->stub.answers[3] = OK_ANSWER("{\"r\":[\"4\"]}");
    push_destination(p, PUSH_BATCH(4), PUSH_ITEM, PUSH_ANSWER ",\"bisect_on\":[400]");
    out_begin(&p->o);
    world_put(w, 0, 5);
    wait_settled(w, 0, 4);
    out_mark(&p->o);
    out_finish(&p->o);
    expect_failed(p, 0, 200, "NO", "bad");
    expect_settled(w, 1, 1, VERDICT_ACCEPTED, 200, "");
    expect_pending(p, 2, 3);
    assert_int_equal(w->stub.n, 2);
    expect_recorded(p, "\neach:4:22:failed:200:2:2:NO3:bad19:accepted:200:2:-:-:"
                       "16:moved:200:1:-:-:16:moved:200:1:-:-:unanswered\n");
    assert_int_equal(w->result.delivered, 1);
    assert_int_equal(w->result.failed, 1);
    state_close(p->o.state);
    out_resume(&p->o, 5);
    out_end(&p->o);
    assert_int_equal(w->settled[0].n + w->settled[1].n, 0); /* they had their verdict */
    expect_settled(w, 2, 3, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->stub.n, 4);
    expect_body(w, 2, "{\"in\":[{\"id\":\"2\"},{\"id\":\"3\"}]}");
    expect_body(w, 3, "{\"in\":[{\"id\":\"4\"}]}");
    assert_int_equal(w->result.delivered, 4);
    assert_int_equal(w->result.failed, 1);
}

/* No answer within the grace, and again: the rest of the rest. */
static void stops_within_a_rest(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    w->stub.answers[0] = REFUSED;
    w->stub.answers[1] = OK_ANSWER("{\"r\":[\"0\",\"1\"]}");
    w->stub.answers[2] = STUB_HOLD;
    w->stub.answers[3] = REFUSED;
    w->stub.answers[4] = OK_ANSWER("{\"r\":[\"2\"]}");
    w->stub.answers[5] = STUB_HOLD;
    w->stub.answers[6] = OK_ANSWER("{\"r\":[\"3\"]}");
    push_destination(p, PUSH_BATCH(4), PUSH_ITEM, PUSH_ANSWER ",\"bisect_on\":[400]");
    out_begin(&p->o);
    world_put(w, 0, 4);
    stub_wait(&w->stub, 3);
    sink_push.stop(w->sink, 1);
    out_finish(&p->o);
    expect_settled(w, 0, 2, VERDICT_ACCEPTED, 200, "");
    expect_pending(p, 2, 2);
    state_close(p->o.state);
    out_resume(&p->o, 3); /* number 3 was not done: it comes again */
    world_put(w, 3, 1);
    stub_wait(&w->stub, 6);
    sink_push.stop(w->sink, 1);
    out_finish(&p->o);
    expect_settled(w, 2, 1, VERDICT_ACCEPTED, 200, "");
    expect_pending(p, 3, 1);
    state_close(p->o.state);
    out_resume(&p->o, 4);
    out_end(&p->o);
    expect_settled(w, 3, 1, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->settled[0].n + w->settled[1].n + w->settled[2].n, 0);
    assert_int_equal(w->stub.n, 7);
    expect_body(w, 6, "{\"in\":[{\"id\":\"3\"}]}");
    assert_int_equal(w->result.delivered, 4);
    assert_int_equal(w->result.failed, 0);
}

/* Answers that ask for another try when there will be none in this run: nobody has failed. */
static void stopped_before(struct pushworld *p, bool by_oauth2, size_t at, const char *answer)
{
    struct world *w = &p->o.w;
    struct stopper stopper = {.p = p, .at = at};
    w->stub.received = stop_before_answer;
    w->stub.ctx = &stopper;
    w->stub.answers[0] = OK_ANSWER("{\"access_token\":\"t\"}"); /* unless at == 1 */
    w->stub.answers[at - 1] = answer;
    if (by_oauth2)
        push_oauth2(p, PUSH_ANSWER);
    else
        push_destination(p, "", PUSH_ITEM, PUSH_ANSWER);
    out_begin(&p->o);
    world_put(w, 0, 2);
    out_end(&p->o);
    expect_pending(p, 0, 2);
    assert_int_equal(w->stub.n, at);
    expect_recorded(p, "unanswered\nunanswered\n");
}

static void a_limit_when_stopped(void **state)
{
    stopped_before(*state, false, 1, ANSWER("403 Forbidden", "", "{\"code\":\"LIMIT\"}"));
}

static void a_lock_when_stopped(void **state)
{
    stopped_before(*state, false, 1, OK_ANSWER("{\"e\":{\"id\":\"0\",\"code\":\"LOCKED\"}}"));
}

static void a_429_when_stopped(void **state)
{
    stopped_before(*state, false, 1, ANSWER("429 Too Many Requests", "", ""));
}

static void a_token_that_expired_when_stopped(void **state)
{
    stopped_before(*state, true, 2, ANSWER("401 Unauthorized", "", ""));
}

/* Without a token nothing could be sent: whoever waits for one is not waited for. */
static void stopped_while_there_is_no_token(void **state)
{
    stopped_before(*state, true, 1, STUB_HOLD);
}

/* ---- tokens --------------------------------------------------------------------------------- */

#define EACH_OK "{\"ok\":[200],\"unaccounted\":\"ok\""

/* One request, however many wait for it; another where it was refused, for all. */
static void one_token_for_all(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    size_t n_tokens = 0;
    w->stub.answers[0] = OK_ANSWER("{\"access_token\":\"first\",\"expires_in\":3600}");
    w->stub.answers[1] = ANSWER("401 Unauthorized", "", "");
    push_oauth2(p, EACH_OK);
    w->stub.answers[2] = OK_ANSWER("{\"access_token\":\"second\"}");
    out_begin(&p->o);
    world_put(w, 0, 8);
    out_end(&p->o);
    expect_settled(w, 0, 8, VERDICT_ACCEPTED, 200, "");
    for (size_t i = 0; i < w->stub.n; i++)
        n_tokens += strstr(w->stub.requests[i], "/token") != NULL;
    assert_int_equal(n_tokens, 2);
    assert_int_equal(w->stub.n, 2 + 1 + 8);
    assert_string_equal(stub_body(w->stub.requests[0]),
                        "grant_type=client_credentials&client_id=i%26d&client_secret=s%20e");
    assert_string_equal(stub_header(w->stub.requests[1], "authorization"), "Bearer first");
    for (size_t i = 3; i < w->stub.n; i++)
        assert_string_equal(stub_header(w->stub.requests[i], "authorization"), "Bearer second");
}

static void many_wait_for_one_token(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    size_t n_tokens = 0;
    w->stub.answers[0] = OK_ANSWER("{\"access_token\":\"t\"}");
    p->opts.concurrency = 4;
    push_oauth2(p, EACH_OK);
    out_begin(&p->o);
    state_hold(p->o.state); /* all go out at once */
    world_put(w, 0, 8);
    state_release(p->o.state);
    out_end(&p->o);
    expect_settled(w, 0, 8, VERDICT_ACCEPTED, 200, "");
    for (size_t i = 0; i < w->stub.n; i++)
        n_tokens += strstr(w->stub.requests[i], "/token") != NULL;
    assert_int_equal(n_tokens, 1);
    assert_int_equal(w->stub.n, 9);
}

/* The messages that wait for it fail, and none is sent. */
static void no_token(struct pushworld *p, const char *answer, const char *code, const char *error)
{
    struct world *w = &p->o.w;
    w->stub.answers[0] = answer;
    push_oauth2(p, EACH_OK);
    out_begin(&p->o);
    world_put(w, 0, 4);
    out_end(&p->o);
    for (size_t i = 0; i < 4; i++)
        expect_failed(p, i, 0, code, error);
    assert_int_equal(w->stub.n, 1);
    assert_int_equal(w->result.failed, 0); /* none was sent */
}

static void a_token_is_refused(void **state)
{
    no_token(*state,
             ANSWER("400 Bad Request", "",
                    "{\"error\":\"invalid_client\",\"error_description\":\"no s%20e\"}"),
             "http_400", "no access token: the token server returned 400: invalid_client");
}

static void a_token_cannot_be_read(void **state)
{
    no_token(*state, OK_ANSWER("{\"access_token\":\"a b\"}"), "http_200", "visible ASCII");
}

/* Every token is: after a few of them the sink closes. */
static void new_tokens_are_refused_too(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    for (size_t i = 0; i < STUB_REQUESTS_MAX; i += 2) {
        w->stub.answers[i] = OK_ANSWER("{\"access_token\":\"t\"}");
        w->stub.answers[i + 1] = ANSWER("401 Unauthorized", "", "t is unknown");
    }
    push_oauth2(p, EACH_OK);
    out_begin(&p->o);
    world_put(w, 0, 2);
    out_end(&p->o);
    expect_failed(p, 0, 401, "http_401", "credentials refused");
    expect_failed(p, 1, 0, "http_401", "credentials refused");
    assert_in_range(w->stub.n, 4, 22);
    assert_int_equal(w->settled[0].attempts, w->stub.n / 2);
}

/* ---- another destination -------------------------------------------------------------------- */

static void expect_not_resumed(struct pushworld *p, const char *text)
{
    struct err e;
    out_open_state(&p->o);
    p->o.w.wall_ms += 3600000;
    assert_int_equal(out_open(&p->o, &e), RC_USAGE);
    if (!strstr(e.msg, text))
        fail_msg("%s", e.msg);
}

/* A delivery that has no answer was made by the destination as it was. */
static void another_destination_and_a_delivery(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    w->stub.answers[0] = STUB_HOLD;
    push_destination(p, "", PUSH_ITEM, PUSH_ANSWER);
    out_begin(&p->o);
    world_put(w, 0, 1);
    stub_wait(&w->stub, 1);
    sink_push.stop(w->sink, 1);
    out_finish(&p->o);
    state_close(p->o.state);
    push_destination(p, "", "{\"id\":{\"$field\":\"lead_id\"},\"x\":1}", PUSH_ANSWER);
    expect_not_resumed(p, "a delivery in the state was made with another configuration");
    stub_end(&w->stub);
}

static void another_destination_and_a_mark(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    push_destination(p, PUSH_BATCH(3), PUSH_ITEM, PUSH_ANSWER);
    out_begin(&p->o);
    world_put(w, 0, 2);
    out_mark(&p->o);
    sink_push.stop(w->sink, 1);
    out_finish(&p->o);
    state_close(p->o.state);
    push_destination(p, PUSH_BATCH(2), PUSH_ITEM, PUSH_ANSWER);
    expect_not_resumed(p, "the destination or its parameters have changed since the run began");
    stub_end(&w->stub);
}

/* ---- items that must not meet --------------------------------------------------------------- */

static void alike_items_go_into_the_next(void **state)
{
    struct pushworld *p = *state;
    struct world *w = &p->o.w;
    push_destination(
        p, "\"batch\":{\"max_items\":3,\"unique_by\":\"/k\"},\"body\":{\"in\":{\"$items\":true}},",
        "{\"k\":{\"$payload\":\"/k\"},\"id\":{\"$field\":\"lead_id\"}}", EACH_OK);
    out_begin(&p->o);
    world_put(w, 0, 2);
    world_put(w, 3, 2);
    out_mark(&p->o);
    sink_push.stop(w->sink, 1);
    out_finish(&p->o);
    expect_pending(p, 0, 2);
    expect_pending(p, 3, 2);
    state_close(p->o.state);
    out_resume(&p->o, 5); /* with two batches */
    world_put(w, 6, 1);   /* like 0 and 3 */
    world_put(w, 2, 1);
    world_put(w, 5, 1);
    out_end(&p->o);
    for (size_t i = 0; i < 7; i++)
        expect_settled(w, i, 1, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->stub.n, 3);
    expect_body(
        w, 0,
        "{\"in\":[{\"k\":\"0\",\"id\":\"0\"},{\"k\":\"1\",\"id\":\"1\"},{\"k\":\"2\",\"id\":\"2\"}]}");
    expect_body(
        w, 1,
        "{\"in\":[{\"k\":\"0\",\"id\":\"3\"},{\"k\":\"1\",\"id\":\"4\"},{\"k\":\"2\",\"id\":\"5\"}]}");
    expect_body(w, 2, "{\"in\":[{\"k\":\"0\",\"id\":\"6\"}]}");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, push_enter, push_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_bad_item_is_found),
        CASE(all_items_are_bad),
        CASE(what_is_locked_goes_again_alone),
        CASE(what_stays_locked_fails),
        CASE(refused_credentials_close),
        CASE(gone_closes),
        CASE(a_stop_within_a_batch),
        CASE(stops_within_a_rest),
        CASE(a_limit_when_stopped),
        CASE(a_lock_when_stopped),
        CASE(a_429_when_stopped),
        CASE(a_token_that_expired_when_stopped),
        CASE(stopped_while_there_is_no_token),
        CASE(one_token_for_all),
        CASE(many_wait_for_one_token),
        CASE(a_token_is_refused),
        CASE(a_token_cannot_be_read),
        CASE(new_tokens_are_refused_too),
        CASE(another_destination_and_a_delivery),
        CASE(another_destination_and_a_mark),
        CASE(alike_items_go_into_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
