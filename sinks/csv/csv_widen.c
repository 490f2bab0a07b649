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

static void put(struct csv_widen *w, const char *p, size_t n)
{
    if (n > 0)
        w->write(w->ctx, p, n);
}

/* Of what is held, and then the `n` bytes at `p`, writes all but the last `keep` bytes. Those that are
 * still to be written are the rest of what is held, and behind it the returned number of bytes. */
static size_t put_most(struct csv_widen *w, const char *p, size_t n, size_t keep)
{
    size_t all = w->n_held + n;
    size_t most = all > keep ? all - keep : 0;
    size_t from_held = most < w->n_held ? most : w->n_held;
    put(w, w->held, from_held);
    w->n_held -= from_held;
    memmove(w->held, w->held + from_held, w->n_held);
    put(w, p, most - from_held);
    return n - (most - from_held);
}

/* Writes all that is held, and `n` bytes. */
static void put_all(struct csv_widen *w, const char *p, size_t n)
{
    put(w, w->held, w->n_held);
    w->n_held = 0;
    put(w, p, n);
}

void csv_widen_end(struct csv_widen *w)
{
    put_all(w, NULL, 0);
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
                size_t rest = put_most(w, written, (size_t)(stop - written), w->ending_bytes);
                put_padding(w, w->columns - columns);
                put_all(w, stop - rest, rest);
                written = stop;
            }
        }
        from++;
    }
    size_t keep = is_wide_enough(w) ? 0 : w->ending_bytes;
    size_t rest = put_most(w, written, (size_t)(end - written), keep);
    if (rest > 0)
        memcpy(w->held + w->n_held, end - rest, rest);
    w->n_held += rest;
    w->at += n;
}
