/* A checkpoint whose sinks are only marks, and whose state is a text. Include once in a test
 * program. */
#ifndef LEADPIPE_TESTS_CHECKPOINT_WORLD_H
#define LEADPIPE_TESTS_CHECKPOINT_WORLD_H

#include <sched.h>

#include "core/run/checkpoint.h"
#include "run_world.h"

#define SINKS 2

/* Where the checkpoint's own thread stops until the test lets it continue. */
struct gate {
    bool closed, reached;
};

/* Sinks that are only marks, and a state that is only a text. */
struct fakes {
    struct run_world w;
    struct progress progress;
    struct schema *schema;
    struct checkpoint *checkpoint;
    struct checkpoint_cfg cfg;
    bool started;
    uint64_t done;     /* sequence numbers 0 to this are done, apart from gaps */
    unsigned barriers; /* asked for; of the test's thread */
    uint64_t noted;    /* of cfg.note */
    struct buf totals; /* that it writes */
    bool is_awaited;   /* what is done */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct gate sync, commit;
    bool sync_fails, commit_fails;
    unsigned under_way, most_under_way; /* syncs and commits at a time */
    unsigned syncs, commits;
    struct buf committed; /* the last one, as text */
};

/* ---- what the checkpoint calls ---------------------------------------------------------------- */

static inline void fake_note(void *ctx, struct state_progress *sums, struct buf *totals)
{
    struct fakes *f = ctx;
    sums->active_ms = run_world_mono_us(&f->w.clock) / 1000;
    buf_addf(totals, "note %llu", (unsigned long long)f->noted++);
}

static inline bool fake_is_awaited(void *ctx)
{
    const struct fakes *f = ctx;
    return f->is_awaited;
}

static inline void fake_barrier(void *ctx)
{
    struct fakes *f = ctx;
    f->barriers++;
}

/* Under the lock. */
static inline void pass_gate(struct fakes *f, struct gate *gate)
{
    gate->reached = true;
    pthread_cond_broadcast(&f->changed);
    while (gate->closed)
        pthread_cond_wait(&f->changed, &f->lock);
    gate->reached = false;
}

static inline void enter(struct fakes *f, struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    f->under_way++;
    if (f->under_way > f->most_under_way)
        f->most_under_way = f->under_way;
    pass_gate(f, gate);
}

static inline void leave(struct fakes *f)
{
    f->under_way--;
    pthread_mutex_unlock(&f->lock);
}

static inline enum rc fake_sync(void *ctx, struct err *e)
{
    struct fakes *f = ctx;
    enter(f, &f->sync);
    f->syncs++;
    bool fails = f->sync_fails;
    leave(f);
    return fails ? err_set(e, RC_IO, "the disk is gone") : RC_OK;
}

static inline void write_checkpoint(struct buf *b, const struct state_checkpoint *c)
{
    buf_clear(b);
    buf_addf(b, "high %llu handed %llu active %lld gaps", (unsigned long long)c->progress.high,
             (unsigned long long)c->progress.handed, (long long)c->progress.active_ms);
    for (size_t i = 0; i < c->n_gaps; i++)
        buf_addf(b, " %llu", (unsigned long long)c->gaps[i]);
    buf_adds(b, " marks");
    for (size_t i = 0; i < c->n_marks; i++)
        buf_addf(b, " [" STR_FMT "]", STR_ARG(c->marks[i]));
    buf_adds(b, " columns");
    for (size_t i = 0; i < c->n_columns; i++)
        buf_addf(b, " %u/%u/%u/" STR_FMT, c->columns[i].table, c->columns[i].scope,
                 c->columns[i].occurrence, STR_ARG(c->columns[i].key));
    buf_addf(b, " totals " STR_FMT, STR_ARG(c->totals));
}

static inline enum rc fake_commit(void *ctx, const struct state_checkpoint *c, struct err *e)
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

static inline void make_checkpoint(struct fakes *f)
{
    f->cfg = (struct checkpoint_cfg){
        .control = &f->w.control,
        .n_sinks = SINKS,
        .n_tables = f->w.profile->n_tables,
        .progress = &f->progress,
        .schema = f->schema,
        .ctx = f,
        .note = fake_note,
        .is_awaited = fake_is_awaited,
        .barrier = fake_barrier,
        .sync = fake_sync,
        .commit = fake_commit,
    };
    assert_int_equal(checkpoint_new(&f->checkpoint, &f->cfg), RC_OK);
}

static inline void start(struct fakes *f)
{
    assert_int_equal(checkpoint_start(f->checkpoint), RC_OK);
    f->started = true;
}

static inline int setup(void **state)
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
static inline int teardown(void **state)
{
    struct fakes *f = *state;
    if (f->started)
        checkpoint_join(f->checkpoint);
    checkpoint_free(f->checkpoint);
    progress_free(&f->progress);
    schema_free(f->schema);
    buf_free(&f->committed);
    run_world_free(&f->w);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    return 0;
}

static inline void note_one(struct fakes *f, uint64_t seq)
{
    const unsigned char key[LEAD_KEY_BYTES] = {1};
    assert_int_equal(progress_note(&f->progress, seq, seq, key), RC_OK);
    f->progress.sums.handed++;
}

static inline void note_more(struct fakes *f, uint64_t n)
{
    while (n--)
        note_one(f, f->done++);
}

static inline void close_gate(struct fakes *f, struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    gate->closed = true;
    pthread_mutex_unlock(&f->lock);
}

static inline void open_gate(struct fakes *f, struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    gate->closed = false;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static inline void wait_for_gate(struct fakes *f, const struct gate *gate)
{
    pthread_mutex_lock(&f->lock);
    while (!gate->reached)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static inline void mark_all(struct fakes *f, const char *text)
{
    char mark[64];
    for (size_t i = 0; i < SINKS; i++) {
        (void)snprintf(mark, sizeof mark, "%s %zu", text, i);
        checkpoint_mark(f->checkpoint, i, str_c(mark));
    }
}

/* The thread has ended, as it must, and has done so much. */
static inline void expect_done(struct fakes *f, unsigned syncs, unsigned commits)
{
    if (f->started)
        checkpoint_join(f->checkpoint);
    f->started = false;
    if (f->syncs != syncs || f->commits != commits || f->most_under_way > 1)
        fail_msg("%u syncs, %u commits, at most %u at a time; wanted %u, %u, 1", f->syncs,
                 f->commits, f->most_under_way, syncs, commits);
}

/* One must begin as soon as none is under way. */
static inline void consider_until_begun(struct fakes *f)
{
    unsigned before = f->barriers;
    while (f->barriers == before) {
        checkpoint_consider(f->checkpoint);
        (void)sched_yield();
    }
}

#endif
