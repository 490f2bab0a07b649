/* What is in a state, with how its last run ended. */
#ifndef LEADPIPE_RUN_STATUS_H
#define LEADPIPE_RUN_STATUS_H

#include "core/run/run.h"
#include "core/state/state_status.h"

struct run_status {
    struct state_status state;
    /* Of a run whose phase is STATE_PUBLISHING or STATE_FINISHED: how it ended, as it says itself. Texts are
     * bytes from the file. Sinks have no specification here: it is among the settings. */
    struct run_result result;
    struct sink_result sinks[RUN_SINKS_MAX]; /* those of `result` */
    size_t n_sinks;
    struct arena memory;
};

/* As state_status_read(). */
enum rc run_status_read(struct run_status *out, const char *path, struct err *e);
void run_status_free(struct run_status *status);

#endif
