#include "core/base/arena_pool.h"

#include <pthread.h>
#include <stdlib.h>

/* Together at most 8 MiB: as many arenas as are filled and emptied at a time, each with the memory
 * of a common lead. */
#define POOL_ARENAS 64
#define POOL_ARENA_BYTES ((size_t)128 * 1024)

struct arena_pool {
    pthread_mutex_t lock;
    struct arena kept[POOL_ARENAS]; /* under `lock`, as what follows */
    size_t n;
};

enum rc arena_pool_new(struct arena_pool **out)
{
    struct arena_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return RC_NOMEM;
    if (pthread_mutex_init(&pool->lock, NULL)) {
        free(pool);
        return RC_NOMEM;
    }
    *out = pool;
    return RC_OK;
}

void arena_pool_free(struct arena_pool *pool)
{
    if (!pool)
        return;
    while (pool->n)
        arena_free(&pool->kept[--pool->n]);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void move(struct arena *to, struct arena *from)
{
    size_t max_bytes = to->max_bytes;
    *to = *from;
    to->max_bytes = max_bytes;
    arena_init(from, from->max_bytes);
}

void arena_pool_take(struct arena_pool *pool, struct arena *const arenas[], size_t n)
{
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < n && pool->n; i++) {
        if (arenas[i]->held_bytes == 0)
            move(arenas[i], &pool->kept[--pool->n]);
    }
    pthread_mutex_unlock(&pool->lock);
}

void arena_pool_give(struct arena_pool *pool, struct arena *const arenas[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        arena_reset(arenas[i], POOL_ARENA_BYTES);
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < n && pool->n < POOL_ARENAS; i++) {
        if (arenas[i]->held_bytes)
            move(&pool->kept[pool->n++], arenas[i]);
    }
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < n; i++)
        arena_free(arenas[i]); /* those that found no place */
}
