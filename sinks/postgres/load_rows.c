/* The rows of leads, gathered. */
#include <stdlib.h>

#include "core/base/grow.h"
#include "sinks/postgres/load_internal.h"

#define PART_BYTES ((size_t)4 << 20) /* a part is sent when its rows have so many */
#define COLUMNS_STEP 16
#define SOURCE_BYTES_MAX ((size_t)1 << 20)

/* All rows that are sent at once have the same columns: those that the table has, and some for later, so
 * that not every new one ends a part. */
static enum rc widen(struct pg_load *load, size_t table, size_t n, struct err *e)
{
    struct pg_load_table *t = &load->tables[table];
    enum rc rc = t->n_rows ? pg_load_flush(load, e) : RC_OK;
    t->n_columns = n + COLUMNS_STEP;
    return rc;
}

/* ---- fingerprints --------------------------------------------------------------------------- */

/* What rows end with, which is `_misfits`. */
static uint64_t hash_of_last(void)
{
    return pg_fingerprint_column(STR(SQL_SOURCE_RUN SQL_COLUMN_MISFITS), TYPE_JSON);
}

static enum rc hash_column(const struct pg_load *load, size_t table, size_t i, uint64_t *out,
                           struct err *e)
{
    const struct sql_relation *r = pg_load_relation(load, table);
    const struct typed_column column = typed_table_column(load->tables[table].typed, i);
    struct buf source;
    enum rc rc = RC_OK;
    buf_init(&source, SOURCE_BYTES_MAX);
    if (i < r->n_columns)
        buf_add_str(&source, r->columns[i].source);
    else
        rc = sql_source_extra(&source, r->spec, &column.extra->origin, e);
    if (rc == RC_OK && buf_rc(&source) != RC_OK)
        rc = err_nomem(e);
    *out = pg_fingerprint_column(buf_str(&source), column.type) | 1; /* 0: not known */
    buf_free(&source);
    return rc;
}

/* Only of a column that the row at hand has a value for: of others it may not be known where their values come from. */
static enum rc column_hash(struct pg_load *load, size_t table, size_t i, uint64_t *out,
                           struct err *e)
{
    struct pg_load_table *t = &load->tables[table];
    while (t->n_hashes <= i) {
        uint64_t *grown = list_grow(t->hashes, t->n_hashes, &t->cap_hashes, sizeof *grown);
        if (!grown)
            return err_nomem(e);
        t->hashes = grown;
        t->hashes[t->n_hashes++] = 0;
    }
    enum rc rc = t->hashes[i] ? RC_OK : hash_column(load, table, i, &t->hashes[i], e);
    *out = t->hashes[i];
    return rc;
}

static enum rc put_cell(struct pg_load *load, size_t table, size_t i, const struct typed_cell *cell,
                        struct pg_fingerprint *row, struct err *e)
{
    struct pg_load_table *t = &load->tables[table];
    size_t from = t->rows.len;
    uint64_t column = 0;
    pg_put_typed(&t->rows, cell);
    if (!load->remembers || cell->value.kind == TYPED_NULL || buf_rc(&t->rows) != RC_OK)
        return RC_OK;
    enum rc rc = column_hash(load, table, i, &column, e);
    if (rc == RC_OK)
        pg_fingerprint_add(row, column, (struct str){t->rows.data + from, t->rows.len - from});
    return rc;
}

static void put_last_cell(struct pg_load *load, size_t table, const struct typed_cell *cell,
                          struct pg_fingerprint *row)
{
    struct buf *rows = &load->tables[table].rows;
    size_t from = rows->len;
    pg_put_typed(rows, cell);
    if (load->remembers && cell->value.kind != TYPED_NULL && buf_rc(rows) == RC_OK)
        pg_fingerprint_add(row, hash_of_last(), (struct str){rows->data + from, rows->len - from});
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc put_row(struct pg_load *load, size_t table, const struct typed_row *row,
                       struct err *e)
{
    struct pg_load_table *t = &load->tables[table];
    struct pg_fingerprint of_row = {.high = 0};
    enum rc rc = RC_OK;
    pg_load_begin_rows(t);
    t->n_rows++;
    pg_put_row(&t->rows, 1 + row->n_last + t->n_columns);
    pg_put_integer(&t->rows, (int64_t)load->run.part + 1);
    for (size_t i = 0; i < row->n_last; i++)
        put_last_cell(load, table, &row->last[i], &of_row);
    for (size_t i = 0; rc == RC_OK && i < row->n; i++)
        rc = put_cell(load, table, i, &row->cells[i], &of_row, e);
    for (size_t i = row->n; i < t->n_columns; i++)
        pg_put_null(&t->rows);
    pg_fingerprint_row(&load->same.at_hand, table, &of_row);
    return rc;
}

static enum rc put_rows(struct pg_load *load, size_t table, const struct lead *lead, struct err *e)
{
    struct pg_load_table *t = &load->tables[table];
    const struct rows *rows = &lead->tables[table];
    enum rc rc = RC_OK;
    for (uint32_t k = 0; rc == RC_OK && k < rows->n_rows; k++) {
        struct typed_row typed;
        rc = typed_table_row(t->typed, lead, &rows->rows[k], &typed, e);
        if (rc == RC_OK && typed.n > t->n_columns)
            rc = widen(load, table, typed.n, e);
        if (rc == RC_OK)
            rc = put_row(load, table, &typed, e);
    }
    return rc == RC_OK && buf_rc(&t->rows) != RC_OK ? err_nomem(e) : rc;
}

/* ---- leads ---------------------------------------------------------------------------------- */

static bool is_enough(const struct pg_load *load)
{
    size_t bytes = 0;
    uint64_t rows = 0;
    for (size_t i = 0; i < load->profile->n_tables; i++) {
        bytes += load->tables[i].rows.len;
        rows += load->tables[i].n_rows;
    }
    return bytes >= PART_BYTES || rows >= load->rows_max ||
           pg_load_own(load, PG_LOAD_SAME)->n_rows >= load->rows_max;
}

enum rc pg_load_put(struct pg_load *load, const struct lead *lead, struct err *e)
{
    enum rc rc = pg_same_begin(load, e);
    for (size_t i = 0; rc == RC_OK && i < load->profile->n_tables; i++)
        rc = put_rows(load, i, lead, e);
    load->leads += rc == RC_OK;
    if (rc == RC_OK)
        rc = pg_same_end(load, lead, e);
    if (rc == RC_OK && is_enough(load))
        rc = pg_same_decide(load, e);
    return rc == RC_OK && is_enough(load) ? pg_load_flush(load, e) : rc;
}

bool pg_load_fits(const struct pg_load *load, const struct lead *lead)
{
    for (size_t i = 0; i < load->profile->n_tables; i++) {
        const struct rows *rows = &lead->tables[i];
        size_t n_documented = load->profile->tables[i].n_columns;
        size_t n_columns = typed_table_columns(load->tables[i].typed);
        for (uint32_t k = 0; k < rows->n_rows; k++) {
            if (!pg_row_fits(&rows->rows[k], n_documented, n_columns))
                return false;
        }
    }
    return true;
}

enum rc pg_load_put_missing(struct pg_load *load, const struct lead *lead, struct err *e)
{
    struct pg_load_table *t = pg_load_own(load, PG_LOAD_GONE);
    pg_load_begin_rows(t);
    t->n_rows++;
    pg_put_row(&t->rows, 1 + load->profile->n_key_columns);
    pg_put_integer(&t->rows, (int64_t)load->run.part + 1);
    pg_load_put_keys(load, &t->rows, lead);
    if (load->remembers)
        pg_load_put_fingerprint(load, lead, NULL);
    if (buf_rc(&t->rows) != RC_OK ||
        buf_rc(&pg_load_own(load, PG_LOAD_FINGERPRINTS)->rows) != RC_OK)
        return err_nomem(e);
    return t->n_rows >= load->rows_max || t->rows.len >= PART_BYTES ? pg_load_flush(load, e)
                                                                    : RC_OK;
}

/* ---- rows of the sink's own ------------------------------------------------------------------- */

void pg_load_put_keys(const struct pg_load *load, struct buf *b, const struct lead *lead)
{
    for (size_t i = 0; i < load->profile->n_key_columns; i++)
        pg_put_text(b, row_key_value(load->profile, lead, i));
}

struct pg_fingerprint pg_load_put_fingerprint(struct pg_load *load, const struct lead *lead,
                                              const struct pg_fingerprint *rows)
{
    struct pg_load_table *t = pg_load_own(load, PG_LOAD_FINGERPRINTS);
    const struct pg_fingerprint of_lead = pg_fingerprint_lead(load->profile, lead);
    pg_load_begin_rows(t);
    t->n_rows++;
    pg_put_row(&t->rows, 3);
    pg_put_integer(&t->rows, (int64_t)load->run.part + 1);
    pg_put_uuid(&t->rows, of_lead.high, of_lead.low);
    if (rows)
        pg_put_uuid(&t->rows, rows->high, rows->low);
    else
        pg_put_null(&t->rows);
    return of_lead;
}
