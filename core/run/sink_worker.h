/* A sink, its queue, and the thread that serves it: leads in, verdicts back, and its marks at
 * checkpoints. Private to core/run. */
#ifndef LEADPIPE_SINK_WORKER_H
#define LEADPIPE_SINK_WORKER_H

#include "core/base/arena_pool.h"
#include "core/run/checkpoint.h"
#include "core/run/outcome.h"
#include "core/run/queue.h"
#include "core/run/resume.h"

#define SINK_WORKER_LEADS 256 /* in front of each sink */
#define SINK_WORKER_BATCH 64  /* leads that it is given at once, at most */

struct sink_worker {
    /* Of the run, all constant. */
    struct control *control;
    struct memory *memory;
    struct outcomes *outcomes;
    struct arena_pool *arenas;
    struct resume_plan *resume;
    struct checkpoint *checkpoint; /* NULL: no state */

    unsigned index; /* its number, and its bit in lead->run->verdicts */
    const struct sink_ops *ops;
    struct sink_cfg cfg;
    bool wants_missing;  /* its leads and missing ones: needs() */
    struct sink *sink;   /* NULL: not open */
    struct queue *queue; /* of leads, ready or missing; NULL in it is a barrier */
    struct control_thread thread;
    bool dead;       /* its thread only: put() failed */
    bool must_stay;  /* its mark or its text may be in the state, so that what it names must stay */
    struct buf text; /* after prepare(): how to finish; empty without a state */
};

/* Opens the sink where `mark` says, or from its beginning (NULL). All of the above up to `cfg` is set,
 * apart from cfg.host. As sink_ops.open(). */
enum rc sink_worker_open(struct sink_worker *w, const struct sink_mark *mark, struct err *e);
/* Also of one that was never opened. */
void sink_worker_close(struct sink_worker *w);

/* Starts its thread. RC_NOMEM: none could be started. */
enum rc sink_worker_start(struct sink_worker *w);
void sink_worker_join(struct sink_worker *w);

/* The sequencer's thread: waits for room in the queue. */
void sink_worker_push(struct sink_worker *w, struct lead *const leads[], size_t n);
void sink_worker_push_barrier(struct sink_worker *w);
/* Nothing more comes: the thread prepares the sink, or does what it says of a run that is stopped, and
 * ends. */
void sink_worker_end_queue(struct sink_worker *w);

/* A sink that waits for answers ends soon. Any thread. */
void sink_worker_stop(struct sink_worker *w, int64_t grace_ms);

/* After its thread has ended: as sink_ops.commit() and abort(). */
enum rc sink_worker_commit(struct sink_worker *w, struct err *e);
enum rc sink_worker_abort(struct sink_worker *w, struct err *e);

#endif
