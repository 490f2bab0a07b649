#include "sinks/parquet/parquet_file.h"

#include <stdlib.h>

#include "core/base/grow.h"
#include "core/base/rfc3339.h"
#include "sinks/parquet/little_endian.h"
#include "sinks/parquet/parquet_mark.h"

#define SPARE_BYTES ((size_t)1 << 20) /* what one huge value made larger is given back */

/* What INT64, DOUBLE and TIMESTAMP hold. */
static const struct typed_target parquet_target = {
    .time_min_us = TIME_YEAR_1_US,
    .time_max_us = TIME_YEAR_9999_END_US,
};

/* ---- columns -------------------------------------------------------------------------------- */

static enum column_type last_type(const struct parquet_file *f, size_t i)
{
    return f->settings->as_text ? TYPE_TEXT : typed_table_last_column(f->table, i)->type;
}

enum rc parquet_file_grow(struct parquet_file *f)
{
    uint64_t seed = f->settings->profile->hash_seed;
    while (f->n_chunks < typed_table_columns(f->table)) {
        struct chunk *chunks = list_grow(f->chunks, f->n_chunks, &f->cap_chunks, sizeof *f->chunks);
        if (!chunks)
            return RC_NOMEM;
        f->chunks = chunks;
        enum column_type type = typed_table_column(f->table, f->n_chunks).type;
        chunk_init(&f->chunks[f->n_chunks++], physical_type_of(type), seed, &f->memory);
    }
    size_t n_cells = f->n_chunks > PARQUET_LAST_MAX ? f->n_chunks : PARQUET_LAST_MAX;
    while (f->cap_cells < n_cells) {
        struct parquet_cell *cells =
            list_grow(f->cells, f->cap_cells, &f->cap_cells, sizeof *f->cells);
        if (!cells)
            return RC_NOMEM;
        f->cells = cells;
    }
    while (f->n_last < typed_table_last_columns(f->table)) {
        chunk_init(&f->last[f->n_last], physical_type_of(last_type(f, f->n_last)), seed,
                   &f->memory);
        f->n_last++;
    }
    return RC_OK;
}

/* Of the footer: what stands before the last columns, then these. */
static struct footer_column footer_column_of(const void *ctx, size_t i)
{
    const struct parquet_file *f = ctx;
    if (i >= f->n_chunks) {
        size_t k = i - f->n_chunks;
        return (struct footer_column){typed_table_last_column(f->table, k)->name, last_type(f, k)};
    }
    const struct typed_column column = typed_table_column(f->table, i);
    return (struct footer_column){column.name, column.type};
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum rc open_stream(struct parquet_file *f, struct str mark, struct err *e)
{
    const struct stream_cfg cfg = {.path = f->path,
                                   .want_sha256 = f->settings->want_sha256,
                                   .spool = true,
                                   .places = f->settings->places,
                                   .stop = f->settings->stop,
                                   .mark = mark};
    enum rc rc = stream_open(&f->stream, &cfg, e);
    if (rc != RC_OK)
        return rc;
    if (!mark.ptr) {
        stream_write(f->stream, PARQUET_MAGIC.ptr, PARQUET_MAGIC.len);
        return stream_rc(f->stream, e);
    }
    return stream_bytes(f->stream) == PARQUET_MAGIC.len + f->groups.bytes
               ? RC_OK
               : err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", f->path);
}

enum rc parquet_file_open(struct parquet_file *f, const struct parquet_settings *settings,
                          size_t table, const char *path, struct str mark, struct err *e)
{
    *f = (struct parquet_file){.settings = settings, .path = path};
    f->table_cfg = (struct typed_table_cfg){.profile = settings->profile,
                                            .table = table,
                                            .target = &parquet_target,
                                            .as_text = settings->as_text,
                                            .run_columns = settings->run_columns,
                                            .run_id = settings->run_id,
                                            .started_ms = settings->started_ms};
    buf_init(&f->scratch, SIZE_MAX / 2);
    row_groups_init(&f->groups, path);
    enum rc rc = parquet_mark_take(f, &mark, e);
    return rc == RC_OK ? open_stream(f, mark, e) : rc;
}

void parquet_file_close(struct parquet_file *f, bool keep)
{
    stream_close(f->stream, keep);
    for (size_t i = 0; i < PARQUET_SPOOLS; i++)
        outfile_close(f->spools[i], keep);
    for (size_t i = 0; i < f->n_chunks; i++)
        chunk_free(&f->chunks[i]);
    for (size_t i = 0; i < f->n_last; i++)
        chunk_free(&f->last[i]);
    free(f->chunks);
    free(f->cells);
    row_groups_free(&f->groups);
    column_names_free(&f->names);
    typed_table_free(f->table);
    buf_free(&f->scratch);
    *f = (struct parquet_file){0};
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void put_number(struct parquet_cell *out, uint64_t bits)
{
    le64_put(out->fixed, bits);
    out->bytes = (struct str){out->fixed, sizeof out->fixed};
}

/* Fills in all but column and hash. */
static inline void make_bytes(struct parquet_file *f, const struct typed_cell *cell,
                              struct parquet_cell *out)
{
    uint64_t bits;
    out->is_in_scratch = false;
    if (cell->value.kind == TYPED_TEXT && typed_cell_bytes(cell, &out->bytes))
        return; /* most are */
    switch (cell->value.kind) {
    case TYPED_INTEGER:
        put_number(out, (uint64_t)cell->value.u.integer);
        return;
    case TYPED_TIME:
        put_number(out, (uint64_t)cell->value.u.time_us);
        return;
    case TYPED_DOUBLE:
        memcpy(&bits, &cell->value.u.number, sizeof bits);
        put_number(out, bits);
        return;
    case TYPED_BOOLEAN:
        out->fixed[0] = (char)cell->value.u.boolean;
        out->bytes = (struct str){out->fixed, 1};
        return;
    case TYPED_TEXT:
    case TYPED_JSON:
    case TYPED_DECIMAL: /* not with this target */
    case TYPED_NULL:
    case TYPED_MISFIT:
        break;
    }
    if (typed_cell_bytes(cell, &out->bytes))
        return;
    out->is_in_scratch = true;
    out->at = f->scratch.len;
    typed_cell_write(&f->scratch, cell);
    out->bytes.len = f->scratch.len - out->at;
}

static struct str bytes_of(const struct parquet_file *f, const struct parquet_cell *cell)
{
    if (!cell->is_in_scratch)
        return cell->bytes;
    return (struct str){f->scratch.data + cell->at, cell->bytes.len};
}

/* Puts the values of a row that can be put at once, and has the memory of the others on its way: these are left
 * in f->cells, *n_left of them. */
static enum rc begin_cells(struct parquet_file *f, struct chunk *chunks,
                           const struct typed_cell *cells, size_t n, size_t *n_left)
{
    struct parquet_cell *cell = f->cells;
    const uint64_t at = f->group_rows;
    buf_clear(&f->scratch);
    for (size_t i = 0; i < n; i++) {
        if (cells[i].value.kind == TYPED_NULL)
            continue;
        make_bytes(f, &cells[i], cell);
        enum rc rc = cell->is_in_scratch ? buf_rc(&f->scratch) : RC_OK;
        if (rc != RC_OK)
            return rc;
        struct chunk *c = &chunks[i];
        struct str bytes = bytes_of(f, cell);
        cell->column = i;
        cell->hash = c->has_dictionary ? chunk_expect(c, bytes) : CHUNK_AT_ONCE;
        if (cell->hash == CHUNK_AT_ONCE)
            rc = chunk_put(c, at, bytes, CHUNK_AT_ONCE);
        else
            cell++;
        if (rc != RC_OK)
            return rc;
    }
    *n_left = (size_t)(cell - f->cells);
    return RC_OK;
}

static enum rc put_cells(struct parquet_file *f, struct chunk *chunks,
                         const struct typed_cell *cells, size_t n)
{
    size_t n_left = 0;
    enum rc rc = begin_cells(f, chunks, cells, n, &n_left);
    for (size_t i = 0; rc == RC_OK && i < n_left; i++) {
        const struct parquet_cell *cell = &f->cells[i];
        rc = chunk_put(&chunks[cell->column], f->group_rows, bytes_of(f, cell), cell->hash);
    }
    return rc;
}

static enum rc failed(const struct parquet_file *f, enum rc rc, struct err *e)
{
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc == RC_LIMIT)
        return err_set(e, RC_LIMIT, "%s: more than Parquet can hold (2 GiB in one place)", f->path);
    return err_set(e, rc, "%s: %s", f->path, rc_text(rc));
}

static enum rc end_row(struct parquet_file *f, struct err *e)
{
    f->group_rows++;
    f->n_rows++;
    if (f->group_rows < f->settings->group_rows_max &&
        f->memory.held < f->settings->group_bytes_max)
        return RC_OK;
    return parquet_file_end_group(f, e);
}

enum rc parquet_file_put(struct parquet_file *f, const struct lead *lead, const struct row *row,
                         struct err *e)
{
    struct typed_row typed;
    enum rc rc = typed_table_row(f->table, lead, row, &typed, e);
    if (rc != RC_OK)
        return rc;
    rc = parquet_file_grow(f);
    if (rc == RC_OK)
        rc = put_cells(f, f->chunks, typed.cells, typed.n);
    if (rc == RC_OK)
        rc = put_cells(f, f->last, typed.last, typed.n_last);
    if (f->scratch.cap > SPARE_BYTES)
        buf_free(&f->scratch);
    return rc == RC_OK ? end_row(f, e) : failed(f, rc, e);
}

enum rc parquet_file_put_values(struct parquet_file *f, const struct parquet_value *values,
                                size_t n, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        struct chunk *c =
            values[i].is_last ? &f->last[values[i].column] : &f->chunks[values[i].column];
        rc = chunk_put(c, f->group_rows, values[i].bytes, chunk_expect(c, values[i].bytes));
    }
    return rc == RC_OK ? end_row(f, e) : failed(f, rc, e);
}

static enum rc write_chunk(struct parquet_file *f, struct chunk *c, struct str name,
                           struct row_group *g, struct buf *out)
{
    const struct page_column column = {name, c->type};
    enum rc rc = chunk_settle(c);
    if (rc == RC_OK)
        rc = page_write_chunk(f->settings->pages, c, column, f->group_rows, f->stream, out,
                              &g->sums);
    chunk_reset(c);
    return rc == RC_OK ? buf_rc(out) : rc;
}

static enum rc write_group(struct parquet_file *f, struct err *e)
{
    struct row_group *g = row_groups_next(&f->groups);
    g->at = stream_bytes(f->stream);
    g->n_rows = f->group_rows;
    g->n_columns = f->n_chunks;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < f->n_chunks; i++)
        rc = write_chunk(f, &f->chunks[i], typed_table_column(f->table, i).name, g, &g->first);
    for (size_t i = 0; rc == RC_OK && i < f->n_last; i++)
        rc = write_chunk(f, &f->last[i], typed_table_last_column(f->table, i)->name, g, &g->last);
    f->group_rows = 0;
    if (rc != RC_OK)
        return failed(f, rc, e);
    rc = row_groups_add(&f->groups, e);
    return rc == RC_OK ? stream_rc(f->stream, e) : rc;
}

enum rc parquet_file_end_group(struct parquet_file *f, struct err *e)
{
    return f->group_rows > 0 ? write_group(f, e) : RC_OK;
}

void parquet_file_trim(struct parquet_file *f)
{
    for (size_t i = 0; i < f->n_chunks; i++)
        chunk_trim(&f->chunks[i]);
    for (size_t i = 0; i < f->n_last; i++)
        chunk_trim(&f->last[i]);
}

static struct chunk *idler(struct chunk *a, struct chunk *b)
{
    return !a || chunk_idle(b) > chunk_idle(a) ? b : a;
}

struct chunk *parquet_file_idlest(struct parquet_file *f)
{
    struct chunk *idlest = NULL;
    for (size_t i = 0; i < f->n_chunks; i++)
        idlest = idler(idlest, &f->chunks[i]);
    for (size_t i = 0; i < f->n_last; i++)
        idlest = idler(idlest, &f->last[i]);
    return idlest;
}

enum rc parquet_file_mark(struct parquet_file *f, struct buf *out, struct err *e)
{
    enum rc rc = parquet_mark_put(f, out, e);
    if (rc == RC_OK)
        rc = stream_mark(f->stream, out, e);
    buf_addc(out, '\n');
    if (rc != RC_OK || buf_rc(out) == RC_OK)
        return rc;
    return err_set(e, buf_rc(out), "%s", rc_text(buf_rc(out)));
}

enum rc parquet_file_sync(struct parquet_file *f, struct err *e)
{
    enum rc rc = f->spool_bytes > 0 ? outfile_sync(f->spools[f->spool], e) : RC_OK;
    return rc == RC_OK ? stream_sync(f->stream, e) : rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

static enum rc write_footer(struct parquet_file *f, struct err *e)
{
    const struct footer footer = {.groups = &f->groups,
                                  .n_rows = f->n_rows,
                                  .n_columns = f->n_chunks + f->n_last,
                                  .n_last = f->n_last,
                                  .column = footer_column_of,
                                  .ctx = f,
                                  .json_as_string = f->settings->json_as_string};
    enum rc rc = footer_write(f->settings->pages, &footer, f->stream, e);
    if (rc == RC_LIMIT)
        return err_set(e, rc,
                       "%s: too many columns in too many row groups: choose a larger row-group, or "
                       "give --max-columns",
                       f->path);
    if (rc == RC_IO)
        return rc;
    return rc == RC_OK ? stream_rc(f->stream, e) : failed(f, rc, e);
}

enum rc parquet_file_prepare(struct parquet_file *f, struct buf *text, struct err *e)
{
    /* A file without rows has a row group without rows, which some readers need. */
    enum rc rc = f->groups.n == 0 ? write_group(f, e) : parquet_file_end_group(f, e);
    parquet_file_trim(f);
    if (rc == RC_OK)
        rc = write_footer(f, e);
    if (rc == RC_OK)
        rc = stream_prepare(f->stream, text, e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; rc == RC_OK && i < f->n_chunks + f->n_last; i++)
        rc = column_names_add(&f->names, footer_column_of(f, i).name);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

void parquet_file_clear(const struct places *places, const char *path)
{
    for (unsigned i = 0; i < PARQUET_SPOOLS; i++)
        outfile_clear(places, path, parquet_mark_suffix(i));
}

/* What marks needed; an earlier run may have left the one that this run has not opened. */
static enum rc drop_spools(struct parquet_file *f, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < PARQUET_SPOOLS; i++) {
        if (f->spools[i])
            rc = outfile_abort(f->spools[i], e);
    }
    if (rc == RC_OK)
        parquet_file_clear(f->settings->places, f->path);
    return rc;
}

void parquet_file_begin_commit(struct parquet_file *f)
{
    stream_begin_publish(f->stream);
}

enum rc parquet_file_commit(struct parquet_file *f, struct err *e)
{
    enum rc rc = stream_publish(f->stream, e);
    return rc == RC_OK ? drop_spools(f, e) : rc;
}

enum rc parquet_file_abort(struct parquet_file *f, struct err *e)
{
    enum rc rc = f->stream ? stream_abort(f->stream, e) : RC_OK;
    return rc == RC_OK ? drop_spools(f, e) : rc;
}
