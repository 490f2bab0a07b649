#include "core/kafka/kafka_extent.h"

void kafka_extent_put(struct buf *out, const struct kafka_extent *x)
{
    buf_addf(out, "%s%d:%lld-%lld", out->len ? " " : "", (int)x->partition, (long long)x->from,
             (long long)x->to);
}

/* What is before the first `end`, or all. */
static struct str take_piece(struct str *rest, char end)
{
    const char *at = rest->len ? memchr(rest->ptr, end, rest->len) : NULL;
    struct str piece = {rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len};
    *rest = at ? (struct str){at + 1, rest->len - piece.len - 1} : STR("");
    return piece;
}

static bool read_number(struct str digits, int64_t max, int64_t *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (c < '0' || c > '9' || n > (INT64_MAX - (c - '0')) / 10)
            return false;
        n = n * 10 + (c - '0');
    }
    *out = n;
    return digits.len && n <= max;
}

static bool read_extent(struct str text, struct kafka_extent *out)
{
    int64_t partition;
    struct str number = take_piece(&text, ':');
    struct str from = take_piece(&text, '-');
    bool is_good = read_number(number, INT32_MAX, &partition) &&
                   read_number(from, INT64_MAX, &out->from) &&
                   read_number(text, INT64_MAX, &out->to) && out->to > out->from;
    if (is_good)
        out->partition = (int32_t)partition;
    return is_good;
}

bool kafka_extents_are_valid(struct str text)
{
    int64_t last = -1;
    bool is_good =
        text.len > 0 && text.len <= KAFKA_EXTENTS_BYTES_MAX && text.ptr[text.len - 1] != ' ';
    while (is_good && text.len) {
        struct kafka_extent x;
        is_good = read_extent(take_piece(&text, ' '), &x) && x.partition > last;
        if (is_good)
            last = x.partition;
    }
    return is_good;
}

bool kafka_extent_take(struct str *rest, struct kafka_extent *out)
{
    return rest->len && read_extent(take_piece(rest, ' '), out);
}

bool kafka_extents_overlap(const struct kafka_extent *a, const struct kafka_extent *b)
{
    return a->partition == b->partition && a->from < b->to && b->from < a->to;
}
