/* Parquet's hybrid of run lengths and bit-packing, for definition levels and indexes of a dictionary:
 * https://parquet.apache.org/docs/file-format/data-pages/encodings/
 *
 * Values come as runs of equal ones. A run of eight or more is one of run lengths; what is shorter is
 * packed in groups of eight values, the last of which is filled up with zeros. What is written depends on
 * the values alone, not on how they were cut into runs. Errors stick in the buffer. */
#ifndef LEADPIPE_PARQUET_RLE_H
#define LEADPIPE_PARQUET_RLE_H

#include "core/base/buf.h"

#define RLE_GROUP 8
#define RLE_PACKED_MAX 504 /* values in one bit-packed run: its header is one byte */

struct rle {
    struct buf *out;
    unsigned width; /* bits of a value, 1 to 32 */
    uint32_t value; /* the run at hand ... */
    uint64_t count; /* ... whose end is not known yet */
    uint32_t packed[RLE_PACKED_MAX];
    unsigned n_packed;
};

void rle_begin(struct rle *r, struct buf *out, unsigned width);
void rle_add(struct rle *r, uint32_t value, uint64_t count);
/* `n` values as they are in memory, uint32_t each. */
void rle_add_list(struct rle *r, const char *list, size_t n);
void rle_end(struct rle *r);

/* Bits that values from 0 to `max` need; at least 1. */
unsigned rle_width(uint32_t max);

#endif
