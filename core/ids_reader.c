#include "ids_reader.h"

#include <stdlib.h>
#include <string.h>

#include "ids_csv.h"

#define BLOCK_BYTES (64 * 1024)
#define CAP_MAX (IDS_LINE_BYTES_MAX + BLOCK_BYTES)
#define RECORD_MAX_LEAST 4096

enum rc ids_reader_open(struct ids_reader *r, const char *path, const struct ids_wait *wait,
                        struct err *e)
{
    *r = (struct ids_reader){.line = 1, .record_max = IDS_LINE_BYTES_MAX};
    r->data = malloc(BLOCK_BYTES);
    if (!r->data)
        return err_nomem(e);
    r->cap = BLOCK_BYTES;
    enum rc rc = ids_source_open(&r->source, path, wait, e);
    if (rc != RC_OK)
        free(r->data);
    return rc;
}

void ids_reader_close(struct ids_reader *r)
{
    ids_source_close(&r->source);
    free(r->data);
    r->data = NULL;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* Room behind `end`: what was taken goes first, then the buffer doubles. */
static enum rc reader_room(struct ids_reader *r, struct err *e)
{
    if (r->end < r->cap)
        return RC_OK;
    if (r->at > 0) {
        memmove(r->data, r->data + r->at, r->end - r->at);
        r->end -= r->at;
        r->at = 0;
        return RC_OK;
    }
    size_t cap = r->cap * 2 < CAP_MAX ? r->cap * 2 : CAP_MAX;
    if (cap == r->cap)
        return err_set(e, RC_INTERNAL, "%s: a line beyond the limit was kept", r->source.name);
    char *data = realloc(r->data, cap);
    if (!data)
        return err_nomem(e);
    r->data = data;
    r->cap = cap;
    return RC_OK;
}

/* Reads more behind what is there. RC_END: there is no more. */
static enum rc reader_fill(struct ids_reader *r, struct err *e)
{
    size_t n;
    enum rc rc = reader_room(r, e);
    if (rc == RC_OK)
        rc = ids_source_read(&r->source, r->data + r->end, r->cap - r->end, &n, e);
    if (rc == RC_OK)
        r->end += n;
    return rc;
}

static enum rc skip_byte_order_mark(struct ids_reader *r, struct err *e)
{
    static const char mark[] = "\xEF\xBB\xBF";
    enum rc rc = RC_OK;
    while (rc == RC_OK && r->end < 3 && memcmp(r->data, mark, r->end) == 0)
        rc = reader_fill(r, e);
    if (rc != RC_OK && rc != RC_END)
        return rc;
    if (r->end >= 3 && memcmp(r->data, mark, 3) == 0)
        r->at = 3;
    r->begun = true;
    return RC_OK;
}

/* ---- where a piece ends --------------------------------------------------------------------- */

struct extent {
    size_t bytes;   /* without the line end */
    size_t taken;   /* with it */
    uint64_t lines; /* line ends in it */
    bool too_long;
};

/* How the search for the end stands, so that what was searched is not searched again. */
struct search {
    size_t done; /* bytes from `at` on */
    uint64_t lines;
    enum csv_state state;
    bool given_up; /* a quote is open for too long */
};

/* A line feed that ends the piece, or NULL when it is not in the buffer. */
static const char *find_end(const struct ids_reader *r, char delimiter, struct search *s)
{
    const char *from = r->data + r->at + s->done;
    size_t n = r->end - r->at - s->done;
    if (n == 0)
        return NULL;
    const char *feed = memchr(from, '\n', n);
    size_t plain = feed ? (size_t)(feed - from) : n;
    if (delimiter == '\0' || (s->done == 0 && feed && !memchr(from, '"', plain))) {
        s->done += plain;
        s->lines += feed ? 1 : 0;
        return feed;
    }
    for (const char *p = from; p < from + n; p++) {
        s->state = csv_step(s->state, *p, delimiter);
        if (*p != '\n')
            continue;
        s->lines++;
        size_t done = s->done + (size_t)(p - from);
        s->given_up = s->state == CSV_QUOTED && done > r->record_max;
        if (s->state == CSV_START || s->given_up) {
            s->done = done;
            return s->given_up ? NULL : p;
        }
    }
    s->done += n;
    return NULL;
}

static void extent_of_line(const struct ids_reader *r, struct extent *out)
{
    const char *from = r->data + r->at;
    size_t n = r->end - r->at;
    const char *feed = memchr(from, '\n', n);
    out->bytes = feed ? (size_t)(feed - from) : n;
    out->taken = out->bytes + (feed ? 1 : 0);
    out->lines = feed ? 1 : 0;
    out->too_long = out->bytes > IDS_LINE_BYTES_MAX;
}

/* Only the first line of a record whose quotes are not closed. Each time this happens, the next
 * closing quote is looked for less far: else a file of such lines would take its size times 1 MiB
 * to read. */
static void extent_of_broken(struct ids_reader *r, struct extent *out)
{
    extent_of_line(r, out);
    if (r->record_max > RECORD_MAX_LEAST)
        r->record_max /= 2;
}

/* Finds the piece at `at`, with all of it in the buffer unless it is too long. */
static enum rc find_piece(struct ids_reader *r, char delimiter, struct extent *out, struct err *e)
{
    struct search s = {0};
    enum rc rc = r->begun ? RC_OK : skip_byte_order_mark(r, e);
    const char *feed = NULL;
    while (rc == RC_OK && !(feed = find_end(r, delimiter, &s)) && !s.given_up &&
           s.done <= IDS_LINE_BYTES_MAX)
        rc = reader_fill(r, e);
    if (rc != RC_OK && (rc != RC_END || r->at == r->end))
        return rc;
    *out = (struct extent){.bytes = s.done, .taken = s.done + (feed ? 1 : 0), .lines = s.lines};
    out->too_long = s.done > IDS_LINE_BYTES_MAX;
    bool is_open = !feed && s.state == CSV_QUOTED;
    if (is_open || (out->too_long && s.lines > (feed ? 1u : 0u)))
        extent_of_broken(r, out);
    return RC_OK;
}

/* ---- pieces --------------------------------------------------------------------------------- */

/* Reads on to the end of a line that is not kept. */
static enum rc drop_line(struct ids_reader *r, struct err *e)
{
    for (;;) {
        char *feed = memchr(r->data + r->at, '\n', r->end - r->at);
        if (feed) {
            r->at = (size_t)(feed - r->data) + 1;
            r->line++;
            return RC_OK;
        }
        r->at = r->end = 0;
        enum rc rc = reader_fill(r, e);
        if (rc != RC_OK)
            return rc == RC_END ? RC_OK : rc;
    }
}

static void piece_set(const struct ids_reader *r, const struct extent *x, struct ids_piece *out)
{
    char *ptr = r->data + r->at;
    size_t len = x->bytes;
    if (len && ptr[len - 1] == '\r')
        len--;
    *out = (struct ids_piece){ptr, x->too_long ? 0 : len, r->line, x->too_long};
}

enum rc ids_reader_peek(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e)
{
    struct extent x;
    enum rc rc = find_piece(r, delimiter, &x, e);
    if (rc == RC_OK)
        piece_set(r, &x, out);
    return rc;
}

enum rc ids_reader_next(struct ids_reader *r, char delimiter, struct ids_piece *out, struct err *e)
{
    struct extent x;
    enum rc rc = find_piece(r, delimiter, &x, e);
    if (rc != RC_OK)
        return rc;
    struct ids_piece piece;
    piece_set(r, &x, &piece);
    if (x.too_long) {
        rc = drop_line(r, e);
    } else {
        r->at += x.taken;
        r->line += x.lines;
    }
    if (rc == RC_OK)
        *out = piece;
    return rc;
}
