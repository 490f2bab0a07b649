/* The rows of a table as typed cells, column by column: what all sinks whose columns have types share.
 *
 * A table has these columns, in this order: those that every row begins with and the documented ones
 * (core/provider/table_column.h), then the undocumented ones in the order in which this sink met them, and
 * behind these what rows end with: `_misfits`, and on request `_exported_at` and `_run_id`.
 *
 *     typed_table_new(&t, &cfg, from the mark, e);
 *     for each row of a lead
 *         typed_table_row(t, lead, row, &typed, e);     more columns than before: they come to exist here
 *         for i < typed.n                               typed.cells[i] is of typed_table_column(t, i)
 *         for i < typed.n_last                          typed.last[i] is of typed_table_last_column(t, i)
 *
 * A value that does not fit its column's type is null, goes into the row's `_misfits` and is counted.
 *
 * One thread at a time. Nothing here depends on how leads are split into batches, or on when marks are
 * made. */
#ifndef LEADPIPE_TYPED_ROWS_H
#define LEADPIPE_TYPED_ROWS_H

#include "core/flatten/typed.h"
#include "core/provider/table_column.h"
#include "core/sink.h"

/* Of the sinks' option `types`. */
enum typed_types { TYPES_TYPED, TYPES_TEXT };
#define TYPED_OPTION_TYPES(at)                                                                     \
    {                                                                                              \
        .name = "types", at, .choices = "typed|text", .default_text = "typed",                     \
        .help = "columns have the types of the profile; or all columns are text, and there is no " \
                "_misfits"                                                                         \
    }

struct typed_table_cfg { /* must outlive the table, and all that it points to */
    const struct profile *profile;
    size_t table;                      /* of the profile */
    const struct typed_target *target; /* what the sink's types can hold */
    bool as_text;     /* types=text: all columns are text, and there is no `_misfits` */
    bool run_columns; /* `_exported_at`, `_run_id` */
    const char *run_id;
    int64_t started_ms; /* as struct sink_cfg has them */
};

/* A value for a column. `value` is TYPED_NULL, never TYPED_MISFIT. */
struct typed_cell {
    struct typed value;
    /* Of what is written (TYPED_TEXT, TYPED_DECIMAL, TYPED_JSON): the payload's value; or, where that is
     * NULL, these bytes. */
    const struct cell *cell;
    struct str text;
};

struct typed_row { /* until the next one */
    const struct typed_cell *cells;
    size_t n;
    const struct typed_cell *last;
    size_t n_last;
};

/* A column as the sink has it. */
struct typed_column {
    struct str name; /* NUL behind it; lives as long as the table */
    enum column_type type;
    bool is_key;                    /* of the row: see table_has_key() */
    const struct column_spec *spec; /* of a documented one; else NULL */
    /* Of an undocumented one, the schema's: it says where its values come from. NULL where it is known
     * from a mark alone, and no row has had it since; and for all others. */
    const struct column *extra;
};

struct typed_table;

/* `mark` is what typed_table_mark() appended in an earlier run, or absent. RC_SYNTAX: it is damaged;
 * RC_NOMEM. */
enum rc typed_table_new(struct typed_table **out, const struct typed_table_cfg *cfg,
                        struct str mark, struct err *e);
void typed_table_free(struct typed_table *t); /* may be NULL */

/* Those before the last ones. They grow with the rows, and never change otherwise. */
size_t typed_table_columns(const struct typed_table *t);
struct typed_column typed_table_column(const struct typed_table *t, size_t i);
size_t typed_table_last_columns(const struct typed_table *t);
const struct table_column *typed_table_last_column(const struct typed_table *t, size_t i);

/* The i-th column has another type in the target, such as one that the user gave it; from the next row on.
 * Not with as_text. */
void typed_table_set_type(struct typed_table *t, size_t i, enum column_type type);

/* Makes the undocumented column, as the first row that has it would. RC_NOMEM. */
enum rc typed_table_add(struct typed_table *t, const struct column *column);

/* RC_NOMEM. */
enum rc typed_table_row(struct typed_table *t, const struct lead *lead, const struct row *row,
                        struct typed_row *out, struct err *e);

/* The target cannot hold the value of the i-th column of the row at hand after all: it becomes a misfit.
 * Not of a column that rows begin with, nor twice, nor with as_text. RC_NOMEM. */
enum rc typed_table_refuse(struct typed_table *t, size_t i, struct err *e);

/* The bytes of a cell of TYPED_TEXT, TYPED_DECIMAL or TYPED_JSON. Errors stick in the buffer. */
void typed_cell_write(struct buf *b, const struct typed_cell *c);
/* The same without a copy, where they lie somewhere as they are. False: typed_cell_write() makes them. */
static inline bool typed_cell_bytes(const struct typed_cell *c, struct str *out)
{
    const struct cell *cell = c->cell;
    bool is_plain = cell && (cell->kind == CELL_NUMBER ||
                             (cell->kind == CELL_TEXT && c->value.kind != TYPED_JSON));
    *out = is_plain ? (struct str){cell->u.text, cell->len} : c->text;
    return is_plain || !cell;
}

/* Appends the columns and the counts of misfits so far, as a text without line ends for the sink's mark.
 * Errors stick in `out`. */
void typed_table_mark(const struct typed_table *t, struct buf *out);

/* For struct sink_result: the misfits of all tables of a sink, in a list that free() frees; texts are the
 * tables'. Before there were any, *out may be NULL. RC_NOMEM. */
enum rc typed_table_misfits(struct typed_table *const tables[], size_t n_tables,
                            struct sink_misfits **out, size_t *n);

#endif
