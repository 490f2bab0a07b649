/* A sequencer with two sinks, for the tests of what it does with leads. Include once in a test
 * program. */
#ifndef LEADPIPE_TESTS_SEQUENCER_WORLD_H
#define LEADPIPE_TESTS_SEQUENCER_WORLD_H

#include "core/run/sequencer.h"
#include "fake_sink.h"
#include "run_world.h"
#include "state_world.h"
#include "tables_text.h"

#define PLACES 256
#define SINKS 2

struct seq_world {
    struct run_world w;
    struct state *state; /* NULL: none */
    struct run_cfg run_cfg;
    struct resume_plan resume;
    struct sink_worker workers[SINKS];
    struct fake_sink *fakes[SINKS];
    struct checkpoint *checkpoint; /* NULL: none */
    atomic_bool verified;
    struct sequencer s;
    struct buf committed; /* a line a checkpoint */
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
    struct seq_world *q = ctx;
    for (size_t i = 0; i < SINKS; i++)
        sink_worker_push_barrier(&q->workers[i]);
}

static inline enum rc sync_nothing(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    return RC_OK;
}

static inline enum rc write_commit(void *ctx, const struct state_checkpoint *c, struct err *e)
{
    struct seq_world *q = ctx;
    (void)e;
    buf_addf(&q->committed, "high %llu handed %llu", (unsigned long long)c->progress.high,
             (unsigned long long)c->progress.handed);
    for (size_t i = 0; i < c->n_gaps; i++)
        buf_addf(&q->committed, " without %llu", (unsigned long long)c->gaps[i]);
    for (size_t i = 0; i < c->n_marks; i++)
        buf_addf(&q->committed, " [" STR_FMT "]", STR_ARG(c->marks[i]));
    buf_addc(&q->committed, '\n');
    return RC_OK;
}

static inline void make_checkpoint(struct seq_world *q)
{
    const struct checkpoint_cfg cfg = {
        .control = &q->w.control,
        .n_sinks = SINKS,
        .n_tables = q->w.profile->n_tables,
        .progress = &q->s.progress,
        .schema = q->s.schema,
        .ctx = q,
        .note = note_nothing,
        .barrier = push_barriers,
        .sync = sync_nothing,
        .commit = write_commit,
    };
    assert_int_equal(checkpoint_new(&q->checkpoint, &cfg), RC_OK);
    q->s.checkpoint = q->checkpoint;
    for (size_t i = 0; i < SINKS; i++)
        q->workers[i].checkpoint = q->checkpoint;
}

/* ---- the world -------------------------------------------------------------------------------- */

static inline void open_sinks(struct seq_world *q)
{
    struct err e = {0};
    for (unsigned i = 0; i < SINKS; i++) {
        q->fakes[i] = fake_init(i);
        q->workers[i] = (struct sink_worker){
            .control = &q->w.control,
            .memory = &q->w.memory,
            .outcomes = &q->w.outcomes,
            .arenas = q->w.arenas,
            .resume = &q->resume,
            .index = i,
            .ops = &q->fakes[i]->ops,
            .cfg = {.spec = "fake:", .index = i},
        };
        OK(sink_worker_open(&q->workers[i], NULL, &e));
    }
}

static inline void seq_open(struct seq_world *q, bool keeps_order, struct state *s,
                            size_t max_columns)
{
    struct err e = {0};
    memset(q, 0, sizeof *q);
    run_world_init(&q->w, s);
    buf_init(&q->committed, 1 << 20);
    q->state = s;
    q->run_cfg.profile = q->w.profile;
    q->resume.cfg = &q->run_cfg;
    open_sinks(q);
    q->s = (struct sequencer){
        .control = &q->w.control,
        .memory = &q->w.memory,
        .outcomes = &q->w.outcomes,
        .resume = &q->resume,
        .state = s,
        .sinks = q->workers,
        .n_sinks = SINKS,
        .ids_are_verified = &q->verified,
        .keeps_order = keeps_order,
    };
    OK(sequencer_open(&q->s, q->w.profile, PLACES, max_columns, &e));
}

static inline void seq_close(struct seq_world *q)
{
    for (size_t i = 0; i < SINKS; i++) {
        sink_worker_close(&q->workers[i]);
        fake_free(q->fakes[i]);
    }
    sequencer_free(&q->s);
    checkpoint_free(q->checkpoint);
    free(q->resume.sent);
    buf_free(&q->committed);
    run_world_free(&q->w);
}

/* Everything that is in the ring goes its way, and all threads end. */
static inline void seq_run(struct seq_world *q)
{
    if (q->checkpoint)
        assert_int_equal(checkpoint_start(q->checkpoint), RC_OK);
    for (size_t i = 0; i < SINKS; i++)
        assert_int_equal(sink_worker_start(&q->workers[i]), RC_OK);
    assert_int_equal(sequencer_start(&q->s), RC_OK);
    ring_close(q->s.ring);
    sequencer_join(&q->s);
    for (size_t i = 0; i < SINKS; i++)
        sink_worker_join(&q->workers[i]);
    checkpoint_join(q->checkpoint);
}

/* A lead as the stages before leave it: (r)eady, (m)issing, (f)ailed, or (p)ending, as the run was
 * stopped before it had an answer. */
static inline struct lead *lead_of(struct seq_world *q, char kind, uint64_t seq)
{
    struct lead *lead = run_world_lead(&q->w, seq);
    lead->run->ready = kind == 'r';
    if (kind == 'm') {
        lead->run->outcome = OUTCOME_MISSING;
        lead->run->failure = (struct failure){.stage = STAGE_FETCH, .error = "HTTP 404: not found"};
    } else if (kind == 'f') {
        lead_fail(lead, STAGE_PARSE, "not_json", "not JSON");
    }
    if (kind == 'r')
        lead->doc.compact = STR("{\"success\":true}");
    ring_reserve(q->s.ring, lead);
    return lead;
}

static inline void complete_all(struct seq_world *q, const char *kinds)
{
    struct lead *leads[PLACES];
    size_t n = strlen(kinds);
    for (size_t i = 0; i < n; i++)
        leads[i] = lead_of(q, kinds[i], i);
    ring_complete(q->s.ring, leads, n);
}

static inline void expect_done(struct seq_world *q, const char *kinds, const char *want)
{
    struct buf got;
    const struct progress *t = &q->s.progress;
    buf_init(&got, 1 << 16);
    buf_addf(&got, "high %llu handed %llu missing %llu unchanged %llu",
             (unsigned long long)t->sums.high, (unsigned long long)t->sums.handed,
             (unsigned long long)t->sums.missing, (unsigned long long)t->sums.unchanged);
    for (size_t i = 0; i < t->n_gaps; i++)
        buf_addf(&got, " without %llu", (unsigned long long)t->gaps[i]);
    if (strcmp(buf_cstr(&got), want) != 0)
        fail_msg("%s: done: %s, wanted %s", kinds, buf_cstr(&got), want);
    buf_free(&got);
}

static inline void expect_calls(struct seq_world *q, const char *what, const char *want)
{
    for (size_t i = 0; i < SINKS; i++) {
        const char *got = buf_cstr(&q->fakes[i]->calls);
        if (strcmp(got, want) != 0)
            fail_msg("%s: sink %zu: \"%s\", wanted \"%s\"", what, i, got, want);
    }
}

#endif
