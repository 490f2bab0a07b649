/* The smallest and the largest value of a chunk, by the order that Parquet gives its type: bytes as
 * unsigned numbers, false before true, integers and doubles by value (of zeros, -0 as the smallest and +0
 * as the largest).
 *
 * A long text is shortened: the smallest to its beginning, the largest to a beginning whose last
 * character is replaced by the one after it, so that all values stay between both; whole characters, so
 * that both are UTF-8 as the values are. */
#ifndef LEADPIPE_PARQUET_STATISTICS_H
#define LEADPIPE_PARQUET_STATISTICS_H

#include "sinks/parquet/chunk.h"

#define STATISTICS_BYTES_MAX 64

struct bound {
    bool is_known, is_exact;
    size_t n;
    char bytes[STATISTICS_BYTES_MAX +
               4]; /* PLAIN, without a length; the next character may be longer */
};

struct statistics {
    struct bound min, max;
};

/* Of a chunk that was settled. */
struct statistics statistics_of(const struct chunk *c);

#endif
