#include "core/run/outcome.h"

#include "run_world.h"
#include "state_world.h"

#define SINKS 3
#define KINDS (VERDICT_PENDING + 1)

static const char *const specs[SINKS] = {"csv:a", "webhook:b", "csv:c"};
static const char *const errors[SINKS] = {"error of 0", "error of 1", "error of 2"};

/* What one sink does with the lead: two of them, which may come in either order. */
struct event {
    unsigned sink;
    bool is_verdict; /* else it has taken the lead in */
};

#define EVENTS (2 * SINKS)

struct trial {
    struct run_world *w;
    enum verdict_kind kinds[SINKS];
    struct event events[EVENTS];
    char text[EVENTS * 4 + SINKS + 1];
};

static void give_verdict(struct run_world *w, struct lead *lead, unsigned sink,
                         enum verdict_kind kind)
{
    const struct verdict v = {.kind = kind,
                              .http_status = 500 + (int)sink,
                              .attempts = sink + 1,
                              .code = kind == VERDICT_FAILED ? "no" : NULL,
                              .error = kind == VERDICT_FAILED ? errors[sink] : NULL};
    outcome_settle(&w->outcomes, lead, sink, specs[sink], &v);
}

/* By the words of the header: failed where a sink failed it; else pending where one could not say; else
 * exported. */
static enum outcome expected_outcome(const struct trial *t)
{
    enum outcome outcome = OUTCOME_EXPORTED;
    for (size_t i = 0; i < SINKS; i++) {
        if (t->kinds[i] == VERDICT_FAILED)
            return OUTCOME_FAILED;
        if (t->kinds[i] == VERDICT_PENDING)
            outcome = OUTCOME_PENDING;
    }
    return outcome;
}

/* The sink whose refusal came first. */
static unsigned first_refusal(const struct trial *t)
{
    size_t i = 0;
    while (!t->events[i].is_verdict || t->kinds[t->events[i].sink] != VERDICT_FAILED)
        i++;
    return t->events[i].sink;
}

static void expect_first_failure(const struct trial *t, uint64_t seq)
{
    char want[64];
    (void)snprintf(want, sizeof want, "id-%llu: %s", (unsigned long long)seq,
                   errors[first_refusal(t)]);
    if (strcmp(ledger_first_failure(t->w->outcomes.ledger), want) != 0)
        fail_msg("%s: got \"%s\", wanted \"%s\"", t->text,
                 ledger_first_failure(t->w->outcomes.ledger), want);
}

/* Has the ledger counted one of this outcome, and nothing else? */
static void expect_one(const struct trial *t, enum outcome outcome)
{
    struct ledger_counts got = ledger_counts(t->w->outcomes.ledger, 1), want = {0};
    want.exported = outcome == OUTCOME_EXPORTED;
    want.failed = want.failed_by_sink = outcome == OUTCOME_FAILED;
    want.pending = outcome == OUTCOME_PENDING;
    if (memcmp(&got, &want, sizeof got) != 0) {
        char text[200];
        fail_msg("%s: %s; wanted outcome %d", t->text,
                 run_world_counts_text(t->w, 1, text, sizeof text), (int)outcome);
    }
}

static void forget_counts(struct run_world *w)
{
    static const struct ledger_counts none = {0};
    ledger_resume(w->outcomes.ledger, &none, "");
}

static void run_trial(const struct trial *t)
{
    static const struct verdict another = {.kind = VERDICT_FAILED, .error = "a second verdict"};
    struct run_world *w = t->w;
    struct lead *lead = run_world_lead(w, 7);
    outcome_hold(lead, SINKS);
    for (size_t i = 0; i < EVENTS; i++) {
        unsigned sink = t->events[i].sink;
        if (budget_used(&w->memory.budget) != 2000) /* whoever finishes a lead gives that back */
            fail_msg("%s: finished before event %zu", t->text, i);
        if (!t->events[i].is_verdict) {
            outcome_release(&w->outcomes, lead);
            continue;
        }
        give_verdict(w, lead, sink, t->kinds[sink]);
        if (i + 1 < EVENTS) /* the lead is still there */
            outcome_settle(&w->outcomes, lead, sink, specs[sink], &another);
    }
    if (budget_used(&w->memory.budget) != 0)
        fail_msg("%s: not finished", t->text);
    enum outcome want = expected_outcome(t);
    expect_one(t, want);
    if (want == OUTCOME_FAILED)
        expect_first_failure(t, 7);
    else
        assert_string_equal(ledger_first_failure(w->outcomes.ledger), "");
    forget_counts(w);
}

static void each_kinds(struct trial *t)
{
    static const char letters[KINDS] = {'a', 'u', 'f', 'p'};
    for (unsigned code = 0; code < KINDS * KINDS * KINDS; code++) {
        unsigned rest = code;
        char *at = t->text;
        for (size_t i = 0; i < SINKS; i++, rest /= KINDS) {
            t->kinds[i] = (enum verdict_kind)(rest % KINDS);
            *at++ = letters[t->kinds[i]];
        }
        for (size_t i = 0; i < EVENTS; i++)
            at += sprintf(at, " %u%c", t->events[i].sink, t->events[i].is_verdict ? 'v' : 'r');
        run_trial(t);
    }
}

static void each_order(struct trial *t, size_t at)
{
    if (at == EVENTS) {
        each_kinds(t);
        return;
    }
    for (size_t i = at; i < EVENTS; i++) {
        struct event event = t->events[i];
        t->events[i] = t->events[at];
        t->events[at] = event;
        each_order(t, at + 1);
        t->events[at] = t->events[i];
        t->events[i] = event;
    }
}

static void verdicts_of_sinks_in_every_order(void **state)
{
    (void)state;
    struct run_world w;
    struct trial t = {.w = &w};
    run_world_init(&w, NULL);
    w.log.level = LOG_LEVEL_WARN;
    for (unsigned i = 0; i < EVENTS; i++)
        t.events[i] = (struct event){i / 2, i % 2 == 0};
    each_order(&t, 0);
    assert_string_equal(buf_cstr(&w.logged), "");
    expect_error(&w, RC_OK, NULL);
    run_world_free(&w);
}

/* ---- from several threads --------------------------------------------------------------------- */

#define SHARED_LEADS 500

struct sharing {
    struct run_world *w;
    struct lead **leads;
    unsigned sink;
    pthread_t thread;
    pthread_barrier_t *begin;
};

static void *share_main(void *sharing)
{
    const struct sharing *s = sharing;
    (void)pthread_barrier_wait(s->begin);
    for (size_t i = 0; i < SHARED_LEADS; i++) {
        /* In turn: all accept, one fails, all fail, one cannot say. */
        enum verdict_kind kind = VERDICT_ACCEPTED;
        if (i % 4 == 2 || (i % 4 == 1 && s->sink == i % SINKS))
            kind = VERDICT_FAILED;
        else if (i % 4 == 3 && s->sink == i % SINKS)
            kind = VERDICT_PENDING;
        give_verdict(s->w, s->leads[i], s->sink, kind);
        outcome_release(&s->w->outcomes, s->leads[i]);
    }
    return NULL;
}

static void verdicts_from_several_threads(void **state)
{
    (void)state;
    struct run_world w;
    struct lead *leads[SHARED_LEADS];
    struct sharing sharing[SINKS];
    pthread_barrier_t begin;
    run_world_init(&w, NULL);
    assert_int_equal(pthread_barrier_init(&begin, NULL, SINKS), 0);
    for (size_t i = 0; i < SHARED_LEADS; i++) {
        leads[i] = run_world_lead(&w, i);
        outcome_hold(leads[i], SINKS);
    }
    for (unsigned i = 0; i < SINKS; i++) {
        sharing[i] = (struct sharing){.w = &w, .leads = leads, .sink = i, .begin = &begin};
        assert_int_equal(pthread_create(&sharing[i].thread, NULL, share_main, &sharing[i]), 0);
    }
    for (unsigned i = 0; i < SINKS; i++)
        assert_int_equal(pthread_join(sharing[i].thread, NULL), 0);
    expect_counts(&w, SHARED_LEADS,
                  "exported 125, unchanged 0, missing 0, failed 250 (250 by "
                  "sinks), pending 125");
    pthread_barrier_destroy(&begin);
    run_world_free(&w);
}

/* ---- leads that never come to sinks ----------------------------------------------------------- */

static void decided_before_the_sinks(void **state)
{
    (void)state;
    static const struct {
        enum outcome outcome;
        enum stage stage;
        bool counted;
        const char *counts, *logged, *first;
    } cases[] = {
        {OUTCOME_PENDING, STAGE_FETCH, false,
         "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 1", "", ""},
        {OUTCOME_UNCHANGED, STAGE_FETCH, false,
         "exported 0, unchanged 1, missing 0, failed 0 (0 by sinks), pending 0", "", ""},
        {OUTCOME_MISSING, STAGE_FETCH, false,
         "exported 0, unchanged 0, missing 1, failed 0 (0 by sinks), pending 0", "info id-3: why\n",
         ""},
        {OUTCOME_FAILED, STAGE_PARSE, false,
         "exported 0, unchanged 0, missing 0, failed 1 (0 by sinks), pending 0", "info id-3: why\n",
         "id-3: why"},
        /* Of a bad line it was said when that was read. */
        {OUTCOME_FAILED, STAGE_INPUT, false,
         "exported 0, unchanged 0, missing 0, failed 1 (0 by sinks), pending 0", "", "why"},
        /* Another sink had failed it in an earlier part of the run. */
        {OUTCOME_FAILED, STAGE_SINK, true,
         "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 1", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run_world w;
        run_world_init(&w, NULL);
        struct lead *lead = run_world_lead(&w, 3);
        lead->run->outcome = cases[i].outcome;
        lead->run->counted = cases[i].counted;
        lead->run->failure = (struct failure){.stage = cases[i].stage, .error = "why"};
        atomic_store(&w.control.wants_wake, true);
        print_message("outcome %d of stage %d\n", (int)cases[i].outcome, (int)cases[i].stage);
        outcome_finish(&w.outcomes, lead);
        expect_counts(&w, 1, cases[i].counts);
        assert_string_equal(buf_cstr(&w.logged), cases[i].logged);
        assert_string_equal(ledger_first_failure(w.outcomes.ledger), cases[i].first);
        assert_false(atomic_load(&w.control.wants_wake)); /* there is room for another lead */
        run_world_free(&w);
    }
}

/* A lead without memory of its own has nothing to give back, and nobody is woken for it. */
static void nothing_to_give_back(void **state)
{
    (void)state;
    struct run_world w;
    run_world_init(&w, NULL);
    struct lead *lead = run_world_lead(&w, 0);
    outcome_release_memory(&w.outcomes, lead);
    assert_int_equal(budget_used(&w.memory.budget), 0);
    atomic_store(&w.control.wants_wake, true);
    outcome_release_memory(&w.outcomes, lead);
    assert_true(atomic_load(&w.control.wants_wake));
    outcome_finish(&w.outcomes, lead);
    run_world_free(&w);
}

/* ---- texts of a receiver ---------------------------------------------------------------------- */

static void texts_are_redacted(void **state)
{
    (void)state;
    static const struct {
        const char *code, *error, *want_code, *want_error;
    } cases[] = {
        {"c", "the key is s3cr3t-key-of-mine!", "c", "the key is ***!"},
        {"s3cr3t-key-of-mine", "e", "***", "e"},
        {NULL, "e\xff", NULL, "e?"}, /* U+FFFD does not fit there */
        {"\xfe", "s3cr3t-key-of-mine\xff s3cr3t-key-of-mine", "?", "***? ***"},
        {"", "", "", ""},
        {NULL, NULL, NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run_world w;
        run_world_init(&w, NULL);
        assert_int_equal(secrets_add(w.secrets, STR("s3cr3t-key-of-mine")), RC_OK);
        struct lead *lead = run_world_lead(&w, 0);
        const struct verdict v = {.kind = VERDICT_FAILED,
                                  .http_status = 422,
                                  .attempts = 9,
                                  .code = cases[i].code,
                                  .error = cases[i].error};
        outcome_hold(lead, 2);
        outcome_settle(&w.outcomes, lead, 1, specs[1], &v);
        const struct failure *got = &lead->run->failure;
        const char *code = got->code ? got->code : "(null)";
        const char *want_code = cases[i].want_code ? cases[i].want_code : "(null)";
        assert_string_equal(got->error, cases[i].want_error);
        assert_string_equal(code, want_code);
        assert_string_equal(got->sink, specs[1]);
        assert_int_equal(got->stage, STAGE_SINK);
        assert_int_equal(got->http_status, 422);
        assert_int_equal(got->attempts, 9);
        give_verdict(&w, lead, 0, VERDICT_FAILED); /* the first one holds */
        assert_ptr_equal(got->sink, specs[1]);
        outcome_release(&w.outcomes, lead);
        outcome_release(&w.outcomes, lead);
        run_world_free(&w);
    }
}

/* ---- what is noted in a state ----------------------------------------------------------------- */

struct noting {
    struct state *state;
    struct run_world w;
};

static int enter_noting(void **state)
{
    static struct noting n;
    const struct str sink = STR("csv:a");
    struct err e = {0};
    if (folder_enter(state) != 0)
        return -1;
    n.state = open_ok("s");
    begin_run(n.state);
    OK(state_accept_by(n.state, &sink, 1, &(enum state_hash){STATE_HASH_SHA256}, &e));
    run_world_init(&n.w, n.state);
    n.w.outcomes.state = n.state;
    *state = &n;
    return 0;
}

static int leave_noting(void **state)
{
    struct noting *n = *state;
    run_world_free(&n->w);
    state_close(n->state);
    return folder_leave(state);
}

static bool is_accepted(struct state *s, uint64_t seq)
{
    struct state_content content = {.fingerprint = {(unsigned char)(seq + 1)}};
    struct err e = {0};
    char id[32];
    bool same = false;
    (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
    run_world_key(id, content.key);
    OK(state_is_accepted(s, &content, 1, &same, &e));
    return same;
}

/* What was accepted in a run counts from its end on; so another one begins. */
static void next_run(struct noting *n)
{
    struct err e = {0};
    OK(state_publish(n->state, NULL, 0, STR("record"), &e));
    OK(state_finish(n->state, true, &e));
    begin_run(n->state);
}

/* A lead with that outcome; of one that came to a sink, by its verdict. A missing one that a sink does not
 * have any more is reported to a sink. */
static void decide(struct noting *n, uint64_t seq, enum outcome outcome, enum verdict_kind kind)
{
    struct lead *lead = run_world_lead(&n->w, seq);
    lead->run->outcome = outcome;
    lead->run->failure.error = "why";
    if (outcome == OUTCOME_MISSING && kind == VERDICT_FAILED) {
        outcome_hold_missing(&n->w.outcomes, lead, 1);
        outcome_release(&n->w.outcomes, lead);
        return;
    }
    if (outcome != OUTCOME_EXPORTED) {
        outcome_finish(&n->w.outcomes, lead);
        return;
    }
    lead->run->outcome = OUTCOME_PENDING;
    outcome_hold(lead, 1);
    give_verdict(&n->w, lead, 0, kind);
    outcome_release(&n->w.outcomes, lead);
}

enum { BEGUN, RESUMED, RESUMED_SENT, PARTS }; /* the run; of the last: a delivery has the lead */

static void notes_of_accepted_content(void **state)
{
    struct noting *n = *state;
    static const struct {
        enum outcome outcome; /* EXPORTED: a sink's verdict decides */
        enum verdict_kind kind;
        bool wanted[PARTS][2]; /* is it accepted afterwards, where it was before, or was not? */
    } cases[] = {
        {OUTCOME_EXPORTED, VERDICT_ACCEPTED, {{true, true}, {true, true}, {true, true}}},
        {OUTCOME_EXPORTED, VERDICT_OUTDATED, {{false}, {false}, {false}}},
        {OUTCOME_EXPORTED, VERDICT_FAILED, {{false}, {false}, {false}}},
        {OUTCOME_EXPORTED, VERDICT_PENDING, {{true, false}, {true, false}, {true, false}}},
        {OUTCOME_FAILED, VERDICT_ACCEPTED, {{false}, {false}, {false}}},
        /* Nothing went to the sinks: they have what they had, but for what an earlier part of the run
         * may have sent. */
        {OUTCOME_UNCHANGED, VERDICT_ACCEPTED, {{true, false}, {true, true}, {true, true}}},
        {OUTCOME_MISSING, VERDICT_ACCEPTED, {{true, false}, {true, false}, {false}}},
        /* It was reported to a sink as missing, and may have deleted it. */
        {OUTCOME_MISSING, VERDICT_FAILED, {{false}, {false}, {false}}},
        {OUTCOME_PENDING, VERDICT_ACCEPTED, {{true, false}, {true, false}, {true, false}}},
    };
    uint64_t seq = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int k = 0; k < 2 * PARTS; k++) {
            int part = k / 2;
            bool want = cases[i].wanted[part][k % 2], was_accepted = k % 2 == 0;
            const struct resume_plan plan = {.sent = &seq, .n_sent = part == RESUMED_SENT};
            seq++;
            if (was_accepted)
                decide(n, seq, OUTCOME_EXPORTED, VERDICT_ACCEPTED);
            next_run(n);
            n->w.outcomes.resume = part == BEGUN ? NULL : &plan;
            decide(n, seq, cases[i].outcome, cases[i].kind);
            n->w.outcomes.resume = NULL;
            next_run(n);
            if (is_accepted(n->state, seq) != want)
                fail_msg("outcome %d, verdict %d, part %d, accepted before %d: wanted %d",
                         (int)cases[i].outcome, (int)cases[i].kind, part, was_accepted, want);
        }
    }
    expect_error(&n->w, RC_OK, NULL);
}

static enum rc add_row(void *rows, struct str row, struct err *e)
{
    (void)e;
    buf_add_str(rows, row);
    return RC_OK;
}

#define ROW(seq, sink, status, code, error, attempts)                                              \
    "{\"id\":\"id-" seq "\",\"stage\":\"" sink ",\"http_status\":" status ",\"code\":" code        \
    ",\"error\":\"" error "\",\"attempts\":" attempts ",\"at\":\"2023-11-14T22:13:21.000Z\"}\n"

/* Each is written down once, in order, as the first sink to fail it said. */
static void failures_in_the_state(void **state)
{
    struct noting *n = *state;
    struct state_failures failures = {0};
    struct buf rows;
    struct err e = {0};
    buf_init(&rows, 1 << 20);
    struct lead *lead = run_world_lead(&n->w, 5);
    outcome_hold(lead, SINKS);
    give_verdict(&n->w, lead, 1, VERDICT_FAILED);
    give_verdict(&n->w, lead, 2, VERDICT_ACCEPTED);
    give_verdict(&n->w, lead, 0, VERDICT_FAILED);
    for (int i = 0; i < SINKS; i++)
        outcome_release(&n->w.outcomes, lead);
    lead = run_world_lead(&n->w, 4);
    lead_fail(lead, STAGE_FETCH, "timeout", "no answer within %d s", 5);
    outcome_finish(&n->w.outcomes, lead);
    lead = run_world_lead(&n->w, 6);
    lead->run->outcome = OUTCOME_MISSING;
    lead->run->failure = (struct failure){.stage = STAGE_FETCH, .http_status = 404, .error = "why"};
    outcome_finish(&n->w.outcomes, lead);
    OK(state_each_failure(n->state, add_row, &rows, &e));
    assert_string_equal(
        buf_cstr(&rows),
        ROW("4", "fetch\",\"sink\":null", "200", "\"timeout\"", "no answer within 5 s", "1")
            ROW("5", "sink\",\"sink\":\"webhook:b\"", "501", "\"no\"", "error of 1", "2"));
    buf_clear(&rows);
    OK(state_each_missing(n->state, add_row, &rows, &e));
    assert_string_equal(buf_cstr(&rows),
                        ROW("6", "fetch\",\"sink\":null", "404", "null", "why", "0"));
    OK(state_count_failures(n->state, &failures, &e));
    assert_int_equal(failures.n, 2);
    assert_int_equal(failures.by_sink, 1);
    expect_counts(&n->w, 3, "exported 0, unchanged 0, missing 1, failed 2 (1 by sinks), pending 0");
    buf_free(&rows);
}

/* The same without a state, where the list is written at once: no lead is in it twice. */
static void failures_in_the_list(void **state)
{
    (void)state;
    struct run_world w;
    struct lead *lead;
    struct err e = {0};
    run_world_init(&w, NULL);
    ledger_free(w.outcomes.ledger);
    const struct ledger_cfg cfg = {
        .profile = w.profile, .failed_path = "failed", .clock = &w.clock};
    OK(ledger_new(&w.outcomes.ledger, &cfg, &e));
    for (uint64_t seq = 4; seq < 6; seq++) {
        lead = run_world_lead(&w, seq);
        outcome_hold(lead, SINKS);
        for (unsigned i = 0; i < SINKS; i++) {
            give_verdict(&w, lead, i, VERDICT_FAILED);
            outcome_release(&w.outcomes, lead);
        }
    }
    lead = run_world_lead(&w, 7);
    lead_fail(lead, STAGE_PARSE, "not_json", "no JSON");
    outcome_finish(&w.outcomes, lead);
    OK(ledger_complete(w.outcomes.ledger, &e));
    OK(ledger_publish(w.outcomes.ledger, true, &e));
    struct bytes got = slurp("failed");
    got.ptr[got.n] = '\0';
    assert_string_equal(
        got.ptr, ROW("4", "sink\",\"sink\":\"csv:a\"", "500", "\"no\"", "error of 0", "1")
                     ROW("5", "sink\",\"sink\":\"csv:a\"", "500", "\"no\"", "error of 0", "1")
                         ROW("7", "parse\",\"sink\":null", "200", "\"not_json\"", "no JSON", "1"));
    free(got.ptr);
    run_world_free(&w);
}

#define NOTING(f) cmocka_unit_test_setup_teardown(f, enter_noting, leave_noting)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_of_sinks_in_every_order),
        cmocka_unit_test(verdicts_from_several_threads),
        cmocka_unit_test(decided_before_the_sinks),
        cmocka_unit_test(nothing_to_give_back),
        cmocka_unit_test(texts_are_redacted),
        NOTING(notes_of_accepted_content),
        NOTING(failures_in_the_state),
        IN_FOLDER(failures_in_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
