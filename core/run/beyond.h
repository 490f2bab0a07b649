/* Values that found no column in their table (schema.h), counted over a whole run. Pure; one
 * thread at a time. */
#ifndef LEADPIPE_BEYOND_H
#define LEADPIPE_BEYOND_H

#include "core/base/buf.h"
#include "core/source.h"
#include "core/lead.h"

struct beyond {
    uint64_t codes, members;      /* values, see struct lead */
    uint64_t leads;               /* that had some */
    char first[ID_BYTES_MAX + 1]; /* the ID of the first of them */
};

void beyond_note(struct beyond *b, const struct lead *lead);

/* As one line of a text, for a state; nothing where nothing was counted. */
void beyond_write(const struct beyond *b, struct buf *out);
/* Takes such a line from the beginning of `text`, if one is there. False: it is malformed. */
bool beyond_read(struct beyond *b, struct str *text);

#endif
