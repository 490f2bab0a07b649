#include "sinks/parquet/rle.h"

#include "sinks/parquet/little_endian.h"
#include "sinks/parquet/thrift.h"

unsigned rle_width(uint32_t max)
{
    unsigned width = 1;
    while (width < 32 && max >> width)
        width++;
    return width;
}

void rle_begin(struct rle *r, struct buf *out, unsigned width)
{
    r->out = out;
    r->width = width;
    r->value = 0;
    r->count = 0;
    r->n_packed = 0;
}

/* Values from the lowest bit on, each with its lowest bit first. */
static void write_packed(struct rle *r)
{
    if (r->n_packed == 0)
        return;
    unsigned groups = r->n_packed / RLE_GROUP;
    thrift_varint(r->out, (uint64_t)groups << 1 | 1);
    char *p = buf_reserve(r->out, (size_t)groups * r->width);
    if (!p)
        return;
    r->out->len += (size_t)groups * r->width;
    uint64_t bits = 0;
    unsigned n_bits = 0;
    for (unsigned i = 0; i < r->n_packed; i++) {
        bits |= (uint64_t)r->packed[i] << n_bits; /* of 31 and 32 at most */
        n_bits += r->width;
        if (n_bits >= 32) {
            le32_put(p, (uint32_t)bits);
            p += sizeof(uint32_t);
            bits >>= 32;
            n_bits -= 32;
        }
    }
    for (; n_bits > 0; n_bits -= 8, bits >>= 8) /* groups of eight are whole bytes */
        *p++ = (char)(unsigned char)bits;
    r->n_packed = 0;
}

static void write_repeated(struct rle *r)
{
    thrift_varint(r->out, r->count << 1);
    for (unsigned i = 0; i < (r->width + 7) / 8; i++)
        buf_addc(r->out, (char)(unsigned char)(r->value >> 8 * i));
    r->count = 0;
}

static inline void pack(struct rle *r, uint64_t n)
{
    for (r->count -= n; n > 0; n--) {
        r->packed[r->n_packed++] = r->value;
        if (r->n_packed == RLE_PACKED_MAX)
            write_packed(r);
    }
}

/* The run at hand is over. */
static void end_run(struct rle *r)
{
    unsigned begun = r->n_packed % RLE_GROUP; /* values of a group that must be completed first */
    uint64_t fill = begun ? RLE_GROUP - begun : 0;
    if (r->count >= fill + RLE_GROUP) {
        pack(r, fill);
        write_packed(r);
        write_repeated(r);
    } else {
        pack(r, r->count);
    }
}

static inline void add(struct rle *r, uint32_t value, uint64_t count)
{
    if (value != r->value) {
        if (r->count < RLE_GROUP) /* most are: no run of their own */
            pack(r, r->count);
        else
            end_run(r);
        r->value = value;
    }
    r->count += count;
}

void rle_add(struct rle *r, uint32_t value, uint64_t count)
{
    add(r, value, count);
}

void rle_add_list(struct rle *r, const char *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t value;
        memcpy(&value, list + i * sizeof value, sizeof value);
        add(r, value, 1);
    }
}

void rle_end(struct rle *r)
{
    end_run(r);
    r->value = 0;
    while (r->n_packed % RLE_GROUP)
        r->packed[r->n_packed++] = 0;
    write_packed(r);
}
