#include "sinks/parquet/statistics.h"

#include "sinks/parquet/little_endian.h"

static int compare_bytes(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static double double_get(struct str value)
{
    uint64_t bits = le64_get(value.ptr);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* -0 before +0: what is smaller than both must be -0. */
static int compare_doubles(struct str a, struct str b)
{
    double x = double_get(a);
    double y = double_get(b);
    if (x < y || x > y)
        return x < y ? -1 : 1;
    return (int)(le64_get(b.ptr) >> 63) - (int)(le64_get(a.ptr) >> 63);
}

static int compare_integers(struct str a, struct str b)
{
    int64_t x = (int64_t)le64_get(a.ptr);
    int64_t y = (int64_t)le64_get(b.ptr);
    return (x > y) - (x < y);
}

/* ---- the smallest and the largest ------------------------------------------------------------ */

struct extremes {
    struct str min, max; /* absent: there are no values */
};

static inline struct extremes find(const struct chunk *c, int (*compare)(struct str, struct str))
{
    struct extremes x = {STR_NONE, STR_NONE};
    struct str value = STR_NONE;
    size_t at = 0;
    while (chunk_next_value(c->type, buf_str(&c->data), &at, &value)) {
        if (!x.min.ptr || compare(value, x.min) < 0)
            x.min = value;
        if (!x.max.ptr || compare(value, x.max) > 0)
            x.max = value;
    }
    return x;
}

/* The first bytes as a number that has their order, as far as they differ: zeros stand for those that lack. */
static uint64_t beginning_of(struct str value)
{
    uint64_t word = 0;
    if (value.len >= sizeof word)
        memcpy(&word, value.ptr, sizeof word);
    else if (value.len > 0)
        memcpy(&word, value.ptr, value.len);
    return be64toh(word);
}

/* Most texts differ in their first bytes from both. */
static struct extremes find_texts(const struct chunk *c)
{
    struct extremes x = {STR_NONE, STR_NONE};
    struct str value = STR_NONE;
    uint64_t min = 0, max = 0;
    size_t at = 0;
    if (chunk_next_value(c->type, buf_str(&c->data), &at, &value)) {
        x = (struct extremes){value, value};
        min = max = beginning_of(value);
    }
    while (chunk_next_value(c->type, buf_str(&c->data), &at, &value)) {
        uint64_t begins = beginning_of(value);
        if (begins > min && begins < max)
            continue;
        if (begins < min || (begins == min && compare_bytes(value, x.min) < 0)) {
            x.min = value;
            min = begins;
        }
        if (begins > max || (begins == max && compare_bytes(value, x.max) > 0)) {
            x.max = value;
            max = begins;
        }
    }
    return x;
}

static struct extremes extremes_of(const struct chunk *c)
{
    switch (c->type) {
    case PHYSICAL_INT64:
        return find(c, compare_integers);
    case PHYSICAL_DOUBLE:
        return find(c, compare_doubles);
    case PHYSICAL_BOOLEAN:
        return find(c, compare_bytes);
    case PHYSICAL_BYTE_ARRAY:
        break;
    }
    return find_texts(c);
}

/* ---- long texts ----------------------------------------------------------------------------- */

static uint32_t code_point(const unsigned char *p, size_t n)
{
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = p[0] & first_bits[n];
    for (size_t i = 1; i < n; i++)
        point = point << 6 | (p[i] & 0x3f);
    return point;
}

static size_t put_code_point(char *out, uint32_t point)
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = n; i > 1; i--, point >>= 6)
        out[i - 1] = (char)(unsigned char)(0x80 | (point & 0x3f));
    out[0] = (char)(unsigned char)(marks[n] | point);
    return n;
}

/* The last character that has one after it is replaced by that, and what is behind it is dropped. */
static bool raise(struct bound *b)
{
    while (b->n > 0) {
        size_t at = b->n - 1;
        while (at > 0 && ((unsigned char)b->bytes[at] & 0xc0) == 0x80)
            at--;
        uint32_t point = code_point((const unsigned char *)b->bytes + at, b->n - at);
        b->n = at;
        if (point == 0x10ffff)
            continue;
        /* surrogates are no characters */
        b->n += put_code_point(b->bytes + at, point == 0xd7ff ? 0xe000 : point + 1);
        return true;
    }
    return false;
}

static struct bound bound_of(struct str value, bool is_max)
{
    struct bound b = {.is_known = true, .is_exact = true, .n = value.len};
    if (value.len > STATISTICS_BYTES_MAX) {
        b.is_exact = false;
        for (b.n = STATISTICS_BYTES_MAX; b.n > 0 && ((unsigned char)value.ptr[b.n] & 0xc0) == 0x80;)
            b.n--;
    }
    if (b.n > 0)
        memcpy(b.bytes, value.ptr, b.n);
    if (is_max && !b.is_exact)
        b.is_known = raise(&b);
    return b;
}

static void zero_of_sign(struct bound *b, bool is_negative)
{
    uint64_t bits = le64_get(b->bytes);
    if ((bits << 1) == 0)
        le64_put(b->bytes, is_negative ? UINT64_C(1) << 63 : 0);
}

struct statistics statistics_of(const struct chunk *c)
{
    const struct extremes x = extremes_of(c);
    struct statistics s = {0};
    if (!x.min.ptr)
        return s;
    s.min = bound_of(x.min, false);
    s.max = bound_of(x.max, true);
    if (c->type == PHYSICAL_DOUBLE) {
        zero_of_sign(&s.min, true);
        zero_of_sign(&s.max, false);
    }
    return s;
}
