/* Reads lead IDs from files, a pipe or the command line; as lines, CSV or NDJSON; plain or gzip.
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

/* The caller keeps alive what this points to, for as long as the source. */
struct ids_cfg {
    const char *const *files; /* "-" is standard input */
    size_t n_files;
    const char *const *ids; /* from the command line, instead of files */
    size_t n_ids;
    enum id_format format;
    const char *column;            /* NULL: the first of id, lead_id, leadId */
    const struct profile *profile; /* its parameters may be columns or members of the input */
    const struct str *defaults;    /* values of --param, in the order of profile->params; absent
                                      if not given */
    struct source_wait wait;
    const struct log_hook *log; /* may be NULL */
};

/* Opens the source, and checks that every file can be read. Without files and ids it reads standard input. RC_USAGE, as
 * far as can be known without reading from a pipe: a directory or missing file, CSV without the ID column, a wrong --id or
 * --param, a parameter without a value. RC_IO, RC_NOMEM.
 *
 * Its next() also returns RC_IO if gzip data are damaged; and RC_USAGE for CSV without the ID column, or lines without a
 * required parameter (only before the first ID; later each such line is a bad line). */
enum rc ids_open(struct id_source **out, const struct ids_cfg *cfg, struct err *e);

/* RC_OK, or RC_SYNTAX with a text that says what is allowed. */
enum rc id_check(struct str id, struct err *e);

#endif
