/* Whom `leadpipe export` tells of its start and end: --ping, --on-success and --on-failure. None of it changes how the run goes. */
#ifndef LEADPIPE_CMD_EXPORT_NOTIFY_H
#define LEADPIPE_CMD_EXPORT_NOTIFY_H

#include "cmd/export_end.h"

/* The run is about to begin. Takes up to PING_MS_MAX; a signal ends it. */
void export_notify_start(struct export *x, const char *run_id);

/* It has ended, or was refused. After everything else was written. */
void export_notify_end(struct export *x, const struct export_ended *ended);

#endif
