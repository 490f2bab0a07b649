#include "checkpoint_world.h"

/* ---- when one begins -------------------------------------------------------------------------- */

static void begins_by_leads_by_time_and_when_awaited(void **state)
{
    (void)state;
    static const struct {
        uint64_t leads;
        int64_t ms;
        bool is_awaited;
        unsigned begins;
    } cases[] = {
        {0, 0, false, 0},
        {0, 10 * CHECKPOINT_MS, false, 0}, /* nothing is new */
        {0, 0, true, 0},
        {1, 0, false, 0},
        {1, 0, true, 1},
        {1, CHECKPOINT_MS - 1, false, 0},
        {1, CHECKPOINT_MS, false, 1},
        {CHECKPOINT_LEADS - 1, CHECKPOINT_MS - 1, false, 0},
        {CHECKPOINT_LEADS, 0, false, 1},
        {CHECKPOINT_LEADS + 1, 0, false, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *fakes = NULL;
        assert_int_equal(setup(&fakes), 0);
        struct fakes *f = fakes;
        note_more(f, 3); /* of an earlier part of the run: they are in the state already */
        make_checkpoint(f);
        note_more(f, cases[i].leads);
        run_world_pass_ms(&f->w, cases[i].ms);
        f->is_awaited = cases[i].is_awaited;
        checkpoint_consider(f->checkpoint);
        if (f->barriers != cases[i].begins)
            fail_msg("%llu leads, %lld ms, %sawaited: %u begun, wanted %u",
                     (unsigned long long)cases[i].leads, (long long)cases[i].ms,
                     cases[i].is_awaited ? "" : "not ", f->barriers, cases[i].begins);
        assert_int_equal(teardown(&fakes), 0);
    }
}

/* Both are counted from where the one before began, and not from its end. Once its thread has ended the
 * checkpoint is known to be idle. */
static void the_next_one_counts_from_the_last(void **state)
{
    struct fakes *f = *state;
    make_checkpoint(f);
    start(f);
    note_more(f, CHECKPOINT_LEADS);
    run_world_pass_ms(&f->w, CHECKPOINT_MS - 1);
    checkpoint_consider(f->checkpoint);
    assert_int_equal(f->barriers, 1);
    note_more(f, CHECKPOINT_LEADS - 1);
    run_world_pass_ms(&f->w, CHECKPOINT_MS - 1);
    mark_all(f, "first");
    checkpoint_end(f->checkpoint, false);
    expect_done(f, 1, 1);
    checkpoint_consider(f->checkpoint);
    assert_int_equal(f->barriers, 1);
    run_world_pass_ms(&f->w, 1);
    checkpoint_consider(f->checkpoint);
    assert_int_equal(f->barriers, 2);
}

/* Whatever comes while one is under way, in either of its states. */
static void never_two_at_once(void **state)
{
    struct fakes *f = *state;
    make_checkpoint(f);
    close_gate(f, &f->sync);
    close_gate(f, &f->commit);
    start(f);
    note_more(f, CHECKPOINT_LEADS);
    for (int i = 0; i < 3; i++)
        checkpoint_consider(f->checkpoint);
    assert_int_equal(f->barriers, 1);
    checkpoint_mark(f->checkpoint, 1, STR("early"));
    note_more(f, CHECKPOINT_LEADS);
    run_world_pass_ms(&f->w, CHECKPOINT_MS);
    checkpoint_consider(f->checkpoint); /* one sink has not come to the barrier */
    assert_int_equal(f->barriers, 1);
    checkpoint_mark(f->checkpoint, 0, STR("late"));
    wait_for_gate(f, &f->sync);
    checkpoint_consider(f->checkpoint);
    assert_int_equal(f->barriers, 1);
    open_gate(f, &f->sync);
    wait_for_gate(f, &f->commit);
    checkpoint_consider(f->checkpoint);
    assert_int_equal(f->barriers, 1);
    open_gate(f, &f->commit);
    consider_until_begun(f);
    assert_int_equal(f->commits, 1);
    mark_all(f, "second");
    checkpoint_end(f->checkpoint, false);
    expect_done(f, 2, 2);
    assert_int_equal(f->barriers, 2);
}

/* ---- what is committed ------------------------------------------------------------------------ */

static void restore(struct fakes *f, const char *key)
{
    const struct column_origin origin = {.key = str_c(key)};
    struct err e = {0};
    if (schema_restore(f->schema, 0, &origin, &e) != RC_OK)
        fail_msg("%s: %s", key, e.msg);
}

static void expect_committed(struct fakes *f, const char *want)
{
    pthread_mutex_lock(&f->lock);
    const char *got = buf_cstr(&f->committed);
    pthread_mutex_unlock(&f->lock);
    assert_string_equal(got, want);
}

static void what_is_committed(void **state)
{
    struct fakes *f = *state;
    restore(f, "a"); /* is in the state already */
    make_checkpoint(f);
    start(f);
    note_one(f, 0);
    note_one(f, 2);
    note_one(f, 5);
    restore(f, "b");
    restore(f, "c");
    run_world_pass_ms(&f->w, CHECKPOINT_MS);
    checkpoint_consider(f->checkpoint);
    note_one(f, 3); /* these come behind the barrier */
    note_one(f, 6);
    restore(f, "d");
    mark_all(f, "m");
    run_world_pass_ms(&f->w, CHECKPOINT_MS);
    consider_until_begun(f); /* the first one is committed now */
    expect_committed(f, "high 6 handed 3 active 3000 gaps 1 3 4 marks [m 0] [m 1]"
                        " columns 0/0/0/b 0/0/0/c totals note 0");
    checkpoint_mark(f->checkpoint, 1, STR("longer than the first one"));
    checkpoint_mark(f->checkpoint, 0, STR(""));
    checkpoint_end(f->checkpoint, false);
    expect_done(f, 2, 2);
    expect_committed(f, "high 7 handed 5 active 5000 gaps 1 4 marks [] [longer than the first one]"
                        " columns 0/0/0/d totals note 1");
}

static void marks_in_any_order(void **state)
{
    struct fakes *f = *state;
    make_checkpoint(f);
    start(f);
    note_more(f, CHECKPOINT_LEADS);
    checkpoint_consider(f->checkpoint);
    checkpoint_mark(f->checkpoint, 1, STR("second sink"));
    checkpoint_mark(f->checkpoint, 0, STR("first sink"));
    checkpoint_end(f->checkpoint, false);
    expect_done(f, 1, 1);
    assert_non_null(strstr(buf_cstr(&f->committed), "marks [first sink] [second sink] "));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_by_leads_by_time_and_when_awaited),
        CASE(the_next_one_counts_from_the_last),
        CASE(never_two_at_once),
        CASE(what_is_committed),
        CASE(marks_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
