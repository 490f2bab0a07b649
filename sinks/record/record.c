#include "sinks/record/record.h"

#include <stdlib.h>

#include "core/base/copy.h"
#include "core/sink.h"

#define NAMES_BYTES_MAX ((size_t)64 << 20) /* a profile's own names, encoded */

/* The names of a table's documented columns, encoded once. */
struct table_names {
    struct str head;     /* what every record begins with, up to the name of lead_id */
    size_t n_head;       /* members that are the same in all rows of a lead, those in it included */
    struct str name;     /* of the table, as the name of a member */
    struct str *columns; /* table_spec.n_columns */
};

/* Where among a row's extras a column is. */
struct sort_key {
    uint32_t column; /* its index */
    uint32_t at;
};

struct record_writer {
    const struct profile *profile;
    const struct encoding *encoding;
    enum record_layout layout;
    struct str ending; /* members that every record ends with, encoded; never the first ones */
    size_t n_ending;
    struct table_names *tables;
    struct str *params; /* names of the columns of the parameters, encoded */
    size_t n_params;    /* none in LAYOUT_RAW */
    struct arena arena; /* owns the names */

    struct sort_key *sort_keys; /* scratch, of one row */
    size_t sort_keys_cap;
};

/* ---- preparation ---------------------------------------------------------------------------- */

static enum rc keep_bytes(struct arena *a, struct buf *b, struct str *out)
{
    if (buf_rc(b) != RC_OK)
        return RC_NOMEM;
    char *copy = arena_strdup(a, buf_str(b));
    if (!copy)
        return RC_NOMEM;
    *out = (struct str){copy, b->len};
    buf_clear(b);
    return RC_OK;
}

static void add_separator(const struct encoding *encoding, struct buf *b, size_t before)
{
    if (before > 0 && encoding->separator)
        buf_addc(b, encoding->separator);
}

static void add_head(const struct record_writer *w, struct buf *b, struct table_names *t,
                     struct str table)
{
    const struct encoding *enc = w->encoding;
    if (w->layout == LAYOUT_ROWS) {
        enc->name(b, STR("_table"));
        enc->text(b, table);
        t->n_head++;
    }
    add_separator(enc, b, t->n_head++);
    enc->name(b, STR("provider"));
    enc->text(b, w->profile->name);
    add_separator(enc, b, t->n_head++);
    enc->name(b, STR("lead_id"));
    t->n_head += w->n_params;
}

/* They come behind the ID of the lead. */
static enum rc prepare_params(struct record_writer *w, struct buf *b)
{
    const struct profile *p = w->profile;
    if (w->layout == LAYOUT_RAW)
        return RC_OK;
    w->params = arena_array(&w->arena, p->n_params, sizeof *w->params);
    if (!w->params && p->n_params > 0)
        return RC_NOMEM;
    w->n_params = p->n_params;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < w->n_params; i++) {
        w->encoding->name(b, p->key_columns[KEY_COLUMNS_FIXED + i]);
        rc = keep_bytes(&w->arena, b, &w->params[i]);
    }
    return rc;
}

static enum rc prepare_table(struct record_writer *w, const struct table_spec *spec,
                             struct table_names *t, struct buf *b)
{
    add_head(w, b, t, spec->name);
    enum rc rc = keep_bytes(&w->arena, b, &t->head);
    if (rc != RC_OK)
        return rc;
    w->encoding->name(b, spec->name);
    rc = keep_bytes(&w->arena, b, &t->name);
    if (rc != RC_OK)
        return rc;
    t->columns = arena_array(&w->arena, spec->n_columns, sizeof *t->columns);
    if (!t->columns && spec->n_columns > 0)
        return RC_NOMEM;
    for (size_t i = 0; i < spec->n_columns; i++) {
        w->encoding->name(b, spec->columns[i].name);
        rc = keep_bytes(&w->arena, b, &t->columns[i]);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc prepare_ending(struct record_writer *w, const struct run_columns *run, struct buf *b)
{
    for (size_t i = 0; run && i < run->n; i++, w->n_ending++) {
        add_separator(w->encoding, b, 1);
        w->encoding->name(b, run->names[i]);
        w->encoding->text(b, run->values[i]);
    }
    return keep_bytes(&w->arena, b, &w->ending);
}

static enum rc prepare(struct record_writer *w, const struct run_columns *run)
{
    const struct profile *p = w->profile;
    w->tables = arena_array(&w->arena, p->n_tables, sizeof *w->tables);
    if (!w->tables)
        return RC_NOMEM;
    struct buf b;
    buf_init(&b, NAMES_BYTES_MAX);
    enum rc rc = prepare_params(w, &b);
    if (rc == RC_OK)
        rc = prepare_ending(w, run, &b);
    for (size_t i = 0; i < p->n_tables && rc == RC_OK; i++)
        rc = prepare_table(w, &p->tables[i], &w->tables[i], &b);
    buf_free(&b);
    return rc;
}

enum rc record_writer_new(struct record_writer **out, const struct record_cfg *cfg, struct err *e)
{
    struct record_writer *w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(e);
    *w = (struct record_writer){
        .profile = cfg->profile, .encoding = cfg->encoding, .layout = cfg->layout};
    arena_init(&w->arena, NAMES_BYTES_MAX);
    if (prepare(w, cfg->run) != RC_OK) {
        record_writer_free(w);
        return err_nomem(e);
    }
    *out = w;
    return RC_OK;
}

void record_writer_free(struct record_writer *w)
{
    if (!w)
        return;
    arena_free(&w->arena);
    free(w->sort_keys);
    free(w);
}

unsigned record_wants(const struct encoding *encoding, enum record_layout layout)
{
    if (layout != LAYOUT_RAW)
        return SINK_WANTS_ROWS;
    return encoding->value ? SINK_WANTS_TREE : SINK_WANTS_COMPACT;
}

/* ---- undocumented columns ------------------------------------------------------------------- */

static int compare_sort_keys(const void *a, const void *b)
{
    uint32_t x = ((const struct sort_key *)a)->column;
    uint32_t y = ((const struct sort_key *)b)->column;
    return (x > y) - (x < y);
}

static bool sort_keys_reserve(struct record_writer *w, size_t n)
{
    if (n <= w->sort_keys_cap)
        return true;
    size_t cap = n < 64 ? 64 : n + n / 2;
    struct sort_key *grown = realloc(w->sort_keys, cap * sizeof *grown);
    if (!grown)
        return false;
    w->sort_keys = grown;
    w->sort_keys_cap = cap;
    return true;
}

/* The row's extras in the order in which the run met their columns, which is most often the order
 * that they have. NULL: out of memory. */
static const struct sort_key *sort_extras(struct record_writer *w, const struct row *row)
{
    if (!sort_keys_reserve(w, row->n_extras))
        return NULL;
    bool in_order = true;
    for (uint32_t i = 0; i < row->n_extras; i++) {
        w->sort_keys[i] = (struct sort_key){row->extras[i].column->index, i};
        in_order = in_order && (i == 0 || w->sort_keys[i - 1].column < w->sort_keys[i].column);
    }
    if (!in_order)
        qsort(w->sort_keys, row->n_extras, sizeof *w->sort_keys, compare_sort_keys);
    return w->sort_keys;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static size_t count_members(const struct row *row, size_t n_columns)
{
    size_t n = row->n_extras;
    for (size_t i = 0; i < n_columns; i++)
        n += row->cells[i].kind != CELL_ABSENT;
    return n;
}

/* An encoded name, never empty, behind `before` members. */
static inline void add_name(const struct encoding *enc, struct buf *b, size_t before,
                            struct str name)
{
    char *room = buf_reserve(b, name.len + 1);
    if (!room)
        return;
    *room = enc->separator;
    size_t n = before > 0 && enc->separator;
    copy_bytes(room + n, name.ptr, name.len);
    b->len += n + name.len;
}

/* Writes the members of a row; `before` members of the same object are there already. */
static void write_members(struct record_writer *w, struct buf *b, size_t table,
                          const struct row *row, size_t before)
{
    const struct encoding *enc = w->encoding;
    const struct str *names = w->tables[table].columns;
    size_t n_columns = w->profile->tables[table].n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        if (row->cells[i].kind == CELL_ABSENT)
            continue;
        add_name(enc, b, before++, names[i]);
        enc->cell(b, &row->cells[i]);
    }
    if (row->n_extras == 0)
        return;
    const struct sort_key *sort_keys = sort_extras(w, row);
    if (!sort_keys) {
        b->rc = RC_NOMEM;
        return;
    }
    for (uint32_t i = 0; i < row->n_extras; i++) {
        const struct extra *extra = &row->extras[sort_keys[i].at];
        add_separator(enc, b, before++);
        enc->name(b, extra->column->name);
        enc->cell(b, &extra->cell);
    }
}

static void write_head(const struct record_writer *w, struct buf *b, size_t table,
                       const struct lead *lead, size_t n_members)
{
    const struct table_names *t = &w->tables[table];
    w->encoding->map_begin(b, t->n_head + n_members + w->n_ending);
    buf_add_str(b, t->head);
    w->encoding->text(b, lead->id);
    for (size_t i = 0; i < w->n_params; i++) {
        add_name(w->encoding, b, 1, w->params[i]);
        w->encoding->text(b, lead->params[i]);
    }
}

/* The end of what write_head() began. */
static void write_end(const struct record_writer *w, struct buf *b)
{
    buf_add_str(b, w->ending);
    w->encoding->map_end(b);
}

/* ---- layouts -------------------------------------------------------------------------------- */

static void write_child_table(struct record_writer *w, struct buf *b, size_t table,
                              const struct rows *rows)
{
    const struct encoding *enc = w->encoding;
    size_t n_columns = w->profile->tables[table].n_columns;
    buf_add_str(b, w->tables[table].name);
    enc->array_begin(b, rows->n_rows);
    for (uint32_t i = 0; i < rows->n_rows; i++) {
        add_separator(enc, b, i);
        enc->map_begin(b, count_members(&rows->rows[i], n_columns));
        write_members(w, b, table, &rows->rows[i], 0);
        enc->map_end(b);
    }
    enc->array_end(b);
}

static void write_lead(struct record_writer *w, struct buf *b, const struct lead *lead)
{
    const struct profile *p = w->profile;
    const struct rows *own = &lead->tables[0]; /* one row: it stands for the lead itself */
    size_t n_own = own->n_rows > 0 ? count_members(&own->rows[0], p->tables[0].n_columns) : 0;
    size_t n_children = p->n_tables - 1;
    write_head(w, b, 0, lead, n_own + n_children);
    if (own->n_rows > 0)
        write_members(w, b, 0, &own->rows[0], w->tables[0].n_head);
    for (size_t i = 1; i < p->n_tables; i++) {
        add_separator(w->encoding, b, 1);
        write_child_table(w, b, i, &lead->tables[i]);
    }
    write_end(w, b);
}

static void write_raw(const struct record_writer *w, struct buf *b, const struct lead *lead)
{
    write_head(w, b, 0, lead, 1);
    add_separator(w->encoding, b, 1);
    w->encoding->name(b, STR("payload"));
    if (w->encoding->value)
        w->encoding->value(b, lead->doc.root);
    else
        buf_add_str(b, lead->doc.compact);
    write_end(w, b);
}

static void end_record(const struct record_writer *w, struct buf *b)
{
    if (w->encoding->end)
        buf_addc(b, w->encoding->end);
}

size_t record_write_table(struct record_writer *w, struct buf *b, const struct lead *lead,
                          size_t table)
{
    const struct rows *rows = &lead->tables[table];
    size_t n_columns = w->profile->tables[table].n_columns;
    for (uint32_t i = 0; i < rows->n_rows; i++) {
        write_head(w, b, table, lead, count_members(&rows->rows[i], n_columns));
        write_members(w, b, table, &rows->rows[i], w->tables[table].n_head);
        write_end(w, b);
        end_record(w, b);
    }
    return rows->n_rows;
}

void record_write_object(struct record_writer *w, struct buf *b, const struct lead *lead)
{
    if (w->layout == LAYOUT_RAW)
        write_raw(w, b, lead);
    else
        write_lead(w, b, lead);
}

size_t record_write(struct record_writer *w, struct buf *b, const struct lead *lead)
{
    if (w->layout != LAYOUT_ROWS) {
        record_write_object(w, b, lead);
        end_record(w, b);
        return 1;
    }
    size_t written = 0;
    for (size_t table = 0; table < w->profile->n_tables; table++)
        written += record_write_table(w, b, lead, table);
    return written;
}
