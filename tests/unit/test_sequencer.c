#include "sequencer_world.h"

/* ---- order ------------------------------------------------------------------------------------ */

static void leads_in_order(void **state)
{
    (void)state;
    static const size_t completed[] = {3, 0, 4, 2, 1};
    for (int keeps_order = 0; keeps_order < 2; keeps_order++) {
        struct seq_world q;
        struct lead *leads[5];
        seq_open(&q, keeps_order, NULL, 100);
        for (size_t i = 0; i < 5; i++)
            leads[i] = lead_of(&q, 'r', i);
        for (size_t i = 0; i < 5; i++)
            ring_complete(q.s.ring, &leads[completed[i]], 1);
        seq_run(&q);
        expect_calls(&q, "in order",
                     keeps_order ? "open put(0,1,2,3,4) prepare" : "open put(3,0,4,2,1) prepare");
        expect_done(&q, "rrrrr", "high 5 handed 5 missing 0 unchanged 0");
        expect_counts(&q.w, 5,
                      "exported 5, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0");
        seq_close(&q);
    }
}

/* More than it takes at once, and more than a sink is given at once. */
static void many_leads(void **state)
{
    (void)state;
    struct seq_world q;
    char kinds[PLACES + 1];
    memset(kinds, 'r', PLACES);
    kinds[PLACES] = '\0';
    seq_open(&q, true, NULL, 100);
    complete_all(&q, kinds);
    seq_run(&q);
    for (size_t i = 0; i < SINKS; i++)
        assert_int_equal(q.fakes[i]->n_put, PLACES);
    assert_int_equal(q.s.progress.sums.handed, PLACES);
    seq_close(&q);
}

/* ---- what goes to the sinks ------------------------------------------------------------------- */

/* The sequence numbers of payloads in the state, as a text. */
static void expect_buffered(struct state *s, const char *kinds, const char *want)
{
    struct err e = {0};
    const uint64_t *seqs = NULL;
    size_t n = 0;
    struct buf got;
    buf_init(&got, 1 << 16);
    OK(state_buffered_seqs(s, &seqs, &n, &e));
    for (size_t i = 0; i < n; i++)
        buf_addf(&got, "%s%llu", i ? "," : "", (unsigned long long)seqs[i]);
    if (strcmp(buf_cstr(&got), want) != 0)
        fail_msg("%s: buffered \"%s\", wanted \"%s\"", kinds, buf_cstr(&got), want);
    buf_free(&got);
}

/* One row: leads, and what becomes of them with --order input and without. */
static const struct gap_case {
    const char *kinds;
    struct gap_wanted {
        const char *calls, *done, *counts, *buffered;
    } any, input;
} gap_cases[] = {
    {"rmf",
     {"open put(0) prepare", "high 3 handed 1 missing 1 unchanged 0",
      "exported 1, unchanged 0, missing 1, failed 1 (0 by sinks), pending 0", ""},
     {"open put(0) prepare", "high 3 handed 1 missing 1 unchanged 0",
      "exported 1, unchanged 0, missing 1, failed 1 (0 by sinks), pending 0", ""}},
    {"mmf",
     {"open prepare", "high 3 handed 0 missing 2 unchanged 0",
      "exported 0, unchanged 0, missing 2, failed 1 (0 by sinks), pending 0", ""},
     {"open prepare", "high 3 handed 0 missing 2 unchanged 0",
      "exported 0, unchanged 0, missing 2, failed 1 (0 by sinks), pending 0", ""}},
    {"rprr",
     {"open put(0,2,3) prepare", "high 4 handed 3 missing 0 unchanged 0 without 1",
      "exported 3, unchanged 0, missing 0, failed 0 (0 by sinks), pending 1", ""},
     {"open put(0) prepare", "high 1 handed 1 missing 0 unchanged 0",
      "exported 1, unchanged 0, missing 0, failed 0 (0 by sinks), pending 3", "2,3"}},
    /* Behind the gap what needs no sink is done all the same. */
    {"prmfp",
     {"open put(1) prepare", "high 4 handed 1 missing 1 unchanged 0 without 0",
      "exported 1, unchanged 0, missing 1, failed 1 (0 by sinks), pending 2", ""},
     {"open prepare", "high 4 handed 0 missing 1 unchanged 0 without 0 without 1",
      "exported 0, unchanged 0, missing 1, failed 1 (0 by sinks), pending 3", "1"}},
    {"pppp",
     {"open prepare", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 4", ""},
     {"open prepare", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 4", ""}},
    {"",
     {"open prepare", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0", ""},
     {"open prepare", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0", ""}},
};

static void check_gaps(const struct gap_case *c, bool keeps_order, bool has_state)
{
    const struct gap_wanted *want = keeps_order ? &c->input : &c->any;
    struct seq_world q;
    struct state *s = has_state ? open_ok("s") : NULL;
    if (s)
        begin_run(s);
    seq_open(&q, keeps_order, s, 100);
    complete_all(&q, c->kinds);
    seq_run(&q);
    expect_calls(&q, c->kinds, want->calls);
    expect_done(&q, c->kinds, want->done);
    expect_counts(&q.w, strlen(c->kinds), want->counts);
    expect_error(&q.w, RC_OK, NULL);
    if (s)
        expect_buffered(s, c->kinds, want->buffered);
    seq_close(&q);
    state_close(s);
    if (s)
        remove_state("s");
}

/* One row: leads, and what a sink that wants missing ones, and one that does not, are asked to do. */
static const struct missing_case {
    const char *kinds, *wanting, *other, *counts;
} missing_cases[] = {
    {"rmrmmr", "open put(0) missing(1) put(2) missing(3,4) put(5) prepare",
     "open put(0,2,5) prepare",
     "exported 3, unchanged 0, missing 3, failed 0 (0 by sinks), pending 0"},
    {"mmf", "open missing(0,1) prepare", "open prepare",
     "exported 0, unchanged 0, missing 2, failed 1 (0 by sinks), pending 0"},
    {"mprm", "open missing(0,3) prepare", "open prepare",
     "exported 0, unchanged 0, missing 2, failed 0 (0 by sinks), pending 2"},
};

static void missing_leads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof missing_cases / sizeof *missing_cases; i++) {
        const struct missing_case *c = &missing_cases[i];
        for (unsigned n_wanting = 1; n_wanting <= SINKS; n_wanting++) {
            struct seq_world q;
            seq_open(&q, true, NULL, 100);
            for (size_t k = 0; k < n_wanting; k++)
                q.workers[k].wants_missing = true;
            complete_all(&q, c->kinds);
            seq_run(&q);
            for (size_t k = 0; k < SINKS; k++)
                assert_string_equal(buf_cstr(&q.fakes[k]->calls),
                                    k < n_wanting ? c->wanting : c->other);
            expect_counts(&q.w, strlen(c->kinds), c->counts);
            seq_close(&q);
        }
    }
}

static void a_sink_fails_at_a_missing_lead(void **state)
{
    (void)state;
    struct seq_world q;
    seq_open(&q, true, NULL, 100);
    q.workers[1].wants_missing = true;
    q.fakes[1]->fails_at = "missing";
    complete_all(&q, "rmrm");
    seq_run(&q);
    expect_error(&q.w, RC_IO, "missing failed");
    expect_counts(&q.w, 4, "exported 1, unchanged 0, missing 2, failed 0 (0 by sinks), pending 1");
    seq_close(&q);
}

static void leads_behind_a_gap(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gap_cases / sizeof *gap_cases; i++) {
        for (int mode = 0; mode < 4; mode++) {
            print_message("\"%s\": order input %d, state %d\n", gap_cases[i].kinds, mode & 1,
                          mode >> 1);
            check_gaps(&gap_cases[i], mode & 1, mode >> 1);
        }
    }
}

/* The body as it was received, where it is known; else the text without blanks; else one made from the
 * tree. */
static void payloads_that_are_buffered(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{\"a\": \"\xff\"}", "{\"b\":2}", "{\"c\":[3]}"};
    struct state *s = open_ok("s");
    struct seq_world q;
    struct lead *leads[4];
    struct err e = {0};
    begin_run(s);
    seq_open(&q, true, s, 100);
    for (size_t i = 0; i < 4; i++) {
        leads[i] = lead_of(&q, i ? 'r' : 'p', i);
        leads[i]->http_status = 200 + (int)i;
        leads[i]->attempts = 10 + (unsigned)i;
    }
    leads[1]->original.max = 100;
    buf_adds(&leads[1]->original, bodies[0]);
    leads[2]->doc.compact = str_c(bodies[1]);
    OK(json_parse(&leads[3]->arena, str_c(bodies[2]), JSON_TREE, &leads[3]->doc, &e));
    ring_complete(q.s.ring, leads, 4);
    seq_run(&q);
    for (uint64_t i = 1; i < 4; i++) {
        struct state_buffered buffered;
        struct buf body;
        unsigned char key[LEAD_KEY_BYTES];
        char id[32];
        buf_init(&body, 1 << 16);
        OK(state_take_buffered(s, i, &buffered, &body, &e));
        assert_string_equal(buf_cstr(&body), bodies[i - 1]);
        assert_int_equal(buffered.http_status, 200 + i);
        assert_int_equal(buffered.attempts, 10 + i);
        (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)i);
        run_world_key(id, key);
        assert_memory_equal(buffered.key, key, sizeof key);
        buf_free(&body);
    }
    seq_close(&q);
    state_close(s);
}

/* ---- unchanged leads -------------------------------------------------------------------------- */

/* Has the content of these leads accepted by an earlier run. */
static struct state *state_with_accepted(const uint64_t *seqs, size_t n)
{
    const struct str sink = STR("fake:");
    struct state *s = open_ok("s");
    struct err e = {0};
    begin_run(s);
    OK(state_accept_by(s, &sink, 1, &(enum state_hash){STATE_HASH_SHA256}, &e));
    for (size_t i = 0; i < n; i++) {
        struct state_content content = {.fingerprint = {(unsigned char)(seqs[i] + 1)},
                                        .acceptance = STATE_ACCEPTED};
        char id[32];
        (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)seqs[i]);
        run_world_key(id, content.key);
        OK(state_note_accepted(s, &content, 1, &e));
    }
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    begin_run(s);
    OK(state_accept_by(s, &sink, 1, &(enum state_hash){STATE_HASH_SHA256}, &e));
    return s;
}

static void unchanged_leads(void **state)
{
    (void)state;
    static const uint64_t accepted[] = {1, 2, 4, 5, 6};
    static const struct {
        bool finds_unchanged, keeps_order;
        const char *calls, *done, *counts;
    } cases[] = {
        {true, false, "open put(0,4,7) prepare", "high 8 handed 3 missing 0 unchanged 3 without 3",
         "exported 3, unchanged 3, missing 0, failed 1 (0 by sinks), pending 1"},
        /* Behind the gap, too: the sinks have them already. */
        {true, true, "open put(0) prepare",
         "high 7 handed 1 missing 0 unchanged 3 without 3 without 4",
         "exported 1, unchanged 3, missing 0, failed 1 (0 by sinks), pending 3"},
        {false, false, "open put(0,1,2,4,6,7) prepare",
         "high 8 handed 6 missing 0 unchanged 0 without 3",
         "exported 6, unchanged 0, missing 0, failed 1 (0 by sinks), pending 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seq_world q;
        struct err e = {0};
        struct state *s = state_with_accepted(accepted, sizeof accepted / sizeof *accepted);
        seq_open(&q, cases[i].keeps_order, s, 100);
        q.s.finds_unchanged = cases[i].finds_unchanged;
        OK(resume_sent(&q.resume, 4, &e)); /* a delivery has it, so a verdict of a sink is due */
        complete_all(&q, "rrrprfrr");      /* number 5 failed: it is not asked for */
        seq_run(&q);
        expect_calls(&q, "unchanged", cases[i].calls);
        expect_done(&q, "rrrprfrr", cases[i].done);
        expect_counts(&q.w, 8, cases[i].counts);
        expect_error(&q.w, RC_OK, NULL);
        seq_close(&q);
        state_close(s);
        remove_state("s");
    }
}

/* ---- the ring --------------------------------------------------------------------------------- */

static void leads_left_in_the_ring(void **state)
{
    (void)state;
    struct seq_world q;
    seq_open(&q, true, NULL, 100);
    for (uint64_t i = 0; i < 3; i++) {
        struct lead *lead = lead_of(&q, 'r', i);
        outcome_release_memory(&q.w.outcomes, lead);
        ring_complete(q.s.ring, &lead, 1);
    }
    sequencer_join(&q.s); /* of one that was never started */
    seq_close(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_in_order), cmocka_unit_test(many_leads),
        cmocka_unit_test(missing_leads),  cmocka_unit_test(a_sink_fails_at_a_missing_lead),
        IN_FOLDER(leads_behind_a_gap),    IN_FOLDER(payloads_that_are_buffered),
        IN_FOLDER(unchanged_leads),       cmocka_unit_test(leads_left_in_the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
