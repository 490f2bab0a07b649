#include "sinks/typed_rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/grow.h"
#include "core/base/units.h"
#include "sinks/extra_columns.h"

#define LAST_COLUMNS_MAX 3
#define MISFITS_KEEP_BYTES ((size_t)1 << 20) /* of the buffer, from one row to the next */
#define US_PER_MS 1000

/* Of the columns before the last ones. */
struct column_state {
    enum column_type type;
    uint64_t misfits;
};

struct typed_table {
    const struct typed_table_cfg *cfg;
    const struct table_spec *spec;
    size_t n_first; /* columns that there are whatever the payloads are */
    struct extra_columns extra;
    struct typed_cell *cells;
    struct column_state *states;
    size_t n_states, cap_cells, cap_states;
    const struct table_column *last_columns[LAST_COLUMNS_MAX];
    struct typed_cell last[LAST_COLUMNS_MAX];
    size_t n_last;
    char started_at[25];
    struct buf misfits; /* of the row at hand */
    unsigned n_misfits;
};

/* ---- columns -------------------------------------------------------------------------------- */

size_t typed_table_columns(const struct typed_table *t)
{
    return t->n_first + t->extra.n;
}

struct typed_column typed_table_column(const struct typed_table *t, size_t i)
{
    if (i >= t->n_first) {
        const struct column *extra = t->extra.origin[i - t->n_first];
        return (struct typed_column){.name = str_c(t->extra.names[i - t->n_first]),
                                     .type = t->states[i].type,
                                     .extra = extra};
    }
    const struct table_column column = table_column(t->cfg->profile, t->spec, i);
    return (struct typed_column){.name = column.name,
                                 .type = t->states[i].type,
                                 .is_key = column.is_key,
                                 .spec = column.spec};
}

size_t typed_table_last_columns(const struct typed_table *t)
{
    return t->n_last;
}

const struct table_column *typed_table_last_column(const struct typed_table *t, size_t i)
{
    return t->last_columns[i];
}

void typed_table_set_type(struct typed_table *t, size_t i, enum column_type type)
{
    t->states[i].type = type;
}

static enum column_type type_of(const struct typed_table *t, size_t i)
{
    if (t->cfg->as_text || i >= t->n_first)
        return TYPE_TEXT;
    return table_column(t->cfg->profile, t->spec, i).type;
}

/* Makes room for the columns that there are by now. */
static enum rc grow_columns(struct typed_table *t)
{
    while (t->n_states < typed_table_columns(t)) {
        struct typed_cell *cells =
            list_grow(t->cells, t->n_states, &t->cap_cells, sizeof *t->cells);
        if (!cells)
            return RC_NOMEM;
        t->cells = cells;
        struct column_state *states =
            list_grow(t->states, t->n_states, &t->cap_states, sizeof *t->states);
        if (!states)
            return RC_NOMEM;
        t->states = states;
        t->states[t->n_states] = (struct column_state){.type = type_of(t, t->n_states)};
        t->n_states++;
    }
    return RC_OK;
}

static void add_last(struct typed_table *t, const struct table_column *column,
                     struct typed_cell cell)
{
    t->last_columns[t->n_last] = column;
    t->last[t->n_last++] = cell;
}

static void add_last_columns(struct typed_table *t)
{
    const struct typed_table_cfg *cfg = t->cfg;
    if (!cfg->as_text)
        add_last(t, &column_misfits, (struct typed_cell){.value.kind = TYPED_NULL});
    if (!cfg->run_columns)
        return;
    struct typed_cell started = {
        .value = {.kind = TYPED_TIME, .u.time_us = cfg->started_ms * US_PER_MS}};
    clock_format(cfg->started_ms, t->started_at);
    if (cfg->as_text)
        started = (struct typed_cell){.value.kind = TYPED_TEXT, .text = str_c(t->started_at)};
    add_last(t, &column_exported_at, started);
    add_last(t, &column_run_id,
             (struct typed_cell){.value.kind = TYPED_TEXT, .text = str_c(cfg->run_id)});
}

/* ---- marks ---------------------------------------------------------------------------------- */

/* "NAME,NAME, COLUMN:MISFITS,COLUMN:MISFITS," */
void typed_table_mark(const struct typed_table *t, struct buf *out)
{
    extra_columns_mark(&t->extra, out);
    buf_addc(out, ' ');
    for (size_t i = 0; i < t->n_states; i++) {
        if (t->states[i].misfits)
            buf_addf(out, "%zu:%" PRIu64 ",", i, t->states[i].misfits);
    }
}

static enum rc restore(struct typed_table *t, struct str mark)
{
    struct str names;
    if (!text_take(&mark, ' ', &names))
        return RC_SYNTAX;
    enum rc rc = extra_columns_restore(&t->extra, names);
    if (rc == RC_OK)
        rc = grow_columns(t);
    while (rc == RC_OK && mark.len > 0) {
        uint64_t column = 0;
        uint64_t n = 0;
        if (!text_take_uint(&mark, ':', &column) || !text_take_uint(&mark, ',', &n) ||
            column >= t->n_states || n == 0 || n > INT64_MAX || t->states[column].misfits)
            return RC_SYNTAX;
        t->states[column].misfits = n;
    }
    return rc;
}

enum rc typed_table_new(struct typed_table **out, const struct typed_table_cfg *cfg,
                        struct str mark, struct err *e)
{
    struct typed_table *t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(e);
    t->cfg = cfg;
    t->spec = &cfg->profile->tables[cfg->table];
    t->n_first = table_columns(cfg->profile, t->spec);
    buf_init(&t->misfits, SIZE_MAX / 2);
    add_last_columns(t);
    enum rc rc = grow_columns(t);
    if (rc == RC_OK && mark.ptr)
        rc = restore(t, mark);
    if (rc != RC_OK) {
        typed_table_free(t);
        return rc == RC_NOMEM ? err_nomem(e) : err_set(e, rc, "the mark in the state is damaged");
    }
    *out = t;
    return RC_OK;
}

void typed_table_free(struct typed_table *t)
{
    if (!t)
        return;
    extra_columns_free(&t->extra);
    free(t->cells);
    free(t->states);
    buf_free(&t->misfits);
    free(t);
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The last cell before those of the run: `_misfits`. */
static void show_misfits(struct typed_table *t)
{
    if (t->n_misfits)
        t->last[0] = (struct typed_cell){.value.kind = TYPED_JSON, .text = buf_str(&t->misfits)};
    else
        t->last[0] = (struct typed_cell){.value.kind = TYPED_NULL};
}

static void add_misfit(struct typed_table *t, size_t i)
{
    struct misfits m = {.b = &t->misfits, .n = t->n_misfits};
    misfits_add(&m, t->cfg->target, typed_table_column(t, i).name, t->cells[i].cell);
    t->n_misfits = m.n;
    t->states[i].misfits++;
    t->cells[i] = (struct typed_cell){.value.kind = TYPED_NULL};
}

/* Of null nothing but the kind is set. */
static inline void set_null(struct typed_cell *to)
{
    to->value.kind = TYPED_NULL;
}

/* Most cells are null or texts; with as_text, all are. */
static inline void set_cell(struct typed_table *t, size_t i, const struct cell *cell)
{
    struct typed_cell *to = &t->cells[i];
    enum column_type type = t->states[i].type;
    if (cell->kind == CELL_ABSENT || cell->kind == CELL_NULL) {
        set_null(to);
        return;
    }
    /* Another thread wrote what the cell points to, and soon it is read. */
    __builtin_prefetch(cell->u.text);
    to->cell = cell;
    if (type == TYPE_TEXT) {
        to->value.kind = TYPED_TEXT;
        return;
    }
    to->value = typed_of(t->cfg->target, type, cell);
    if (to->value.kind == TYPED_MISFIT)
        add_misfit(t, i);
}

/* Rows have few of the undocumented columns: all are null, then those that it has are not. */
static enum rc fill_extras(struct typed_table *t, const struct row *row)
{
    uint32_t before = t->extra.n;
    uint32_t position;
    for (uint32_t i = 0; i < before; i++)
        set_null(&t->cells[t->n_first + i]);
    for (uint32_t i = 0; i < row->n_extras; i++) {
        if (extra_columns_position(&t->extra, row->extras[i].column, &position) != RC_OK ||
            grow_columns(t) != RC_OK)
            return RC_NOMEM;
        set_cell(t, t->n_first + position, &row->extras[i].cell);
    }
    return RC_OK;
}

static void fill(struct typed_table *t, const struct lead *lead, const struct row *row)
{
    const struct profile *p = t->cfg->profile;
    size_t i = 0;
    for (; i < p->n_key_columns; i++)
        t->cells[i] =
            (struct typed_cell){.value.kind = TYPED_TEXT, .text = row_key_value(p, lead, i)};
    for (size_t k = 0; k < t->spec->n_columns; k++)
        set_cell(t, i++, &row->cells[k]);
}

static enum rc end_misfits(struct typed_table *t, struct err *e)
{
    struct misfits m = {.b = &t->misfits, .n = t->n_misfits};
    misfits_end(&m);
    if (buf_rc(&t->misfits) != RC_OK)
        return err_nomem(e);
    if (!t->cfg->as_text)
        show_misfits(t);
    return RC_OK;
}

enum rc typed_table_add(struct typed_table *t, const struct column *column)
{
    uint32_t position;
    enum rc rc = extra_columns_position(&t->extra, column, &position);
    return rc == RC_OK ? grow_columns(t) : rc;
}

enum rc typed_table_row(struct typed_table *t, const struct lead *lead, const struct row *row,
                        struct typed_row *out, struct err *e)
{
    if (t->misfits.cap > MISFITS_KEEP_BYTES)
        buf_free(&t->misfits);
    buf_clear(&t->misfits);
    t->n_misfits = 0;
    fill(t, lead, row);
    if (fill_extras(t, row) != RC_OK)
        return err_nomem(e);
    enum rc rc = end_misfits(t, e);
    *out = (struct typed_row){t->cells, typed_table_columns(t), t->last, t->n_last};
    return rc;
}

enum rc typed_table_refuse(struct typed_table *t, size_t i, struct err *e)
{
    if (t->n_misfits)
        t->misfits.len--; /* the closing brace */
    add_misfit(t, i);
    return end_misfits(t, e);
}

/* ---- cells ---------------------------------------------------------------------------------- */

void typed_cell_write(struct buf *b, const struct typed_cell *c)
{
    struct str bytes;
    if (typed_cell_bytes(c, &bytes))
        buf_add_str(b, bytes);
    else if (c->value.kind == TYPED_JSON)
        typed_write_json(b, c->cell);
    else
        typed_write_text(b, c->cell);
}

/* ---- what did not fit ----------------------------------------------------------------------- */

enum rc typed_table_misfits(struct typed_table *const tables[], size_t n_tables,
                            struct sink_misfits **out, size_t *n)
{
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    for (size_t i = 0; i < n_tables; i++) {
        const struct typed_table *t = tables[i];
        for (size_t k = 0; k < t->n_states; k++) {
            if (!t->states[k].misfits)
                continue;
            struct sink_misfits *grown = list_grow(*out, *n, &cap, sizeof *grown);
            if (!grown) {
                free(*out);
                *out = NULL;
                return RC_NOMEM;
            }
            *out = grown;
            grown[(*n)++] = (struct sink_misfits){.table = t->spec->name.ptr,
                                                  .column = typed_table_column(t, k).name.ptr,
                                                  .n = t->states[k].misfits};
        }
    }
    return RC_OK;
}
