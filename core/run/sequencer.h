/* Leads in order: from the ring to the sinks' queues. Private to core/run.
 *
 * Its thread takes leads out of the ring in the order of their sequence numbers, and so is the one that
 * decides what depends on order: the columns, which leads are unchanged, and which are done. */
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
    unsigned n_want_missing;             /* sinks that want missing leads, too */
    struct checkpoint *checkpoint;       /* NULL: no state */
    const atomic_bool *ids_are_verified; /* those that were done before are the same */
    bool keeps_order;                    /* --order input */
    bool finds_unchanged;                /* leads that all sinks have already do not go to them */

    struct ring *ring; /* owned; any thread completes leads in it */

    /* Its thread's, once that runs; afterwards the caller's. */
    struct schema *schema; /* owned */
    struct progress progress;
    struct beyond beyond;
    bool gap; /* a lead was not answered, and those behind it cannot go to the sinks */

    struct control_thread thread;
};

/* Makes the ring, with `n_slots`, and the schema. RC_NOMEM. */
enum rc sequencer_open(struct sequencer *s, const struct profile *profile, size_t n_slots,
                       size_t max_columns, struct err *e);
/* What an earlier part of the run had done. RC_NOMEM. */
enum rc sequencer_resume(struct sequencer *s, const struct resume_plan *plan);
void sequencer_free(struct sequencer *s); /* with the leads that are still in the ring */

/* Starts its thread, which ends when the ring is closed and empty, and then ends the sinks' queues.
 * RC_NOMEM: none could be started. */
enum rc sequencer_start(struct sequencer *s);
void sequencer_join(struct sequencer *s);

#endif
