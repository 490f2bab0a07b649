/* A bounded queue of pointers between threads, handed over in batches. Private to core/run.
 *
 * All functions may be called from any thread. Closing means: nothing more comes; what is inside
 * is still taken out. */
#ifndef LEADPIPE_QUEUE_H
#define LEADPIPE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

struct queue;

enum rc queue_new(struct queue **out, size_t capacity);
void queue_free(struct queue *q); /* q may be NULL; must be empty or hold nothing that is owned */

/* Waits for room and adds all `n` items in order, in pieces where need be.
 * RC_CLOSED: the queue was closed; *done (may be NULL) is how many went in. */
enum rc queue_push(struct queue *q, void *const items[], size_t n, size_t *done);

/* Takes 1 to `max` items. If there is none it waits for the first, and then a little longer unless `max` are
 * there. 0: closed and empty. */
size_t queue_pop(struct queue *q, void *items[], size_t max);

/* As queue_pop(), but never waits. */
size_t queue_try_pop(struct queue *q, void *items[], size_t max);

void queue_close(struct queue *q);

/* Closed and empty. */
bool queue_ended(struct queue *q);

/* For a thread that had nothing to do until just now: lets a little more come together, for it costs
 * more to wake a thread than to do the work of one item. `n`: how many items there were the last
 * time. The more, the longer: from 0.15 ms, as long as items come one by one, to
 * a millisecond. */
void queue_delay(size_t n);

#endif
