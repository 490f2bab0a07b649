#include "merge/shard_heap.h"

#include <stdbool.h>

static bool is_before(const struct shard_heap_item *a, const struct shard_heap_item *b)
{
    return a->number < b->number || (a->number == b->number && a->shard < b->shard);
}

void shard_heap_put(struct shard_heap *h, struct shard_heap_item item)
{
    size_t at = h->n++;
    for (; at > 0 && is_before(&item, &h->items[(at - 1) / 2]); at = (at - 1) / 2)
        h->items[at] = h->items[(at - 1) / 2];
    h->items[at] = item;
}

struct shard_heap_item shard_heap_take(struct shard_heap *h)
{
    struct shard_heap_item first = h->items[0];
    struct shard_heap_item last = h->items[--h->n];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && is_before(&h->items[child + 1], &h->items[child]))
            child++;
        if (!is_before(&h->items[child], &last))
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    h->items[at] = last;
    return first;
}
