/* One ID input, read in its format: what each line says, not yet checked. Private to core/source. */
#ifndef LEADPIPE_IDS_INPUT_H
#define LEADPIPE_IDS_INPUT_H

#include "core/base/arena.h"
#include "core/source/ids.h"
#include "core/source/ids_columns.h"
#include "core/source/ids_reader.h"

/* What one line says. The texts live until the next call. */
struct ids_found {
    struct str id;      /* absent: not there */
    struct str *params; /* the caller's array, all absent before; set where the line has a value */
    uint64_t line;
    struct err bad; /* rc RC_OK: fine; else why the line has no ID */
};

struct ids_input {
    struct ids_reader reader;
    const struct ids_cfg *cfg;
    enum id_format format;      /* ID_FORMAT_AUTO: there is not a single line */
    bool may_have_header;       /* auto made lines of it, though there may be a csv header */
    char delimiter;             /* said by a line "sep=;" before the header; '\0': not */
    struct ids_columns columns; /* csv */
    struct arena scratch;       /* ndjson: the tree of one line */
};

/* Opens, finds out about the format, and reads a csv header. Errors as ids_source_read(), and
 * RC_USAGE: csv whose header is malformed or without the ID column, and what is no list. The input
 * must not move until it is closed. */
enum rc ids_input_open(struct ids_input *in, const struct ids_cfg *cfg, const char *path,
                       struct err *e);
void ids_input_close(struct ids_input *in);

/* The next line that is not empty. RC_END, and errors as ids_source_read(). */
enum rc ids_input_next(struct ids_input *in, struct ids_found *out, struct err *e);

#endif
