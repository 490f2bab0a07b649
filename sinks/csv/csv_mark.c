#include "sinks/csv/csv_mark.h"

#include <stdlib.h>

#include "core/base/blob.h"
#include "core/base/grow.h"

enum rc csv_widths_add(struct csv_file *f, uint64_t from, uint32_t columns)
{
    struct csv_width *widths = list_grow(f->widths, f->n_widths, &f->cap_widths, sizeof *widths);
    if (!widths)
        return RC_NOMEM;
    f->widths = widths;
    f->widths[f->n_widths++] = (struct csv_width){from, columns};
    return RC_OK;
}

/* ROWS STARTED NAME,... FROM:COLUMNS,... HELD: names are made of a-z, 0-9, _ and bytes from 0x80;
 * HELD is a blob of the rows that no stream has yet. */
void csv_mark_put(const struct csv_file *f, struct buf *out)
{
    buf_addf(out, "%llu %d ", (unsigned long long)f->n_rows, f->started);
    extra_columns_mark(&f->columns, out);
    buf_addc(out, ' ');
    for (size_t i = 0; i < f->n_widths; i++)
        buf_addf(out, "%llu:%u,", (unsigned long long)f->widths[i].from, f->widths[i].columns);
    buf_addc(out, ' ');
    blob_put(out, f->rows.data, f->rows.len);
    buf_addc(out, ' ');
}

/* Later rows are wider ones. */
static enum rc take_widths(struct csv_file *f, struct str text)
{
    uint64_t last = 0;
    uint64_t last_columns = 0;
    while (text.len > 0) {
        uint64_t from = 0;
        uint64_t columns = 0;
        if (!text_take_uint(&text, ':', &from) || !text_take_uint(&text, ',', &columns) ||
            columns > f->columns.n ||
            (f->n_widths > 0 && (from <= last || columns <= last_columns)))
            return RC_SYNTAX;
        if (csv_widths_add(f, from, (uint32_t)columns) != RC_OK)
            return RC_NOMEM;
        last = from;
        last_columns = columns;
    }
    return RC_OK;
}

enum rc csv_mark_take(struct csv_file *f, struct str *text)
{
    uint64_t started = 0;
    struct str names;
    struct str widths;
    struct str held;
    if (!text_take_uint(text, ' ', &f->n_rows) || !text_take_uint(text, ' ', &started) ||
        started > 1 || !text_take(text, ' ', &names) || !text_take(text, ' ', &widths) ||
        !text_take(text, ' ', &held))
        return RC_SYNTAX;
    f->started = started;
    enum rc rc = extra_columns_restore(&f->columns, names);
    if (rc == RC_OK)
        rc = take_widths(f, widths);
    if (rc == RC_OK)
        rc = blob_take(held, &f->rows);
    if (rc != RC_OK)
        return rc;
    uint32_t last = f->n_widths ? f->widths[f->n_widths - 1].columns : 0;
    bool has_rows = f->started || f->rows.len > 0;
    if (last != f->columns.n || has_rows != (f->n_widths > 0))
        return RC_SYNTAX;
    if (f->started) /* then the stream has all rows */
        return f->rows.len == 0 ? RC_OK : RC_SYNTAX;
    bool fits = f->rows.len < CSV_HOLD_BYTES && f->n_rows <= f->rows.len &&
                (f->n_widths == 0 || f->widths[f->n_widths - 1].from < f->rows.len);
    return fits ? RC_OK : RC_SYNTAX;
}
