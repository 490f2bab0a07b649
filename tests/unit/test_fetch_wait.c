/* Leads whose payload was in the state, and that are requested after all: they count as requests of the
 * run from then on. */
#include "core/run/fetcher.h"
#include "run_world.h"

#define LEADS 3
#define STALE 1000 /* the ordinals of requests whose memory is used again */

struct fetch_world {
    struct run_world w;
    struct run_cfg cfg;
    struct fetcher f; /* without an engine */
    struct lead *leads[LEADS];
};

static struct lead *lead_of(struct fetch_world *fw, unsigned i)
{
    char id[16];
    (void)snprintf(id, sizeof id, "id-%u", i);
    struct lead *lead = run_lead_new(str_c(id), NULL, 0);
    struct err e = {0};
    assert_non_null(lead);
    lead->seq = i;
    ring_reserve(fw->f.ring, lead);
    if (fetcher_make_request(&fw->f, lead, &e) != RC_OK)
        fail_msg("%s", e.msg);
    return lead;
}

/* The pool has requests that an earlier lead used. */
static void use_requests(struct fetch_world *fw)
{
    struct lead *used[LEADS];
    for (unsigned i = 0; i < LEADS; i++) {
        used[i] = run_lead_new(STR("used"), NULL, 0);
        assert_non_null(used[i]);
        used[i]->run->request = request_pool_take(fw->f.requests, fw->cfg.max_body);
        assert_non_null(used[i]->run->request);
        used[i]->run->request->ordinal = STALE + i;
    }
    request_pool_give(fw->f.requests, used, LEADS);
    for (unsigned i = 0; i < LEADS; i++)
        lead_free(used[i]);
}

static struct fetch_world *fetch_world_new(void)
{
    struct fetch_world *fw = calloc(1, sizeof *fw);
    assert_non_null(fw);
    run_world_init(&fw->w, NULL);
    fw->cfg = (struct run_cfg){
        .profile = fw->w.profile,
        .base_url = "http://127.0.0.1:1",
        .credential_source = "a file",
        .max_body = 1 << 20,
        .order = ORDER_INPUT,
    };
    fw->f = (struct fetcher){.cfg = &fw->cfg, .control = &fw->w.control, .memory = &fw->w.memory};
    assert_int_equal(request_pool_new(&fw->f.requests), RC_OK);
    assert_int_equal(ring_new(&fw->f.ring, 16, true), RC_OK);
    assert_int_equal(queue_new(&fw->f.back, 16), RC_OK);
    use_requests(fw);
    for (unsigned i = 0; i < LEADS; i++)
        fw->leads[i] = lead_of(fw, i);
    return fw;
}

static void fetch_world_free(struct fetch_world *fw)
{
    ring_free(fw->f.ring);
    queue_free(fw->f.back);
    request_pool_free(fw->f.requests);
    run_world_free(&fw->w);
    free(fw);
}

/* As resume_take_buffered() and fetch_hand_over() leave a lead. */
static void give_body(struct fetch_world *fw, struct lead *lead, const char *body)
{
    lead->http_status = 200;
    buf_init(&lead->body, fw->cfg.max_body);
    buf_adds(&lead->body, body);
    memory_hold(fw->f.memory, lead, lead->body.cap);
    memory_charge_as(fw->f.memory, lead, lead->body.cap);
}

static void give_body_up(struct fetch_world *fw, struct lead *lead)
{
    buf_free(&lead->body);
    memory_hold(fw->f.memory, lead, 0);
    memory_charge_as(fw->f.memory, lead, 0);
}

/* The engine asks for the next one of those that wait. */
static struct lead *next_request(struct fetch_world *fw)
{
    struct http_request *http = NULL;
    struct lead *ready = NULL;
    assert_true(fetch_next_waiting(&fw->f, &ready, &http));
    assert_null(ready);
    assert_non_null(http);
    return http->owner;
}

static void answer(struct fetch_world *fw, struct lead *lead, int status)
{
    struct http_request *http = &lead->run->request->http;
    http->end = HTTP_ANSWERED;
    http->status = status;
    http->attempts = 1;
    http->done(&fw->f, http);
}

/* Why they are requested although their payloads were in the state. */
enum reason { GAVE_ITS_MEMORY_UP, WAS_NO_JSON };

static void come_back(struct fetch_world *fw, struct lead *lead, enum reason reason)
{
    if (reason == GAVE_ITS_MEMORY_UP) {
        give_body_up(fw, lead);
        lead->run->memory.waits = true;
    } else {
        lead_fail(lead, STAGE_PARSE, "not_json", "the response is no JSON");
    }
    assert_int_equal(queue_push(fw->f.back, (void **)&lead, 1, NULL), RC_OK);
    fetch_take_back(&fw->f);
    assert_int_equal(lead->run->outcome, OUTCOME_PENDING);
    assert_int_equal(lead->body.cap, 0);
}

static void all_are_refused(enum reason reason)
{
    struct fetch_world *fw = fetch_world_new();
    for (unsigned i = 0; i < LEADS; i++)
        give_body(fw, fw->leads[i], "no JSON");
    for (unsigned i = 0; i < LEADS; i++)
        come_back(fw, fw->leads[i], reason);
    for (unsigned i = 0; i < LEADS; i++) {
        struct lead *lead = next_request(fw);
        assert_ptr_equal(lead, fw->leads[i]);
        assert_int_equal(lead->run->request->ordinal, i);
        /* what ended for want of memory is counted once */
        assert_ptr_equal(fetcher_count_request(&fw->f, lead), &lead->run->request->http);
        assert_int_equal(fw->f.requested, i + 1);
        memory_end_exclusive(fw->f.memory, lead);
    }
    for (unsigned i = 0; i < LEADS; i++)
        answer(fw, fw->leads[i], 401);
    expect_error(&fw->w, RC_AUTH, "credentials refused");
    fetch_world_free(fw);
}

/* The first requests of the run are all refused: it is about the key, and the run ends. */
static void leads_that_gave_their_memory_up(void **state)
{
    (void)state;
    all_are_refused(GAVE_ITS_MEMORY_UP);
}

static void leads_whose_stored_payload_is_no_json(void **state)
{
    (void)state;
    all_are_refused(WAS_NO_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_that_gave_their_memory_up),
        cmocka_unit_test(leads_whose_stored_payload_is_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
