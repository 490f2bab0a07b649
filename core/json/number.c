#include "core/json/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/checked.h"

/* Every decimal of so many digits, within the range of normal doubles, survives the way to a double
 * and back (DBL_DIG); no double needs more than SHORTEST_MAX (DBL_DECIMAL_DIG). */
#define DIGITS_SAFE 15
#define DIGITS_MAX 17
#define MAGNITUDE_SAFE 300 /* decimal exponents that are surely normal doubles */
#define MAGNITUDE_MAX 400  /* beyond the smallest and the largest double */
#define EXPONENT_CAP INT64_C(1000000000000000)

/* digits * 10^exponent, the last digit not 0; 0 has n 0. */
struct decimal {
    bool negative;
    bool too_long; /* more than DIGITS_MAX digits: `digits` does not hold them */
    int n;         /* how many digits */
    uint64_t digits;
    int64_t exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- whole numbers -------------------------------------------------------------------------- */

/* True when `s` is a whole number that fits. "-0" is not one: its sign would be lost. */
static bool parse_whole(struct str s, struct number *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == s.len)
        return false;
    uint64_t u = 0;
    for (; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (u > (UINT64_MAX - digit) / 10)
            return false;
        u = u * 10 + digit;
    }
    if (!negative) {
        *out = (struct number){.kind = NUMBER_UINT, .v.u = u};
        return true;
    }
    if (u == 0 || u > (uint64_t)INT64_MAX + 1)
        return false;
    *out = (struct number){.kind = NUMBER_INT, .v.i = -(int64_t)(u - 1) - 1};
    return true;
}

/* ---- decimals ------------------------------------------------------------------------------- */

static void add_digit(struct decimal *d, unsigned digit, int64_t *zeros)
{
    if (digit == 0) {
        *zeros += d->n > 0;
        return;
    }
    if (d->too_long || d->n + *zeros + 1 > DIGITS_MAX) {
        d->too_long = true;
        return;
    }
    for (; *zeros > 0; --*zeros, d->n++)
        d->digits *= 10;
    d->digits = d->digits * 10 + digit;
    d->n++;
}

static int64_t parse_exponent(struct str s, size_t at)
{
    bool negative = at < s.len && s.ptr[at] == '-';
    if (at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+'))
        at++;
    int64_t e = 0;
    for (; at < s.len && is_digit(s.ptr[at]); at++)
        e = e >= EXPONENT_CAP ? e : e * 10 + (s.ptr[at] - '0');
    return negative ? -e : e;
}

/* Where the exponent's "e" is, or the end. */
static size_t mantissa_end(struct str s)
{
    size_t i = 0;
    while (i < s.len && s.ptr[i] != 'e' && s.ptr[i] != 'E')
        i++;
    return i;
}

static struct decimal parse_decimal(struct str s)
{
    struct decimal d = {.negative = s.len > 0 && s.ptr[0] == '-'};
    int64_t zeros = 0, fraction = 0;
    bool point = false;
    size_t i = d.negative ? 1 : 0, end = mantissa_end(s);
    for (; i < end; i++) {
        if (is_digit(s.ptr[i])) {
            add_digit(&d, (unsigned)(s.ptr[i] - '0'), &zeros);
            fraction += point;
        } else {
            point = true;
        }
    }
    if (i < s.len)
        d.exponent = parse_exponent(s, i + 1);
    d.exponent += zeros - fraction;
    return d;
}

/* Without a decimal point, so that the locale has no say. */
static double decimal_value(uint64_t digits, int64_t exponent)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%" PRIu64 "e%" PRId64, digits, exponent);
    return strtod(text, NULL);
}

/* The decimal of `n` digits that is closest to `value` of those that read back as it; false when
 * none does. */
static bool closest_decimal(double value, int n, struct decimal *out)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%.*e", n - 1, value);
    struct decimal d = {0};
    const char *p = text;
    for (; *p && *p != 'e'; p++) /* whatever is no digit is the locale's point */
        d.digits = is_digit(*p) ? d.digits * 10 + (unsigned)(*p - '0') : d.digits;
    if (*p != 'e')
        return false;
    d.exponent = strtol(p + 1, NULL, 10) - (n - 1);
    if (decimal_value(d.digits, d.exponent) != value) {
        /* The gap below a power of two is half as wide as the one above: then the closest may miss
         * it below while the next one still reads back. */
        d.digits++;
        if (decimal_value(d.digits, d.exponent) != value)
            return false;
    }
    for (d.n = n; d.digits % 10 == 0 && d.digits > 0; d.n--, d.exponent++)
        d.digits /= 10;
    *out = d;
    return true;
}

/* Is `d`, which reads as `value`, what a shortest round-trip writer would write for it? */
static bool is_shortest(const struct decimal *d, double value)
{
    int64_t magnitude = d->n + d->exponent;
    if (d->n <= DIGITS_SAFE && magnitude > -MAGNITUDE_SAFE && magnitude < MAGNITUDE_SAFE)
        return true;
    struct decimal shorter, same;
    if (d->n > 1 && closest_decimal(value, d->n - 1, &shorter))
        return false;
    return closest_decimal(value, d->n, &same) && same.digits == d->digits &&
           same.exponent == d->exponent;
}

static bool decimal_float(const struct decimal *d, double *out)
{
    if (d->too_long)
        return false;
    double value = 0;
    if (d->n > 0) {
        int64_t magnitude = d->n + d->exponent;
        if (magnitude < -MAGNITUDE_MAX || magnitude > MAGNITUDE_MAX)
            return false;
        value = decimal_value(d->digits, d->exponent);
        if (value == 0 || value > 1.7976931348623157e308 || !is_shortest(d, value))
            return false;
    }
    *out = d->negative ? -value : value;
    return true;
}

bool number_to_double(struct str digits, double *out)
{
    struct decimal d = parse_decimal(digits);
    return decimal_float(&d, out);
}

/* ---- digits that are moved by the exponent ---------------------------------------------------- */

#define WHOLE_DIGITS_SAFE 18 /* every number of so many digits has 64 bits */

/* Digits alone, as most numbers are. */
static bool is_short_whole(struct str s, int64_t *out)
{
    int64_t value = 0;
    if (s.len > WHOLE_DIGITS_SAFE)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
        value = value * 10 + (s.ptr[i] - '0');
    }
    *out = value;
    return true;
}

bool number_to_scaled(struct str s, unsigned scale, int64_t *out)
{
    if (scale == 0 && is_short_whole(s, out))
        return true;
    size_t end = mantissa_end(s);
    int64_t exponent = (end < s.len ? parse_exponent(s, end + 1) : 0) + scale;
    bool negative = s.len > 0 && s.ptr[0] == '-', point = false;
    uint64_t value = 0;
    uint64_t zeros = 0; /* digits 0 behind those in `value` */
    for (size_t i = negative; i < end; i++) {
        if (!is_digit(s.ptr[i])) {
            point = true;
            continue;
        }
        exponent -= point;
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        zeros += value > 0;
        for (; digit && value && zeros; zeros--) {
            if (!u64_mul(value, 10, &value))
                return false;
        }
        if (digit && !u64_add(value, digit, &value))
            return false;
    }
    exponent += (int64_t)zeros;
    if (value == 0) {
        *out = 0;
        return true;
    }
    if (exponent < 0) /* what is behind the point is not 0 */
        return false;
    for (; exponent > 0; exponent--) {
        if (!u64_mul(value, 10, &value))
            return false;
    }
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return true;
}

struct number_extent number_extent(struct str s)
{
    size_t end = mantissa_end(s), i = s.len > 0 && s.ptr[0] == '-';
    struct number_extent x = {.exponent = end < s.len ? parse_exponent(s, end + 1) : 0};
    int64_t before = 0, behind = 0; /* the point: digits; before it from the first that is not 0 */
    int64_t first = INT64_MIN;      /* the power of ten of that digit */
    bool point = false;
    for (; i < end; i++) {
        if (!is_digit(s.ptr[i])) {
            point = true;
            continue;
        }
        bool counts = first != INT64_MIN || s.ptr[i] != '0';
        behind += point;
        before += !point && counts;
        if (counts && first == INT64_MIN)
            first = -behind;
    }
    if (first != INT64_MIN)
        x.whole = first + (before ? before : 1) + x.exponent;
    x.whole = x.whole > 0 ? x.whole : 0;
    x.fraction = behind > x.exponent ? behind - x.exponent : 0;
    return x;
}

/* ---- syntax --------------------------------------------------------------------------------- */

static size_t digits_end(struct str s, size_t at)
{
    while (at < s.len && is_digit(s.ptr[at]))
        at++;
    return at;
}

bool number_is_json(struct str s)
{
    size_t whole = s.len > 0 && s.ptr[0] == '-', at = digits_end(s, whole);
    if (at == whole || (s.ptr[whole] == '0' && at > whole + 1))
        return false;
    if (at < s.len && s.ptr[at] == '.') {
        size_t fraction = at + 1;
        at = digits_end(s, fraction);
        if (at == fraction)
            return false;
    }
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        size_t exponent = at + 1;
        exponent += exponent < s.len && (s.ptr[exponent] == '-' || s.ptr[exponent] == '+');
        at = digits_end(s, exponent);
        if (at == exponent)
            return false;
    }
    return at == s.len;
}

static bool is_number_syntax(struct str s)
{
    size_t i = s.len > 0 && s.ptr[0] == '-';
    return i < s.len && is_digit(s.ptr[i]);
}

struct number number_of(struct str digits)
{
    struct number n = {.kind = NUMBER_TEXT};
    if (!is_number_syntax(digits) || parse_whole(digits, &n))
        return n;
    struct decimal d = parse_decimal(digits);
    double value;
    if (decimal_float(&d, &value))
        n = (struct number){.kind = NUMBER_FLOAT, .v.d = value};
    return n;
}
