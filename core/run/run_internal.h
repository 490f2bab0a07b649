/* A run: all of its stages. Private to run.c, run_open.c and run_publish.c; a stage knows only what it is
 * given. */
#ifndef LEADPIPE_RUN_INTERNAL_H
#define LEADPIPE_RUN_INTERNAL_H

#include "core/run/fetcher.h"
#include "core/run/figures.h"
#include "core/run/list_source.h"
#include "core/run/run.h"
#include "core/run/run_targets.h"
#include "core/run/sequencer.h"

#define RUN_SLOTS_MIN 1024 /* of the ring; more with more requests in flight */

/* The event loop, its timers, and how far stopping has come. */
struct run_loop {
    uv_loop_t loop;
    uv_timer_t progress_timer, checkpoint_timer, figures_timer;
    struct run_figures *figures; /* sampled by figures_timer; NULL: not wanted */
    uv_prepare_t before_io;      /* called in each iteration of the loop, before it waits */
    bool is_made;
    bool stop_begun;  /* every stage has been told that the run must stop */
    bool drain_begun; /* no more leads will come: the stages end one after the other */
    int64_t started_us;
};

struct run {
    struct run_targets targets;
    const struct run_cfg *cfg; /* of `targets` */
    struct control control;
    struct memory memory;
    struct arena_pool *arenas;
    struct request_pool *requests;
    struct state *state;       /* NULL: none */
    struct resume_plan resume; /* with the run's id */
    struct outcomes outcomes;  /* with the ledger, which is the run's */
    struct run_loop loop;
    struct intake intake;
    struct fetcher fetcher;
    struct workers workers;
    struct queue *back; /* from the workers to the fetcher */
    struct sequencer sequencer;
    struct sink_worker sinks[RUN_SINKS_MAX];
    size_t n_sinks;
    struct checkpoint *checkpoint; /* NULL: neither a state, nor a sink that commits the place */
    struct arena record_arena;     /* texts of the result that an earlier run has left */
    struct sink_result results[RUN_SINKS_MAX];
};

/* run.c */
void run_on_wake(uv_async_t *wake);
void run_before_io(uv_prepare_t *before_io);
void run_close_loop(struct run *r);
int64_t run_active_ms(const struct run *r); /* of all parts of the run; any thread */

/* When the offsets of cfg->queue are committed. */
enum source_commits run_queue_commits(const struct run_cfg *cfg);
/* Does the sink record with its rows what was read of cfg->queue? */
bool run_queue_is_recorded(const struct run_cfg *cfg);

/* Adds a sample to the timeline, if one is wanted. The loop's thread. */
void run_sample_figures(struct run *r, const struct http_stats *http);

/* run_publish.c: the end, and what becomes visible */
void run_publish(struct run *r, struct run_result *out);
/* The manifest of a run that could not even begin, for the reason given. */
void run_report_unopened(struct run *r, const struct err *why);

#endif
