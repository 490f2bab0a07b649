#include "resume_world.h"

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
    assert_int_equal(progress_done(&c->p.progress), 0);
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
    c->settings[0].value = STR("funeral");
    expect_begun(c);
}

/* Nothing of it was done: then it does not matter what it was. */
static void a_blank_run(void **state)
{
    struct command *c = *state;
    leave_unfinished(NULL);
    c->settings[0].value = STR("funeral");
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
    c->settings[0].value = STR("funeral");
    FAILS(open_plan(c, &e), RC_USAGE, "another command");
    close_plan(c);
    expect_run(OLD_ID, STATE_RUNNING);
}

/* ---- a run that is resumed -------------------------------------------------------------------- */

#define HOUR_MS INT64_C(3600000)

static const struct age {
    int64_t ms;
    const struct state_checkpoint *done;
    const char *says; /* NULL: nothing */
} ages[] = {
    {12 * HOUR_MS - 1, &three_done, NULL},
    {12 * HOUR_MS, &three_done,
     "warn-always s: resuming a run that began 12 hours ago: its 3 leads that are done keep the content of that time"},
    {25 * HOUR_MS, &three_done, "began 25 hours ago"},
    {-HOUR_MS, &three_done, NULL}, /* the clock was set back */
    {25 * HOUR_MS, NULL, NULL},    /* nothing was done */
};

static void how_old_it_is(void **state)
{
    struct command *c = *state;
    const struct state_setting settings[] = {{STR("--provider"), STR("omni")}};
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        struct err e = {0};
        struct state *s = open_ok("s");
        int64_t now_ms = run_world_wall_ms(&c->w.clock);
        OK(state_begin(s, OLD_ID, now_ms - ages[i].ms, settings, 1, &e));
        if (ages[i].done)
            commit(s, ages[i].done);
        state_close(s);
        buf_clear(&c->w.logged);
        OK(open_plan(c, &e));
        close_plan(c);
        const char *says = ages[i].says ? ages[i].says : "hours ago";
        if ((strstr(buf_cstr(&c->w.logged), says) != NULL) != (ages[i].says != NULL))
            fail_msg("row %zu: want %s, got %s", i, ages[i].says ? says : "nothing",
                     buf_cstr(&c->w.logged));
        assert_int_equal(unlink("s"), 0);
    }
}

static void resumed(void **state)
{
    struct command *c = *state;
    const uint64_t gaps[] = {2, 4};
    struct err e = {0};
    struct sink_mark mark;
    const struct state_checkpoint done = {
        .progress = {.high = 7, .handed = 5, .active_ms = 1234},
        .gaps = gaps,
        .n_gaps = 2,
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
    assert_int_equal(progress_done(&c->p.progress), 5);
    for (uint64_t i = 0; i < 9; i++)
        assert_int_equal(progress_is_done(&c->p.progress, i), i < 7 && i != 2 && i != 4);
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

#define SETTING(name, value)                                                                       \
    {                                                                                              \
        STR_OF(name), STR_OF(value)                                                                \
    }

static void other_settings(void **state)
{
    struct command *c = *state;
    static const struct {
        struct state_setting then[SETTINGS_MAX], now[SETTINGS_MAX]; /* up to one without a name */
        const char *says;                                           /* NULL: it is resumed */
    } cases[] = {
        {{SETTING("-p", "a")}, {SETTING("-p", "a")}, NULL},
        {{{{NULL, 0}, {NULL, 0}}}, {{{NULL, 0}, {NULL, 0}}}, NULL},
        {{SETTING("-p", "a"), SETTING("-t", "b")}, {SETTING("-p", "a"), SETTING("-t", "b")}, NULL},
        {{SETTING("-p", "a")}, {SETTING("-p", "b")}, ": -p was a and is now b; "},
        {{SETTING("-p", "a"), SETTING("-t", "b")},
         {SETTING("-p", "a"), SETTING("-t", "c")},
         ": -t was b and is now c; "},
        {{SETTING("-p", "a"), SETTING("-t", "b")},
         {SETTING("-p", "a")},
         ": -t b was given then but is not given now; "},
        {{SETTING("-p", "a")},
         {SETTING("-p", "a"), SETTING("-t", "b")},
         ": -t b was not given then; "},
        {{SETTING("-p", "a")},
         {{{NULL, 0}, {NULL, 0}}},
         ": -p a was given then but is not given now; "},
        {{{{NULL, 0}, {NULL, 0}}}, {SETTING("-p", "a")}, ": -p a was not given then; "},
        {{SETTING("--flag", "")},
         {{{NULL, 0}, {NULL, 0}}},
         ": --flag was given then but is not given now; "},
        {{{{NULL, 0}, {NULL, 0}}}, {SETTING("--flag", "")}, ": --flag was not given then; "},
        /* One in between is gone, or new. */
        {{SETTING("-a", "1"), SETTING("-b", "2"), SETTING("-c", "3")},
         {SETTING("-a", "1"), SETTING("-c", "3")},
         ": -b 2 was given then but is not given now; "},
        {{SETTING("-a", "1"), SETTING("-c", "3")},
         {SETTING("-a", "1"), SETTING("-b", "2"), SETTING("-c", "3")},
         ": -b 2 was not given then; "},
        {{SETTING("-p", "a")},
         {SETTING("-q", "a")},
         ": -p a was given then but is not given now; "},
        /* Of what may be given several times, one more or one less. */
        {{SETTING("-t", "a"), SETTING("-t", "b"), SETTING("-x", "1")},
         {SETTING("-t", "a"), SETTING("-x", "1")},
         ": -t b was given then but is not given now; "},
        {{SETTING("-t", "a"), SETTING("-x", "1")},
         {SETTING("-t", "a"), SETTING("-t", "b"), SETTING("-x", "1")},
         ": -t b was not given then; "},
        /* The order counts. */
        {{SETTING("-t", "a"), SETTING("-t", "b")},
         {SETTING("-t", "b"), SETTING("-t", "a")},
         ": -t was a and is now b; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        size_t n_then = 0, n_now = 0;
        while (n_then < SETTINGS_MAX && cases[i].then[n_then].name.ptr)
            n_then++;
        while (n_now < SETTINGS_MAX && cases[i].now[n_now].name.ptr)
            n_now++;
        struct state *s = begin_old(cases[i].then, n_then);
        commit(s, &three_done);
        state_close(s);
        c->cfg.settings = cases[i].now;
        c->cfg.n_settings = n_now;
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
    const struct state_setting settings[] = {{STR("--provider"), STR("omni")}};
    struct err e = {0};
    struct state *s = begin_old(settings, 1);
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
    c->settings[0].value = STR("funeral");
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
    OK(state_accept_by(s, sinks, 2, &(enum state_hash){STATE_HASH_SHA256}, &e));
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

#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_there),
        CASE(the_last_run_is_finished),
        CASE(fresh),
        CASE(a_blank_run),
        CASE(a_run_that_only_sent_something),
        CASE(how_old_it_is),
        CASE(resumed),
        CASE(without_totals),
        CASE(other_settings),
        CASE(damaged),
        CASE(no_state_at_all),
        CASE(published_once_more),
        CASE(whether_fingerprints_are_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
