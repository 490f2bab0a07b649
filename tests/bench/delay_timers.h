/* What is due when: a binary heap of timers that live inside their owners. One thread. */
#ifndef LEADPIPE_BENCH_DELAY_TIMERS_H
#define LEADPIPE_BENCH_DELAY_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t due_us; /* of CLOCK_MONOTONIC */
    size_t place;   /* in the heap, from 1; 0: not in it */
};

struct timers {
    struct timer **heap; /* [0] is not used */
    size_t n, cap;
};

/* -1 when out of memory. `t` must not be in the heap. */
int timers_add(struct timers *h, struct timer *t);

/* Does nothing when `t` is not in the heap. */
void timers_remove(struct timers *h, struct timer *t);

/* The one that is due first, or NULL. */
struct timer *timers_first(const struct timers *h);

void timers_free(struct timers *h);

#endif
