#include "sinks/parquet/rle_read.h"

#define GROUP 8

static bool take_byte(struct rle_in *r, unsigned *out)
{
    if (r->text.len == 0)
        return false;
    *out = (unsigned char)*r->text.ptr;
    r->text = (struct str){r->text.ptr + 1, r->text.len - 1};
    return true;
}

static bool begin_run(struct rle_in *r)
{
    uint64_t head = 0;
    unsigned byte = 0x80;
    for (unsigned i = 0; byte >= 0x80; i++) {
        if (i == 9 || !take_byte(r, &byte))
            return false;
        head |= (uint64_t)(byte & 0x7f) << (7 * i);
    }
    r->is_packed = head & 1;
    r->left = r->is_packed ? (head >> 1) * GROUP : head >> 1;
    r->bits = r->n_bits = 0;
    r->value = 0;
    for (unsigned i = 0; !r->is_packed && i < (r->width + 7) / 8; i++) {
        if (!take_byte(r, &byte))
            return false;
        r->value |= (uint32_t)byte << (8 * i);
    }
    return r->left > 0;
}

bool rle_next(struct rle_in *r, uint32_t *out)
{
    if (r->left == 0 && !begin_run(r))
        return false;
    r->left--;
    *out = r->value;
    if (!r->is_packed)
        return true;
    while (r->n_bits < r->width) {
        unsigned byte;
        if (!take_byte(r, &byte))
            return false;
        r->bits |= (uint64_t)byte << r->n_bits;
        r->n_bits += 8;
    }
    *out = (uint32_t)(r->bits & ((UINT64_C(1) << r->width) - 1));
    r->bits >>= r->width;
    r->n_bits -= r->width;
    return true;
}
