/* Quotes words for a POSIX shell. */
#ifndef LEADPIPE_SHELL_QUOTE_H
#define LEADPIPE_SHELL_QUOTE_H

#include "core/base/buf.h"

/* Appends `text`, quoted if necessary, so that a shell reads exactly this, as one word or as a part of one
 * (POSIX.1-2017, XCU 2.2). Errors stick in `out`. */
void shell_quote(struct buf *out, struct str text);

/* The same for a path that is an argument of a command: one that begins with a hyphen is not taken for an option. */
void shell_quote_path(struct buf *out, const char *path);

#endif
