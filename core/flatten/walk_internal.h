/* What the files of a walk share. Private to walk*.c. */
#ifndef LEADPIPE_WALK_INTERNAL_H
#define LEADPIPE_WALK_INTERNAL_H

#include "core/base/hash_index.h"
#include "core/flatten/schema.h"
#include "core/flatten/walk.h"

/* A value that a place has in the element that the walk is at. */
struct slot {
    struct cell cell; /* CELL_ABSENT also where no column shows the place */
    const cJSON *raw; /* NULL: absent */
    uint64_t weight;  /* of the cell, where rows of scopes below show it */
};

struct found {
    struct extra extra;
    const cJSON *raw;
    const struct plan_node *place; /* of the member, which may repeat a value; NULL: none */
};

struct found_list {
    struct found *items;
    uint32_t n, cap;
    uint64_t weight; /* of all cells, where rows of scopes below show them */
};

struct table_rows {
    struct row *rows;
    uint32_t n, cap;
    struct cell *next_cells; /* of the next row */
};

/* How often each key of a pivot was there in the row. */
struct pivot_key {
    struct str key;
    uint32_t n;
};

struct pivot_keys {
    struct hash_index index;
    struct pivot_key *items;
    uint32_t n, cap;
};

struct walk {
    const struct flatten_plan *plan;
    const struct lead *lead;
    struct arena *arena;
    struct slot *slots;
    uint32_t *positions; /* by scope */
    uint32_t *counters;
    struct found_list *lists;
    struct table_rows *tables;
    struct pivot_keys *keys; /* by pivot */
    uint64_t repeated_bytes;
    struct err *err;
    enum rc rc; /* why a function below gave false */
};

/* Functions that give false have set w->rc and the error's text. */

/* Gives false. */
bool walk_refuse(struct walk *w, enum rc rc);
/* After the arena gave none. Gives false. */
bool walk_refuse_memory(struct walk *w);

/* The array with room for `want`: `items` or a larger copy. What it was before stays unused in the
 * arena, which is never more than what is used. NULL: refused. */
void *walk_grown(struct walk *w, void *items, uint32_t n, uint32_t *cap, uint64_t want,
                 size_t size);

/* Takes in a value, and what is in it as far as it belongs to the same scope. */
bool walk_visit(struct walk *w, const struct plan_node *node, const cJSON *value);

/* An element of a table that is no object is taken for one with the only member "value". */
bool walk_visit_lone(struct walk *w, const struct plan_scope *scope, const cJSON *value);

/* The element that the walk is at is one of the pivot's. */
bool walk_add_pivot(struct walk *w, uint32_t pivot_id);

#endif
