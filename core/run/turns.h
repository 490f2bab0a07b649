/* Sinks that may lock out other runs from prepare() to commit() are prepared one after the other, in the order of the sinks:
 * so of two runs of the same command the one that has the first lock gets all others, too, and neither waits for the other.
 * Private to core/run. Any thread. */
#ifndef LEADPIPE_TURNS_H
#define LEADPIPE_TURNS_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/err.h"

struct turns {
    pthread_mutex_t lock;
    pthread_cond_t passed;
    unsigned next;
    bool is_made;
};

/* RC_NOMEM. Zero it first: then turns_free() may be called in any case. */
enum rc turns_init(struct turns *t);
void turns_free(struct turns *t);

/* Waits until number `turn`, from 0, has its turn; each passes it on, once. */
void turns_wait(struct turns *t, unsigned turn);
void turns_pass(struct turns *t);

#endif
