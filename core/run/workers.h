/* From bodies to rows: the threads that parse and flatten. Private to core/run. */
#ifndef LEADPIPE_WORKERS_H
#define LEADPIPE_WORKERS_H

#include "core/base/arena_pool.h"
#include "core/flatten/flatten.h"
#include "core/run/control.h"
#include "core/run/memory.h"
#include "core/run/ring.h"
#include "core/run/queue.h"
#include "core/run/request_pool.h"
#include "core/sink.h"

#define WORKERS_MAX 8

struct workers {
    /* Of the run, all constant. */
    struct control *control;
    struct memory *memory;
    struct ring *ring; /* where leads are completed */
    struct arena_pool *arenas;
    struct request_pool *requests;
    struct queue *back;   /* to the loop: leads to be requested again, or waiting for memory */
    unsigned needs;       /* bits of enum sink_wants, of all sinks together */
    bool keeps_originals; /* a state may have to store payloads as they were received */

    struct flatten_plan *plan; /* owned */
    struct queue *queue;       /* of leads with a body; owned */
    struct control_thread threads[WORKERS_MAX];
    unsigned n_threads;
    /* Payloads in a row whose own ID is not the requested one, even after another request. */
    atomic_uint other_ids_in_a_row;
};

/* `n_slots`: those of the ring, so the maximum number of leads. RC_NOMEM, RC_LIMIT. */
enum rc workers_open(struct workers *w, const struct profile *profile, enum signed_urls signed_urls,
                     size_t n_slots, struct err *e);
void workers_free(struct workers *w); /* frees leads that are still in the queue, too */

/* Starts one thread fewer than there are processors, 1 to WORKERS_MAX. RC_NOMEM: one could not be started. */
enum rc workers_start(struct workers *w);
void workers_join(struct workers *w);

/* Never blocks. */
void workers_push(struct workers *w, struct lead *const leads[], size_t n);
/* Nothing more comes: the threads end when the queue is empty. */
void workers_end(struct workers *w);

#endif
