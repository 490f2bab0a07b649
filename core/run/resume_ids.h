/* A resumed run reads the IDs again: this skips those that were done, and checks that they are the same as before.
 * Private to core/run; the intake's thread.
 *
 * Two sums over the keys and sequence numbers of the IDs that were done show whether they are the same, which is known
 * when the last of them has been read. Until then, leads in the gaps between them wait. */
#ifndef LEADPIPE_RESUME_IDS_H
#define LEADPIPE_RESUME_IDS_H

#include "core/lead.h"
#include "core/state/state.h"

struct resume_ids {
    const struct state_checkpoint *before; /* NULL: there was no earlier part */
    const char *state_path;                /* for messages */
    struct state_progress seen;            /* sums over the IDs that were done, as read now */
    size_t next_gap;
    struct lead **deferred; /* leads that wait */
    size_t next_deferred, n_deferred, cap_deferred;
};

void resume_ids_free(struct resume_ids *m);

/* Decides about the next lead. *skip: it was done, and the caller frees it. *waits: it is kept here until
 * resume_ids_next_deferred() returns it. RC_USAGE: the IDs are not the same as before. RC_NOMEM. */
enum rc resume_ids_take(struct resume_ids *m, struct lead *lead, bool *skip, bool *waits,
                        struct err *e);
/* `next_seq`: that of the next lead. Have all IDs that were done been read again, and are they the same? */
bool resume_ids_are_verified(const struct resume_ids *m, uint64_t next_seq);
/* Once they are verified: the next lead that has waited; NULL: no more. */
struct lead *resume_ids_next_deferred(struct resume_ids *m);
/* The input has ended. RC_USAGE: before the last ID that was done. */
enum rc resume_ids_end(const struct resume_ids *m, uint64_t next_seq, struct err *e);

#endif
