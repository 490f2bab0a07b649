/* Quotes words for a POSIX shell. */
#ifndef LEADPIPE_CMD_SHELL_QUOTE_H
#define LEADPIPE_CMD_SHELL_QUOTE_H

#include "core/base/buf.h"

/* Appends `word`, quoted if necessary, so that a shell reads exactly this word (POSIX.1-2017, XCU 2.2); except that
 * \1NAME\2 becomes "${NAME}", which the shell expands. */
void shell_quote(struct buf *out, const char *word);

#endif
