/* Parses a command line, as a table of options says. */
#ifndef LEADPIPE_CMD_COMMAND_LINE_H
#define LEADPIPE_CMD_COMMAND_LINE_H

#include "core/base/option.h"

/* Parses `argv` (argv[0] is the command) into the options of `r`, which has begun, and adds what is not an
 * option to `arguments`. Options and arguments may be mixed; "--" ends options. RC_USAGE: the message names the
 * option and says what is allowed; RC_NOMEM. */
enum rc command_line_read(struct option_reader *r, struct text_list *arguments, int argc,
                          char *const argv[], struct err *e);

#endif
