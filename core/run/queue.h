/* A bounded queue of pointers between threads, with batches of them moved at once. Private to core/run.
 *
 * All functions may be called from any thread. After closing, nothing can be added, but what is in the
 * queue can still be taken. */
#ifndef LEADPIPE_QUEUE_H
#define LEADPIPE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

struct queue;

enum rc queue_new(struct queue **out, size_t capacity);
void queue_free(struct queue *q); /* q may be NULL; must be empty or hold nothing that is owned */

/* Adds all `n` items in order, and waits for room as often as needed.
 * RC_CLOSED: the queue was closed; *done (may be NULL): how many items were added. */
enum rc queue_push(struct queue *q, void *const items[], size_t n, size_t *done);

/* Takes 1 to `max` items. If there is none, waits for the first, and then a little longer for more, up to `max`. 0: closed
 * and empty. */
size_t queue_pop(struct queue *q, void *items[], size_t max);

/* As queue_pop(), but waits at most `ms` milliseconds for the first item. 0 with *timed_out: there was none in that time. */
size_t queue_pop_within(struct queue *q, void *items[], size_t max, int64_t ms, bool *timed_out);

/* As queue_pop(), but never waits. */
size_t queue_try_pop(struct queue *q, void *items[], size_t max);

void queue_close(struct queue *q);

/* Is it closed and empty? */
bool queue_ended(struct queue *q);

/* Sleeps a little so that more items can arrive, because waking a thread costs more than the work on one item. For a
 * thread that had nothing to do until now. `n`: how many items it had the last time. Sleeps 0.15 ms for each of them, up
 * to a millisecond. */
void queue_delay(size_t n);

#endif
