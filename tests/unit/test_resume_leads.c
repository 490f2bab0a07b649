#include "resume_world.h"

/* ---- restoring -------------------------------------------------------------------------------- */

static void columns_are_restored(void **state)
{
    struct command *c = *state;
    const struct state_column columns[] = {{.table = 0, .key = STR("first")},
                                           {.table = 0, .key = STR("Second One")}};
    struct state_checkpoint done = three_done;
    struct schema *schema = NULL;
    struct err e = {0};
    done.columns = columns;
    done.n_columns = 2;
    leave_unfinished(&done);
    OK(open_plan(c, &e));
    assert_int_equal(schema_new(&schema, c->w.profile, 100), RC_OK);
    OK(resume_restore(&c->p, schema, &e));
    assert_int_equal(schema_columns(schema, 0), 2);
    assert_str(schema_column(schema, 0, 0)->name, "first");
    assert_str(schema_column(schema, 0, 1)->name, "second_one");
    schema_free(schema);
    close_plan(c);
}

static void columns_that_do_not_fit(void **state)
{
    struct command *c = *state;
    static const struct state_column bad[] = {
        {.table = 0, .scope = 999, .key = STR_OF("a")},
        {.table = 999, .key = STR_OF("a")},
    };
    for (size_t i = 0; i < 2; i++) {
        struct state_checkpoint done = three_done;
        struct schema *schema = NULL;
        struct err e = {0};
        done.columns = &bad[i];
        done.n_columns = 1;
        leave_unfinished(&done);
        OK(open_plan(c, &e));
        assert_int_equal(schema_new(&schema, c->w.profile, 100), RC_OK);
        FAILS(resume_restore(&c->p, schema, &e), RC_USAGE, "s: is damaged");
        schema_free(schema);
        close_plan(c);
        remove_state("s");
    }
}

static void fail_seq(struct state *s, uint64_t seq, bool by_sink)
{
    char summary[64];
    struct err e = {0};
    (void)snprintf(summary, sizeof summary, "id-%llu: why", (unsigned long long)seq);
    OK(state_fail(s, seq, by_sink, STR("{}\n"), str_c(summary), &e));
}

/* Every lead that is done has one outcome; here nine of ten are, without number 3. */
/* Rows for `n` missing leads, from sequence number 9 down, without the gap. */
static void list_missing(struct state *s, uint64_t n, uint64_t gap)
{
    struct err e = {0};
    for (uint64_t seq = 9; n > 0; seq--) {
        if (seq == gap)
            continue;
        assert_int_equal(state_miss(s, seq, STR("{}\n"), &e), RC_OK);
        n--;
    }
}

static void outcomes_add_up(void **state)
{
    struct command *c = *state;
    static const uint64_t gaps[] = {3};
    static const struct {
        uint64_t handed, missing, unchanged;
        uint64_t failed[3], failed_by_sink[3]; /* sequence numbers, from 1 */
        bool add_up;
        int unlisted; /* missing leads whose row is not there; negative: rows of others */
    } cases[] = {
        {9, 0, 0, {0}, {0}, true, 0},
        {4, 3, 2, {0}, {0}, true, 0},
        {0, 0, 9, {0}, {0}, true, 0},
        {8, 0, 0, {1}, {0}, true, 0},
        {3, 2, 1, {1, 10, 5}, {0}, true, 0},
        {9, 0, 0, {0}, {1, 10}, true, 0},
        {1, 7, 0, {1}, {2}, true, 0},
        {9, 0, 0, {4, 11, 99}, {0}, true, 0}, /* of leads that are not done: they come once more */
        {8, 0, 0, {0}, {0}, false, 0},
        {9, 0, 0, {1}, {0}, false, 0},
        {8, 0, 0, {4}, {0}, false, 0},
        {0, 9, 0, {0}, {1}, false, 0}, /* it never came to a sink */
        {1, 8, 0, {0}, {1, 2}, false, 0},
        {4, 3, 2, {0}, {0}, false, 1},
        {4, 3, 2, {0}, {0}, false, 3},
        {4, 3, 2, {0}, {0}, false, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct state_setting settings[] = {{STR("--provider"), STR("omni")}};
        const struct state_checkpoint done = {.progress = {.high = 10,
                                                           .handed = cases[i].handed,
                                                           .missing = cases[i].missing,
                                                           .unchanged = cases[i].unchanged},
                                              .gaps = gaps,
                                              .n_gaps = 1,
                                              .marks = two_marks,
                                              .n_marks = SINKS};
        struct schema *schema = NULL;
        struct err e = {0};
        struct state *s = begin_old(settings, 1);
        for (size_t k = 0; k < 3; k++) {
            if (cases[i].failed[k])
                fail_seq(s, cases[i].failed[k] - 1, false);
            if (cases[i].failed_by_sink[k])
                fail_seq(s, cases[i].failed_by_sink[k] - 1, true);
        }
        list_missing(s, cases[i].missing - (uint64_t)cases[i].unlisted, 3);
        commit(s, &done);
        state_close(s);
        print_message("%zu\n", i);
        assert_int_equal(schema_new(&schema, c->w.profile, 100), RC_OK);
        OK(open_plan(c, &e));
        if (cases[i].add_up)
            OK(resume_restore(&c->p, schema, &e));
        else
            FAILS(resume_restore(&c->p, schema, &e), RC_USAGE, "do not add up");
        schema_free(schema);
        close_plan(c);
        remove_state("s");
    }
}

/* ---- leads that sinks have -------------------------------------------------------------------- */

static const unsigned char fingerprint[FINGERPRINT_BYTES] = {7, 8, 9};

static struct lead *take_unacked(struct command *c, uint64_t seq)
{
    char id[32];
    struct lead *lead = NULL;
    struct err e = {0};
    (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
    const struct unacked_lead unacked = {.seq = seq, .id = str_c(id), .fingerprint = fingerprint};
    OK(resume_unacked(&c->p, &unacked, &lead, &e));
    return lead;
}

/* Twelve leads are done without number 2: 5 went to the sinks, of which one failed number 5; one failed
 * before them (0), 2 are missing, 3 unchanged. */
static void leave_with_outcomes(void)
{
    static const uint64_t gaps[] = {2};
    const struct state_setting settings[] = {{STR("--provider"), STR("omni")}};
    const struct state_checkpoint done = {
        .progress = {.high = 12, .handed = 5, .missing = 2, .unchanged = 3},
        .gaps = gaps,
        .n_gaps = 1,
        .marks = two_marks,
        .n_marks = SINKS};
    struct state *s = begin_old(settings, 1);
    fail_seq(s, 5, true);
    fail_seq(s, 0, false);
    list_missing(s, 2, 2);
    commit(s, &done);
    state_close(s);
}

static void restore(struct command *c)
{
    struct schema *schema = NULL;
    struct err e = {0};
    assert_int_equal(schema_new(&schema, c->w.profile, 100), RC_OK);
    OK(open_plan(c, &e));
    OK(resume_restore(&c->p, schema, &e));
    schema_free(schema);
}

static void settle(struct command *c, struct lead *lead, unsigned sink, enum verdict_kind kind)
{
    const struct verdict v = {.kind = kind, .error = "refused"};
    outcome_settle(&c->w.outcomes, lead, sink, "webhook:there", &v);
}

static void what_the_ledger_begins_with(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    leave_with_outcomes();
    restore(c);
    OK(resume_count(&c->p, c->w.outcomes.ledger, &e));
    expect_counts(&c->w, 12,
                  "exported 4, unchanged 3, missing 2, failed 2 (1 by sinks), pending 1");
    assert_string_equal(ledger_first_failure(c->w.outcomes.ledger), "id-0: why");
    close_plan(c);
}

static enum rc add_row(void *rows, struct str row, struct err *e)
{
    (void)e;
    buf_add_str(rows, row);
    return RC_OK;
}

/* The rows of the failed list begin with `want`. */
static void expect_failures(struct state *s, const char *want)
{
    struct buf rows;
    struct err e = {0};
    buf_init(&rows, 1 << 20);
    OK(state_each_failure(s, add_row, &rows, &e));
    if (strncmp(buf_cstr(&rows), want, strlen(want)) != 0)
        fail_msg("%s, wanted %s", buf_cstr(&rows), want);
    buf_free(&rows);
}

static void leads_that_await_a_verdict(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    unsigned char key[LEAD_KEY_BYTES];
    leave_with_outcomes();
    restore(c);
    assert_null(take_unacked(c, 2)); /* not done: it comes once more */
    assert_null(take_unacked(c, 12));
    struct lead *nine = take_unacked(c, 9), *five = take_unacked(c, 5), *seven = take_unacked(c, 7);
    assert_non_null(nine);
    assert_int_equal(nine->seq, 9);
    assert_string_equal(nine->id.ptr, "id-9");
    run_world_key("id-9", key);
    assert_memory_equal(nine->key, key, sizeof key);
    assert_memory_equal(nine->fingerprint, fingerprint, sizeof fingerprint);
    assert_ptr_equal(take_unacked(c, 9), nine); /* of another sink: the same lead */
    assert_ptr_equal(take_unacked(c, 5), five);
    assert_int_equal(c->p.n_unacked, 3);
    assert_int_equal(c->p.unacked_failed, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c->p.unacked[i]->seq, 5 + 2 * i);
    struct ledger *plain = c->w.outcomes.ledger;
    const struct ledger_cfg cfg = {
        .profile = c->w.profile, .state = c->p.state, .clock = &c->w.clock};
    OK(ledger_new(&c->w.outcomes.ledger, &cfg, &e));
    OK(resume_count(&c->p, c->w.outcomes.ledger, &e));
    /* Number 5 has failed, whatever comes; of 7 and 9 nobody knows. */
    expect_counts(&c->w, 12,
                  "exported 2, unchanged 3, missing 2, failed 2 (1 by sinks), pending 3");
    settle(c, five, 0, VERDICT_FAILED);
    settle(c, five, 1, VERDICT_ACCEPTED);
    settle(c, seven, 1, VERDICT_FAILED);
    settle(c, nine, 0, VERDICT_ACCEPTED);
    expect_counts(&c->w, 12,
                  "exported 2, unchanged 3, missing 2, failed 3 (2 by sinks), pending 2");
    settle(c, nine, 1, VERDICT_ACCEPTED);
    expect_counts(&c->w, 12,
                  "exported 3, unchanged 3, missing 2, failed 3 (2 by sinks), pending 1");
    assert_string_equal(ledger_first_failure(c->w.outcomes.ledger), "id-0: why");
    expect_failures(c->p.state, "{}\n{}\n{\"id\":\"id-7\","); /* why 5 failed stays as it was */
    ledger_free(c->w.outcomes.ledger);
    c->w.outcomes.ledger = plain;
    close_plan(c);
}

/* Marks and deliveries that speak of more leads than went to sinks. */
static void too_many_await_a_verdict(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    struct lead *leads[5];
    leave_with_outcomes();
    restore(c);
    for (uint64_t i = 0; i < 5; i++)
        leads[i] = take_unacked(c, 6 + i);
    FAILS(resume_count(&c->p, c->w.outcomes.ledger, &e), RC_USAGE,
          "s: is damaged: a sink has more leads");
    for (size_t i = 0; i < 5; i++)
        settle(c, leads[i], 1, VERDICT_PENDING);
    close_plan(c);
}

static void places_that_were_sent(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    static const uint64_t sent[] = {9, 3, 12345678901, 3, 0};
    leave_with_outcomes();
    restore(c);
    assert_false(resume_was_sent(&c->p, 0));
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        OK(resume_sent(&c->p, sent[i], &e));
    OK(resume_count(&c->p, c->w.outcomes.ledger, &e)); /* puts them in order */
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        assert_true(resume_was_sent(&c->p, sent[i]));
    assert_false(resume_was_sent(&c->p, 1));
    assert_false(resume_was_sent(&c->p, 4));
    assert_false(resume_was_sent(&c->p, 12345678900));
    close_plan(c);
}

/* ---- payloads that were fetched --------------------------------------------------------------- */

static void keep(struct state *s, uint64_t seq, const char *id)
{
    struct state_buffered buffered = {
        .seq = seq, .http_status = 203, .attempts = 4, .body = str_c(id)}; /* as good as any */
    struct err e = {0};
    run_world_key(id, buffered.key);
    OK(state_buffer(s, &buffered, &e));
}

static void expect_buffered(struct command *c, uint64_t seq, bool is_buffered)
{
    struct buf body;
    struct lead *lead = run_world_lead(&c->w, seq);
    buf_init(&body, 1000);
    if (resume_take_buffered(&c->p, lead, &body) != is_buffered)
        fail_msg("%llu: buffered, wanted %d", (unsigned long long)seq, is_buffered);
    assert_string_equal(buf_cstr(&body), is_buffered ? lead->id.ptr : "");
    assert_int_equal(lead->http_status, is_buffered ? 203 : 200);
    assert_int_equal(lead->attempts, is_buffered ? 4 : 1);
    assert_int_equal(lead->replaced, 0); /* counted when it is parsed */
    buf_free(&body);
    outcome_finish(&c->w.outcomes, lead);
}

static void payloads_that_were_buffered(void **state)
{
    struct command *c = *state;
    static const uint64_t gaps[] = {2, 3, 4};
    const struct state_setting settings[] = {{STR("--provider"), STR("omni")}};
    const struct state_checkpoint done = {.progress = {.high = 6, .handed = 3},
                                          .gaps = gaps,
                                          .n_gaps = 3,
                                          .marks = two_marks,
                                          .n_marks = SINKS};
    struct state *s = begin_old(settings, 1);
    keep(s, 8, "id-8");
    keep(s, 3, "id-3");
    keep(s, 4, "another"); /* another ID stands there now */
    keep(s, 11, "id-11");
    commit(s, &done);
    state_close(s);
    restore(c);
    static const struct {
        uint64_t seq;
        bool is_buffered;
    } leads[] = {{2, false}, {3, true},  {4, false},  {7, false},
                 {8, true},  {9, false}, {12, false}, {13, false}};
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        expect_buffered(c, leads[i].seq, leads[i].is_buffered);
    close_plan(c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(columns_are_restored),
        CASE(columns_that_do_not_fit),
        CASE(outcomes_add_up),
        CASE(what_the_ledger_begins_with),
        CASE(leads_that_await_a_verdict),
        CASE(too_many_await_a_verdict),
        CASE(places_that_were_sent),
        CASE(payloads_that_were_buffered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
