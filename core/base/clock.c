#include "core/base/clock.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static int64_t system_mono_us(const struct clock *c)
{
    (void)c;
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t system_wall_ms(const struct clock *c)
{
    (void)c;
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const struct clock clock_system = {system_mono_us, system_wall_ms};

void clock_format(int64_t wall_ms, char out[25])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int ms = (int)(wall_ms % 1000);
    if (ms < 0) { /* before 1970 */
        ms += 1000;
        seconds--;
    }
    struct tm tm;
    char date[24];
    if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) != 19)
        (void)snprintf(date, sizeof date, "1970-01-01T00:00:00"); /* year beyond four digits */
    (void)snprintf(out, 25, "%.19s.%03dZ", date, ms);
}

void rng_seed(struct rng *r, uint64_t seed)
{
    r->state = seed;
}

void rng_seed_system(struct rng *r)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)system_mono_us(NULL) ^ (uint64_t)system_wall_ms(NULL);
    rng_seed(r, seed);
}

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *r, uint64_t below)
{
    if (below == 0)
        return 0;
    uint64_t limit = UINT64_MAX - UINT64_MAX % below; /* so that no remainder is more likely */
    uint64_t n;
    do
        n = rng_next(r);
    while (n >= limit);
    return n % below;
}
