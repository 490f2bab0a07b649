#include "csv_columns.h"

#include <stdlib.h>

#define CAP_MIN 16

struct csv_known {
    struct str name; /* of `names` */
    uint32_t place;
};

void csv_columns_free(struct csv_columns *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        free((char *)(uintptr_t)c->names[i].ptr);
    free(c->names);
    free(c->slots);
    free(c->places);
    free(c->known);
    *c = (struct csv_columns){0};
}

static enum rc columns_grow(struct csv_columns *c)
{
    if (c->n < c->cap)
        return RC_OK;
    uint32_t cap = c->cap ? c->cap * 2 : CAP_MIN;
    struct str *names = realloc(c->names, cap * sizeof *names);
    if (!names)
        return RC_NOMEM;
    c->names = names;
    const struct cell **slots = realloc(c->slots, cap * sizeof *slots);
    if (!slots)
        return RC_NOMEM;
    for (uint32_t i = c->cap; i < cap; i++)
        slots[i] = NULL;
    c->slots = slots;
    c->cap = cap;
    return RC_OK;
}

enum rc csv_columns_add(struct csv_columns *c, struct str name)
{
    if (columns_grow(c) != RC_OK)
        return RC_NOMEM;
    char *copy = malloc(name.len + 1);
    if (!copy)
        return RC_NOMEM;
    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    c->names[c->n++] = (struct str){copy, name.len};
    return RC_OK;
}

/* ---- columns of an earlier run -------------------------------------------------------------- */

static int known_compare(const void *a, const void *b)
{
    struct str x = ((const struct csv_known *)a)->name;
    struct str y = ((const struct csv_known *)b)->name;
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

enum rc csv_columns_restored(struct csv_columns *c)
{
    if (c->n == 0)
        return RC_OK;
    struct csv_known *known = calloc(c->n, sizeof *known);
    if (!known)
        return RC_NOMEM;
    for (uint32_t i = 0; i < c->n; i++)
        known[i] = (struct csv_known){c->names[i], i};
    qsort(known, c->n, sizeof *known, known_compare);
    free(c->known);
    c->known = known;
    c->n_known = c->n;
    return RC_OK;
}

/* ---- a row ---------------------------------------------------------------------------------- */

static enum rc places_grow(struct csv_columns *c, uint32_t index)
{
    if (index < c->n_places)
        return RC_OK;
    size_t n = (size_t)index + 1 > CAP_MIN ? 2 * ((size_t)index + 1) : CAP_MIN;
    uint32_t *places = realloc(c->places, n * sizeof *places);
    if (!places)
        return RC_NOMEM;
    memset(places + c->n_places, 0, (n - c->n_places) * sizeof *places);
    c->places = places;
    c->n_places = (uint32_t)n;
    return RC_OK;
}

/* The first time that this run meets the column. */
static enum rc place_find(struct csv_columns *c, const struct column *column)
{
    if (places_grow(c, column->index) != RC_OK)
        return RC_NOMEM;
    const struct csv_known key = {.name = column->name};
    const struct csv_known *known =
        c->n_known ? bsearch(&key, c->known, c->n_known, sizeof key, known_compare) : NULL;
    if (!known && csv_columns_add(c, column->name) != RC_OK)
        return RC_NOMEM;
    c->places[column->index] = known ? known->place + 1 : c->n;
    return RC_OK;
}

enum rc csv_columns_fill(struct csv_columns *c, const struct row *row)
{
    for (uint32_t i = 0; i < row->n_extras; i++) {
        const struct column *column = row->extras[i].column;
        if (column->index >= c->n_places || c->places[column->index] == 0)
            if (place_find(c, column) != RC_OK)
                return RC_NOMEM;
        c->slots[c->places[column->index] - 1] = &row->extras[i].cell;
    }
    return RC_OK;
}

void csv_columns_clear(struct csv_columns *c, const struct row *row)
{
    for (uint32_t i = 0; i < row->n_extras; i++) {
        uint32_t index = row->extras[i].column->index;
        if (index < c->n_places && c->places[index] > 0)
            c->slots[c->places[index] - 1] = NULL;
    }
}
