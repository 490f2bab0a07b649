#include "sinks/parquet/parquet_mark.h"

#include <libdeflate.h>

#include "core/base/units.h"

/* It is read on the same machine, and never shown to another one: numbers are as they are in memory.
 *
 *     n_rows, group_rows, row groups, columns, last columns          uint64_t each
 *     text of typed_table_mark()
 *     for each row group: at, n_rows, sums, columns; `first`, `last`
 *     for each column, then each last one: rows, values, has a dictionary; `runs`, `data`, `indexes`
 *
 * A text has its length before it. */

#define BYTES_MAX ((uint64_t)1 << 40)
#define PLAIN_BYTES_MAX ((uint64_t)1 << 50)
#define COLUMNS_BYTES_MAX ((uint64_t)256 << 20)

enum outfile_suffix parquet_mark_suffix(unsigned spool)
{
    return spool ? OUTFILE_ROWS_B : OUTFILE_ROWS_A;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct writer {
    struct outfile *to;
    uint32_t crc;
};

static void put(struct writer *w, const void *p, size_t n)
{
    if (n == 0)
        return;
    outfile_write(w->to, p, n);
    w->crc = libdeflate_crc32(w->crc, p, n);
}

static void put_numbers(struct writer *w, const uint64_t *numbers, size_t n)
{
    put(w, numbers, n * sizeof *numbers);
}

static void put_text(struct writer *w, const struct buf *b)
{
    uint64_t n = b->len;
    put_numbers(w, &n, 1);
    put(w, b->data, b->len);
}

static void put_indexes(struct writer *w, const struct chunk *c)
{
    uint32_t piece[1024];
    uint64_t n_values = c->has_dictionary ? c->n_values : 0;
    uint64_t n_bytes = n_values * sizeof *piece;
    put_numbers(w, &n_bytes, 1);
    for (uint64_t at = 0, n; at < n_values; at += n) {
        n = n_values - at < sizeof piece / sizeof *piece ? n_values - at
                                                         : sizeof piece / sizeof *piece;
        chunk_indexes(c, at, n, piece);
        put(w, piece, n * sizeof *piece);
    }
}

static void put_chunk(struct writer *w, const struct chunk *c)
{
    const uint64_t numbers[] = {c->n_rows, c->n_values, c->has_dictionary};
    put_numbers(w, numbers, sizeof numbers / sizeof *numbers);
    put_text(w, &c->runs);
    put_text(w, &c->data);
    put_indexes(w, c);
}

static void put_group(struct writer *w, const struct row_group *g)
{
    const uint64_t numbers[] = {g->at, g->n_rows, g->sums.plain_bytes, g->sums.bytes, g->n_columns};
    put_numbers(w, numbers, sizeof numbers / sizeof *numbers);
    put_text(w, &g->first);
    put_text(w, &g->last);
}

static enum rc put_groups(const struct row_groups *groups, struct writer *w, struct err *e)
{
    struct row_group_reader r;
    enum rc rc;
    row_group_reader_init(&r, groups);
    while ((rc = row_group_read(&r, e)) == RC_OK)
        put_group(w, &r.group);
    row_group_reader_free(&r);
    return rc == RC_END ? RC_OK : rc;
}

static enum rc put_all(const struct parquet_file *f, struct writer *w, const struct buf *columns,
                       struct err *e)
{
    const uint64_t numbers[] = {f->n_rows, f->group_rows, f->groups.n, f->n_chunks, f->n_last};
    put_numbers(w, numbers, sizeof numbers / sizeof *numbers);
    put_text(w, columns);
    enum rc rc = put_groups(&f->groups, w, e);
    for (size_t i = 0; rc == RC_OK && i < f->n_chunks; i++)
        put_chunk(w, &f->chunks[i]);
    for (size_t i = 0; rc == RC_OK && i < f->n_last; i++)
        put_chunk(w, &f->last[i]);
    return rc;
}

static enum rc write_spool(struct parquet_file *f, unsigned spool, struct err *e)
{
    outfile_close(f->spools[spool], false);
    f->spools[spool] = NULL;
    const struct outfile_cfg cfg = {
        .places = f->settings->places, .path = f->path, .suffix = parquet_mark_suffix(spool)};
    enum rc rc = outfile_open_cfg(&f->spools[spool], &cfg, e);
    if (rc != RC_OK)
        return rc == RC_USAGE ? e->rc = RC_IO : rc; /* it could be written when the run began */
    struct buf columns;
    buf_init(&columns, SIZE_MAX / 2);
    typed_table_mark(f->table, &columns);
    struct writer w = {.to = f->spools[spool]};
    rc = buf_rc(&columns) == RC_OK ? put_all(f, &w, &columns, e) : err_nomem(e);
    if (rc == RC_OK)
        rc = outfile_flush(w.to, e);
    buf_free(&columns);
    if (rc != RC_OK)
        return rc;
    f->spool = spool;
    f->spool_crc = w.crc;
    f->spool_bytes = outfile_bytes(w.to);
    f->spool_rows = f->n_rows;
    return RC_OK;
}

enum rc parquet_mark_put(struct parquet_file *f, struct buf *out, struct err *e)
{
    bool is_new = f->spool_bytes > 0 ? f->spool_rows != f->n_rows : f->n_rows > 0;
    enum rc rc = is_new ? write_spool(f, f->spool_bytes > 0 ? !f->spool : 0, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    buf_addf(out, "%llu %u %llu %u ", (unsigned long long)f->n_rows, f->spool,
             (unsigned long long)f->spool_bytes, f->spool_crc);
    return RC_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    struct outfile *from;
    uint64_t at, end;
    uint32_t crc;
    struct err *e;
};

/* RC_SYNTAX: there are not so many. */
static enum rc take(struct reader *r, char *p, uint64_t n)
{
    if (n > r->end - r->at)
        return RC_SYNTAX;
    while (n > 0) {
        size_t got = 0;
        enum rc rc = outfile_read(r->from, r->at, p, (size_t)n, &got, r->e);
        if (rc == RC_OK && got == 0)
            rc = RC_SYNTAX;
        if (rc != RC_OK)
            return rc;
        r->crc = libdeflate_crc32(r->crc, p, got);
        r->at += got;
        p += got;
        n -= got;
    }
    return RC_OK;
}

static enum rc take_numbers(struct reader *r, uint64_t *numbers, size_t n)
{
    return take(r, (char *)numbers, n * sizeof *numbers);
}

/* Of at most `max` bytes, so that no length makes more memory than rows can have taken. */
static enum rc take_text(struct reader *r, struct buf *out, uint64_t max)
{
    uint64_t n = 0;
    enum rc rc = take_numbers(r, &n, 1);
    if (rc != RC_OK || n == 0)
        return rc;
    if (n > r->end - r->at || n > max || n > out->max)
        return RC_SYNTAX;
    char *room = buf_reserve(out, (size_t)n);
    if (!room)
        return err_nomem(r->e);
    rc = take(r, room, n);
    out->len += rc == RC_OK ? (size_t)n : 0;
    return rc;
}

static enum rc take_chunk(struct reader *r, const struct parquet_file *f, struct chunk *c)
{
    uint64_t numbers[3];
    size_t max =
        f->settings->group_bytes_max; /* of all chunks, while the row group has not ended */
    enum rc rc = take_numbers(r, numbers, sizeof numbers / sizeof *numbers);
    if (rc == RC_OK && numbers[2] > 1)
        rc = RC_SYNTAX;
    if (rc == RC_OK)
        rc = take_text(r, &c->runs, max);
    if (rc == RC_OK)
        rc = take_text(r, &c->data, max);
    if (rc == RC_OK)
        rc = take_text(r, &c->indexes, max);
    if (rc != RC_OK)
        return rc;
    c->n_rows = numbers[0];
    c->n_values = numbers[1];
    c->has_dictionary = numbers[2];
    rc = chunk_restore(c, f->group_rows);
    if (rc == RC_OK && f->memory.held >= max)
        rc = RC_SYNTAX;
    return rc == RC_NOMEM ? err_nomem(r->e) : rc;
}

static enum rc take_groups(struct reader *r, struct parquet_file *f, uint64_t n)
{
    struct row_groups *groups = &f->groups;
    uint64_t n_rows = f->n_rows - f->group_rows;
    uint64_t sum = 0;
    uint64_t n_columns = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t numbers[5];
        enum rc rc = take_numbers(r, numbers, sizeof numbers / sizeof *numbers);
        if (rc != RC_OK)
            return rc;
        struct row_group *g = row_groups_next(groups);
        g->at = numbers[0];
        g->n_rows = numbers[1];
        g->sums = (struct page_sums){numbers[2], numbers[3]};
        g->n_columns = numbers[4];
        if (g->at != PARQUET_MAGIC.len + groups->bytes || g->n_rows == 0 ||
            g->n_rows > n_rows - sum || g->n_rows > f->settings->group_rows_max ||
            g->sums.bytes > BYTES_MAX || g->sums.plain_bytes > PLAIN_BYTES_MAX ||
            g->n_columns > f->n_chunks || g->n_columns < n_columns)
            return RC_SYNTAX;
        sum += g->n_rows;
        n_columns = g->n_columns;
        rc = take_text(r, &g->first, INT32_MAX);
        if (rc == RC_OK)
            rc = take_text(r, &g->last, INT32_MAX);
        if (rc == RC_OK)
            rc = row_groups_add(groups, r->e);
        if (rc != RC_OK)
            return rc;
    }
    return sum == n_rows ? RC_OK : RC_SYNTAX;
}

static enum rc take_chunks(struct reader *r, struct parquet_file *f)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < f->n_chunks; i++)
        rc = take_chunk(r, f, &f->chunks[i]);
    for (size_t i = 0; rc == RC_OK && i < f->n_last; i++)
        rc = take_chunk(r, f, &f->last[i]);
    return rc;
}

static enum rc take_all(struct reader *r, struct parquet_file *f)
{
    uint64_t numbers[5];
    struct buf columns;
    buf_init(&columns, SIZE_MAX / 2);
    enum rc rc = take_numbers(r, numbers, sizeof numbers / sizeof *numbers);
    if (rc == RC_OK)
        rc = take_text(r, &columns, COLUMNS_BYTES_MAX);
    if (rc == RC_OK)
        rc = typed_table_new(&f->table, &f->table_cfg,
                             (struct str){columns.data ? columns.data : "", columns.len}, r->e);
    if (rc == RC_OK && parquet_file_grow(f) != RC_OK)
        rc = err_nomem(r->e);
    buf_free(&columns);
    if (rc != RC_OK)
        return rc;
    if (numbers[0] != f->n_rows || numbers[1] > f->n_rows || numbers[2] > f->n_rows ||
        numbers[3] != f->n_chunks || numbers[4] != f->n_last)
        return RC_SYNTAX;
    if (numbers[1] >= f->settings->group_rows_max)
        return RC_SYNTAX;
    f->group_rows = numbers[1];
    rc = take_groups(r, f, numbers[2]);
    if (rc == RC_OK)
        rc = take_chunks(r, f);
    return rc == RC_OK && r->at != r->end ? RC_SYNTAX : rc;
}

static enum rc read_spool(struct parquet_file *f, struct err *e)
{
    const struct outfile_cfg cfg = {.places = f->settings->places,
                                    .path = f->path,
                                    .suffix = parquet_mark_suffix(f->spool),
                                    .keep_bytes = f->spool_bytes};
    enum rc rc = outfile_open_cfg(&f->spools[f->spool], &cfg, e);
    if (rc != RC_OK)
        return rc;
    struct reader r = {.from = f->spools[f->spool], .end = f->spool_bytes, .e = e};
    rc = take_all(&r, f);
    if (rc == RC_OK && r.crc != f->spool_crc)
        rc = RC_SYNTAX;
    return rc == RC_SYNTAX
               ? err_set(
                     e, RC_USAGE,
                     "%s: the file beside it with rows of the unfinished run is damaged; restore "
                     "it, or start over with --fresh",
                     f->path)
               : rc;
}

enum rc parquet_mark_take(struct parquet_file *f, struct str *text, struct err *e)
{
    uint64_t spool = 0;
    uint64_t crc = 0;
    if (text->ptr &&
        (!text_take_uint(text, ' ', &f->n_rows) || !text_take_uint(text, ' ', &spool) ||
         !text_take_uint(text, ' ', &f->spool_bytes) || !text_take_uint(text, ' ', &crc) ||
         spool >= PARQUET_SPOOLS || crc > UINT32_MAX || f->spool_bytes > BYTES_MAX ||
         (f->spool_bytes == 0) != (f->n_rows == 0)))
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", f->path);
    f->spool = (unsigned)spool;
    f->spool_crc = (uint32_t)crc;
    f->spool_rows = f->n_rows;
    if (f->spool_bytes > 0)
        return read_spool(f, e);
    enum rc rc = typed_table_new(&f->table, &f->table_cfg, STR_NONE, e);
    return rc == RC_OK && parquet_file_grow(f) != RC_OK ? err_nomem(e) : rc;
}
