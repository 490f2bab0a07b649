/* Which shard is next: the one with the lowest number, of those that have something left. Pure. */
#ifndef LEADPIPE_SHARD_HEAP_H
#define LEADPIPE_SHARD_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct shard_heap_item {
    uint64_t number; /* of what the shard has next */
    size_t shard;
};

struct shard_heap {                /* zero is empty */
    struct shard_heap_item *items; /* owned by the caller: with room for all shards */
    size_t n;
};

void shard_heap_put(struct shard_heap *h, struct shard_heap_item item);
/* The lowest one, of equal ones that of the lower shard: items[0]; there must be one. It stays until one of these. */
void shard_heap_take(struct shard_heap *h);
void shard_heap_replace(struct shard_heap *h, struct shard_heap_item item); /* by another one */

#endif
