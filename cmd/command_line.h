/* Reads a command line by a table of options. */
#ifndef LEADPIPE_CMD_COMMAND_LINE_H
#define LEADPIPE_CMD_COMMAND_LINE_H

#include "core/base/option.h"

/* Reads `argv` (argv[0] is the command) into the options of `r`, which has begun, and adds to
 * `arguments` what is no option. Options may stand between arguments; "--" ends them. RC_USAGE with
 * one line that names the option and what is allowed; RC_NOMEM. */
enum rc command_line_read(struct option_reader *r, struct text_list *arguments, int argc,
                          char *const argv[], struct err *e);

#endif
