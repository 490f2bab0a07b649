#include "core/run/checkpoint.h"

#include <sched.h>

#include "run_world.h"

#define SINKS 2

/* Where the checkpoint's own thread stops until the test lets it go on. */
struct gate {
    bool closed, reached;
};

/* Sinks that are only marks, and a state that is only a text. */
struct fakes {
    struct run_world w;
    struct tally tally;
    struct schema *schema;
    struct checkpoint *checkpoint;
    struct checkpoint_cfg cfg;
    bool started;
    uint64_t done;     /* places 0 to this are done, apart from gaps */
    unsigned barriers; /* asked for; of the test's thread */
    uint64_t noted;    /* of cfg.note */
    struct buf totals; /* that it writes */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct gate sync, commit;
    bool sync_fails, commit_fails;
    unsigned under_way, most_under_way; /* syncs and commits at a time */
    unsigned syncs, commits;
    struct buf committed; /* the last one, as text */
};

/* ---- what the checkpoint calls ---------------------------------------------------------------- */

static void fake_note(void *ctx, struct state_tally *sums, struct buf *totals)
{
    struct fakes *f = ctx;
    sums->active_ms = run_world_mono_us(&f->w.clock) / 1000;
    buf_addf(totals, "note %llu", (unsigned long long)f->noted++);
}

static void fake_barrier(void *ctx)
{
    struct fakes *f = ctx;
    f->barriers++;
}

/* Under the lock. */
static void pass_gate(struct fakes *f, struct gate *gate)
{
    gate->reached = true;
    pthread_cond_broadcast(&f->changed);
    while (gate->closed)
        pthread_cond_wait(&f->changed, &f->lock);
    gate->reached = false;
}

static void enter(struct fakes *f, struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    f->under_way++;
    if (f->under_way > f->most_under_way)
        f->most_under_way = f->under_way;
    pass_gate(f, gate);
}

static void leave(struct fakes *f)
{
    f->under_way--;
    pthread_mutex_unlock(&f->lock);
}

static enum rc fake_sync(void *ctx, struct err *e)
{
    struct fakes *f = ctx;
    enter(f, &f->sync);
    f->syncs++;
    bool fails = f->sync_fails;
    leave(f);
    return fails ? err_set(e, RC_IO, "the disk is gone") : RC_OK;
}

static void write_checkpoint(struct buf *b, const struct state_checkpoint *c)
{
    buf_clear(b);
    buf_addf(b, "high %llu handed %llu active %lld gaps", (unsigned long long)c->tally.high,
             (unsigned long long)c->tally.handed, (long long)c->tally.active_ms);
    for (size_t i = 0; i < c->n_holes; i++)
        buf_addf(b, " %llu", (unsigned long long)c->holes[i]);
    buf_adds(b, " marks");
    for (size_t i = 0; i < c->n_marks; i++)
        buf_addf(b, " [" STR_FMT "]", STR_ARG(c->marks[i]));
    buf_adds(b, " columns");
    for (size_t i = 0; i < c->n_columns; i++)
        buf_addf(b, " %u/%u/%u/" STR_FMT, c->columns[i].table, c->columns[i].scope,
                 c->columns[i].occurrence, STR_ARG(c->columns[i].key));
    buf_addf(b, " totals " STR_FMT, STR_ARG(c->totals));
}

static enum rc fake_commit(void *ctx, const struct state_checkpoint *c, struct err *e)
{
    struct fakes *f = ctx;
    enter(f, &f->commit);
    f->commits++;
    write_checkpoint(&f->committed, c);
    bool fails = f->commit_fails;
    leave(f);
    return fails ? err_set(e, RC_IO, "the state is gone") : RC_OK;
}

/* ---- the test's part -------------------------------------------------------------------------- */

static void make_checkpoint(struct fakes *f)
{
    f->cfg = (struct checkpoint_cfg){
        .control = &f->w.control,
        .n_sinks = SINKS,
        .n_tables = f->w.profile->n_tables,
        .tally = &f->tally,
        .schema = f->schema,
        .ctx = f,
        .note = fake_note,
        .barrier = fake_barrier,
        .sync = fake_sync,
        .commit = fake_commit,
    };
    assert_int_equal(checkpoint_new(&f->checkpoint, &f->cfg), RC_OK);
}

static void start(struct fakes *f)
{
    assert_int_equal(checkpoint_start(f->checkpoint), RC_OK);
    f->started = true;
}

static int setup(void **state)
{
    static struct fakes fakes;
    struct fakes *f = &fakes;
    memset(f, 0, sizeof *f);
    run_world_init(&f->w, NULL);
    assert_int_equal(schema_new(&f->schema, f->w.profile, SCHEMA_COLUMNS_MAX), RC_OK);
    assert_int_equal(pthread_mutex_init(&f->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&f->changed, NULL), 0);
    buf_init(&f->committed, 1 << 20);
    *state = f;
    return 0;
}

/* The thread must end by itself once no more leads come, and whatever happened. */
static int teardown(void **state)
{
    struct fakes *f = *state;
    if (f->started)
        checkpoint_join(f->checkpoint);
    checkpoint_free(f->checkpoint);
    tally_free(&f->tally);
    schema_free(f->schema);
    buf_free(&f->committed);
    run_world_free(&f->w);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    return 0;
}

static void note_one(struct fakes *f, uint64_t place)
{
    const unsigned char key[LEAD_KEY_BYTES] = {1};
    assert_int_equal(tally_note(&f->tally, place, key), RC_OK);
    f->tally.sums.handed++;
}

static void note_more(struct fakes *f, uint64_t n)
{
    while (n--)
        note_one(f, f->done++);
}

static void close_gate(struct fakes *f, struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    gate->closed = true;
    pthread_mutex_unlock(&f->lock);
}

static void open_gate(struct fakes *f, struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    gate->closed = false;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void wait_for_gate(struct fakes *f, const struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    while (!gate->reached)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static void mark_all(struct fakes *f, const char *text)
{
    char mark[64];
    for (size_t i = 0; i < SINKS; i++) {
        (void)snprintf(mark, sizeof mark, "%s %zu", text, i);
        checkpoint_mark(f->checkpoint, i, str_c(mark));
    }
}

/* The thread has ended, as it must, and has done so much. */
static void expect_done(struct fakes *f, unsigned syncs, unsigned commits)
{
    if (f->started)
        checkpoint_join(f->checkpoint);
    f->started = false;
    if (f->syncs != syncs || f->commits != commits || f->most_under_way > 1)
        fail_msg("%u syncs, %u commits, at most %u at a time; wanted %u, %u, 1", f->syncs,
                 f->commits, f->most_under_way, syncs, commits);
}

/* One must begin as soon as none is under way. */
static void consider_until_begun(struct fakes *f)
{
    unsigned before = f->barriers;
    while (f->barriers == before) {
        checkpoint_consider(f->checkpoint);
        (void)sched_yield();
    }
}

/* ---- when one begins -------------------------------------------------------------------------- */

static void begins_by_leads_and_by_time(void **state)
{
    (void)state;
    static const struct {
        uint64_t leads;
        int64_t ms;
        unsigned begins;
    } cases[] = {
        {0, 0, 0},
        {0, 10 * CHECKPOINT_MS, 0}, /* nothing is new */
        {1, 0, 0},
        {1, CHECKPOINT_MS - 1, 0},
        {1, CHECKPOINT_MS, 1},
        {CHECKPOINT_LEADS - 1, CHECKPOINT_MS - 1, 0},
        {CHECKPOINT_LEADS, 0, 1},
        {CHECKPOINT_LEADS + 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *fakes = NULL;
        assert_int_equal(setup(&fakes), 0);
        struct fakes *f = fakes;
        note_more(f, 3); /* of an earlier part of the run: they are in the state already */
        make_checkpoint(f);
        note_more(f, cases[i].leads);
        run_world_pass_ms(&f->w, cases[i].ms);
        checkpoint_consider(f->checkpoint);
        if (f->barriers != cases[i].begins)
            fail_msg("%llu leads, %lld ms: %u begun, wanted %u", (unsigned long long)cases[i].leads,
                     (long long)cases[i].ms, f->barriers, cases[i].begins);
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
    const struct source source = {.key = str_c(key)};
    struct err e = {0};
    if (schema_restore(f->schema, 0, &source, &e) != RC_OK)
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

/* ---- what fails ------------------------------------------------------------------------------- */

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
            void *fakes = NULL;
            assert_int_equal(setup(&fakes), 0);
            struct fakes *f = fakes;
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
            assert_int_equal(teardown(&fakes), 0);
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
        void *fakes = NULL;
        assert_int_equal(setup(&fakes), 0);
        struct fakes *f = fakes;
        print_message("broken off: %d\n", (int)when);
        make_checkpoint(f);
        break_off(f, when);
        /* A commit that was under way could not be called back. */
        expect_broken(f, when >= WHEN_SYNCING, when == WHEN_COMMITTING);
        expect_error(&f->w, RC_OK, NULL); /* whoever broke it off says why */
        assert_int_equal(teardown(&fakes), 0);
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
        void *fakes = NULL;
        assert_int_equal(setup(&fakes), 0);
        struct fakes *f = fakes;
        make_checkpoint(f);
        start(f);
        note_more(f, leads);
        checkpoint_end(f->checkpoint, true);
        assert_int_equal(f->barriers, 1);
        mark_all(f, "last");
        expect_done(f, 1, 1);
        assert_non_null(strstr(buf_cstr(&f->committed), "marks [last 0] [last 1] "));
        assert_int_equal(teardown(&fakes), 0);
    }
}

/* The last one waits for the one before, at the barrier or at the disk; and covers all leads. */
static void with_a_last_one_behind_another(void **state)
{
    (void)state;
    for (int at_disk = 0; at_disk < 2; at_disk++) {
        void *fakes = NULL;
        assert_int_equal(setup(&fakes), 0);
        struct fakes *f = fakes;
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
        assert_int_equal(teardown(&fakes), 0);
    }
}

/* Whoever waits to begin the last one does not wait for ever when the one before it breaks. */
static void the_one_before_the_last_breaks(void **state)
{
    (void)state;
    for (int at_disk = 0; at_disk < 2; at_disk++) {
        void *fakes = NULL;
        assert_int_equal(setup(&fakes), 0);
        struct fakes *f = fakes;
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
        assert_int_equal(teardown(&fakes), 0);
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
        cmocka_unit_test(begins_by_leads_and_by_time),
        CASE(the_next_one_counts_from_the_last),
        CASE(never_two_at_once),
        CASE(what_is_committed),
        CASE(marks_in_any_order),
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
