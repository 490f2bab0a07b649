/* Recognizes files that are not lists of IDs (PDF, spreadsheets, archives, ...) by their first bytes. Private to
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

/* Recognizes binary files. NULL: it appears to be text. *more: more bytes than `head` could change the result. */
const struct ids_kind *ids_sniff(struct str head, bool *more);

/* Recognizes text files of other formats by their first line that is not empty. NULL: none. */
const struct ids_kind *ids_sniff_line(struct str line);

/* Reports what `source` appears to be, and what to do: always RC_USAGE. */
enum rc ids_kind_refuse(const struct ids_kind *kind, const char *source, struct err *e);

/* Is it the beginning of gzip data? *more: as above. */
bool ids_sniff_gzip(struct str head, bool *more);

#endif
