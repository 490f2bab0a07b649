/* Which leads are done, in a form that a state can hold: all sequence numbers below sums.high, except the
 * gaps, and sums over those that are done. Private to core/run; one thread at a time. */
#ifndef LEADPIPE_RUN_PROGRESS_H
#define LEADPIPE_RUN_PROGRESS_H

#include "core/state/state.h"

struct progress {
    struct state_progress sums;
    uint64_t *gaps; /* sequence numbers below sums.high that are not done, ascending; owned */
    size_t n_gaps, cap_gaps;
};

void progress_free(struct progress *t);

/* Takes over a checkpoint's. RC_NOMEM. */
enum rc progress_load(struct progress *t, const struct state_checkpoint *c);

bool progress_is_done(const struct progress *t, uint64_t seq);

/* The lead of that sequence number, and of that number in the list, is done; it was not before. Leaves out those that
 * were skipped. RC_NOMEM. */
enum rc progress_note(struct progress *t, uint64_t seq, uint64_t number,
                      const unsigned char key[LEAD_KEY_BYTES]);

/* How many are done. */
static inline uint64_t progress_done(const struct progress *t)
{
    return t->sums.high - t->n_gaps;
}

/* The two sums show, but for chance, whether all keys are at the numbers (lead_number()) where they were. They are
 * sums, so that leads can be done in any order. */
void progress_add_key(struct state_progress *sums, uint64_t number,
                      const unsigned char key[LEAD_KEY_BYTES]);

#endif
