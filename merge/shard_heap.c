#include "merge/shard_heap.h"

#include <stdbool.h>

/* Without a branch: the CPU cannot predict which shard is next. */
static bool is_before(const struct shard_heap_item *a, const struct shard_heap_item *b)
{
    return (a->number < b->number) | ((a->number == b->number) & (a->shard < b->shard));
}

void shard_heap_put(struct shard_heap *h, struct shard_heap_item item)
{
    size_t at = h->n++;
    for (; at > 0 && is_before(&item, &h->items[(at - 1) / 2]); at = (at - 1) / 2)
        h->items[at] = h->items[(at - 1) / 2];
    h->items[at] = item;
}

void shard_heap_replace(struct shard_heap *h, struct shard_heap_item item)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n)
            child += is_before(&h->items[child + 1], &h->items[child]);
        if (!is_before(&h->items[child], &item))
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    h->items[at] = item;
}

void shard_heap_take(struct shard_heap *h)
{
    struct shard_heap_item last = h->items[--h->n];
    if (h->n > 0)
        shard_heap_replace(h, last);
}
