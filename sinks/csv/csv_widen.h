/* Rows that were written when fewer columns were known get the empty fields that they lack.
 *
 * Works on encoded CSV in pieces of any size, with the memory of a few words: rows end where the
 * dialect says, outside of quotes. */
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

struct csv_widen {
    char delimiter;
    bool crlf;
    uint32_t columns;               /* that every row is to have */
    const struct csv_width *widths; /* in order of `from`, the first at or before the first row */
    size_t n_widths;
    void (*write)(void *ctx, const void *p, size_t n);
    void *ctx;

    /* Where it stands; set `at` to the place of the first byte that is fed, zero the rest. */
    uint64_t at;
    size_t next; /* the first of `widths` that does not hold yet */
    bool quoted;
};

void csv_widen_feed(struct csv_widen *w, const char *p, size_t n);

#endif
