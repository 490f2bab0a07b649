/* A histogram of latencies in logarithmic buckets: eight for each doubling, so that a quantile is
 * within 7 % of the truth, over 1 us to a day. One thread counts, any thread may read at the same
 * time. Private to core/http. */
#ifndef LEADPIPE_LATENCY_H
#define LEADPIPE_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#define LATENCY_STEPS 8 /* buckets for each doubling */
#define LATENCY_BUCKETS (37 * LATENCY_STEPS)

struct latency {
    _Atomic uint64_t counts[LATENCY_BUCKETS];
    _Atomic int64_t max_us;
};

/* A figure that one thread writes and others read. */
static inline void figure_add(_Atomic uint64_t *f, uint64_t n)
{
    uint64_t old = atomic_load_explicit(f, memory_order_relaxed);
    atomic_store_explicit(f, old + n, memory_order_relaxed);
}

static inline void figure_sub(_Atomic uint64_t *f, uint64_t n)
{
    uint64_t old = atomic_load_explicit(f, memory_order_relaxed);
    atomic_store_explicit(f, old - n, memory_order_relaxed);
}

void latency_add(struct latency *l, int64_t us);

/* For each of the `n` shares (ascending, 0 to 1) the latency that so many do not exceed; 0 where
 * there is none yet. */
void latency_quantiles(const struct latency *l, const double *shares, double *out_ms, unsigned n);

double latency_max_ms(const struct latency *l);

#endif
