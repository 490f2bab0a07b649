/* Lists that grow by doubling. */
#ifndef LEADPIPE_GROW_H
#define LEADPIPE_GROW_H

#include <stdint.h>
#include <stdlib.h>

/* A list with room for *cap items of `item_bytes`, of which `n` are in use: makes room for one more.
 * Returns the list, which may have moved; NULL when out of memory, and then nothing has changed. */
static inline void *list_grow(void *items, size_t n, size_t *cap, size_t item_bytes)
{
    if (n < *cap)
        return items;
    size_t more = *cap ? *cap * 2 : 64;
    if (more > SIZE_MAX / 2 / item_bytes)
        return NULL;
    void *larger = realloc(items, more * item_bytes);
    if (larger)
        *cap = more;
    return larger;
}

#endif
