/* Lead IDs in: files, a pipe or the command line; lines, CSV or NDJSON; plain or gzip.
 *
 * Streamed. One thread at a time; next() may block on its input. */
#ifndef LEADPIPE_IDS_H
#define LEADPIPE_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/log.h"
#include "core/provider/profile.h"
#include "core/source.h"

enum id_format { ID_FORMAT_AUTO, ID_FORMAT_LINES, ID_FORMAT_CSV, ID_FORMAT_NDJSON };

/* The texts that this points to are kept by the caller, and live as long as `ids`. */
struct ids_cfg {
    const char *const *files; /* "-" is standard input */
    size_t n_files;
    const char *const *ids; /* from the command line, instead of files */
    size_t n_ids;
    enum id_format format;
    const char *column;            /* NULL: the first of id, lead_id, leadId */
    const struct profile *profile; /* whose template names are parameters */
    const struct str *defaults;    /* values of --param, in the order of profile->params; absent
                                      where not given */
    struct source_wait wait;
    const struct log_hook *log; /* may be NULL */
};

/* Opens and checks that every file can be read. Neither files nor ids is standard input. RC_USAGE,
 * as far as it can be known without taking anything from a pipe: a directory or an absent file, csv
 * without the ID column, a wrong --id or --param, a parameter that nothing gives. RC_IO, RC_NOMEM.
 *
 * Its next() is RC_IO where a file is damaged gzip, too, and RC_USAGE for a csv input without the column,
 * or lines without a parameter that nothing else gives (only before the first ID; later each such line
 * is a bad one). */
enum rc ids_open(struct id_source **out, const struct ids_cfg *cfg, struct err *e);

/* RC_OK, or RC_SYNTAX with a text that says what is allowed. */
enum rc id_check(struct str id, struct err *e);

#endif
