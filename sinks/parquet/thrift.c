#include "sinks/parquet/thrift.h"

enum { COMPACT_TRUE = 1, COMPACT_FALSE = 2, COMPACT_LIST = 9 };

#define SHORT_DELTA_MAX 15
#define SHORT_LIST_MAX 14

void thrift_varint(struct buf *out, uint64_t value)
{
    while (value >= 0x80) {
        buf_addc(out, (char)(unsigned char)(value | 0x80));
        value >>= 7;
    }
    buf_addc(out, (char)value);
}

/* Small numbers of either sign become small unsigned ones. */
static void put_zigzag(struct buf *out, int64_t value)
{
    thrift_varint(out, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

static void put_field(struct thrift *t, int id, unsigned type)
{
    int *last = &t->last_id[t->depth - 1];
    int delta = id - *last;
    if (delta > 0 && delta <= SHORT_DELTA_MAX) {
        buf_addc(t->out, (char)(unsigned char)((unsigned)delta << 4 | type));
    } else {
        buf_addc(t->out, (char)type);
        put_zigzag(t->out, id);
    }
    *last = id;
}

void thrift_begin(struct thrift *t)
{
    if (t->depth == THRIFT_DEPTH_MAX) { /* no metadata is nested so deeply */
        t->out->rc = RC_INTERNAL;
        return;
    }
    t->last_id[t->depth++] = 0;
}

void thrift_end(struct thrift *t)
{
    buf_addc(t->out, 0);
    t->depth--;
}

void thrift_bool(struct thrift *t, int id, bool value)
{
    put_field(t, id, value ? COMPACT_TRUE : COMPACT_FALSE);
}

void thrift_i32(struct thrift *t, int id, int32_t value)
{
    put_field(t, id, THRIFT_I32);
    put_zigzag(t->out, value);
}

void thrift_i64(struct thrift *t, int id, int64_t value)
{
    put_field(t, id, THRIFT_I64);
    put_zigzag(t->out, value);
}

void thrift_binary(struct thrift *t, int id, struct str value)
{
    put_field(t, id, THRIFT_BINARY);
    thrift_element_binary(t, value);
}

void thrift_struct(struct thrift *t, int id)
{
    put_field(t, id, THRIFT_STRUCT);
    thrift_begin(t);
}

void thrift_list(struct thrift *t, int id, enum thrift_type type, size_t n)
{
    put_field(t, id, COMPACT_LIST);
    if (n <= SHORT_LIST_MAX) {
        buf_addc(t->out, (char)(unsigned char)(n << 4 | type));
    } else {
        buf_addc(t->out, (char)(unsigned char)(0xf0 | type));
        thrift_varint(t->out, n);
    }
}

void thrift_element_i32(struct thrift *t, int32_t value)
{
    put_zigzag(t->out, value);
}

void thrift_element_binary(struct thrift *t, struct str value)
{
    thrift_varint(t->out, value.len);
    buf_add_str(t->out, value);
}
