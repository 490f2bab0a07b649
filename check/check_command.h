/* Could the command of --on-success or --on-failure be started? */
#ifndef LEADPIPE_CHECK_COMMAND_H
#define LEADPIPE_CHECK_COMMAND_H

#include "core/base/findings.h"

/* Looks for its program as hook_run() would, and does not start it. `option`: with its dashes, for messages. */
void check_command(const char *option, const char *command, const struct findings *f);

#endif
