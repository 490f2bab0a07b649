/* Which leads are done, in a form that a state can store: all sequence numbers below sums.high except for the
 * gaps, and sums over the leads that are done. Private to core/run; one thread at a time. */
#ifndef LEADPIPE_RUN_PROGRESS_H
#define LEADPIPE_RUN_PROGRESS_H

#include "core/state/state.h"

struct progress {
    struct state_progress sums;
    uint64_t *gaps; /* sequence numbers below sums.high that are not done, ascending; owned */
    size_t n_gaps, cap_gaps;
};

void progress_free(struct progress *t);

/* Copies that of a checkpoint. RC_NOMEM. */
enum rc progress_load(struct progress *t, const struct state_checkpoint *c);

bool progress_is_done(const struct progress *t, uint64_t seq);

/* The lead with sequence number `seq`, number `number` in the list, is done; it was not before. Sequence numbers that were
 * skipped become gaps. RC_NOMEM. */
enum rc progress_note(struct progress *t, uint64_t seq, uint64_t number,
                      const unsigned char key[LEAD_KEY_BYTES]);

/* How many are done. */
static inline uint64_t progress_done(const struct progress *t)
{
    return t->sums.high - t->n_gaps;
}

/* Adds a lead to the two sums. If the sums are equal, then with overwhelming probability the same keys are at the same
 * numbers (lead_number()). Sums do not depend on the order in which leads are done. */
void progress_add_key(struct state_progress *sums, uint64_t number,
                      const unsigned char key[LEAD_KEY_BYTES]);

#endif
