/* Emptied arenas that keep some of their memory for the next lead, so that a run does not ask the
 * system for memory again and again. Any thread. */
#ifndef LEADPIPE_ARENA_POOL_H
#define LEADPIPE_ARENA_POOL_H

#include "core/base/arena.h"
#include "core/base/err.h"

struct arena_pool;

enum rc arena_pool_new(struct arena_pool **out);
void arena_pool_free(struct arena_pool *pool); /* may be NULL */

/* Gives up to `n` arenas of the pool to those of `arenas` that hold nothing; they keep their own
 * maximum. */
void arena_pool_take(struct arena_pool *pool, struct arena *const arenas[], size_t n);

/* Empties all `n` arenas and keeps what is worth keeping. */
void arena_pool_give(struct arena_pool *pool, struct arena *const arenas[], size_t n);

#endif
