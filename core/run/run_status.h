/* For leadpipe status: the content of a state, and the result of its last run. */
#ifndef LEADPIPE_RUN_STATUS_H
#define LEADPIPE_RUN_STATUS_H

#include "core/run/run.h"
#include "core/state/state_status.h"

struct run_status {
    struct state_status state;
    /* If the phase is STATE_PUBLISHING or STATE_FINISHED: the result that the run has recorded. Texts are bytes from the
     * file, not checked. Sinks have no specification here: that is among the settings. */
    struct run_result result;
    struct sink_result sinks[RUN_SINKS_MAX]; /* those of `result` */
    size_t n_sinks;
    struct arena memory;
};

/* Errors as from state_status_read(). */
enum rc run_status_read(struct run_status *out, const char *path, struct err *e);
void run_status_free(struct run_status *status);

#endif
