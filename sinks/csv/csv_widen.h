/* Rows that were written when fewer columns were known get the empty fields that they lack.
 *
 * Works on encoded CSV in pieces of any size, with the memory of a few words: rows end where the
 * dialect says, outside of quotes. What all rows end with, such as the run that wrote them, stays at the
 * end: it is behind the fields that come in. */
#ifndef LEADPIPE_CSV_WIDEN_H
#define LEADPIPE_CSV_WIDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows that begin at byte `from` or later have that many columns, up to the next such entry. */
struct csv_width {
    uint64_t from;
    uint32_t columns;
};

#define CSV_ENDING_BYTES_MAX 128

struct csv_widen {
    char delimiter;
    bool crlf;
    size_t
        ending_bytes; /* of what every row ends with, quotes not among it; CSV_ENDING_BYTES_MAX */
    uint32_t columns; /* that every row is to have */
    const struct csv_width *widths; /* in order of `from`, the first at or before the first row */
    size_t n_widths;
    void (*write)(void *ctx, const void *p, size_t n);
    void *ctx;

    /* Where it stands; set `at` to the place of the first byte that is fed, zero the rest. */
    uint64_t at;
    size_t next; /* the first of `widths` that does not hold yet */
    bool quoted;
    char held[CSV_ENDING_BYTES_MAX]; /* the last bytes that were fed, which may be a row's ending */
    size_t n_held;
};

void csv_widen_feed(struct csv_widen *w, const char *p, size_t n);
/* After the last byte. */
void csv_widen_end(struct csv_widen *w);

#endif
