/* The types that columns have: of documented columns by the profile, of all others text. What a cell
 * becomes in a column of a type is in core/flatten/typed.h. */
#ifndef LEADPIPE_COLUMN_TYPE_H
#define LEADPIPE_COLUMN_TYPE_H

#include <stdbool.h>

#include "core/base/str.h"

enum column_type {
    TYPE_TEXT, /* anything fits */
    TYPE_INTEGER,
    TYPE_NUMBER,
    TYPE_BOOLEAN,
    TYPE_TIMESTAMP,    /* RFC 3339 */
    TYPE_TIMESTAMP_S,  /* seconds since 1970-01-01T00:00:00Z */
    TYPE_TIMESTAMP_MS, /* milliseconds since then */
    TYPE_JSON,         /* anything fits */
};

#define COLUMN_TYPES (TYPE_JSON + 1)

/* As profiles write it: "text", "timestamp-ms". */
const char *column_type_text(enum column_type type);

/* False: `text` names none. */
bool column_type_of(struct str text, enum column_type *out);

#endif
