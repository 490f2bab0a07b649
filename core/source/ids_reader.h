/* An ID input cut into lines or csv records. Private to core/source. */
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
    size_t n_columns; /* of the csv header; 0: not known. Set by who has read it. */
    bool begun;       /* the byte order mark is behind us */
    bool after_cr;    /* a line feed at `at` still belongs to the line end before */
};

struct ids_piece {
    char *ptr; /* without its line end; may be written to; lives until the next call */
    size_t len;
    uint64_t line; /* from 1: where it begins */
    bool too_long; /* over IDS_LINE_BYTES_MAX: the text is not there */
    bool at_end;   /* the input ends with it, without a line end */

    /* Of a csv record: CSV_START, or what is wrong with it. */
    enum csv_state fault;
    size_t fault_fields; /* up to where it is wrong; CSV_JOINED: all that it has */
};

/* As ids_source_open(). */
enum rc ids_reader_open(struct ids_reader *r, const char *path, const struct source_wait *wait,
                        struct err *e);
void ids_reader_close(struct ids_reader *r);

/* The next line, or with a `delimiter` other than '\0' the next csv record (RFC 4180), which may
 * hold line ends within quotes. LF, CRLF and CR end a line. A record that is malformed, or whose
 * quotes join lines so that it has not as many fields as the header, must not take the lines behind
 * its first with it: then the piece is the first line alone, with its `fault`. Errors as
 * ids_source_read(); RC_USAGE: the input is no text, and it is said what it seems to be. */
enum rc ids_reader_next(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e);

/* The same, but it stays there to be read again. */
enum rc ids_reader_peek(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e);

#endif
