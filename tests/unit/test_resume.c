#include "core/run/resume.h"

#include "run_world.h"
#include "state_world.h"

#define OLD_ID "0123456789abcdef0123456789abcdef"
#define NEW_ID "fedcba9876543210fedcba9876543210"
#define OLD_MS INT64_C(1000)
#define NEW_MS INT64_C(5000)
#define SINKS 2
#define TERMS_MAX 4

#define STR_OF(literal)                                                                            \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* A command: sink 0 writes files, sink 1 delivers. */
struct command {
    struct run_world w;
    struct run_cfg cfg;
    struct run_sink_cfg sinks[SINKS];
    struct state_term terms[TERMS_MAX];
    struct resume_plan p;
    unsigned n_failed; /* calls of state_cfg.failed */
};

static enum rc no_renames(struct sink *s, struct buf *out, struct err *e)
{
    (void)s;
    (void)out;
    (void)e;
    return RC_OK;
}

static const struct sink_ops file_ops = {.name = "csv", .renames = no_renames};
static const struct sink_ops delivery_ops = {.name = "webhook"};

static int enter(void **state)
{
    static struct command c;
    if (enter_folder(state) != 0)
        return -1;
    memset(&c, 0, sizeof c);
    run_world_init(&c.w, NULL);
    c.sinks[0] = (struct run_sink_cfg){.ops = &file_ops, .identity = "csv:out"};
    c.sinks[1] = (struct run_sink_cfg){.ops = &delivery_ops, .identity = "webhook:there"};
    c.terms[0] = (struct state_term){STR("--provider"), STR("omni")};
    c.cfg = (struct run_cfg){.profile = c.w.profile,
                             .state_path = "s",
                             .sinks = c.sinks,
                             .n_sinks = SINKS,
                             .terms = c.terms,
                             .n_terms = 1,
                             .clock = &c.w.clock,
                             .log = &c.w.log};
    *state = &c;
    return 0;
}

static int leave(void **state)
{
    struct command *c = *state;
    run_world_free(&c->w);
    return leave_folder(state);
}

static void note_failed(void *ctx, const struct err *e)
{
    (void)e;
    ((struct command *)ctx)->n_failed++;
}

static enum rc open_plan(struct command *c, struct err *e)
{
    c->p = (struct resume_plan){.cfg = &c->cfg, .run_id = NEW_ID, .started_wall_ms = NEW_MS};
    return resume_open(&c->p, note_failed, c, e);
}

static void close_plan(struct command *c)
{
    resume_free(&c->p);
}

/* ---- earlier runs ----------------------------------------------------------------------------- */

static struct state *begin_old(const struct state_term *terms, size_t n)
{
    struct err e = {0};
    struct state *s = open_ok("s");
    OK(state_begin(s, OLD_ID, OLD_MS, terms, n, &e));
    return s;
}

static const struct str two_marks[SINKS] = {STR_OF("mark 0"), STR_OF("mark 1")};

static void commit(struct state *s, const struct state_checkpoint *c)
{
    struct err e = {0};
    OK(state_checkpoint(s, c, &e));
}

/* Three leads are done and went to both sinks. */
static const struct state_checkpoint three_done = {
    .tally = {.high = 3, .handed = 3, .active_ms = 700}, .marks = two_marks, .n_marks = SINKS};

static void leave_unfinished(const struct state_checkpoint *checkpoint)
{
    const struct state_term terms[] = {{STR("--provider"), STR("omni")}};
    struct state *s = begin_old(terms, 1);
    if (checkpoint)
        commit(s, checkpoint);
    state_close(s);
}

static void add_delivery(struct state *s, unsigned sink)
{
    const struct state_delivery d = {.id = STR("id"), .leads = STR("leads"), .body = STR("body")};
    struct err e = {0};
    int64_t row;
    OK(state_add_delivery(s, sink, &d, 0, &row, &e));
}

static void leave_delivery(unsigned sink, const struct state_checkpoint *checkpoint)
{
    const struct state_term terms[] = {{STR("--provider"), STR("omni")}};
    struct state *s = begin_old(terms, 1);
    add_delivery(s, sink);
    if (checkpoint)
        commit(s, checkpoint);
    state_close(s);
}

/* The run in the state has this id. */
static void expect_run(const char *id, enum state_phase phase)
{
    struct err e = {0};
    struct state *s = open_ok("s");
    struct state_run run;
    OK(state_load(s, &run, &e));
    assert_string_equal(run.run_id, id);
    assert_int_equal(state_phase(s), phase);
    state_close(s);
}

/* ---- a run that begins ------------------------------------------------------------------------ */

static void expect_begun(struct command *c)
{
    struct err e = {0};
    struct sink_mark mark;
    OK(open_plan(c, &e));
    assert_non_null(c->p.state);
    assert_false(c->p.loaded || c->p.republish);
    assert_string_equal(c->p.run_id, NEW_ID);
    assert_int_equal(c->p.started_wall_ms, NEW_MS);
    assert_int_equal(tally_done(&c->p.tally), 0);
    assert_null(resume_mark(&c->p, 0, &mark));
    OK(resume_restore(&c->p, NULL, &e)); /* nothing is to be restored or counted */
    OK(resume_count(&c->p, NULL, &e));
    assert_string_equal(buf_cstr(&c->w.logged), "");
    close_plan(c);
    expect_run(NEW_ID, STATE_RUNNING);
}

static void nothing_is_there(void **state)
{
    expect_begun(*state);
}

static void the_last_run_is_finished(void **state)
{
    struct err e = {0};
    struct state *s = begin_old(NULL, 0);
    commit(s, &three_done);
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    state_close(s);
    expect_begun(*state);
}

/* It is forgotten, whatever it was. */
static void fresh(void **state)
{
    struct command *c = *state;
    leave_unfinished(&three_done);
    c->cfg.fresh = true;
    c->terms[0].value = STR("funeral");
    expect_begun(c);
}

/* Nothing of it was done: then it does not matter what it was. */
static void a_blank_run(void **state)
{
    struct command *c = *state;
    leave_unfinished(NULL);
    c->terms[0].value = STR("funeral");
    expect_begun(c);
}

/* A delivery may have been sent, though there is no checkpoint. */
static void a_run_that_only_sent_something(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    leave_delivery(1, NULL);
    OK(open_plan(c, &e));
    assert_true(c->p.loaded);
    close_plan(c);
    c->terms[0].value = STR("funeral");
    FAILS(open_plan(c, &e), RC_USAGE, "another command");
    close_plan(c);
    expect_run(OLD_ID, STATE_RUNNING);
}

/* ---- a run that is resumed -------------------------------------------------------------------- */

static void resumed(void **state)
{
    struct command *c = *state;
    const uint64_t gaps[] = {2, 4};
    struct err e = {0};
    struct sink_mark mark;
    const struct state_checkpoint done = {
        .tally = {.high = 7, .handed = 5, .active_ms = 1234},
        .holes = gaps,
        .n_holes = 2,
        .marks = two_marks,
        .n_marks = SINKS,
        .totals = STR("beyond 4 5 1 the-first\nrequests 17\n"),
    };
    leave_unfinished(&done);
    OK(open_plan(c, &e));
    assert_true(c->p.loaded);
    assert_false(c->p.republish);
    assert_string_equal(c->p.run_id, OLD_ID);
    assert_int_equal(c->p.started_wall_ms, OLD_MS);
    assert_int_equal(c->p.active_before_ms, 1234);
    assert_int_equal(c->p.beyond.codes, 4);
    assert_int_equal(c->p.beyond.members, 5);
    assert_string_equal(c->p.beyond.first, "the-first");
    assert_str(c->p.totals, "requests 17\n"); /* what is left is the HTTP engine's */
    assert_int_equal(tally_done(&c->p.tally), 5);
    for (uint64_t i = 0; i < 9; i++)
        assert_int_equal(tally_is_done(&c->p.tally, i), i < 7 && i != 2 && i != 4);
    for (size_t i = 0; i < SINKS; i++) {
        assert_ptr_equal(resume_mark(&c->p, i, &mark), &mark);
        assert_true(str_eq(mark.text, two_marks[i]));
    }
    assert_null(resume_mark(&c->p, SINKS, &mark));
    assert_non_null(strstr(buf_cstr(&c->w.logged), "info s: "));
    assert_non_null(strstr(buf_cstr(&c->w.logged), "1970-01-01T00:00:01.000Z"));
    assert_int_equal(c->n_failed, 0);
    close_plan(c);
    expect_run(OLD_ID, STATE_RUNNING);
}

static void without_totals(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    leave_unfinished(&three_done);
    OK(open_plan(c, &e));
    assert_int_equal(c->p.totals.len, 0);
    assert_int_equal(c->p.beyond.leads, 0);
    close_plan(c);
}

/* ---- another command -------------------------------------------------------------------------- */

#define TERM(name, value)                                                                          \
    {                                                                                              \
        STR_OF(name), STR_OF(value)                                                                \
    }

static void other_terms(void **state)
{
    struct command *c = *state;
    static const struct {
        struct state_term then[TERMS_MAX], now[TERMS_MAX]; /* up to one without a name */
        const char *says;                                  /* NULL: it is resumed */
    } cases[] = {
        {{TERM("-p", "a")}, {TERM("-p", "a")}, NULL},
        {{{{NULL, 0}, {NULL, 0}}}, {{{NULL, 0}, {NULL, 0}}}, NULL},
        {{TERM("-p", "a"), TERM("-t", "b")}, {TERM("-p", "a"), TERM("-t", "b")}, NULL},
        {{TERM("-p", "a")}, {TERM("-p", "b")}, ": -p was a and is now b; "},
        {{TERM("-p", "a"), TERM("-t", "b")},
         {TERM("-p", "a"), TERM("-t", "c")},
         ": -t was b and is now c; "},
        {{TERM("-p", "a"), TERM("-t", "b")},
         {TERM("-p", "a")},
         ": -t b was given then but is not given now; "},
        {{TERM("-p", "a")}, {TERM("-p", "a"), TERM("-t", "b")}, ": -t b was not given then; "},
        {{TERM("-p", "a")},
         {{{NULL, 0}, {NULL, 0}}},
         ": -p a was given then but is not given now; "},
        {{{{NULL, 0}, {NULL, 0}}}, {TERM("-p", "a")}, ": -p a was not given then; "},
        {{TERM("--flag", "")},
         {{{NULL, 0}, {NULL, 0}}},
         ": --flag was given then but is not given now; "},
        {{{{NULL, 0}, {NULL, 0}}}, {TERM("--flag", "")}, ": --flag was not given then; "},
        /* One in between is gone, or new. */
        {{TERM("-a", "1"), TERM("-b", "2"), TERM("-c", "3")},
         {TERM("-a", "1"), TERM("-c", "3")},
         ": -b 2 was given then but is not given now; "},
        {{TERM("-a", "1"), TERM("-c", "3")},
         {TERM("-a", "1"), TERM("-b", "2"), TERM("-c", "3")},
         ": -b 2 was not given then; "},
        {{TERM("-p", "a")}, {TERM("-q", "a")}, ": -p a was given then but is not given now; "},
        /* Of what may be given several times, one more or one less. */
        {{TERM("-t", "a"), TERM("-t", "b"), TERM("-x", "1")},
         {TERM("-t", "a"), TERM("-x", "1")},
         ": -t b was given then but is not given now; "},
        {{TERM("-t", "a"), TERM("-x", "1")},
         {TERM("-t", "a"), TERM("-t", "b"), TERM("-x", "1")},
         ": -t b was not given then; "},
        /* The order counts. */
        {{TERM("-t", "a"), TERM("-t", "b")},
         {TERM("-t", "b"), TERM("-t", "a")},
         ": -t was a and is now b; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        size_t n_then = 0, n_now = 0;
        while (n_then < TERMS_MAX && cases[i].then[n_then].name.ptr)
            n_then++;
        while (n_now < TERMS_MAX && cases[i].now[n_now].name.ptr)
            n_now++;
        struct state *s = begin_old(cases[i].then, n_then);
        commit(s, &three_done);
        state_close(s);
        c->cfg.terms = cases[i].now;
        c->cfg.n_terms = n_now;
        if (cases[i].says) {
            FAILS(open_plan(c, &e), RC_USAGE, cases[i].says);
            assert_non_null(strstr(e.msg, "s holds an unfinished run"));
            assert_non_null(strstr(e.msg, "--fresh"));
            assert_false(c->p.loaded || c->p.republish);
        } else {
            OK(open_plan(c, &e));
            assert_true(c->p.loaded);
        }
        close_plan(c);
        expect_run(OLD_ID, STATE_RUNNING);
        remove_state("s");
    }
}

/* ---- a state that does not fit together ------------------------------------------------------- */

static void expect_damaged(struct command *c, const char *says)
{
    struct err e = {0};
    FAILS(open_plan(c, &e), RC_USAGE, "damaged");
    FAILS(e.rc, RC_USAGE, says);
    assert_false(c->p.republish);
    close_plan(c);
    expect_run(OLD_ID, STATE_RUNNING); /* it is as it was */
    remove_state("s");
}

static void damaged(void **state)
{
    struct command *c = *state;
    static const char *const bad_totals[] = {"beyond ", "beyond x", "beyond 1 2 3",
                                             "beyond 1 2 3 a-first", "beyond 1 2 3 \n"};
    const struct str three_marks[] = {STR("0"), STR("1"), STR("2")};
    struct state_checkpoint done = three_done;
    done.marks = three_marks;
    for (done.n_marks = 1; done.n_marks <= 3; done.n_marks += 2) {
        leave_unfinished(&done);
        expect_damaged(c, "one mark for each sink");
    }
    done.n_marks = 0;
    leave_delivery(1, &done);
    expect_damaged(c, "one mark for each sink");
    leave_delivery(2, &three_done); /* there is no such sink */
    expect_damaged(c, "a delivery belongs to no webhook sink");
    leave_delivery(0, &three_done); /* it writes files */
    expect_damaged(c, "a delivery belongs to no webhook sink");
    for (size_t i = 0; i < sizeof bad_totals / sizeof *bad_totals; i++) {
        done = three_done;
        done.totals = str_c(bad_totals[i]);
        leave_unfinished(&done);
        expect_damaged(c, "totals are malformed");
    }
    leave_delivery(1, &three_done);
    struct err e = {0};
    OK(open_plan(c, &e));
    close_plan(c);
}

static void no_state_at_all(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    spit("s", "this is no state, but a text of the user's\n", 43);
    assert_int_equal(open_plan(c, &e), RC_USAGE);
    assert_null(c->p.state);
    close_plan(c);
}

/* ---- the end of a run that was cut off -------------------------------------------------------- */

static void leave_publishing(void)
{
    const struct state_term terms[] = {{STR("--provider"), STR("omni")}};
    struct err e = {0};
    struct state *s = begin_old(terms, 1);
    OK(state_publish(s, NULL, 0, STR("record"), &e)); /* no checkpoint: it was that fast */
    state_close(s);
}

static void published_once_more(void **state)
{
    struct command *c = *state;
    struct err e = {0};
    leave_publishing();
    c->cfg.changed_only = true;
    OK(open_plan(c, &e));
    assert_true(c->p.republish && c->p.loaded);
    assert_string_equal(c->p.run_id, OLD_ID);
    assert_str(c->p.run.record, "record");
    assert_false(c->p.notes_accepted); /* nothing is fetched */
    close_plan(c);
    c->terms[0].value = STR("funeral");
    FAILS(open_plan(c, &e), RC_USAGE, "--provider was omni and is now funeral");
    assert_false(c->p.republish);
    close_plan(c);
    expect_run(OLD_ID, STATE_PUBLISHING);
    c->cfg.fresh = true;
    buf_clear(&c->w.logged);
    expect_begun(c);
}

/* ---- fingerprints ----------------------------------------------------------------------------- */

/* An earlier run, with these sinks, had content accepted. */
static void leave_accepted(const char *sink_a, const char *sink_b)
{
    const struct state_content content = {
        .key = {1}, .fingerprint = {1}, .acceptance = STATE_ACCEPTED};
    const struct str sinks[] = {str_c(sink_a), str_c(sink_b)};
    struct err e = {0};
    struct state *s = begin_old(NULL, 0);
    OK(state_accept_by(s, sinks, 2, &e));
    OK(state_note_accepted(s, &content, 1, &e));
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    state_close(s);
}

static void whether_fingerprints_are_noted(void **state)
{
    struct command *c = *state;
    static const struct {
        bool changed_only;
        const char *sinks[2]; /* that accepted something before; NULL: nobody has */
        bool are_noted, is_accepted;
    } cases[] = {
        {false, {NULL}, false, false},
        {true, {NULL}, true, false},
        {false, {"csv:out", "webhook:there"}, true, true},
        {true, {"csv:out", "webhook:there"}, true, true},
        {true, {"csv:out", "webhook:elsewhere"}, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct state_content content = {.key = {1}, .fingerprint = {1}};
        struct err e = {0};
        bool same = false;
        if (cases[i].sinks[0])
            leave_accepted(cases[i].sinks[0], cases[i].sinks[1]);
        c->cfg.changed_only = cases[i].changed_only;
        OK(open_plan(c, &e));
        OK(state_is_accepted(c->p.state, &content, 1, &same, &e));
        if (c->p.notes_accepted != cases[i].are_noted || same != cases[i].is_accepted)
            fail_msg("%zu: noted %d, accepted %d; wanted %d, %d", i, c->p.notes_accepted, same,
                     cases[i].are_noted, cases[i].is_accepted);
        close_plan(c);
        remove_state("s");
    }
}

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

static void fail_place(struct state *s, uint64_t place, bool by_sink)
{
    char summary[64];
    struct err e = {0};
    (void)snprintf(summary, sizeof summary, "id-%llu: why", (unsigned long long)place);
    OK(state_fail(s, place, by_sink, STR("{}\n"), str_c(summary), &e));
}

/* Every lead that is done has one outcome; here nine of ten are, without number 3. */
static void outcomes_add_up(void **state)
{
    struct command *c = *state;
    static const uint64_t gaps[] = {3};
    static const struct {
        uint64_t handed, missing, unchanged;
        uint64_t failed[3], failed_by_sink[3]; /* places, from 1 */
        bool add_up;
    } cases[] = {
        {9, 0, 0, {0}, {0}, true},
        {4, 3, 2, {0}, {0}, true},
        {0, 0, 9, {0}, {0}, true},
        {8, 0, 0, {1}, {0}, true},
        {3, 2, 1, {1, 10, 5}, {0}, true},
        {9, 0, 0, {0}, {1, 10}, true},
        {1, 7, 0, {1}, {2}, true},
        {9, 0, 0, {4, 11, 99}, {0}, true}, /* of leads that are not done: they come once more */
        {8, 0, 0, {0}, {0}, false},
        {9, 0, 0, {1}, {0}, false},
        {8, 0, 0, {4}, {0}, false},
        {0, 9, 0, {0}, {1}, false}, /* it never came to a sink */
        {1, 8, 0, {0}, {1, 2}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct state_term terms[] = {{STR("--provider"), STR("omni")}};
        const struct state_checkpoint done = {.tally = {.high = 10,
                                                        .handed = cases[i].handed,
                                                        .missing = cases[i].missing,
                                                        .unchanged = cases[i].unchanged},
                                              .holes = gaps,
                                              .n_holes = 1,
                                              .marks = two_marks,
                                              .n_marks = SINKS};
        struct schema *schema = NULL;
        struct err e = {0};
        struct state *s = begin_old(terms, 1);
        for (size_t k = 0; k < 3; k++) {
            if (cases[i].failed[k])
                fail_place(s, cases[i].failed[k] - 1, false);
            if (cases[i].failed_by_sink[k])
                fail_place(s, cases[i].failed_by_sink[k] - 1, true);
        }
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

static struct lead *owe(struct command *c, uint64_t seq)
{
    char id[32];
    struct lead *lead = NULL;
    struct err e = {0};
    (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
    const struct owed_lead owed = {.seq = seq, .id = str_c(id), .fingerprint = fingerprint};
    OK(resume_owed(&c->p, &owed, &lead, &e));
    return lead;
}

/* Twelve leads are done without number 2: 5 went to the sinks, of which one failed number 5; one failed
 * before them (0), 2 are missing, 3 unchanged. */
static void leave_with_outcomes(void)
{
    static const uint64_t gaps[] = {2};
    const struct state_term terms[] = {{STR("--provider"), STR("omni")}};
    const struct state_checkpoint done = {
        .tally = {.high = 12, .handed = 5, .missing = 2, .unchanged = 3},
        .holes = gaps,
        .n_holes = 1,
        .marks = two_marks,
        .n_marks = SINKS};
    struct state *s = begin_old(terms, 1);
    fail_place(s, 5, true);
    fail_place(s, 0, false);
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
    assert_null(owe(c, 2)); /* not done: it comes once more */
    assert_null(owe(c, 12));
    struct lead *nine = owe(c, 9), *five = owe(c, 5), *seven = owe(c, 7);
    assert_non_null(nine);
    assert_int_equal(nine->seq, 9);
    assert_string_equal(nine->id.ptr, "id-9");
    run_world_key("id-9", key);
    assert_memory_equal(nine->key, key, sizeof key);
    assert_memory_equal(nine->fingerprint, fingerprint, sizeof fingerprint);
    assert_ptr_equal(owe(c, 9), nine); /* of another sink: the same lead */
    assert_ptr_equal(owe(c, 5), five);
    assert_int_equal(c->p.n_owed, 3);
    assert_int_equal(c->p.owed_failed, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c->p.owed[i]->seq, 5 + 2 * i);
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
        leads[i] = owe(c, 6 + i);
    FAILS(resume_count(&c->p, c->w.outcomes.ledger, &e), RC_USAGE, "s: is damaged: more leads");
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

static void keep(struct state *s, uint64_t place, const char *id)
{
    struct state_kept kept = {.place = place,
                              .http_status = 203,
                              .attempts = 4,
                              .mended = 5,
                              .body = str_c(id)}; /* as good as any */
    struct err e = {0};
    run_world_key(id, kept.key);
    OK(state_keep(s, &kept, &e));
}

static void expect_kept(struct command *c, uint64_t seq, bool is_kept)
{
    struct buf body;
    struct lead *lead = run_world_lead(&c->w, seq);
    buf_init(&body, 1000);
    if (resume_take_kept(&c->p, lead, &body) != is_kept)
        fail_msg("%llu: kept, wanted %d", (unsigned long long)seq, is_kept);
    assert_string_equal(buf_cstr(&body), is_kept ? lead->id.ptr : "");
    assert_int_equal(lead->http_status, is_kept ? 203 : 200);
    assert_int_equal(lead->attempts, is_kept ? 4 : 1);
    assert_int_equal(lead->mended, is_kept ? 5 : 0);
    buf_free(&body);
    outcome_finish(&c->w.outcomes, lead);
}

static void payloads_that_were_kept(void **state)
{
    struct command *c = *state;
    static const uint64_t gaps[] = {2, 3, 4};
    const struct state_term terms[] = {{STR("--provider"), STR("omni")}};
    const struct state_checkpoint done = {.tally = {.high = 6, .handed = 3},
                                          .holes = gaps,
                                          .n_holes = 3,
                                          .marks = two_marks,
                                          .n_marks = SINKS};
    struct state *s = begin_old(terms, 1);
    keep(s, 8, "id-8");
    keep(s, 3, "id-3");
    keep(s, 4, "another"); /* another ID stands there now */
    keep(s, 11, "id-11");
    commit(s, &done);
    state_close(s);
    restore(c);
    static const struct {
        uint64_t seq;
        bool is_kept;
    } leads[] = {{2, false}, {3, true},  {4, false},  {7, false},
                 {8, true},  {9, false}, {12, false}, {13, false}};
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        expect_kept(c, leads[i].seq, leads[i].is_kept);
    close_plan(c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_there),
        CASE(the_last_run_is_finished),
        CASE(fresh),
        CASE(a_blank_run),
        CASE(a_run_that_only_sent_something),
        CASE(resumed),
        CASE(without_totals),
        CASE(other_terms),
        CASE(damaged),
        CASE(no_state_at_all),
        CASE(published_once_more),
        CASE(whether_fingerprints_are_noted),
        CASE(columns_are_restored),
        CASE(columns_that_do_not_fit),
        CASE(outcomes_add_up),
        CASE(what_the_ledger_begins_with),
        CASE(leads_that_await_a_verdict),
        CASE(too_many_await_a_verdict),
        CASE(places_that_were_sent),
        CASE(payloads_that_were_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
