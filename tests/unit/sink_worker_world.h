/* Workers of one or two sinks, with a checkpoint whose state is a text. Include once in a test
 * program. */
#ifndef LEADPIPE_TESTS_SINK_WORKER_WORLD_H
#define LEADPIPE_TESTS_SINK_WORKER_WORLD_H

#include "core/run/sink_worker.h"
#include "fake_sink.h"
#include "run_world.h"

/* One or two sinks with their workers, and a checkpoint whose state is a text. */
struct workers_world {
    struct run_world w;
    struct progress progress;
    struct schema *schema;
    struct checkpoint *checkpoint;
    struct resume_plan resume;
    struct run_cfg run_cfg;
    struct sink_worker workers[2];
    struct fake_sink *fakes[2];
    size_t n;
    uint64_t n_pushed;
    unsigned commits;
    struct buf committed; /* the marks */
};

/* ---- checkpoints ------------------------------------------------------------------------------ */

static inline void note_nothing(void *ctx, struct state_progress *sums, struct buf *totals)
{
    (void)ctx;
    (void)sums;
    (void)totals;
}

static inline void push_barriers(void *ctx)
{
    struct workers_world *w = ctx;
    for (size_t i = 0; i < w->n; i++)
        sink_worker_push_barrier(&w->workers[i]);
}

static inline enum rc sync_nothing(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    return RC_OK;
}

static inline enum rc commit_marks(void *ctx, const struct state_checkpoint *c, struct err *e)
{
    struct workers_world *w = ctx;
    (void)e;
    w->commits++;
    buf_clear(&w->committed);
    for (size_t i = 0; i < c->n_marks; i++)
        buf_addf(&w->committed, "[" STR_FMT "]", STR_ARG(c->marks[i]));
    return RC_OK;
}

static inline void make_checkpoint(struct workers_world *w)
{
    const struct checkpoint_cfg cfg = {
        .control = &w->w.control,
        .n_sinks = w->n,
        .n_tables = w->w.profile->n_tables,
        .progress = &w->progress,
        .schema = w->schema,
        .ctx = w,
        .note = note_nothing,
        .barrier = push_barriers,
        .sync = sync_nothing,
        .commit = commit_marks,
    };
    assert_int_equal(checkpoint_new(&w->checkpoint, &cfg), RC_OK);
}

/* ---- the workers ------------------------------------------------------------------------------ */

static inline void world_open(struct workers_world *w, size_t n)
{
    memset(w, 0, sizeof *w);
    run_world_init(&w->w, NULL);
    assert_int_equal(schema_new(&w->schema, w->w.profile, SCHEMA_COLUMNS_MAX), RC_OK);
    buf_init(&w->committed, 1 << 20);
    w->n = n;
    make_checkpoint(w);
    w->run_cfg.profile = w->w.profile;
    w->resume.cfg = &w->run_cfg;
    for (unsigned i = 0; i < n; i++) {
        w->fakes[i] = fake_init(i);
        w->workers[i] = (struct sink_worker){
            .control = &w->w.control,
            .memory = &w->w.memory,
            .outcomes = &w->w.outcomes,
            .arenas = w->w.arenas,
            .resume = &w->resume,
            .checkpoint = w->checkpoint,
            .index = i,
            .ops = &w->fakes[i]->ops,
            .cfg = {.spec = "fake:", .index = i},
        };
    }
}

static inline void open_sinks(struct workers_world *w)
{
    struct err e = {0};
    for (size_t i = 0; i < w->n; i++) {
        if (sink_worker_open(&w->workers[i], NULL, &e) != RC_OK)
            fail_msg("%s", e.msg);
    }
}

static inline void world_close(struct workers_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        sink_worker_close(&w->workers[i]);
        fake_free(w->fakes[i]);
    }
    checkpoint_free(w->checkpoint);
    schema_free(w->schema);
    progress_free(&w->progress);
    free(w->resume.sent);
    buf_free(&w->committed);
    run_world_free(&w->w);
}

static inline void push(struct workers_world *w, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct lead *lead = run_world_lead(&w->w, w->n_pushed++);
        outcome_hold(lead, (unsigned)w->n);
        for (size_t i = 0; i < w->n; i++)
            sink_worker_push(&w->workers[i], &lead, 1);
    }
}

static inline void begin_checkpoint(struct workers_world *w)
{
    const unsigned char key[LEAD_KEY_BYTES] = {1};
    assert_int_equal(progress_note(&w->progress, w->progress.sums.high, w->progress.sums.high, key),
                     RC_OK);
    run_world_pass_ms(&w->w, CHECKPOINT_MS);
    checkpoint_consider(w->checkpoint);
}

/* Lets all threads run to their end. */
static inline void run_all(struct workers_world *w)
{
    assert_int_equal(checkpoint_start(w->checkpoint), RC_OK);
    checkpoint_end(w->checkpoint, false);
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(sink_worker_start(&w->workers[i]), RC_OK);
    for (size_t i = 0; i < w->n; i++)
        sink_worker_end_queue(&w->workers[i]);
    for (size_t i = 0; i < w->n; i++)
        sink_worker_join(&w->workers[i]);
    checkpoint_join(w->checkpoint);
}

static inline void expect_calls(struct fake_sink *s, const char *want)
{
    assert_string_equal(buf_cstr(&s->calls), want);
}

#endif
