#include "sinks/csv/csv_merge.h"

#include <stdlib.h>

#include "core/base/grow.h"
#include "core/provider/table_column.h"
#include "sinks/csv/csv_mark.h"

static const struct str bom = {"\xef\xbb\xbf", 3};

void csv_fields_free(struct csv_fields *fields)
{
    free(fields->items);
    *fields = (struct csv_fields){0};
}

/* ---- finding rows and fields ----------------------------------------------------------------- */

/* Plain, so that compilers make vectors of it. */
static bool has_odd_quotes(const char *p, size_t n)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < n; i++)
        odd ^= p[i] == '"';
    return odd;
}

/* The next row with its end; to be taken by the caller. A line end within quotes ends none. */
static enum rc next_row(struct shard_file *from, struct str *row, struct err *e)
{
    struct str text = STR_NONE;
    size_t at = 0; /* no row ends before it */
    bool quoted = false;
    enum rc rc = shard_file_peek(from, 1, &text, e);
    while (rc == RC_OK) {
        const char *stop = memchr(text.ptr + at, '\n', text.len - at);
        size_t end = stop ? (size_t)(stop - text.ptr) : text.len;
        quoted ^= has_odd_quotes(text.ptr + at, end - at);
        at = end;
        if (stop && !quoted) {
            *row = (struct str){text.ptr, end + 1};
            return RC_OK;
        }
        if (stop) {
            at++;
            continue;
        }
        rc = shard_file_peek(from, at + 1, &text, e);
        if (rc == RC_OK && text.len == at)
            return shard_file_damaged(from, e);
    }
    return rc;
}

/* What is before the line end; absent: it is another one. */
static struct str without_eol(const struct csv_dialect *d, struct str row)
{
    size_t n = d->crlf ? 2 : 1;
    if (row.len < n || (d->crlf && row.ptr[row.len - 2] != '\r'))
        return STR_NONE;
    return (struct str){row.ptr, row.len - n};
}

/* Sets the fields of a row apart, as they stand there. RC_NOMEM. */
static enum rc split(struct csv_fields *fields, char delimiter, struct str row)
{
    bool quoted = false;
    const char *begin = row.ptr;
    const char *end = row.ptr + row.len;
    fields->n = 0;
    for (const char *p = row.ptr;; p++) {
        if (p < end && (*p != delimiter || quoted)) {
            quoted ^= *p == '"';
            continue;
        }
        struct str *items = list_grow(fields->items, fields->n, &fields->cap, sizeof *items);
        if (!items)
            return RC_NOMEM;
        fields->items = items;
        items[fields->n++] = (struct str){begin, (size_t)(p - begin)};
        if (p == end)
            return RC_OK;
        begin = p + 1;
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Those that are before the undocumented ones. */
static size_t n_first(const struct csv_file *f)
{
    return table_columns(f->settings->profile, f->table);
}

enum rc csv_merge_columns(struct csv_file *f, const struct schema *schema, size_t table,
                          struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < schema_columns(schema, table); i++) {
        uint32_t position = 0;
        rc = extra_columns_position(&f->columns, schema_column(schema, table, i), &position);
    }
    if (rc == RC_OK)
        rc = csv_widths_add(f, 0, f->columns.n);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

enum rc csv_merge_header(struct csv_file *f, struct shard_file *from,
                         const struct merge_columns *columns, struct err *e)
{
    struct csv_fields fields = {0};
    struct str text = STR_NONE;
    enum rc rc = RC_OK;
    if (f->settings->bom) {
        rc = shard_file_peek(from, bom.len, &text, e);
        if (rc == RC_OK && (text.len < bom.len || memcmp(text.ptr, bom.ptr, bom.len) != 0))
            rc = shard_file_damaged(from, e);
        if (rc == RC_OK)
            shard_file_take(from, bom.len);
    }
    if (rc != RC_OK || !f->settings->header)
        return rc;
    rc = next_row(from, &text, e);
    if (rc != RC_OK)
        return rc;
    struct str row = without_eol(&f->settings->dialect, text);
    if (!row.ptr)
        rc = shard_file_damaged(from, e);
    else if (split(&fields, f->settings->dialect.delimiter, row) != RC_OK)
        rc = err_nomem(e);
    else if (fields.n != n_first(f) + columns->n + f->settings->run->n)
        rc = shard_file_damaged(from, e);
    csv_fields_free(&fields);
    shard_file_take(from, text.len);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void put_delimiters(struct csv_file *f, size_t n)
{
    char *room = n ? buf_reserve(&f->rows, n) : NULL;
    if (!room)
        return;
    memset(room, f->settings->dialect.delimiter, n);
    f->rows.len += n;
}

/* The columns that it has are the first ones. False: it is no row. */
static bool put_padded(struct csv_file *f, struct str row, const struct merge_columns *columns)
{
    size_t ending = f->ending.len; /* as long in all runs */
    if (row.len < ending)
        return false;
    buf_add(&f->rows, row.ptr, row.len - ending);
    put_delimiters(f, f->columns.n - columns->n);
    buf_add(&f->rows, row.ptr + row.len - ending, ending);
    return true;
}

static bool put_fields(struct csv_file *f, const struct csv_fields *fields,
                       const struct merge_columns *columns)
{
    size_t first = n_first(f);
    size_t n_run = f->settings->run->n;
    if (fields->n != first + columns->n + n_run)
        return false;
    const struct str *items = fields->items;
    const struct str *last = items + first - 1;
    buf_add(&f->rows, items->ptr, (size_t)(last->ptr + last->len - items->ptr));
    for (uint32_t i = 0; i < f->columns.n; i++) {
        uint32_t at = columns->position[i];
        buf_addc(&f->rows, f->settings->dialect.delimiter);
        if (at != MERGE_NO_COLUMN)
            buf_add_str(&f->rows, items[first + at]);
    }
    for (size_t i = 0; i < n_run; i++) {
        buf_addc(&f->rows, f->settings->dialect.delimiter);
        buf_add_str(&f->rows, items[first + columns->n + i]);
    }
    return true;
}

enum rc csv_merge_row(struct csv_file *f, struct shard_file *from,
                      const struct merge_columns *columns, struct csv_fields *fields, struct err *e)
{
    const struct csv_dialect *d = &f->settings->dialect;
    struct str text = STR_NONE;
    enum rc rc = next_row(from, &text, e);
    if (rc != RC_OK)
        return rc;
    struct str row = without_eol(d, text);
    bool good = row.ptr && row.len >= f->ending.len;
    if (good && columns->is_same && columns->n == f->columns.n) {
        buf_add_str(&f->rows, text);
        shard_file_take(from, text.len);
        return csv_file_end_row(f, e);
    }
    if (good && columns->is_same) {
        good = put_padded(f, row, columns);
    } else if (good) {
        if (split(fields, d->delimiter, row) != RC_OK)
            return err_nomem(e);
        good = put_fields(f, fields, columns);
    }
    if (!good)
        return shard_file_damaged(from, e);
    csv_put_eol(&f->rows, d);
    shard_file_take(from, text.len);
    return csv_file_end_row(f, e);
}
