/* Memory that is given back all at once. One thread at a time. */
#ifndef LEADPIPE_ARENA_H
#define LEADPIPE_ARENA_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/base/str.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* in use, newest first */
    struct arena_chunk *spare;  /* kept by arena_reset() */
    char *at, *end;             /* free part of the newest chunk */
    size_t held_bytes;          /* of all chunks */
    size_t max_bytes;           /* arena_alloc() returns NULL beyond it */
    enum rc refused;            /* why it last did: RC_LIMIT: for that; RC_NOMEM */
};

void arena_init(struct arena *a, size_t max_bytes);

/* `n` bytes aligned for any type, not zeroed; NULL when out of memory or over the maximum. */
static inline void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);

/* `count` * `size` zeroed bytes, checked against overflow. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy with a NUL behind it; NULL when out of memory. */
char *arena_strdup(struct arena *a, struct str s);

/* Gives everything back but keeps at most `keep_bytes` of chunks for the next use. */
void arena_reset(struct arena *a, size_t keep_bytes);
void arena_free(struct arena *a);

/* arena_free(), once what it held is overwritten: for secrets. */
void arena_wipe(struct arena *a);

/* ---- what is called for every value of every payload ---------------------------------------- */

/* arena_alloc(), where the newest chunk may not have the room. */
void *arena_alloc_more(struct arena *a, size_t n);

static inline void *arena_alloc(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    size_t left = (size_t)(a->end - a->at); /* a multiple of `align` */
    if (n == 0 || n > left)
        return arena_alloc_more(a, n);
    void *p = a->at;
    a->at += (n + align - 1) & ~(align - 1);
    return p;
}

#endif
