/* Which leads are done, in a form that a state can hold: sums over the places below a mark, and the
 * places below it that are left out. Private to core/run; one thread at a time. */
#ifndef LEADPIPE_TALLY_H
#define LEADPIPE_TALLY_H

#include "core/state/state.h"

struct tally {
    struct state_tally sums;
    uint64_t *holes; /* places below sums.high that are not done, ascending; owned */
    size_t n_holes, cap_holes;
};

void tally_free(struct tally *t);

/* Takes over a checkpoint's. RC_NOMEM. */
enum rc tally_load(struct tally *t, const struct state_checkpoint *c);

bool tally_is_done(const struct tally *t, uint64_t place);

/* The place is done; it was not before. Leaves out those that were skipped. RC_NOMEM. */
enum rc tally_note(struct tally *t, uint64_t place, const unsigned char key[LEAD_KEY_BYTES]);

/* How many are done. */
static inline uint64_t tally_done(const struct tally *t)
{
    return t->sums.high - t->n_holes;
}

/* The two sums tell, but for chance, whether all keys are at the places where they were. They are
 * sums, so that places can be done in any order. */
void tally_add_key(struct state_tally *sums, uint64_t place,
                   const unsigned char key[LEAD_KEY_BYTES]);

#endif
