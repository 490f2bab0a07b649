#include "checkpoint_world.h"

/* ---- what fails ------------------------------------------------------------------------------- */

/* For a test that needs new ones for each of its rows. */
static struct fakes *begin_fakes(void)
{
    void *fakes = NULL;
    assert_int_equal(setup(&fakes), 0);
    return fakes;
}

static void end_fakes(struct fakes *f)
{
    void *fakes = f;
    assert_int_equal(teardown(&fakes), 0);
}

/* Nothing begins any more, and the last one does not either. */
static void expect_broken(struct fakes *f, unsigned syncs, unsigned commits)
{
    unsigned before = f->barriers;
    note_more(f, CHECKPOINT_LEADS);
    run_world_pass_ms(&f->w, CHECKPOINT_MS);
    checkpoint_consider(f->checkpoint);
    checkpoint_end(f->checkpoint, true);
    assert_int_equal(f->barriers, before);
    expect_done(f, syncs, commits);
}

static void a_mark_fails(void **state)
{
    (void)state;
    for (size_t failing = 0; failing < SINKS; failing++) {
        for (size_t first = 0; first < SINKS; first++) {
            struct fakes *f = begin_fakes();
            make_checkpoint(f);
            start(f);
            note_more(f, CHECKPOINT_LEADS);
            checkpoint_consider(f->checkpoint);
            for (size_t i = 0; i < SINKS; i++) {
                size_t sink = (first + i) % SINKS;
                checkpoint_mark(f->checkpoint, sink, sink == failing ? STR_NONE : STR("m"));
            }
            expect_broken(f, 0, 0);
            expect_error(&f->w, RC_OK, NULL); /* the sink's worker says why */
            end_fakes(f);
        }
    }
}

static void the_sync_fails(void **state)
{
    struct fakes *f = *state;
    f->sync_fails = true;
    make_checkpoint(f);
    start(f);
    note_more(f, CHECKPOINT_LEADS);
    checkpoint_consider(f->checkpoint);
    mark_all(f, "m");
    expect_broken(f, 1, 0);
    expect_error(&f->w, RC_IO, "the disk is gone");
}

static void the_commit_fails(void **state)
{
    struct fakes *f = *state;
    f->commit_fails = true;
    make_checkpoint(f);
    start(f);
    note_more(f, CHECKPOINT_LEADS);
    checkpoint_consider(f->checkpoint);
    mark_all(f, "m");
    expect_broken(f, 1, 1);
    expect_error(&f->w, RC_IO, "the state is gone");
}

/* In each of its states, before `syncs` and `commits`. */
enum broken_when { WHEN_IDLE, WHEN_BARRIER, WHEN_MARKED, WHEN_SYNCING, WHEN_COMMITTING, N_WHEN };

static void break_off(struct fakes *f, enum broken_when when)
{
    struct gate *gate = when == WHEN_SYNCING ? &f->sync : &f->commit;
    if (when >= WHEN_SYNCING)
        close_gate(f, gate);
    start(f);
    note_more(f, CHECKPOINT_LEADS);
    if (when != WHEN_IDLE)
        checkpoint_consider(f->checkpoint);
    if (when == WHEN_MARKED)
        checkpoint_mark(f->checkpoint, 1, STR("m"));
    if (when >= WHEN_SYNCING) {
        mark_all(f, "m");
        wait_for_gate(f, gate);
    }
    checkpoint_break_off(f->checkpoint);
    if (when >= WHEN_SYNCING)
        open_gate(f, gate);
    if (when == WHEN_BARRIER || when == WHEN_MARKED)
        checkpoint_mark(f->checkpoint, 0, STR("m")); /* its barrier is in its queue all the same */
    if (when == WHEN_BARRIER)
        checkpoint_mark(f->checkpoint, 1, STR_NONE);
}

static void broken_off(void **state)
{
    (void)state;
    for (enum broken_when when = WHEN_IDLE; when < N_WHEN; when++) {
        struct fakes *f = begin_fakes();
        print_message("broken off: %d\n", (int)when);
        make_checkpoint(f);
        break_off(f, when);
        /* A commit that was under way could not be called back. */
        expect_broken(f, when >= WHEN_SYNCING, when == WHEN_COMMITTING);
        expect_error(&f->w, RC_OK, NULL); /* whoever broke it off says why */
        end_fakes(f);
    }
    checkpoint_break_off(NULL);
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* Ends it while one is under way, on a thread of its own as it may wait. */
struct ending {
    struct fakes *f;
    bool last_one;
    pthread_t thread;
};

static void *end_main(void *ending)
{
    const struct ending *e = ending;
    checkpoint_end(e->f->checkpoint, e->last_one);
    return NULL;
}

static void without_a_last_one(void **state)
{
    struct fakes *f = *state;
    make_checkpoint(f);
    start(f);
    note_more(f, 1);
    checkpoint_end(f->checkpoint, false);
    assert_int_equal(f->barriers, 0);
    expect_done(f, 0, 0);
}

/* One that is under way is ended, though nothing waits for it. */
static void without_a_last_one_but_under_way(void **state)
{
    struct fakes *f = *state;
    make_checkpoint(f);
    start(f);
    note_more(f, CHECKPOINT_LEADS);
    checkpoint_consider(f->checkpoint);
    note_more(f, 1);
    checkpoint_end(f->checkpoint, false);
    assert_int_equal(f->barriers, 1);
    mark_all(f, "m");
    expect_done(f, 1, 1);
}

/* Also where nothing is new: the sinks' marks may be, and the run's own figures. */
static void with_a_last_one(void **state)
{
    (void)state;
    for (uint64_t leads = 0; leads < 2; leads++) {
        struct fakes *f = begin_fakes();
        make_checkpoint(f);
        start(f);
        note_more(f, leads);
        checkpoint_end(f->checkpoint, true);
        assert_int_equal(f->barriers, 1);
        mark_all(f, "last");
        expect_done(f, 1, 1);
        assert_non_null(strstr(buf_cstr(&f->committed), "marks [last 0] [last 1] "));
        end_fakes(f);
    }
}

/* The last one waits for the one before, at the barrier or at the disk; and covers all leads. */
static void with_a_last_one_behind_another(void **state)
{
    (void)state;
    for (int at_disk = 0; at_disk < 2; at_disk++) {
        struct fakes *f = begin_fakes();
        struct ending ending = {.f = f, .last_one = true};
        make_checkpoint(f);
        close_gate(f, &f->sync);
        start(f);
        note_more(f, CHECKPOINT_LEADS);
        checkpoint_consider(f->checkpoint);
        note_more(f, 7);
        if (at_disk) {
            mark_all(f, "first");
            wait_for_gate(f, &f->sync);
        }
        assert_int_equal(pthread_create(&ending.thread, NULL, end_main, &ending), 0);
        if (!at_disk)
            mark_all(f, "first");
        wait_for_gate(f, &f->sync);
        assert_int_equal(f->barriers, 1);
        open_gate(f, &f->sync);
        assert_int_equal(pthread_join(ending.thread, NULL), 0);
        assert_int_equal(f->barriers, 2);
        mark_all(f, "last");
        expect_done(f, 2, 2);
        char high[64];
        (void)snprintf(high, sizeof high, "high %d ", CHECKPOINT_LEADS + 7);
        assert_non_null(strstr(buf_cstr(&f->committed), high));
        assert_non_null(strstr(buf_cstr(&f->committed), "[last 0] [last 1]"));
        end_fakes(f);
    }
}

/* Whoever waits to begin the last one does not wait for ever when the one before it breaks. */
static void the_one_before_the_last_breaks(void **state)
{
    (void)state;
    for (int at_disk = 0; at_disk < 2; at_disk++) {
        struct fakes *f = begin_fakes();
        struct ending ending = {.f = f, .last_one = true};
        make_checkpoint(f);
        f->sync_fails = at_disk;
        start(f);
        note_more(f, CHECKPOINT_LEADS);
        checkpoint_consider(f->checkpoint);
        assert_int_equal(pthread_create(&ending.thread, NULL, end_main, &ending), 0);
        if (at_disk)
            mark_all(f, "first");
        else
            checkpoint_mark(f->checkpoint, 0, STR_NONE);
        assert_int_equal(pthread_join(ending.thread, NULL), 0);
        assert_int_equal(f->barriers, 1);
        expect_done(f, (unsigned)at_disk, 0);
        end_fakes(f);
    }
}

/* Where no thread could be started, nobody waits for it. */
static void a_thread_that_was_never_started(void **state)
{
    struct fakes *f = *state;
    make_checkpoint(f);
    note_more(f, 1);
    checkpoint_end(f->checkpoint, false);
    checkpoint_join(f->checkpoint);
    checkpoint_join(NULL);
    checkpoint_free(NULL);
    assert_int_equal(f->barriers, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_fails),
        CASE(the_sync_fails),
        CASE(the_commit_fails),
        cmocka_unit_test(broken_off),
        CASE(without_a_last_one),
        CASE(without_a_last_one_but_under_way),
        cmocka_unit_test(with_a_last_one),
        cmocka_unit_test(with_a_last_one_behind_another),
        cmocka_unit_test(the_one_before_the_last_breaks),
        CASE(a_thread_that_was_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
