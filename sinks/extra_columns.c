#include "sinks/extra_columns.h"

#include <stdlib.h>

#include "core/base/units.h" /* text_take() */

#define CAP_MIN 16

struct extra_known {
    const char *name; /* of `names` */
    uint32_t position;
};

void extra_columns_free(struct extra_columns *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        free(c->names[i]);
    free(c->names);
    free(c->slots);
    free(c->origin);
    free(c->positions);
    free(c->known);
    *c = (struct extra_columns){0};
}

static enum rc columns_grow(struct extra_columns *c)
{
    if (c->n < c->cap)
        return RC_OK;
    if (c->cap > UINT32_MAX / 2)
        return RC_NOMEM;
    uint32_t cap = c->cap ? c->cap * 2 : CAP_MIN;
    char **names = realloc(c->names, cap * sizeof *names);
    if (!names)
        return RC_NOMEM;
    c->names = names;
    struct cell *slots = realloc(c->slots, cap * sizeof *slots);
    if (!slots)
        return RC_NOMEM;
    for (uint32_t i = c->cap; i < cap; i++)
        slots[i].kind = CELL_ABSENT;
    c->slots = slots;
    const struct column **origin = realloc(c->origin, cap * sizeof *origin);
    if (!origin)
        return RC_NOMEM;
    c->origin = origin;
    c->cap = cap;
    return RC_OK;
}

/* A copy of the name becomes the last column. */
static enum rc add_column(struct extra_columns *c, struct str name)
{
    if (columns_grow(c) != RC_OK)
        return RC_NOMEM;
    c->names[c->n] = strndup(name.ptr, name.len);
    if (!c->names[c->n])
        return RC_NOMEM;
    c->origin[c->n++] = NULL;
    return RC_OK;
}

/* ---- columns of an earlier run -------------------------------------------------------------- */

static int known_compare(const void *a, const void *b)
{
    return strcmp(((const struct extra_known *)a)->name, ((const struct extra_known *)b)->name);
}

/* Those so far are an earlier run's. RC_SYNTAX: two have the same name. */
static enum rc sort_known(struct extra_columns *c)
{
    if (c->n == 0)
        return RC_OK;
    struct extra_known *known = calloc(c->n, sizeof *known);
    if (!known)
        return RC_NOMEM;
    for (uint32_t i = 0; i < c->n; i++)
        known[i] = (struct extra_known){c->names[i], i};
    qsort(known, c->n, sizeof *known, known_compare);
    free(c->known);
    c->known = known;
    c->n_known = c->n;
    for (uint32_t i = 1; i < c->n; i++) {
        if (strcmp(known[i - 1].name, known[i].name) == 0)
            return RC_SYNTAX;
    }
    return RC_OK;
}

void extra_columns_mark(const struct extra_columns *c, struct buf *out)
{
    for (uint32_t i = 0; i < c->n; i++) {
        buf_adds(out, c->names[i]);
        buf_addc(out, ',');
    }
}

/* A text without control characters. */
static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    }
    return name.len > 0 && utf8_valid(name.ptr, name.len);
}

/* Names are made of a-z, 0-9, _ and bytes from 0x80. */
enum rc extra_columns_restore(struct extra_columns *c, struct str names)
{
    struct str name;
    enum rc rc = RC_OK;
    while (rc == RC_OK && names.len > 0) {
        if (!text_take(&names, ',', &name) || !is_name(name))
            return RC_SYNTAX;
        rc = add_column(c, name);
    }
    return rc == RC_OK ? sort_known(c) : rc;
}

/* ---- a row ---------------------------------------------------------------------------------- */

static enum rc positions_grow(struct extra_columns *c, uint32_t index)
{
    if (index < c->n_positions)
        return RC_OK;
    size_t n = (size_t)index + 1 > CAP_MIN ? 2 * ((size_t)index + 1) : CAP_MIN;
    uint32_t *positions = realloc(c->positions, n * sizeof *positions);
    if (!positions)
        return RC_NOMEM;
    memset(positions + c->n_positions, 0, (n - c->n_positions) * sizeof *positions);
    c->positions = positions;
    c->n_positions = (uint32_t)n;
    return RC_OK;
}

/* The position of a column of the earlier run + 1, or 0. */
static uint32_t known_position(const struct extra_columns *c, struct str name)
{
    if (c->n_known == 0)
        return 0;
    size_t low = 0;
    size_t high = c->n_known;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct str other = str_c(c->known[middle].name);
        size_t n = other.len < name.len ? other.len : name.len;
        int order = memcmp(other.ptr, name.ptr, n);
        if (order == 0)
            order = (other.len > name.len) - (other.len < name.len);
        if (order == 0)
            return c->known[middle].position + 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* The first time that this run meets the column. */
static enum rc place_find(struct extra_columns *c, const struct column *column)
{
    if (positions_grow(c, column->index) != RC_OK)
        return RC_NOMEM;
    uint32_t position = known_position(c, column->name);
    if (position == 0) {
        if (add_column(c, column->name) != RC_OK)
            return RC_NOMEM;
        position = c->n;
    }
    c->origin[position - 1] = column;
    c->positions[column->index] = position;
    return RC_OK;
}

enum rc extra_columns_position(struct extra_columns *c, const struct column *column,
                               uint32_t *position)
{
    if (column->index >= c->n_positions || c->positions[column->index] == 0)
        if (place_find(c, column) != RC_OK)
            return RC_NOMEM;
    *position = c->positions[column->index] - 1;
    return RC_OK;
}

enum rc extra_columns_fill(struct extra_columns *c, const struct row *row)
{
    for (uint32_t i = 0; i < row->n_extras; i++) {
        uint32_t position;
        if (extra_columns_position(c, row->extras[i].column, &position) != RC_OK)
            return RC_NOMEM;
        c->slots[position] = row->extras[i].cell;
    }
    return RC_OK;
}

void extra_columns_clear(struct extra_columns *c, const struct row *row)
{
    for (uint32_t i = 0; i < row->n_extras; i++) {
        uint32_t index = row->extras[i].column->index;
        if (index < c->n_positions && c->positions[index] > 0)
            c->slots[c->positions[index] - 1].kind = CELL_ABSENT;
    }
}
