#include "core/base/hash_index.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64

/* Linear probing, at most half full. */

void hash_index_free(struct hash_index *x)
{
    free(x->slots);
    *x = (struct hash_index){0};
}

void hash_index_clear(struct hash_index *x)
{
    if (x->n_slots > SLOTS_MIN && x->n_slots / 8 > x->n) {
        hash_index_free(x); /* many slots for few: it grew for another row */
        return;
    }
    if (x->n)
        memset(x->slots, 0, x->n_slots * sizeof *x->slots);
    x->n = 0;
}

bool hash_index_next(const struct hash_index *x, uint64_t hash, size_t *cursor, uint32_t *item)
{
    if (x->n_slots == 0)
        return false;
    for (;;) {
        const struct hash_slot *slot = &x->slots[(hash + *cursor) & (x->n_slots - 1)];
        if (!slot->item)
            return false;
        ++*cursor;
        if (slot->hash == hash) {
            *item = slot->item - 1;
            return true;
        }
    }
}

static void put(struct hash_slot *slots, size_t n_slots, struct hash_slot slot)
{
    size_t at = slot.hash & (n_slots - 1);
    while (slots[at].item)
        at = (at + 1) & (n_slots - 1);
    slots[at] = slot;
}

static enum rc grow(struct hash_index *x)
{
    size_t n_slots = x->n_slots ? x->n_slots * 2 : SLOTS_MIN;
    struct hash_slot *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return RC_NOMEM;
    for (size_t i = 0; i < x->n_slots; i++) {
        if (x->slots[i].item)
            put(slots, n_slots, x->slots[i]);
    }
    free(x->slots);
    x->slots = slots;
    x->n_slots = n_slots;
    return RC_OK;
}

enum rc hash_index_add(struct hash_index *x, uint64_t hash, uint32_t item)
{
    if (x->n >= x->n_slots / 2) {
        enum rc rc = grow(x);
        if (rc != RC_OK)
            return rc;
    }
    put(x->slots, x->n_slots, (struct hash_slot){hash, item + 1});
    x->n++;
    return RC_OK;
}

/* What follows the gap moves up as far as its own hash allows, so that no search stops short. */
static void close_gap(struct hash_index *x, size_t gap)
{
    size_t mask = x->n_slots - 1;
    for (size_t at = (gap + 1) & mask; x->slots[at].item; at = (at + 1) & mask) {
        size_t home = x->slots[at].hash & mask;
        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* its home is behind the gap */
        x->slots[gap] = x->slots[at];
        gap = at;
    }
    x->slots[gap] = (struct hash_slot){0};
}

void hash_index_remove(struct hash_index *x, uint64_t hash, uint32_t item)
{
    size_t mask = x->n_slots - 1, at = hash & mask;
    while (x->slots[at].hash != hash || x->slots[at].item != item + 1)
        at = (at + 1) & mask;
    close_gap(x, at);
    x->n--;
}
