/* Time and chance, as parameters: tests give their own. */
#ifndef LEADPIPE_CLOCK_H
#define LEADPIPE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*mono_us)(const struct clock *c); /* monotonic, microseconds from an arbitrary start */
    int64_t (*wall_ms)(const struct clock *c); /* milliseconds since 1970-01-01T00:00:00Z */
};

extern const struct clock clock_system;

static inline int64_t clock_mono_us(const struct clock *c)
{
    return c->mono_us(c);
}

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c);
}

/* "2026-01-30T02:00:00.000Z" (RFC 3339, UTC, milliseconds) into 25 bytes at `out`. */
void clock_format(int64_t wall_ms, char out[25]);

struct rng {
    uint64_t state;
};

/* Seeds from the system (getrandom); a fixed seed repeats its sequence. */
void rng_seed_system(struct rng *r);
void rng_seed(struct rng *r, uint64_t seed);

/* Uniform in [0, below); 0 when `below` is 0. Not for secrets. */
uint64_t rng_below(struct rng *r, uint64_t below);

#endif
