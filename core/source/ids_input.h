/* Reads one ID input in its format: the ID and parameters of each line, not yet checked. Private to core/source. */
#ifndef LEADPIPE_IDS_INPUT_H
#define LEADPIPE_IDS_INPUT_H

#include "core/base/arena.h"
#include "core/source/ids.h"
#include "core/source/ids_columns.h"
#include "core/source/ids_reader.h"

/* What one line says. The texts live until the next call. */
struct ids_found {
    struct str id;      /* absent: not there */
    struct str *params; /* the caller's array, all absent; set where the line has a value */
    uint64_t line;
    struct err bad; /* rc RC_OK: a good line; else why it is a bad one */
};

struct ids_input {
    struct ids_reader reader;
    const struct ids_cfg *cfg;
    enum id_format format;      /* ID_FORMAT_AUTO: the input is empty */
    bool may_have_header;       /* detected as lines, although the first one may be a CSV header */
    char delimiter;             /* from a line "sep=;" before the header; '\0': none */
    struct ids_columns columns; /* csv */
    struct arena scratch;       /* ndjson: the tree of one line */
};

/* Opens the input, detects its format, and reads a CSV header. Errors as from ids_source_read(), and RC_USAGE: CSV with a
 * malformed header or without the ID column, or a file that is not a list of IDs. `in` must not be moved or copied until it
 * is closed. */
enum rc ids_input_open(struct ids_input *in, const struct ids_cfg *cfg, const char *path,
                       struct err *e);
void ids_input_close(struct ids_input *in);

/* The next line that is not empty. RC_END, and errors as from ids_source_read(). */
enum rc ids_input_next(struct ids_input *in, struct ids_found *out, struct err *e);

#endif
