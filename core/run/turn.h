/* Sinks that may lock out other runs from prepare() to commit() are prepared one after the other, in the order of the sinks:
 * so of two runs of the same command the one that has the first lock gets all others, too, and neither waits for the other.
 * Private to core/run. Any thread. */
#ifndef LEADPIPE_TURN_H
#define LEADPIPE_TURN_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/err.h"

/* Of one sink. Zero it first: then turn_free() may be called in any case. */
struct turn {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_made, is_over;
};

/* RC_NOMEM. */
enum rc turn_init(struct turn *t);
void turn_free(struct turn *t);

/* Waits until it is over. */
void turn_wait(struct turn *t);
void turn_end(struct turn *t);

#endif
