/* Counts the values for which a table had no column left (--max-columns, schema.h), over a whole run.
 * Pure; one thread at a time. */
#ifndef LEADPIPE_BEYOND_H
#define LEADPIPE_BEYOND_H

#include "core/base/buf.h"
#include "core/source.h"
#include "core/lead.h"

struct beyond {
    uint64_t codes, members;      /* values, see struct lead */
    uint64_t leads;               /* leads with such values */
    char first[ID_BYTES_MAX + 1]; /* the ID of the first of those leads */
};

void beyond_note(struct beyond *b, const struct lead *lead);

/* Appends the counts as one line, for a state; nothing if all are 0. */
void beyond_write(const struct beyond *b, struct buf *out);
/* Takes such a line from the beginning of `text`, if one is there. False: it is malformed. */
bool beyond_read(struct beyond *b, struct str *text);

#endif
