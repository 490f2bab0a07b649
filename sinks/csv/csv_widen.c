#include "sinks/csv/csv_widen.h"

#include <string.h>

/* Columns of the row that holds the byte at `at`. */
static uint32_t columns_at(struct csv_widen *w, uint64_t at)
{
    while (w->next < w->n_widths && w->widths[w->next].from <= at)
        w->next++;
    return w->next ? w->widths[w->next - 1].columns : w->columns;
}

/* No row from here on lacks anything. */
static bool is_wide_enough(const struct csv_widen *w)
{
    return w->next == w->n_widths &&
           (w->n_widths == 0 || w->widths[w->n_widths - 1].columns >= w->columns);
}

static void put_padding(struct csv_widen *w, uint32_t n)
{
    char block[256];
    memset(block, w->delimiter, n < sizeof block ? n : sizeof block);
    while (n > 0) {
        uint32_t take = n < sizeof block ? n : (uint32_t)sizeof block;
        w->write(w->ctx, block, take);
        n -= take;
    }
}

/* Plain, so that compilers make vectors of it. */
static bool has_odd_quotes(const char *p, size_t n)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < n; i++)
        odd ^= p[i] == '"';
    return odd;
}

void csv_widen_feed(struct csv_widen *w, const char *p, size_t n)
{
    if (n == 0)
        return; /* `p` may be NULL */
    const char *end = p + n;
    const char *written = p; /* all before it */
    const char *from = p;
    /* Padding goes before the CR: outside of quotes it stands nowhere else. */
    const char row_end = w->crlf ? '\r' : '\n';
    while (from < end && !is_wide_enough(w)) {
        const char *stop = memchr(from, row_end, (size_t)(end - from));
        size_t len = (size_t)((stop ? stop : end) - from);
        w->quoted ^= has_odd_quotes(from, len);
        from += len;
        if (!stop)
            break;
        if (!w->quoted) {
            uint32_t columns = columns_at(w, w->at + (uint64_t)(stop - p));
            if (columns < w->columns) {
                w->write(w->ctx, written, (size_t)(stop - written));
                put_padding(w, w->columns - columns);
                written = stop;
            }
        }
        from++;
    }
    if (written < end)
        w->write(w->ctx, written, (size_t)(end - written));
    w->at += n;
}
