/* An ID input cut into lines or csv records. Private to core/ids*.c. */
#ifndef LEADPIPE_IDS_READER_H
#define LEADPIPE_IDS_READER_H

#include <stdint.h>

#include "ids_source.h"

#define IDS_LINE_BYTES_MAX (1024 * 1024) /* of a line, or of a csv record */

struct ids_reader {
    struct ids_source source;
    char *data; /* owned */
    size_t cap, at, end;
    uint64_t line;     /* number of the line at `at` */
    size_t record_max; /* how far a closing quote is looked for */
    bool begun;        /* the byte order mark is behind us */
};

struct ids_piece {
    char *ptr; /* without its line end; may be written to; lives until the next call */
    size_t len;
    uint64_t line; /* from 1: where it begins */
    bool too_long; /* over IDS_LINE_BYTES_MAX: the text is not there */
};

/* As ids_source_open(). */
enum rc ids_reader_open(struct ids_reader *r, const char *path, const struct ids_wait *wait,
                        struct err *e);
void ids_reader_close(struct ids_reader *r);

/* The next line, or with a `delimiter` other than '\0' the next csv record, which may hold line
 * ends within quotes. A quote that is never closed must not swallow the lines behind it: then just
 * the line is the record. Errors as ids_source_read(). */
enum rc ids_reader_next(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e);

/* The same, but it stays there to be read again. */
enum rc ids_reader_peek(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e);

#endif
