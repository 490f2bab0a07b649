#include "core/http/latency.h"

#include <stddef.h>

/* Where the value's highest bit stands, and which eighth of that doubling it is in. */
static size_t bucket_of(int64_t us)
{
    if (us < 1)
        return 0;
    uint64_t v = (uint64_t)us;
    unsigned top = 63u - (unsigned)__builtin_clzll(v);
    uint64_t eighth = top >= 3 ? (v >> (top - 3)) & 7 : (v << (3 - top)) & 7;
    size_t i = (size_t)top * LATENCY_STEPS + (size_t)eighth;
    return i < LATENCY_BUCKETS ? i : LATENCY_BUCKETS - 1;
}

/* The middle of a bucket. */
static double bucket_ms(size_t i)
{
    double base = (double)(UINT64_C(1) << (i / LATENCY_STEPS));
    return base * (1.0 + ((double)(i % LATENCY_STEPS) + 0.5) / LATENCY_STEPS) / 1000;
}

void latency_add(struct latency *l, int64_t us)
{
    figure_add(&l->counts[bucket_of(us)], 1);
    if (us > atomic_load_explicit(&l->max_us, memory_order_relaxed))
        atomic_store_explicit(&l->max_us, us, memory_order_relaxed);
}

double latency_max_ms(const struct latency *l)
{
    return (double)atomic_load_explicit(&l->max_us, memory_order_relaxed) / 1000;
}

void latency_quantiles(const struct latency *l, const double *shares, double *out_ms, unsigned n)
{
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t total = 0, seen = 0;
    double max_ms = latency_max_ms(l);
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        counts[i] = atomic_load_explicit(&l->counts[i], memory_order_relaxed);
        total += counts[i];
    }
    unsigned k = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS && k < n && total; i++) {
        seen += counts[i];
        for (; k < n && (double)seen >= shares[k] * (double)total && seen; k++) {
            double ms = bucket_ms(i);
            out_ms[k] = ms < max_ms ? ms : max_ms;
        }
    }
    for (; k < n; k++)
        out_ms[k] = total ? max_ms : 0;
}
