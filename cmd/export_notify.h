/* Notifications about start and end of `leadpipe export`: --ping, --on-success and --on-failure. If they fail, the run and
 * its exit status are the same. */
#ifndef LEADPIPE_CMD_EXPORT_NOTIFY_H
#define LEADPIPE_CMD_EXPORT_NOTIFY_H

#include "cmd/export_end.h"

/* Before the run begins. Blocks up to PING_MS_MAX; a signal ends it. */
void export_notify_start(struct export *x, const char *run_id);

/* After the run has ended or was refused, and everything else has been written. */
void export_notify_end(struct export *x, const struct export_ended *ended);

#endif
