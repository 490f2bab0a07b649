/* The tables of a provider as JSON. */
#ifndef LEADPIPE_CMD_TABLES_JSON_H
#define LEADPIPE_CMD_TABLES_JSON_H

#include "core/base/buf.h"
#include "core/provider/profile.h"

/* Appends the object and a line end. Errors stay in the buffer. */
void tables_json(struct buf *b, const struct profile *p);

#endif
