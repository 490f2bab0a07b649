/* --on-success and --on-failure: commands that are run after a run. */
#ifndef LEADPIPE_CMD_EXPORT_HOOKS_H
#define LEADPIPE_CMD_EXPORT_HOOKS_H

#include "cmd/export_end.h"

/* Runs the command for this exit status, if there is one, with `summary` on its standard input, and reports how the
 * command ended. */
void export_hooks_run(struct export *x, const struct export_ended *ended,
                      const struct buf *summary);

#endif
