/* What an ID input is that is no list of IDs, as far as its first bytes say. Private to
 * core/source. */
#ifndef LEADPIPE_IDS_SNIFF_H
#define LEADPIPE_IDS_SNIFF_H

#include <stdbool.h>

#include "core/base/err.h"
#include "core/base/str.h"

struct ids_kind {
    const char *what;   /* "a PDF file" */
    const char *advice; /* what to do */
};

/* NULL: text, as far as can be said. *more: with more bytes behind `head` it might turn out to be
 * something else. For files whose bytes are no text in any format. */
const struct ids_kind *ids_sniff(struct str head, bool *more);

/* The same of the first line with something in it, for files that are text. */
const struct ids_kind *ids_sniff_line(struct str line);

/* RC_USAGE, with a text that says what `source` seems to be and what to do. */
enum rc ids_kind_refuse(const struct ids_kind *kind, const char *source, struct err *e);

/* The beginning of gzip data. *more: as above. */
bool ids_sniff_gzip(struct str head, bool *more);

#endif
