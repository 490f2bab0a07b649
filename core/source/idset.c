#include "core/source/idset.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SHARD_CAP_MIN 32
#define SHARD_CAP_MAX UINT32_MAX /* slot_of() multiplies 32 bits by 32 bits */

/* Tables of this size and larger are mapped, so that they go back to the system when they are replaced; the heap would keep
 * the free blocks. */
#define MAPPED_BYTES_MIN (64 * 1024)

void idset_init(struct idset *s)
{
    *s = (struct idset){0};
}

static struct idset_key *keys_alloc(size_t cap)
{
    size_t bytes = cap * sizeof(struct idset_key);
    if (bytes < MAPPED_BYTES_MIN)
        return calloc(cap, sizeof(struct idset_key));
    /* cppcheck-suppress invalidFunctionArg ; -1 is what an anonymous mapping has for a file */
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* cppcheck-suppress memleak ; MAP_FAILED is not memory */
    return p == MAP_FAILED ? NULL : p;
}

static void keys_free(struct idset_key *keys, size_t cap)
{
    size_t bytes = cap * sizeof *keys;
    if (bytes < MAPPED_BYTES_MIN)
        free(keys);
    else
        (void)munmap(keys, bytes);
}

void idset_free(struct idset *s)
{
    for (size_t i = 0; i < IDSET_SHARDS; i++)
        keys_free(s->shards[i].keys, s->shards[i].cap);
    idset_init(s);
}

/* The slot of `key`, or the free one where it belongs. There is always a free slot. */
static struct idset_key *slot_of(struct idset_key *keys, size_t cap, struct idset_key key)
{
    size_t at = (size_t)((key.b >> 32) * cap >> 32);
    for (;; at = at + 1 < cap ? at + 1 : 0) {
        struct idset_key *k = &keys[at];
        if ((k->a == key.a && k->b == key.b) || (k->a == 0 && k->b == 0))
            return k;
    }
}

/* Grows by half at four fifths full, so that the table is always more than half full, which saves memory. */
static enum rc shard_grow(struct idset *s, struct idset_shard *shard)
{
    size_t cap = shard->cap ? shard->cap + shard->cap / 2 : SHARD_CAP_MIN;
    if (cap > SHARD_CAP_MAX)
        return RC_NOMEM;
    struct idset_key *keys = keys_alloc(cap);
    if (!keys)
        return RC_NOMEM;
    s->held_bytes += cap * sizeof *keys;
    if (s->held_bytes > s->peak_bytes)
        s->peak_bytes = s->held_bytes;
    for (size_t i = 0; i < shard->cap; i++)
        if (shard->keys[i].a || shard->keys[i].b)
            *slot_of(keys, cap, shard->keys[i]) = shard->keys[i];
    s->held_bytes -= shard->cap * sizeof *keys;
    keys_free(shard->keys, shard->cap);
    shard->keys = keys;
    shard->cap = cap;
    return RC_OK;
}

enum rc idset_add(struct idset *s, const unsigned char digest[IDSET_KEY_BYTES], bool *added)
{
    struct idset_key key;
    memcpy(&key, digest, sizeof key);
    if (key.a == 0 && key.b == 0)
        key.b = 1;
    struct idset_shard *shard = &s->shards[key.a % IDSET_SHARDS];
    if (shard->cap == 0 || (shard->n + 1) * 5 > shard->cap * 4) {
        enum rc rc = shard_grow(s, shard);
        if (rc != RC_OK)
            return rc;
    }
    struct idset_key *slot = slot_of(shard->keys, shard->cap, key);
    *added = slot->a == 0 && slot->b == 0;
    if (*added) {
        *slot = key;
        shard->n++;
        s->n++;
    }
    return RC_OK;
}
