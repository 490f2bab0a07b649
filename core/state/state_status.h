/* What is in a state, for somebody who asks: read without changing a byte of it and without a lock, so that a
 * run that holds it, or is about to, is not disturbed. */
#ifndef LEADPIPE_STATE_STATUS_H
#define LEADPIPE_STATE_STATUS_H

#include <sys/types.h>

#include "core/state/state.h"

#define STATE_STATUS_FAILED_MAX 10

struct state_status_failed {
    uint64_t seq;
    struct str
        line; /* of the failed list, with its end; STR_NONE: longer than a text may be here */
    struct str summary; /* valid UTF-8 */
};

struct state_status_sink {      /* of one that delivers; else all zero */
    uint64_t delivered, failed; /* in what the sink counts */
    uint64_t unanswered;        /* deliveries that were recorded and have no answer */
};

struct state_status {
    struct state *state; /* what the texts belong to; NULL: nothing was ever written to the file */
    pid_t holder;        /* as state_snapshot_holder() */
    bool
        is_earlier; /* of an earlier version, which the next run brings to this one's form: no more is known */
    enum state_phase phase;
    struct state_run run; /* all zero where there is none */
    uint64_t done;        /* leads that are done as of its last checkpoint */
    /* Of these, those that failed, also where the run is finished; and those of them that sinks had. */
    struct state_failures failures;
    struct state_status_failed first_failed[STATE_STATUS_FAILED_MAX];
    size_t n_first_failed;
    struct state_status_sink sinks[64];
    size_t n_sinks;        /* of the last checkpoint */
    bool has_list;         /* the run is unfinished, and exports all leads that are listed: */
    uint64_t listed;       /* so many so far ... */
    bool list_is_complete; /* ... or in all */
    uint64_t
        accepted; /* leads whose content was accepted in finished runs, for --changed-only ... */
    uint64_t n_accepted_by; /* ... by so many sinks */
};

/* RC_USAGE: it is no state, damaged, of a later version, or cannot be read; RC_BUSY: a run changed it each time
 * that it was read; RC_IO, RC_NOMEM. state_status_free() must follow when RC_OK. */
enum rc state_status_read(struct state_status *out, const char *path, struct err *e);
void state_status_free(struct state_status *status);

#endif
