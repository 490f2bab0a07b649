#include "sinks/postgres/encode.h"

#include "core/json/number.h"
#include "sinks/postgres/row_width.h"

#define WHOLE_DIGITS_MAX 131072
#define FRACTION_DIGITS_MAX 16383

const struct typed_target pg_target = {.has_decimals = true,
                                       .json_numbers = true,
                                       .whole_digits_max = WHOLE_DIGITS_MAX,
                                       .fraction_digits_max = FRACTION_DIGITS_MAX,
                                       .time_min_us = -210866803200000000, /* 4713 BC */
                                       .time_max_us = INT64_MAX};

/* 2000-01-01, from which PostgreSQL counts. */
#define EPOCH_US INT64_C(946684800000000)

#define NULL_LENGTH UINT32_C(0xFFFFFFFF)
#define JSONB_VERSION 1

/* numeric: groups of four decimal digits. */
#define GROUP 4
#define NUMERIC_NEGATIVE 0x4000

static const char signature[] = "PGCOPY\n\377\r\n"; /* and its NUL */
#define HEAD_BYTES (sizeof signature + 8)
#define END_OF_ROWS 0xFFFF

/* ---- integers ------------------------------------------------------------------------------- */

static void put_bytes(struct buf *b, uint64_t value, size_t n)
{
    char *room = buf_reserve(b, n);
    if (!room)
        return;
    for (size_t i = 0; i < n; i++)
        room[i] = (char)(value >> (8 * (n - 1 - i)) & 0xFF);
    b->len += n;
}

static uint64_t get_bytes(const char *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

/* ---- rows ----------------------------------------------------------------------------------- */

void pg_put_begin(struct buf *b)
{
    buf_add(b, signature, sizeof signature);
    put_bytes(b, 0, 8); /* flags; bytes of an extension */
}

void pg_put_end(struct buf *b)
{
    put_bytes(b, END_OF_ROWS, 2);
}

void pg_put_row(struct buf *b, size_t n_fields)
{
    put_bytes(b, n_fields, 2);
}

void pg_put_null(struct buf *b)
{
    put_bytes(b, NULL_LENGTH, 4);
}

/* A value whose length is known once it is there. */
static size_t begin(struct buf *b)
{
    put_bytes(b, 0, 4);
    return b->len;
}

static void end(struct buf *b, size_t from)
{
    if (buf_rc(b) != RC_OK)
        return;
    size_t n = b->len - from;
    if (n > INT32_MAX)
        b->rc = RC_LIMIT;
    for (size_t i = 0; i < 4; i++)
        b->data[from - 4 + i] = (char)(n >> (8 * (3 - i)) & 0xFF);
}

/* ---- values --------------------------------------------------------------------------------- */

void pg_put_text(struct buf *b, struct str text)
{
    if (text.len > INT32_MAX) {
        b->rc = RC_LIMIT;
        return;
    }
    put_bytes(b, text.len, 4);
    buf_add_str(b, text);
}

void pg_put_integer(struct buf *b, int64_t value)
{
    put_bytes(b, 8, 4);
    put_bytes(b, (uint64_t)value, 8);
}

void pg_put_uuid(struct buf *b, uint64_t high, uint64_t low)
{
    put_bytes(b, 16, 4);
    put_bytes(b, high, 8);
    put_bytes(b, low, 8);
}

void pg_put_time(struct buf *b, int64_t us)
{
    pg_put_integer(b, us - EPOCH_US);
}

/* The digits of a number without sign, point and exponent; and where its point is among them. */
struct decimal {
    struct str text;
    bool is_negative;
    size_t first, last; /* bytes of `text` with digits that are not leading or trailing zeros */
    int64_t point;      /* digits before it, counted from the one at `first`; may be below 0 */
};

static struct decimal decimal_of(struct str text)
{
    struct decimal d = {.text = text, .is_negative = text.len > 0 && text.ptr[0] == '-'};
    bool any = false;
    bool behind = false;
    int64_t zeros_behind = 0; /* right behind the point, before the first other digit */
    int64_t digits_before = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        char c = text.ptr[i];
        if (c == '.') {
            behind = true;
        } else if (c >= '1' && c <= '9') {
            d.first = any ? d.first : i;
            d.last = i + 1;
            any = true;
        }
        if (c < '0' || c > '9')
            continue;
        if (any && !behind)
            digits_before++;
        if (!any && behind)
            zeros_behind++;
    }
    d.point = (digits_before > 0 ? digits_before : -zeros_behind) + number_extent(text).exponent;
    return d;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* Groups from the first digit that is not 0 to the last, aligned to the point. */
static size_t put_groups(struct buf *b, const struct decimal *d, int64_t weight)
{
    int64_t in_group =
        GROUP - (d->point - GROUP * weight); /* zeros that the first one begins with */
    unsigned group = 0;
    size_t n = 0;
    for (size_t i = d->first; i < d->last; i++) {
        if (d->text.ptr[i] == '.')
            continue;
        group = group * 10 + (unsigned)(d->text.ptr[i] - '0');
        if (++in_group < GROUP)
            continue;
        put_bytes(b, group, 2);
        group = 0;
        in_group = 0;
        n++;
    }
    if (in_group == 0)
        return n;
    for (; in_group < GROUP; in_group++)
        group *= 10;
    put_bytes(b, group, 2);
    return n + 1;
}

void pg_put_decimal(struct buf *b, struct str digits)
{
    struct decimal d = decimal_of(digits);
    bool is_zero = d.first == d.last;
    int64_t fraction = number_extent(digits).fraction;
    int64_t weight = is_zero ? 0 : floor_div(d.point - 1, GROUP);
    size_t from = begin(b);
    put_bytes(b, 0, 2); /* how many groups */
    put_bytes(b, (uint64_t)weight, 2);
    put_bytes(b, d.is_negative && !is_zero ? NUMERIC_NEGATIVE : 0, 2);
    put_bytes(b, (uint64_t)fraction, 2);
    size_t n = is_zero ? 0 : put_groups(b, &d, weight);
    if (buf_rc(b) == RC_OK) {
        b->data[from] = (char)(n >> 8 & 0xFF);
        b->data[from + 1] = (char)(n & 0xFF);
    }
    end(b, from);
}

void pg_put_typed(struct buf *b, const struct typed_cell *cell)
{
    size_t from = 0;
    struct str text;
    switch (cell->value.kind) {
    case TYPED_NULL:
    case TYPED_MISFIT: /* never */
    case TYPED_DOUBLE: /* of no target of ours */
        pg_put_null(b);
        return;
    case TYPED_TEXT:
        if (typed_cell_bytes(cell, &text)) {
            pg_put_text(b, text);
            return;
        }
        from = begin(b);
        typed_cell_write(b, cell);
        end(b, from);
        return;
    case TYPED_INTEGER:
        pg_put_integer(b, cell->value.u.integer);
        return;
    case TYPED_DECIMAL:
        if (typed_cell_bytes(cell, &text))
            pg_put_decimal(b, text);
        else
            b->rc = RC_INTERNAL;
        return;
    case TYPED_BOOLEAN:
        put_bytes(b, 1, 4);
        put_bytes(b, cell->value.u.boolean, 1);
        return;
    case TYPED_TIME:
        pg_put_time(b, cell->value.u.time_us);
        return;
    case TYPED_JSON:
        from = begin(b);
        buf_addc(b, JSONB_VERSION);
        typed_cell_write(b, cell);
        end(b, from);
        return;
    }
}

/* ---- reading back, for messages -------------------------------------------------------------- */

struct str pg_text_at(struct str data, uint64_t row, size_t field)
{
    size_t at = HEAD_BYTES;
    for (uint64_t r = 1; r <= row && at + 2 <= data.len; r++) {
        uint64_t n = get_bytes(data.ptr + at, 2);
        at += 2;
        for (uint64_t f = 0; f < n && at + 4 <= data.len; f++) {
            uint64_t len = get_bytes(data.ptr + at, 4);
            at += 4;
            if (len == NULL_LENGTH)
                continue;
            if (len > data.len - at)
                return STR_NONE;
            if (r == row && f == field)
                return (struct str){data.ptr + at, (size_t)len};
            at += (size_t)len;
        }
    }
    return STR_NONE;
}

uint64_t pg_widest_row(struct str data)
{
    size_t at = HEAD_BYTES;
    uint64_t widest = 0;
    size_t most = 0;
    for (uint64_t row = 1; at + 2 <= data.len; row++) {
        uint64_t n = get_bytes(data.ptr + at, 2);
        size_t bytes = 0;
        at += 2;
        if (n == END_OF_ROWS)
            break;
        for (uint64_t f = 0; f < n && at + 4 <= data.len; f++) {
            uint64_t len = get_bytes(data.ptr + at, 4);
            at += 4;
            if (len == NULL_LENGTH)
                continue;
            if (len > data.len - at)
                return widest;
            bytes += pg_stored_bytes((size_t)len);
            at += (size_t)len;
        }
        if (bytes > most) {
            most = bytes;
            widest = row;
        }
    }
    return widest;
}
