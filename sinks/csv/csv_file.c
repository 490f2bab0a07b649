#include "sinks/csv/csv_file.h"

#include <stdlib.h>

#include "core/provider/table_column.h"
#include "sinks/csv/csv_mark.h"

#define FLUSH_BYTES ((size_t)64 * 1024)
#define SPARE_BYTES ((size_t)1 << 20) /* what one huge row made larger is given back */

static enum rc buf_err(const struct buf *b, struct err *e)
{
    enum rc rc = buf_rc(b);
    return rc == RC_OK ? RC_OK : err_set(e, rc, "%s", rc_text(rc));
}

static void buf_empty(struct buf *b)
{
    if (b->cap > SPARE_BYTES)
        buf_free(b);
    else
        buf_clear(b);
}

static void to_stream(void *stream, const void *p, size_t n)
{
    stream_write(stream, p, n);
}

/* ---- header --------------------------------------------------------------------------------- */

static void header_encode(struct csv_file *f, uint32_t n_columns, struct buf *out)
{
    const struct csv_dialect *d = &f->settings->dialect;
    const struct profile *p = f->settings->profile;
    for (size_t i = 0; i < table_columns(p, f->table); i++) {
        if (i > 0)
            buf_addc(out, d->delimiter);
        csv_put_text(out, d, table_column(p, f->table, i).name);
    }
    for (uint32_t i = 0; i < n_columns; i++) {
        buf_addc(out, d->delimiter);
        csv_put_text(out, d, str_c(f->columns.names[i]));
    }
    for (size_t i = 0; i < f->settings->run->n; i++) {
        buf_addc(out, d->delimiter);
        csv_put_text(out, d, f->settings->run->names[i]);
    }
    csv_put_eol(out, d);
}

/* The beginning of a file with the first `n_columns` undocumented columns, into f->scratch. */
static void header_make(struct csv_file *f, uint32_t n_columns)
{
    buf_clear(&f->scratch);
    if (f->settings->bom)
        buf_adds(&f->scratch, "\xef\xbb\xbf");
    if (f->settings->header)
        header_encode(f, n_columns, &f->scratch);
}

/* With all columns that are known. */
static enum rc header_write(struct csv_file *f, struct stream *to, struct err *e)
{
    header_make(f, f->columns.n);
    stream_write(to, f->scratch.data, f->scratch.len);
    return buf_err(&f->scratch, e);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Do the rows that the mark names fit the file that it names? */
static bool mark_fits(struct csv_file *f)
{
    uint64_t bytes = stream_bytes(f->stream);
    if (!f->started)
        return bytes == 0;
    header_make(f, f->widths[0].columns);
    return f->widths[0].from == f->scratch.len &&
           f->widths[f->n_widths - 1].from <= stream_cut(f->stream).bytes && f->n_rows <= bytes;
}

enum rc csv_file_open(struct csv_file *f, const struct csv_settings *settings,
                      const struct table_spec *table, const char *path, struct str mark,
                      struct err *e)
{
    *f = (struct csv_file){.settings = settings, .table = table, .path = path};
    buf_init(&f->ending, CSV_ENDING_BYTES_MAX);
    for (size_t i = 0; i < settings->run->n; i++) {
        buf_addc(&f->ending, settings->dialect.delimiter);
        csv_put_text(&f->ending, &settings->dialect, settings->run->values[i]);
    }
    buf_init(&f->rows, SIZE_MAX / 2);
    buf_init(&f->scratch, SIZE_MAX / 2);
    bool is_marked = mark.ptr != NULL;
    enum rc rc = is_marked ? csv_mark_take(f, &mark) : RC_OK;
    if (rc == RC_NOMEM || buf_rc(&f->ending) != RC_OK)
        return err_nomem(e);
    if (rc != RC_OK)
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", path);
    const struct stream_cfg cfg = {.places = settings->places,
                                   .path = path,
                                   .reads_back = true,
                                   .level = settings->level,
                                   .want_sha256 = settings->want_sha256,
                                   .spool = true,
                                   .stop = settings->stop,
                                   .mark = mark};
    rc = stream_open(&f->stream, &cfg, e);
    if (rc == RC_OK && is_marked && !mark_fits(f))
        rc = buf_rc(&f->scratch) != RC_OK
                 ? err_nomem(e)
                 : err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", path);
    return rc;
}

void csv_file_close(struct csv_file *f, bool keep)
{
    stream_close(f->wide, false);
    stream_close(f->stream, keep);
    extra_columns_free(&f->columns);
    free(f->widths);
    buf_free(&f->ending);
    buf_free(&f->rows);
    buf_free(&f->scratch);
    *f = (struct csv_file){0};
}

static struct csv_widen widen_make(const struct csv_file *f, struct stream *to)
{
    return (struct csv_widen){.delimiter = f->settings->dialect.delimiter,
                              .crlf = f->settings->dialect.crlf,
                              .ending_bytes = f->ending.len,
                              .columns = f->columns.n,
                              .widths = f->widths,
                              .n_widths = f->n_widths,
                              .write = to_stream,
                              .ctx = to};
}

/* Writes the header and the rows that waited for it. */
static enum rc csv_file_start(struct csv_file *f, struct err *e)
{
    enum rc rc = header_write(f, f->stream, e);
    if (rc != RC_OK)
        return rc;
    uint64_t first = stream_bytes(f->stream);
    struct csv_widen w = widen_make(f, f->stream);
    csv_widen_feed(&w, f->rows.data, f->rows.len);
    csv_widen_end(&w);
    buf_empty(&f->rows);
    f->n_widths = 0;
    if (csv_widths_add(f, first, f->columns.n) != RC_OK)
        return err_nomem(e);
    f->started = true;
    return stream_rc(f->stream, e);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc csv_file_flush(struct csv_file *f, struct err *e)
{
    stream_write(f->stream, f->rows.data, f->rows.len);
    buf_empty(&f->rows);
    return stream_rc(f->stream, e);
}

static void row_encode(struct csv_file *f, struct str keys, const struct row *row)
{
    const struct csv_dialect *d = &f->settings->dialect;
    struct buf *out = &f->rows;
    buf_add_str(out, keys);
    csv_put_cells(out, d, row->cells, f->table->n_columns, &f->scratch);
    csv_put_cells(out, d, f->columns.slots, f->columns.n, &f->scratch);
    if (f->ending.len > 0)
        buf_add_str(out, buf_str(&f->ending));
    csv_put_eol(out, d);
}

/* The row that comes next is wider than those before it. */
static enum rc widths_note(struct csv_file *f)
{
    uint64_t from = f->rows.len;
    if (f->started) {
        from += stream_bytes(f->stream);
        stream_watch(f->stream, from);
    }
    return csv_widths_add(f, from, f->columns.n);
}

enum rc csv_file_put(struct csv_file *f, struct str keys, const struct row *row, struct err *e)
{
    uint32_t n_columns = f->columns.n;
    enum rc rc = extra_columns_fill(&f->columns, row);
    if (rc == RC_OK && (f->n_widths == 0 || f->columns.n > n_columns))
        rc = widths_note(f);
    if (rc == RC_OK)
        row_encode(f, keys, row);
    extra_columns_clear(&f->columns, row);
    if (rc != RC_OK)
        return err_nomem(e);
    return csv_file_end_row(f, e);
}

enum rc csv_file_end_row(struct csv_file *f, struct err *e)
{
    if (f->scratch.cap > SPARE_BYTES)
        buf_free(&f->scratch);
    enum rc rc = buf_err(&f->rows, e);
    if (rc != RC_OK)
        return rc;
    f->n_rows++;
    if (f->started)
        return f->rows.len >= FLUSH_BYTES ? csv_file_flush(f, e) : RC_OK;
    return f->rows.len >= CSV_HOLD_BYTES ? csv_file_start(f, e) : RC_OK;
}

enum rc csv_file_mark(struct csv_file *f, struct buf *out, struct err *e)
{
    /* Not started, it stays so: a header written now would depend on when marks are made. */
    enum rc rc = f->started ? csv_file_flush(f, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    csv_mark_put(f, out);
    rc = stream_mark(f->stream, out, e);
    buf_addc(out, '\n');
    return rc == RC_OK ? buf_err(out, e) : rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

struct rewrite {
    struct csv_widen widen;
    uint64_t header_bytes; /* still to be skipped */
};

static enum rc rewrite_feed(void *ctx, const char *p, size_t n, struct err *e)
{
    struct rewrite *r = ctx;
    size_t skip = r->header_bytes < n ? (size_t)r->header_bytes : n;
    r->header_bytes -= skip;
    csv_widen_feed(&r->widen, p + skip, n - skip);
    return stream_rc(r->widen.ctx, e);
}

/* Columns appeared after the header was written: the file is written once more. */
static enum rc csv_file_rewrite(struct csv_file *f, struct buf *text, struct err *e)
{
    const struct stream_cfg cfg = {.places = f->settings->places,
                                   .path = f->path,
                                   .level = f->settings->level,
                                   .want_sha256 = f->settings->want_sha256,
                                   .spool = true,
                                   .stop = f->settings->stop,
                                   .suffix = OUTFILE_WIDE};
    enum rc rc = stream_open(&f->wide, &cfg, e);
    if (rc == RC_USAGE)
        rc = e->rc = RC_IO; /* it could be written when the run began */
    if (rc == RC_OK)
        rc = header_write(f, f->wide, e);
    if (rc != RC_OK)
        return rc;
    struct rewrite r = {.widen = widen_make(f, f->wide), .header_bytes = f->widths[0].from};
    r.widen.at = r.header_bytes;
    stream_end_member(f->stream);
    struct stream_cut cut = stream_cut(f->stream);
    rc = stream_replay(f->stream, cut, rewrite_feed, &r, e);
    if (rc != RC_OK)
        return rc;
    csv_widen_end(&r.widen);
    stream_append(f->wide, f->stream, cut);
    rc = stream_prepare(f->wide, text, e);
    if (rc == RC_OK)
        stream_prepare_removal(f->stream, text);
    return rc;
}

enum rc csv_file_prepare(struct csv_file *f, struct buf *text, struct err *e)
{
    enum rc rc = f->started ? csv_file_flush(f, e) : csv_file_start(f, e);
    if (rc != RC_OK)
        return rc;
    return f->n_widths > 1 ? csv_file_rewrite(f, text, e) : stream_prepare(f->stream, text, e);
}

const struct stream *csv_file_stream(const struct csv_file *f)
{
    return f->wide ? f->wide : f->stream;
}

enum rc csv_file_sync(struct csv_file *f, struct err *e)
{
    return stream_sync(f->stream, e);
}

void csv_file_begin_commit(struct csv_file *f)
{
    stream_begin_publish(f->wide ? f->wide : f->stream);
}

enum rc csv_file_commit(struct csv_file *f, struct err *e)
{
    enum rc rc = stream_publish(f->wide ? f->wide : f->stream, e);
    if (rc == RC_OK && f->wide)
        return stream_abort(f->stream, e);
    if (rc == RC_OK)
        outfile_clear(f->settings->places, f->path,
                      OUTFILE_WIDE); /* an earlier run may have got so far */
    return rc;
}

enum rc csv_file_abort(struct csv_file *f, struct err *e)
{
    enum rc rc = f->wide ? stream_abort(f->wide, e) : RC_OK;
    return rc == RC_OK && f->stream ? stream_abort(f->stream, e) : rc;
}
