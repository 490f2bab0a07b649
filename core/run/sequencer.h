/* Takes leads from the ring in order, and hands them to the sinks' queues. Private to core/run.
 *
 * Because its thread sees leads in the order of their sequence numbers, it also decides what depends on that
 * order: the columns, which leads are unchanged, and which are done. */
#ifndef LEADPIPE_SEQUENCER_H
#define LEADPIPE_SEQUENCER_H

#include "core/flatten/schema.h"
#include "core/run/ring.h"
#include "core/run/resume.h"
#include "core/run/sink_worker.h"
#include "core/run/progress.h"

#define SEQUENCER_BATCH 64

struct sequencer {
    /* Of the run, all constant. */
    struct control *control;
    struct memory *memory;
    struct outcomes *outcomes;
    const struct resume_plan *resume;
    struct state *state; /* NULL: none */
    struct sink_worker *sinks;
    size_t n_sinks;
    unsigned n_want_missing, n_want_failed; /* sinks that want those leads, too */
    struct checkpoint *checkpoint;          /* NULL: there are none */
    const atomic_bool *ids_are_verified;    /* intake.are_verified */
    bool keeps_order;                       /* --order input */
    bool commits_place;   /* a sink commits where the source is: nothing goes out of turn */
    bool finds_unchanged; /* --changed-only: leads that all sinks have do not go to them */

    struct ring *ring; /* owned; any thread completes leads in it */

    /* Belong to its thread while that runs; afterwards to the caller. */
    struct schema *schema; /* owned */
    struct progress progress;
    uint64_t items; /* of the source: those are done, and so all before them */
    struct beyond beyond;
    bool gap; /* the run was stopped before a lead was fetched: later ones cannot go to the sinks */

    struct control_thread thread;
};

/* Makes the ring, with `n_slots` slots, and the schema. RC_NOMEM. */
enum rc sequencer_open(struct sequencer *s, const struct profile *profile, size_t n_slots,
                       size_t max_columns, struct err *e);
/* Restores what an earlier part of the run has done. RC_NOMEM. */
enum rc sequencer_resume(struct sequencer *s, const struct resume_plan *plan);
void sequencer_free(struct sequencer *s); /* frees leads that are still in the ring, too */

/* Starts its thread. When the ring is closed and empty, the thread ends the sinks' queues, and then itself.
 * RC_NOMEM: it could not be started. */
enum rc sequencer_start(struct sequencer *s);
void sequencer_join(struct sequencer *s);

#endif
