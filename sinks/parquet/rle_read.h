/* What rle.h writes, one value after the other. The bytes may be anything. */
#ifndef LEADPIPE_PARQUET_RLE_READ_H
#define LEADPIPE_PARQUET_RLE_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

struct rle_in {
    struct str text; /* what is left */
    unsigned width;
    uint64_t left; /* values of the run at hand */
    bool is_packed;
    uint32_t value; /* of a run of equal ones */
    uint64_t bits;  /* of a packed one: read, and not yet taken */
    unsigned n_bits;
};

/* False: there is none, or it is damaged. */
bool rle_next(struct rle_in *r, uint32_t *out);

#endif
