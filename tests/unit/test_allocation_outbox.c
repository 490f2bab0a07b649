/* Going on with a webhook's deliveries, with every single allocation refused. */
#include "state_answers.h"
#include "allocation_sweep.h"

#include <stdio.h>

#include "core/state/state.h"
#include "folder.h"
#include "lead_sample.h"
#include "sinks/webhook/batch.h"
#include "core/base/blob.h"
#include "sinks/delivery/lead_text.h"
#include "sinks/delivery/recorded.h"
#include "sinks/webhook/webhook_config.h"

#define N_LEADS 4
#define N_DELIVERIES 2
#define N_EACH 2

struct world {
    struct sample sample;
    struct unacked_lead notes[N_LEADS];
    struct lead leads[N_LEADS];
    char path[96];
    int64_t unanswered; /* the row of that delivery */
    int64_t astray;     /* blocks that seem to be left by opening and closing the state */
};

static enum rc unacked(void *ctx, struct sink *sink, const struct unacked_lead *lead,
                       const struct lead **out, struct err *e)
{
    struct world *w = ctx;
    (void)sink;
    (void)e;
    *out = lead->seq % 2 ? &w->leads[lead->seq] : NULL;
    return RC_OK;
}

static enum rc sent(void *ctx, struct sink *sink, uint64_t seq, struct err *e)
{
    (void)ctx;
    (void)sink;
    (void)seq;
    (void)e;
    return RC_OK;
}

static struct state *open_state(const struct world *w)
{
    const struct state_cfg cfg = {.path = w->path};
    struct state *state = NULL;
    struct err e;
    assert_int_equal(state_open(&state, &cfg, &e), RC_OK);
    return state;
}

/* A sanitizer's realpath() takes memory that malloc() does not see, and free() does. */
static void count_astray(struct world *w)
{
    state_close(open_state(w)); /* SQLite sets itself up */
    int64_t before = memory.blocks;
    state_close(open_state(w));
    w->astray = memory.blocks - before;
}

/* What is in the state: one delivery that was answered, and one that was not. */
static void record_deliveries(struct world *w)
{
    const struct state_setting term = {STR("provider"), STR("acme")};
    struct state *state = open_state(w);
    struct err e;
    int64_t rows[N_DELIVERIES];
    assert_int_equal(state_begin(state, "0123456789abcdef0123456789abcdef", 1, &term, 1, &e),
                     RC_OK);
    for (size_t i = 0; i < N_DELIVERIES; i++) {
        struct buf leads;
        buf_init(&leads, 4096);
        for (size_t k = 0; k < N_EACH; k++)
            lead_text_put(&leads, &w->notes[i * N_EACH + k], w->sample.profile.n_params);
        const struct state_delivery delivery = {
            .id = STR("msg_0123456789abcdef0123456789abcdef"),
            .leads = buf_str(&leads),
            .body = STR("{\"a\":[1,2,3]}"),
        };
        assert_int_equal(
            state_add_delivery(state, 0, &delivery, (i + 1) * N_EACH - 1, &rows[i], &e), RC_OK);
        buf_free(&leads);
    }
    assert_int_equal(
        state_answer(state, rows[0], ONE_FAILED, STR("failed:422:1:8:http_4222:no"), &e), RC_OK);
    w->unanswered = rows[1];
    state_close(state);
}

static int enter(void **state)
{
    static struct world w;
    w = (struct world){.unanswered = 0};
    assert_true(sample_init(&w.sample));
    for (size_t i = 0; i < N_LEADS; i++)
        w.notes[i] = (struct unacked_lead){i, STR("L-1"), w.sample.param_values,
                                           (const void *)"the thirty-two bytes of a digest"};
    assert_true(folder_make());
    (void)snprintf(w.path, sizeof w.path, "%s/state", folder);
    record_deliveries(&w);
    count_astray(&w);
    *state = &w;
    return 0;
}

static int leave(void **state)
{
    struct world *w = *state;
    sample_free(&w->sample);
    return folder_remove() ? 0 : -1;
}

/* ---- recorded deliveries -------------------------------------------------------------------- */

struct recorded_work {
    struct world *world;
    struct state *state;
    struct recorded_set *set;
    struct buf body; /* of the one that was not answered */
};

static void recorded_begin(void *ctx)
{
    struct recorded_work *w = ctx;
    w->set = NULL;
    buf_init(&w->body, 4096);
    w->state = open_state(w->world);
}

static enum rc recorded_run(void *ctx, struct err *e)
{
    struct recorded_work *w = ctx;
    const struct recorded_cfg cfg = {
        .host = {.ctx = w->world, .unacked = unacked, .sent = sent},
        .state = w->state,
        .n_params = w->world->sample.profile.n_params,
        .body_max = 4096,
        .subject = "webhook:SPEC",
    };
    enum rc rc = recorded_load(&w->set, &cfg, e);
    if (rc == RC_OK)
        rc = recorded_claim(w->set, e);
    if (rc == RC_OK)
        rc = state_delivery_body(w->state, w->world->unanswered, &w->body, e);
    return rc;
}

static void recorded_end(void *ctx, enum rc rc, struct buf *out)
{
    struct recorded_work *w = ctx;
    const struct verdict pending = {.kind = VERDICT_PENDING};
    for (struct recorded *r; w->set && (r = recorded_next(w->set));) {
        if (rc == RC_OK)
            buf_addf(out, "%s %zu " STR_FMT, r->envelope.id, r->envelope.n_leads,
                     STR_ARG(buf_str(&w->body)));
        recorded_settle(r, &(const struct verdicts){&pending, 1});
    }
    for (size_t i = 0; rc == RC_OK && i < N_LEADS; i++)
        buf_addf(out, " %d", recorded_has(w->set, &w->world->notes[i]));
    recorded_free(w->set);
    buf_free(&w->body);
    state_close(w->state);
    memory.blocks -= w->world->astray;
}

static void recorded_deliveries(void **state)
{
    struct recorded_work w = {.world = *state};
    sweep(&(struct work){"recorded deliveries", false, recorded_begin, recorded_run, recorded_end,
                         &w});
}

/* ---- a batch from a mark --------------------------------------------------------------------- */

struct batch_work {
    const struct world *world;
    struct buf mark;
    struct batch batch;
    struct batch_rest rest;
};

static void batch_work_begin(void *ctx)
{
    struct batch_work *w = ctx;
    w->batch = (struct batch){.writer = NULL};
    w->rest = (struct batch_rest){.n_leads = 0};
}

static enum rc batch_work_run(void *ctx, struct err *e)
{
    struct batch_work *w = ctx;
    const struct webhook_opts opts = {.batch = N_LEADS + 1, .layout = 1};
    const struct sink_cfg cfg = {
        .target = "http://127.0.0.1/",
        .opts = &opts,
        .profile = &w->world->sample.profile,
        .clock = &clock_system,
    };
    enum rc rc = batch_open(&w->batch, &cfg, e);
    if (rc != RC_OK)
        return rc;
    rc = batch_rest_take(&w->rest, &w->batch, buf_str(&w->mark));
    return rc == RC_OK ? rc : err_set(e, rc, "%s", rc_text(rc));
}

static void batch_work_end(void *ctx, enum rc rc, struct buf *out)
{
    struct batch_work *w = ctx;
    if (rc == RC_OK)
        buf_addf(out, "%zu " STR_FMT, w->rest.n_leads, STR_ARG(buf_str(&w->rest.body)));
    batch_rest_free(&w->rest);
    batch_close(&w->batch);
}

static void batches(void **state)
{
    static const char body[] = "{\"type\":\"leads.exported\",\"timestamp\":"
                               "\"2026-01-30T02:00:00.000Z\",\"data\":[1,2";
    struct batch_work w = {.world = *state};
    struct buf leads;
    buf_init(&leads, 4096);
    buf_init(&w.mark, 4096);
    for (size_t i = 0; i < N_LEADS; i++)
        lead_text_put(&leads, &w.world->notes[i], w.world->sample.profile.n_params);
    counted_put(&w.mark, buf_str(&leads));
    blob_put(&w.mark, body, sizeof body - 1);
    assert_int_equal(buf_rc(&w.mark), RC_OK);
    sweep(&(struct work){"a batch from a mark", false, batch_work_begin, batch_work_run,
                         batch_work_end, &w});
    buf_free(&leads);
    buf_free(&w.mark);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recorded_deliveries, enter, leave),
        cmocka_unit_test_setup_teardown(batches, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
