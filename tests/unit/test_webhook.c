/* The webhook sink against a receiver on loopback. */
#include "sinks/delivery/message_id.h"
#include "sinks/registry.h"
#include "webhook_world.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static int enter(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return -1;
    world_init(w);
    *state = w;
    return 0;
}

static int leave(void **state)
{
    world_destroy(*state);
    free(*state);
    return 0;
}

/* ---- messages ---- */

static void one_message_a_lead(void **state)
{
    struct world *w = *state;
    assert_int_equal(setenv("TEST_WEBHOOK_SECRET", SECRET, 1), 0);
    w->opts.secret_env = "TEST_WEBHOOK_SECRET";
    world_begin(w);
    world_put(w, 0, 2);
    world_end(w);
    expect_settled(w, 0, 2, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->stub.n, 2);
    expect_body(w, 0, ONE DATA("0") "}");
    expect_body(w, 1, ONE DATA("1") "}");
    const char *request = w->stub.requests[0];
    assert_memory_equal(request, "POST /hook HTTP/1.1\r\n", 21);
    assert_string_equal(stub_header(request, "content-type"), "application/json");
    assert_string_equal(stub_header(request, "user-agent"), "leadpipe/test");
    assert_string_equal(stub_header(request, "webhook-timestamp"), "1614265330");
    struct webhook_secrets *secrets;
    struct buf signature;
    buf_init(&signature, 4096);
    assert_int_equal(webhook_secrets_parse(&secrets, STR(SECRET), "test", NULL), RC_OK);
    assert_int_equal(webhook_sign(secrets, stub_header(request, "webhook-id"), 1614265330,
                                  str_c(stub_body(request)), &signature),
                     RC_OK);
    assert_string_equal(stub_header(request, "webhook-signature"), buf_cstr(&signature));
    webhook_secrets_free(secrets);
    buf_free(&signature);
    assert_true(w->result.is_delivery);
    assert_int_equal(w->result.deliveries, 2);
    assert_int_equal(w->result.delivered, 2);
    assert_int_equal(w->result.failed, 0);
    assert_int_equal(w->stub.n, 2);
}

static void batches_do_not_depend_on_calls(void **state)
{
    struct world *w = *state;
    w->opts.batch = 3;
    world_begin(w);
    world_put(w, 0, 2);
    world_put(w, 2, 2);
    wait_settled(w, 0, 3);
    expect_settled(w, 0, 3, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->settled[3].n, 0); /* waits for the rest of its batch */
    world_put(w, 4, 3);
    world_end(w);
    expect_settled(w, 0, 7, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->stub.n, 3);
    expect_body(w, 0, MANY DATA("0") "," DATA("1") "," DATA("2") "]}");
    expect_body(w, 1, MANY DATA("3") "," DATA("4") "," DATA("5") "]}");
    expect_body(w, 2, MANY DATA("6") "]}");
    assert_string_equal(stub_header(w->stub.requests[0], "webhook-signature"), "");
    assert_int_equal(w->result.deliveries, 3);
}

static void several_at_once(void **state)
{
    struct world *w = *state;
    w->opts.concurrency = 4;
    w->stub.answers[5] = ANSWER("400 No", "", "");
    world_begin(w);
    for (size_t i = 0; i < LEADS; i++)
        world_put(w, i, 1);
    world_end(w);
    assert_int_equal(w->stub.n, LEADS);
    assert_int_equal(w->result.delivered, LEADS - 1);
    assert_int_equal(w->result.failed, 1);
    for (size_t i = 0; i < LEADS; i++)
        assert_int_equal(w->settled[i].n, 1);
}

static void the_columns_of_a_lead(void **state)
{
    struct world *w = *state;
    w->opts.layout = 0;
    w->opts.type = "crm.lead";
    w->leads[0].tables = w->sample.rows;
    world_begin(w);
    world_put(w, 0, 1);
    world_end(w);
    expect_body(
        w, 0,
        "{\"type\":\"crm.lead\",\"timestamp\":\"" TIME
        "\",\"data\":{\"provider\":\"acme\",\"lead_id\":\"0\",\"agent_id\":\"a-1\",\"id\":\"L-1\","
        "\"name\":\"Zo\xc3\xab \\\"Z\\\"\\n\",\"score\":1.10,\"is_test\":true,"
        "\"colour\":{\"b\":[1,-0,\"x\"],\"a\":{}},\"si\\\"ze\":null,"
        "\"notes\":[{\"position\":0,\"text\":\"\"},{\"position\":1,\"shade\":false}]}}");
}

/* The ids of a run of leads 0 to 3 against one receiver. */
static void run_for_ids(struct world *w, char ids[4][MESSAGE_ID_SIZE])
{
    world_begin(w);
    world_put(w, 0, 4);
    struct err e;
    assert_int_equal(sink_webhook.prepare(w->sink, NULL, &e), RC_OK);
    sink_webhook.close(w->sink);
    size_t n = w->opts.batch == 1 ? 4 : 2;
    pthread_mutex_lock(&w->stub.lock);
    assert_true(w->stub.n >= n);
    for (size_t i = 0; i < n; i++)
        (void)snprintf(ids[i], MESSAGE_ID_SIZE, "%s",
                       stub_header(w->stub.requests[w->stub.n - n + i], "webhook-id"));
    pthread_mutex_unlock(&w->stub.lock);
}

static void ids_follow_the_content(void **state)
{
    struct world *w = *state;
    char first[4][MESSAGE_ID_SIZE], again[4][MESSAGE_ID_SIZE], other[4][MESSAGE_ID_SIZE];
    run_for_ids(w, first);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(first[i], first[k]);
    run_for_ids(w, again);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(first[i], again[i]);
    w->leads[1].fingerprint[31] ^= 1;
    w->sample.param_values[0] = STR("a-2");
    w->leads[2].params = w->sample.params;
    run_for_ids(w, other);
    for (size_t i = 0; i < 4; i++)
        assert_string_not_equal(first[i], other[i]);
    w->sample.param_values[0] = STR("a-1");
    run_for_ids(w, other);
    assert_string_equal(first[0], other[0]);
    assert_string_not_equal(first[1], other[1]);
    assert_string_not_equal(first[2], other[2]);
    assert_string_equal(first[3], other[3]);
    w->opts.type = "x";
    run_for_ids(w, other);
    assert_string_not_equal(first[0], other[0]);
    w->opts.type = NULL;
    w->opts.batch = 2;
    run_for_ids(w, other);
    assert_string_not_equal(first[0], other[0]);
    stub_end(&w->stub);
}

/* ---- answers ---- */

static void a_second_try_is_the_same_message(void **state)
{
    struct world *w = *state;
    w->stub.answers[0] = ANSWER("500 Oops", "", "");
    world_begin(w);
    world_put(w, 0, 1);
    world_end(w);
    expect_settled(w, 0, 1, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->settled[0].attempts, 2);
    assert_int_equal(w->stub.n, 2);
    expect_body(w, 1, stub_body(w->stub.requests[0]));
    assert_string_equal(stub_header(w->stub.requests[0], "webhook-id"),
                        stub_header(w->stub.requests[1], "webhook-id"));
}

static void refusals_fail_their_leads(void **state)
{
    struct world *w = *state;
    w->opts.batch = 2;
    w->stub.answers[0] = ANSWER("422 No", "", "{\"error\":\"no such field\"}");
    w->stub.answers[2] = ANSWER("302 Found", "Location: https://evil.example/x\r\n", "");
    world_begin(w);
    world_put(w, 0, 6);
    world_end(w);
    expect_settled(w, 0, 2, VERDICT_FAILED, 422, "returned 422: {\"error\":\"no such field\"}");
    expect_settled(w, 2, 2, VERDICT_ACCEPTED, 200, "");
    expect_settled(w, 4, 2, VERDICT_FAILED, 302, "evil.example");
    assert_string_equal(w->settled[0].code, "http_422");
    assert_string_equal(w->settled[4].code, "redirect");
    assert_int_equal(w->stub.n, 3);
    assert_int_equal(w->result.delivered, 1);
    assert_int_equal(w->result.failed, 2);
}

static void gone_closes_the_sink(void **state)
{
    struct world *w = *state;
    w->stub.answers[1] = ANSWER("410 Gone", "", "");
    world_begin(w);
    world_put(w, 0, 2);
    wait_settled(w, 1, 1);
    world_put(w, 2, LEADS - 2);
    world_end(w);
    expect_settled(w, 0, 1, VERDICT_ACCEPTED, 200, "");
    expect_settled(w, 1, 1, VERDICT_FAILED, 410, "the receiver returned 410 Gone");
    expect_settled(w, 2, LEADS - 2, VERDICT_FAILED, 0, "the receiver returned 410 Gone");
    assert_int_equal(w->stub.n, 2);
}

static void gone_while_more_is_on_its_way(void **state)
{
    struct world *w = *state;
    w->stub.answers[0] = ANSWER("410 Gone", "", "");
    world_begin(w);
    world_put(w, 0, LEADS); /* waits for room, and must not wait for ever */
    world_end(w);
    expect_settled(w, 0, 1, VERDICT_FAILED, 410, "410 Gone");
    for (size_t i = 1; i < LEADS; i++)
        expect_settled(w, i, 1, VERDICT_FAILED, 0, "410 Gone");
    assert_int_equal(w->stub.n, 1);
}

static void a_large_answer_does_no_harm(void **state)
{
    struct world *w = *state;
    size_t len = 300000;
    char *answer = malloc(len + 1);
    assert_non_null(answer);
    memset(answer, 'x', len);
    answer[len] = '\0';
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    memcpy(answer, head, sizeof head - 1);
    w->stub.answers[0] = answer;
    world_begin(w);
    world_put(w, 0, 1);
    world_end(w);
    expect_settled(w, 0, 1, VERDICT_ACCEPTED, 200, "");
    assert_int_equal(w->stub.n, 1);
    free(answer);
}

/* ---- stopping ---- */

static void a_stopped_sink_leaves_leads_pending(void **state)
{
    struct world *w = *state;
    w->opts.batch = 2;
    w->stub.answers[0] = STUB_HOLD;
    world_begin(w);
    world_put(w, 0, 7);
    sink_webhook.stop(w->sink, 10000);
    world_put(w, 7, 2);
    sink_webhook.stop(w->sink, 0);
    world_end(w);
    expect_settled(w, 0, 9, VERDICT_PENDING, 0, "");
    assert_int_equal(w->result.deliveries, 0);
}

static void closing_without_an_end(void **state)
{
    struct world *w = *state;
    w->opts.batch = 2;
    w->stub.answers[0] = STUB_HOLD;
    world_begin(w);
    world_put(w, 0, 5);
    sink_webhook.close(w->sink);
    stub_end(&w->stub);
    expect_settled(w, 0, 5, VERDICT_PENDING, 0, "");
}

static void nothing_at_all(void **state)
{
    struct world *w = *state;
    world_begin(w);
    world_end(w);
    assert_int_equal(w->stub.n, 0);
    assert_int_equal(w->result.deliveries, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_message_a_lead),
        CASE(batches_do_not_depend_on_calls),
        CASE(several_at_once),
        CASE(the_columns_of_a_lead),
        CASE(ids_follow_the_content),
        CASE(a_second_try_is_the_same_message),
        CASE(refusals_fail_their_leads),
        CASE(gone_closes_the_sink),
        CASE(gone_while_more_is_on_its_way),
        CASE(a_large_answer_does_no_harm),
        CASE(a_stopped_sink_leaves_leads_pending),
        CASE(closing_without_an_end),
        CASE(nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
