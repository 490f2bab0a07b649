/* A sink, its queue, and its thread, which puts leads into the sink and makes its marks. Private to core/run. */
#ifndef LEADPIPE_SINK_WORKER_H
#define LEADPIPE_SINK_WORKER_H

#include "core/base/arena_pool.h"
#include "core/run/checkpoint.h"
#include "core/run/outcome.h"
#include "core/run/queue.h"
#include "core/run/resume.h"
#include "core/run/run_place.h"
#include "core/run/turn.h"

#define SINK_WORKER_LEADS 256 /* capacity of the queue */
#define SINK_WORKER_BATCH 64  /* maximum leads for one put() */

#define SINK_ROW_BYTES_MAX (1024 * 1024)

struct intake;

struct sink_worker {
    /* Of the run, all constant. */
    struct control *control;
    struct memory *memory;
    struct outcomes *outcomes;
    struct arena_pool *arenas;
    struct resume_plan *resume;
    struct checkpoint *checkpoint; /* NULL: no state, and no sink that commits the place */
    struct run_place *place;       /* where the source is at the barrier */
    const struct intake *intake;   /* for the list's digest */
    struct turn *before;           /* of the sink before it with SINK_SHARDS_TOGETHER; NULL: none */
    int64_t collect_ms; /* how long leads wait for others to share a message with; 0: to the end */

    unsigned index; /* the sink's number, and its bit in lead->run->verdicts */
    const struct sink_ops *ops;
    struct sink_cfg cfg;
    bool wants_missing, wants_failed; /* its leads and those: needs() */
    struct sink *sink;                /* NULL: not open */
    struct queue *queue; /* of leads, ready, missing or failed; NULL in it is a barrier */
    struct control_thread thread;
    struct turn turn; /* over once prepare(), or what is in place of it, has returned */
    bool dead;        /* its thread only: put() failed */
    bool must_stay;   /* its mark or text may be in the state: its unfinished output must stay */
    struct buf text;  /* after prepare(): how to finish; empty without a state */
    struct buf row;   /* of a failed lead */
};

/* Opens the sink, which resumes from `mark`, or begins anew (NULL). The caller has set all members up to `cfg`, except for
 * cfg.host. Errors as from sink_ops.open(). */
enum rc sink_worker_open(struct sink_worker *w, const struct sink_mark *mark, struct err *e);
/* Also if it was never opened. */
void sink_worker_close(struct sink_worker *w);

/* Starts its thread. RC_NOMEM: it could not be started. */
enum rc sink_worker_start(struct sink_worker *w);
void sink_worker_join(struct sink_worker *w);

/* The sequencer's thread. These wait for room in the queue. */
void sink_worker_push(struct sink_worker *w, struct lead *const leads[], size_t n);
void sink_worker_push_barrier(struct sink_worker *w);
/* Nothing more comes. The thread prepares the sink (or, if the run is stopped, does what sink_ops.on_stop says), and
 * ends. */
void sink_worker_end_queue(struct sink_worker *w);

/* Limits how long a sink waits for responses: `grace_ms` milliseconds from now. Any thread. */
void sink_worker_stop(struct sink_worker *w, int64_t grace_ms);

/* After its thread has ended. As sink_ops.commit() and abort(). */
enum rc sink_worker_commit(struct sink_worker *w, struct err *e);
enum rc sink_worker_abort(struct sink_worker *w, struct err *e);

#endif
