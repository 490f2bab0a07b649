/* Words for a POSIX shell. */
#ifndef LEADPIPE_CMD_SHELL_QUOTE_H
#define LEADPIPE_CMD_SHELL_QUOTE_H

#include "core/base/buf.h"

/* Appends `word` so that a shell takes it for exactly that (POSIX.1-2017, XCU 2.2), quoted only where that is
 * needed; but \1NAME\2 becomes "${NAME}", which the shell replaces. */
void shell_quote(struct buf *out, const char *word);

#endif
