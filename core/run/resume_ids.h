/* The IDs of an earlier part of the run, read once more: are they the same? Private to core/run; the
 * IDs' thread.
 *
 * Those that were done are skipped. Two sums over their keys and sequence numbers show whether they are
 * the same; that is known at the last of them. Until then those in the gaps between them wait. */
#ifndef LEADPIPE_RESUME_IDS_H
#define LEADPIPE_RESUME_IDS_H

#include "core/lead.h"
#include "core/state/state.h"

struct resume_ids {
    const struct state_checkpoint *before; /* NULL: there was no earlier part */
    const char *state_path;                /* for messages */
    struct state_progress seen;            /* of the IDs that were done */
    size_t next_gap;
    struct lead **deferred; /* that wait */
    size_t next_deferred, n_deferred, cap_deferred;
};

void resume_ids_free(struct resume_ids *m);

/* What to do with the next lead; *skip: it was done, and is freed by the caller. *waits: it stays here,
 * until resume_ids_next_deferred(). RC_USAGE: the IDs are others. RC_NOMEM. */
enum rc resume_ids_take(struct resume_ids *m, struct lead *lead, bool *skip, bool *waits,
                        struct err *e);
/* `next_seq`: that of the next lead. Has all that was done before been read, and is the same? */
bool resume_ids_are_verified(const struct resume_ids *m, uint64_t next_seq);
/* Then those that wait may continue, one after the other; NULL: none any more. */
struct lead *resume_ids_next_deferred(struct resume_ids *m);
/* The input has ended: RC_USAGE when it is shorter than what was done. */
enum rc resume_ids_end(const struct resume_ids *m, uint64_t next_seq, struct err *e);

#endif
