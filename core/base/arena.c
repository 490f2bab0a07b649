#include "core/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define CHUNK_BYTES_MIN (16 * 1024)
#define CHUNK_BYTES_MAX (1024 * 1024)

struct arena_chunk {
    struct arena_chunk *older;
    size_t bytes; /* of `data` */
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

/* A quarter of what there is, so that large leads need few chunks and little is left unused. */
static size_t next_chunk_bytes(const struct arena *a, size_t need)
{
    size_t bytes = a->held_bytes / 4 / CHUNK_BYTES_MIN * CHUNK_BYTES_MIN;
    if (bytes > CHUNK_BYTES_MAX)
        bytes = CHUNK_BYTES_MAX;
    if (bytes < CHUNK_BYTES_MIN)
        bytes = CHUNK_BYTES_MIN;
    return bytes < need ? need : bytes;
}

/* The next chunk that was kept by arena_reset() and is large enough. */
static bool arena_grow_from_spare(struct arena *a, size_t need)
{
    struct arena_chunk *chunk = a->spare;
    if (!chunk || chunk->bytes < need)
        return false;
    a->spare = chunk->older;
    chunk->older = a->chunks;
    a->chunks = chunk;
    a->at = chunk->data;
    a->end = chunk->data + chunk->bytes;
    return true;
}

static bool arena_refuse(struct arena *a, enum rc rc)
{
    a->refused = rc;
    return false;
}

static bool arena_grow(struct arena *a, size_t need)
{
    if (arena_grow_from_spare(a, need))
        return true;
    size_t left = a->max_bytes > a->held_bytes ? a->max_bytes - a->held_bytes : 0;
    if (need > left)
        return arena_refuse(a, RC_LIMIT);
    size_t bytes = next_chunk_bytes(a, need);
    if (bytes > left)
        bytes = need;
    struct arena_chunk *chunk = malloc(sizeof *chunk + bytes);
    if (!chunk)
        return arena_refuse(a, RC_NOMEM);
    chunk->older = a->chunks;
    chunk->bytes = bytes;
    a->chunks = chunk;
    a->at = chunk->data;
    a->end = chunk->data + bytes;
    a->held_bytes += bytes;
    return true;
}

void *arena_alloc_more(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    if (n > SIZE_MAX / 2) { /* far from where its size and a chunk's head would overflow */
        (void)arena_refuse(a, RC_LIMIT);
        return NULL;
    }
    n = (n + !n + align - 1) & ~(align - 1); /* every result is a pointer of its own */
    if (a->chunks) /* tests take the end away, so that no allocation passes by this function */
        a->end = a->chunks->data + a->chunks->bytes;
    if (n > (size_t)(a->end - a->at) && !arena_grow(a, n))
        return NULL;
    void *p = a->at;
    a->at += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    return p ? memset(p, 0, n) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        (void)arena_refuse(a, RC_LIMIT);
        return NULL;
    }
    return arena_zalloc(a, count * size);
}

char *arena_strdup(struct arena *a, struct str s)
{
    if (s.len == SIZE_MAX) {
        (void)arena_refuse(a, RC_LIMIT);
        return NULL;
    }
    char *copy = arena_alloc(a, s.len + 1);
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

/* Behind those in use, as they are smaller or were not needed. */
static void join_spare(struct arena *a)
{
    struct arena_chunk **last = &a->chunks;
    while (*last)
        last = &(*last)->older;
    *last = a->spare;
    a->spare = NULL;
}

void arena_reset(struct arena *a, size_t keep_bytes)
{
    struct arena_chunk *kept = NULL, **last = &kept;
    size_t kept_bytes = 0;
    join_spare(a);
    while (a->chunks) {
        struct arena_chunk *chunk = a->chunks;
        a->chunks = chunk->older;
        /* The newest ones are the largest: so the fewest chunks are kept. */
        if (chunk->bytes <= keep_bytes - kept_bytes) {
            kept_bytes += chunk->bytes;
            *last = chunk;
            last = &chunk->older;
            continue;
        }
        a->held_bytes -= chunk->bytes;
        free(chunk);
    }
    *last = NULL;
    a->spare = kept;
    a->at = a->end = NULL;
}

static void free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

void arena_free(struct arena *a)
{
    free_chunks(a->chunks);
    free_chunks(a->spare);
    arena_init(a, a->max_bytes);
}

static void wipe_chunks(struct arena_chunk *chunk)
{
    for (; chunk; chunk = chunk->older)
        explicit_bzero(chunk->data, chunk->bytes);
}

void arena_wipe(struct arena *a)
{
    wipe_chunks(a->chunks);
    wipe_chunks(a->spare);
    arena_free(a);
}
