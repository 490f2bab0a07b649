#include "sinks/parquet/thrift_read.h"

enum {
    COMPACT_STOP = 0,
    COMPACT_TRUE = 1,
    COMPACT_FALSE = 2,
    COMPACT_BYTE = 3,
    COMPACT_I16 = 4,
    COMPACT_I32 = 5,
    COMPACT_I64 = 6,
    COMPACT_DOUBLE = 7,
    COMPACT_BINARY = 8,
    COMPACT_LIST = 9,
    COMPACT_SET = 10,
    COMPACT_STRUCT = 12,
};

#define DEPTH_MAX 16
#define VARINT_BYTES_MAX 10

static unsigned take_byte(struct thrift_in *in)
{
    if (in->bad || in->text.len == 0) {
        in->bad = true;
        return 0;
    }
    unsigned byte = (unsigned char)*in->text.ptr;
    in->text = (struct str){in->text.ptr + 1, in->text.len - 1};
    return byte;
}

static uint64_t take_varint(struct thrift_in *in)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        unsigned byte = take_byte(in);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return value;
    }
    in->bad = true;
    return 0;
}

int64_t thrift_read_int(struct thrift_in *in)
{
    uint64_t value = take_varint(in);
    return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

struct str thrift_read_binary(struct thrift_in *in)
{
    uint64_t n = take_varint(in);
    if (in->bad || n > in->text.len) {
        in->bad = true;
        return STR_NONE;
    }
    struct str out = {in->text.ptr, (size_t)n};
    in->text = (struct str){in->text.ptr + n, in->text.len - (size_t)n};
    return out;
}

bool thrift_next(struct thrift_in *in, struct thrift_field *f)
{
    unsigned byte = take_byte(in);
    if (in->bad || byte == COMPACT_STOP)
        return false;
    f->type = byte & 0x0f;
    int64_t id = byte >> 4 ? f->id + (int64_t)(byte >> 4) : thrift_read_int(in);
    in->bad |= id < 0 || id > INT16_MAX;
    f->id = (int)(id & INT16_MAX);
    return !in->bad;
}

static uint64_t read_list(struct thrift_in *in, unsigned *type)
{
    unsigned byte = take_byte(in);
    uint64_t n = byte >> 4;
    if (n == 15)
        n = take_varint(in);
    *type = byte & 0x0f;
    in->bad |= n > in->text.len;
    return in->bad ? 0 : n;
}

uint64_t thrift_read_list(struct thrift_in *in)
{
    unsigned type;
    return read_list(in, &type);
}

static void skip_value(struct thrift_in *in, unsigned type, bool in_list, unsigned depth);

static void skip_list(struct thrift_in *in, unsigned depth)
{
    unsigned type;
    uint64_t n = read_list(in, &type);
    for (uint64_t i = 0; !in->bad && i < n; i++)
        skip_value(in, type, true, depth + 1);
}

static void skip_struct(struct thrift_in *in, unsigned depth)
{
    struct thrift_field f = {0};
    while (thrift_next(in, &f))
        skip_value(in, f.type, false, depth + 1);
}

static void skip_value(struct thrift_in *in, unsigned type, bool in_list, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        in->bad = true;
        return;
    }
    switch (type) {
    case COMPACT_TRUE:
    case COMPACT_FALSE:
        if (in_list)
            (void)take_byte(in);
        break;
    case COMPACT_BYTE:
        (void)take_byte(in);
        break;
    case COMPACT_I16:
    case COMPACT_I32:
    case COMPACT_I64:
        (void)take_varint(in);
        break;
    case COMPACT_DOUBLE:
        for (int i = 0; i < 8; i++)
            (void)take_byte(in);
        break;
    case COMPACT_BINARY:
        (void)thrift_read_binary(in);
        break;
    case COMPACT_LIST:
    case COMPACT_SET:
        skip_list(in, depth);
        break;
    case COMPACT_STRUCT:
        skip_struct(in, depth);
        break;
    default: /* maps, which Parquet has not */
        in->bad = true;
    }
}

void thrift_skip(struct thrift_in *in, const struct thrift_field *f)
{
    skip_value(in, f->type, false, 0);
}
