/* Lead IDs in: files, a pipe or the command line; lines, CSV or NDJSON; plain or gzip.
 *
 * Streamed: memory grows only by what finding duplicates needs (at most 40 bytes an ID). One
 * thread at a time; ids_next() may block on its input. */
#ifndef LEADPIPE_IDS_H
#define LEADPIPE_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/lead.h"
#include "core/base/log.h"
#include "core/provider/profile.h"
#include "core/base/str.h"

#define ID_BYTES_MAX 512

enum id_format { ID_FORMAT_AUTO, ID_FORMAT_LINES, ID_FORMAT_CSV, ID_FORMAT_NDJSON };

/* What happens around a read that may take long, as from a pipe. */
struct ids_wait {
    int cancel_fd;             /* readable: the read ends and ids_next() is RC_STOPPED; 0: none */
    void (*before)(void *ctx); /* called before each such read; NULL: nothing */
    void *ctx;
};

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
    struct ids_wait wait;
    const struct log_hook *log; /* may be NULL */
};

/* One ID, or one line that is none. Texts live in the arena given to ids_next(). */
struct id_item {
    struct str id; /* NUL behind it; of a bad line: absent unless it could be read as a whole */
    struct str *params; /* in the order of profile->params, NUL behind each; of a bad line: absent
                           where it has none; NULL without parameters */
    const char *bad;    /* NULL, or why it is none: names what is allowed */
    unsigned char key[LEAD_KEY_BYTES]; /* digest of ID and parameters, or of why it is none */
    const char *file;                  /* lives as long as `ids` */
    uint64_t line;                     /* from 1 */
};

struct ids_counts {
    uint64_t read;       /* IDs and bad lines */
    uint64_t unique;     /* handed out, bad lines included */
    uint64_t duplicates; /* read - unique */
};

struct ids;

/* Opens and checks that every file can be read. Neither files nor ids is standard input. RC_USAGE,
 * as far as it can be known without taking anything from a pipe: a directory or an absent file, csv
 * without the ID column, a wrong --id or --param, a parameter that nothing gives. RC_IO, RC_NOMEM. */
enum rc ids_open(struct ids **out, const struct ids_cfg *cfg, struct err *e);
void ids_close(struct ids *ids);

/* The next unique ID or bad line. RC_END at the end. RC_IO: a file could not be read to its end
 * (damaged gzip, read error): the run must stop. RC_NOMEM. RC_STOPPED. RC_USAGE: a csv input
 * without the column, or lines without a parameter that nothing else gives (only before the first
 * ID; later each such line is a bad one). */
enum rc ids_next(struct ids *ids, struct arena *a, struct id_item *out, struct err *e);

/* What was counted so far. */
struct ids_counts ids_counts(const struct ids *ids);

/* Computes the `key` that ids_next() gives a good line with this ID and parameters. RC_INTERNAL,
 * RC_NOMEM. */
enum rc id_key(struct str id, const struct str *params, size_t n_params,
               unsigned char key[LEAD_KEY_BYTES], struct err *e);

/* RC_OK, or RC_SYNTAX with a text that says what is allowed. */
enum rc id_check(struct str id, struct err *e);

#endif
