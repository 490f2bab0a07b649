/* The tables of a provider as JSON: columns with their types and where they come from, keys, pivots. */
#ifndef LEADPIPE_TABLES_JSON_H
#define LEADPIPE_TABLES_JSON_H

#include "core/base/buf.h"
#include "core/provider/profile.h"

/* Columns of a table behind the documented ones. */
struct more_columns {
    struct str *names;
    size_t n;
};

/* Appends the object and a line end. `more`: one for each table, or NULL. Errors stay in the buffer. */
void tables_json(struct buf *b, const struct profile *p, const struct more_columns *more);

#endif
