/* Makes text from outside safe for terminals and logs. */
#ifndef LEADPIPE_CMD_ESCAPE_H
#define LEADPIPE_CMD_ESCAPE_H

#include "core/base/buf.h"

/* Appends `text` as one line of valid UTF-8 without control characters: see unicode_show(). */
void text_escape(struct buf *out, const char *text);

#endif
