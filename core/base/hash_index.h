/* Finds places in a list by hash: the list holds the things, this only numbers. One thread. */
#ifndef LEADPIPE_HASH_INDEX_H
#define LEADPIPE_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

struct hash_slot {
    uint64_t hash;
    uint32_t item; /* from 1; 0: empty */
};

struct hash_index {
    struct hash_slot *slots; /* owned, malloc'd; all zero is an empty index */
    size_t n_slots;          /* 0 or a power of two */
    size_t n;
};

void hash_index_free(struct hash_index *x); /* and is then empty */

/* Empties it at a cost that what was added has paid for. */
void hash_index_clear(struct hash_index *x);

/* The next item that was added under this hash. Begin with *cursor 0. False: no more. */
bool hash_index_next(const struct hash_index *x, uint64_t hash, size_t *cursor, uint32_t *item);

/* `item` is less than UINT32_MAX. RC_NOMEM. */
enum rc hash_index_add(struct hash_index *x, uint64_t hash, uint32_t item);

/* It must be there. */
void hash_index_remove(struct hash_index *x, uint64_t hash, uint32_t item);

#endif
