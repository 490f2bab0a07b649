#include "sinks/csv/csv_columns.h"

#include <stdlib.h>

#define CAP_MIN 16

struct csv_known {
    const char *name; /* of `names` */
    uint32_t place;
};

void csv_columns_free(struct csv_columns *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        free(c->names[i]);
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
    c->cap = cap;
    return RC_OK;
}

enum rc csv_columns_add(struct csv_columns *c, struct str name)
{
    if (columns_grow(c) != RC_OK)
        return RC_NOMEM;
    c->names[c->n] = strndup(name.ptr, name.len);
    if (!c->names[c->n])
        return RC_NOMEM;
    c->n++;
    return RC_OK;
}

/* ---- columns of an earlier run -------------------------------------------------------------- */

static int known_compare(const void *a, const void *b)
{
    return strcmp(((const struct csv_known *)a)->name, ((const struct csv_known *)b)->name);
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
    for (uint32_t i = 1; i < c->n; i++) {
        if (strcmp(known[i - 1].name, known[i].name) == 0)
            return RC_SYNTAX;
    }
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

/* The place of a column of the earlier run + 1, or 0. */
static uint32_t known_place(const struct csv_columns *c, struct str name)
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
            return c->known[middle].place + 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* The first time that this run meets the column. */
static enum rc place_find(struct csv_columns *c, const struct column *column)
{
    if (places_grow(c, column->index) != RC_OK)
        return RC_NOMEM;
    uint32_t place = known_place(c, column->name);
    if (place == 0) {
        if (csv_columns_add(c, column->name) != RC_OK)
            return RC_NOMEM;
        place = c->n;
    }
    c->places[column->index] = place;
    return RC_OK;
}

enum rc csv_columns_fill(struct csv_columns *c, const struct row *row)
{
    for (uint32_t i = 0; i < row->n_extras; i++) {
        const struct column *column = row->extras[i].column;
        if (column->index >= c->n_places || c->places[column->index] == 0)
            if (place_find(c, column) != RC_OK)
                return RC_NOMEM;
        c->slots[c->places[column->index] - 1] = row->extras[i].cell;
    }
    return RC_OK;
}

void csv_columns_clear(struct csv_columns *c, const struct row *row)
{
    for (uint32_t i = 0; i < row->n_extras; i++) {
        uint32_t index = row->extras[i].column->index;
        if (index < c->n_places && c->places[index] > 0)
            c->slots[c->places[index] - 1].kind = CELL_ABSENT;
    }
}
