/* Splits an ID input into lines or CSV records. Private to core/source. */
#ifndef LEADPIPE_IDS_READER_H
#define LEADPIPE_IDS_READER_H

#include <stdint.h>

#include "core/source/ids_csv.h"
#include "core/source/ids_source.h"

#define IDS_LINE_BYTES_MAX (1024 * 1024) /* of a line, or of a csv record */

struct ids_reader {
    struct ids_source source;
    char *data; /* owned */
    size_t cap, at, end;
    uint64_t line;    /* number of the line at `at` */
    size_t n_columns; /* of the CSV header; 0: not known. Set by the caller that has read it. */
    bool begun;       /* a byte order mark has been skipped, if there was one */
    bool after_cr;    /* a line feed at `at` belongs to the preceding CR */
};

struct ids_piece {
    char *ptr; /* without its line end; may be modified; valid until the next call */
    size_t len;
    uint64_t line; /* the number of its first line, from 1 */
    bool too_long; /* over IDS_LINE_BYTES_MAX: `ptr` has no text */
    bool at_end;   /* the last one, without a line end */

    /* For a CSV record: CSV_START, or what is wrong with it. */
    enum csv_state fault;
    size_t fault_fields; /* number of fields up to the fault; CSV_JOINED: of all */
};

/* Errors as from ids_source_open(). */
enum rc ids_reader_open(struct ids_reader *r, const char *path, const struct source_wait *wait,
                        struct err *e);
void ids_reader_close(struct ids_reader *r);

/* The next line, or with a `delimiter` other than '\0' the next CSV record (RFC 4180), which may contain line ends within
 * quotes. LF, CRLF and CR end a line. If a record is malformed, or if its quotes join lines and the number of fields differs
 * from the header's, only its first line is taken, with `fault` set, so that the lines after it are not lost. Errors as
 * from ids_source_read(); RC_USAGE: the input is not text; the message says what it appears to be. */
enum rc ids_reader_next(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e);

/* The same without taking it: the next call returns it again. */
enum rc ids_reader_peek(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e);

#endif
