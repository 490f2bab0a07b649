#include "core/http/backoff.h"

int64_t backoff_ceiling_us(unsigned failures, int64_t max_us)
{
    int64_t ceiling = BACKOFF_FIRST_US;
    for (unsigned n = 1; n < failures && ceiling < max_us; n++)
        ceiling *= 2;
    return ceiling < max_us ? ceiling : max_us;
}

int64_t backoff_us(struct rng *rng, unsigned failures)
{
    return (int64_t)rng_below(rng, (uint64_t)backoff_ceiling_us(failures, BACKOFF_MAX_US) + 1);
}
