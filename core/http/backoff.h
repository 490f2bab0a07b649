/* How long to wait before another try: full-jitter exponential backoff. Pure. Private to core/http. */
#ifndef LEADPIPE_BACKOFF_H
#define LEADPIPE_BACKOFF_H

#include <stdint.h>

#include "core/base/clock.h"

#define BACKOFF_FIRST_US INT64_C(250000)
#define BACKOFF_MAX_US INT64_C(30000000)

/* The longest wait after `failures` failed tries (at least 1): 0.25 s, doubling, at most `max_us`. */
int64_t backoff_ceiling_us(unsigned failures, int64_t max_us);

/* Uniform between 0 and the longest wait: many clients that failed at the same moment come back
 * spread over the whole of it. */
int64_t backoff_us(struct rng *rng, unsigned failures);

#endif
