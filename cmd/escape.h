/* Text from outside made fit to be shown on a terminal and kept in a log. */
#ifndef LEADPIPE_CMD_ESCAPE_H
#define LEADPIPE_CMD_ESCAPE_H

#include "core/base/buf.h"

/* Appends `text` as one line of valid UTF-8 that a terminal only shows: see unicode_show(). */
void text_escape(struct buf *out, const char *text);

#endif
