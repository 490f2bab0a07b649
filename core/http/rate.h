/* Pacing: at most so many starts a second, evenly spaced. Pure: the time is a parameter. Private to
 * core/http.
 *
 * The generic cell rate algorithm: every start moves a theoretical arrival time on by one interval,
 * and a start is allowed while that time is not further ahead than the burst. The burst is what
 * falls into 10 ms, the coarseness of timers, so that high rates are met as well. */
#ifndef LEADPIPE_RATE_H
#define LEADPIPE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    int64_t interval_ns; /* between two starts; 0: no limit */
    int64_t burst_ns;    /* how far `next_ns` may be ahead of the clock */
    int64_t next_ns;     /* theoretical time of the next start */
};

void rate_init(struct rate *r, double per_s); /* 0 or less: no limit */

/* Another rate from the last start on. */
void rate_change(struct rate *r, double per_s);

/* The earliest time at which a start is allowed; in the past: now. */
int64_t rate_due_us(const struct rate *r);

/* A start at `now_us`, which is not before rate_due_us(). */
void rate_take(struct rate *r, int64_t now_us);

#endif
