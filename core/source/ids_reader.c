#include "core/source/ids_reader.h"

#include <stdlib.h>
#include <string.h>

#include "core/source/ids_sniff.h"

#define BLOCK_BYTES (64 * 1024)
#define CAP_MAX (IDS_LINE_BYTES_MAX + BLOCK_BYTES)

enum rc ids_reader_open(struct ids_reader *r, const char *path, const struct source_wait *wait,
                        struct err *e)
{
    *r = (struct ids_reader){.line = 1};
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

/* Makes room after `end`: removes what has been taken; if that is not enough, doubles the buffer. */
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
        return err_set(e, RC_INTERNAL, "%s: a line longer than the limit was kept", r->source.name);
    char *data = realloc(r->data, cap);
    if (!data)
        return err_nomem(e);
    r->data = data;
    r->cap = cap;
    return RC_OK;
}

/* Reads more data into the buffer. RC_END: there is no more. */
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

/* Checks the first bytes: refuses files that are not text, and skips a byte order mark. */
static enum rc reader_begin(struct ids_reader *r, struct err *e)
{
    static const char mark[] = "\xEF\xBB\xBF";
    const struct ids_kind *kind = NULL;
    enum rc rc = RC_OK;
    for (bool more = true; more && rc == RC_OK;) {
        kind = ids_sniff((struct str){r->data, r->end}, &more);
        more |= r->end < 3 && memcmp(r->data, mark, r->end) == 0;
        if (more)
            rc = reader_fill(r, e);
    }
    if (rc != RC_OK && rc != RC_END)
        return rc;
    if (kind)
        return ids_kind_refuse(kind, r->source.name, e);
    if (r->end >= 3 && memcmp(r->data, mark, 3) == 0)
        r->at = 3;
    r->begun = true;
    return RC_OK;
}

/* Skips the LF of a CRLF whose CR was the last byte in the buffer. */
static enum rc skip_line_feed(struct ids_reader *r, struct err *e)
{
    enum rc rc = r->at == r->end ? reader_fill(r, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    r->at += r->data[r->at] == '\n';
    r->after_cr = false;
    return RC_OK;
}

/* ---- where a piece ends --------------------------------------------------------------------- */

#define WINDOW_BYTES 256

struct extent {
    size_t bytes;   /* without the line end */
    size_t taken;   /* including the line end */
    uint64_t lines; /* number of line ends in it */
    bool too_long, at_end;
    enum csv_state fault;
    size_t fault_fields;
};

/* How far the end has been searched for, so that nothing is searched twice. */
struct search {
    size_t done;  /* bytes from `at` on */
    bool stepped; /* there were bytes that are not plain, so csv_step() is used for all */
    bool was_cr;
    uint64_t lines;
    enum csv_state state;
};

enum search_end { END_FOUND, END_MALFORMED, END_NOT_THERE };

/* The first line end, or NULL. Searches window by window: otherwise, if lines end in CR, every search for a line feed
 * would go to the end of the buffer. */
static const char *line_end(const char *from, const char *end)
{
    while (from < end) {
        size_t n = (size_t)(end - from) < WINDOW_BYTES ? (size_t)(end - from) : WINDOW_BYTES;
        const char *feed = memchr(from, '\n', n);
        const char *cr = memchr(from, '\r', feed ? (size_t)(feed - from) : n);
        if (cr || feed)
            return cr ? cr : feed;
        from += n;
    }
    return NULL;
}

static enum search_end search_line(const struct ids_reader *r, struct search *s)
{
    const char *from = r->data + r->at;
    const char *p = line_end(from + s->done, r->data + r->end);
    s->done = p ? (size_t)(p - from) : r->end - r->at;
    s->lines = p ? 1 : 0;
    return p ? END_FOUND : END_NOT_THERE;
}

/* Skips bytes that do not change the state. */
static const char *skip_ordinary(const char *p, const char *end, enum csv_state state,
                                 char delimiter)
{
    if (state == CSV_QUOTED)
        while (p < end && csv_is_plain(*p))
            p++;
    else if (state == CSV_PLAIN)
        while (p < end && csv_is_plain(*p) && *p != delimiter)
            p++;
    return p;
}

static enum search_end search_steps(const struct ids_reader *r, char delimiter, struct search *s)
{
    const char *from = r->data + r->at;
    const char *end = r->data + r->end;
    for (const char *p = from + s->done; p < end; p++) {
        const char *next = skip_ordinary(p, end, s->state, delimiter);
        s->was_cr = s->was_cr && next == p;
        p = next;
        if (p == end)
            break;
        s->state = csv_step(s->state, *p, delimiter);
        s->done = (size_t)(p - from);
        if (s->state >= CSV_MALFORMED)
            return END_MALFORMED;
        if (csv_line_end(*p)) {
            s->lines += !(*p == '\n' && s->was_cr);
            if (s->state == CSV_START)
                return END_FOUND;
        }
        s->was_cr = *p == '\r';
    }
    s->done = r->end - r->at;
    return END_NOT_THERE;
}

static enum search_end search_record(const struct ids_reader *r, char delimiter, struct search *s)
{
    if (s->stepped)
        return search_steps(r, delimiter, s);
    const char *from = r->data + r->at;
    const char *end = r->data + r->end;
    const char *p = from + s->done;
    while (p < end && csv_is_plain(*p))
        p++;
    s->done = (size_t)(p - from);
    if (p == end)
        return END_NOT_THERE;
    s->lines = 1;
    if (csv_line_end(*p))
        return END_FOUND;
    *s = (struct search){.stepped = true};
    return search_steps(r, delimiter, s);
}

/* The length of the line end, 1 or 2. If the last byte in the buffer is a CR, `after_cr` handles a following LF. */
static size_t line_end_bytes(const struct ids_reader *r, size_t at)
{
    bool pair = r->data[at] == '\r' && at + 1 < r->end && r->data[at + 1] == '\n';
    return pair ? 2 : 1;
}

/* Finds the line (delimiter '\0') or record at `at`, with all of it in the buffer unless it is too
 * long. RC_END: nothing is left. */
static enum rc find_extent(struct ids_reader *r, char delimiter, struct extent *out, struct err *e)
{
    struct search s = {0};
    enum rc rc = RC_OK;
    enum search_end end;
    while ((end = delimiter ? search_record(r, delimiter, &s) : search_line(r, &s)) ==
               END_NOT_THERE &&
           s.done <= IDS_LINE_BYTES_MAX) {
        rc = reader_fill(r, e);
        if (rc != RC_OK)
            break;
    }
    if (rc != RC_OK && (rc != RC_END || r->at == r->end))
        return rc;
    *out = (struct extent){.bytes = s.done, .taken = s.done, .lines = s.lines};
    out->at_end = rc == RC_END;
    out->too_long = s.done > IDS_LINE_BYTES_MAX;
    if (end == END_FOUND)
        out->taken += line_end_bytes(r, r->at + s.done);
    if (end == END_MALFORMED)
        out->fault = s.state;
    else if (s.state == CSV_QUOTED && (out->at_end || (out->too_long && s.lines > 0)))
        out->fault = CSV_NOT_CLOSED;
    return RC_OK;
}

/* Without quotes a record is one line; a wrong number of fields is then detected where fields are read. */
static bool joins_lines(const struct ids_reader *r, const struct extent *x)
{
    return r->n_columns && x->lines > (x->at_end ? 0u : 1u) && x->fault_fields != r->n_columns;
}

static enum rc find_piece(struct ids_reader *r, char delimiter, struct extent *out, struct err *e)
{
    enum rc rc = r->begun ? RC_OK : reader_begin(r, e);
    if (rc == RC_OK && r->after_cr)
        rc = skip_line_feed(r, e);
    if (rc == RC_OK)
        rc = find_extent(r, delimiter, out, e);
    if (rc != RC_OK || !delimiter || (out->fault == CSV_START && out->lines <= 1 && !out->at_end))
        return rc;
    out->fault_fields = csv_fields(r->data + r->at, out->bytes, delimiter);
    if (out->fault == CSV_START && joins_lines(r, out))
        out->fault = CSV_JOINED;
    if (out->fault == CSV_START)
        return RC_OK;
    struct extent line;
    rc = find_extent(r, '\0', &line, e);
    if (rc != RC_OK)
        return rc;
    line.fault = out->fault;
    line.fault_fields = out->fault_fields;
    *out = line;
    return RC_OK;
}

/* ---- pieces --------------------------------------------------------------------------------- */

/* Advances beyond the piece that was found. */
static void take(struct ids_reader *r, size_t bytes, uint64_t lines)
{
    r->at += bytes;
    r->line += lines;
    r->after_cr = lines && r->at == r->end && r->data[r->at - 1] == '\r';
}

/* Skips the rest of a line that is too long. */
static enum rc drop_line(struct ids_reader *r, struct err *e)
{
    for (;;) {
        const char *end = line_end(r->data + r->at, r->data + r->end);
        if (end) {
            r->at = (size_t)(end - r->data);
            take(r, line_end_bytes(r, r->at), 1);
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
    *out = (struct ids_piece){
        .ptr = r->data + r->at,
        .len = x->too_long ? 0 : x->bytes,
        .line = r->line,
        .too_long = x->too_long,
        .at_end = x->at_end,
        .fault = x->fault,
        .fault_fields = x->fault_fields,
    };
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
    if (x.too_long)
        rc = drop_line(r, e);
    else
        take(r, x.taken, x.lines);
    if (rc == RC_OK)
        *out = piece;
    return rc;
}
