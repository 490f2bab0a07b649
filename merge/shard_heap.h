/* Which shard has the next lead: a heap of the shards that have leads left, the lowest number first. Pure. */
#ifndef LEADPIPE_SHARD_HEAP_H
#define LEADPIPE_SHARD_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct shard_heap_item {
    uint64_t number; /* of the shard's next lead in the list */
    size_t shard;
};

struct shard_heap {                /* zero is empty */
    struct shard_heap_item *items; /* owned by the caller, with room for all shards */
    size_t n;
};

void shard_heap_put(struct shard_heap *h, struct shard_heap_item item);
/* items[0] is the item with the lowest number, and of equal numbers the lowest shard. These remove it, or replace it by
 * `item`; the heap must not be empty. */
void shard_heap_take(struct shard_heap *h);
void shard_heap_replace(struct shard_heap *h, struct shard_heap_item item);

#endif
