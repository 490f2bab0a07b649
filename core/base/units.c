#include "core/base/units.h"

#include <inttypes.h>
#include <stdio.h>

/* Takes leading digits from `s`. False: there are none, or their value is over 64 bits. */
static bool take_digits(struct str *s, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++) {
        unsigned digit = (unsigned)(s->ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (i == 0)
        return false;
    s->ptr += i;
    s->len -= i;
    *out = value;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool units_scaled(struct str s, const struct unit *units, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (!take_digits(&s, &n))
        return false;
    for (; units->name; units++)
        if (str_eq_c(s, units->name))
            break;
    if (!units->name || n > max / units->factor)
        return false;
    *out = n * units->factor;
    return true;
}

bool units_uint(struct str s, uint64_t *out)
{
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    return units_scaled(s, units, UINT64_MAX, out);
}

bool units_duration(struct str s, int64_t *out_ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
    };
    uint64_t ms = 0;
    if (!units_scaled(s, units, INT64_MAX, &ms))
        return false;
    *out_ms = (int64_t)ms;
    return true;
}

bool units_size(struct str s, uint64_t *out_bytes)
{
    static const struct unit units[] = {
        {"", 1},         {"K", 1U << 10}, {"k", 1U << 10}, {"M", 1U << 20},
        {"m", 1U << 20}, {"G", 1U << 30}, {"g", 1U << 30}, {NULL, 0},
    };
    return units_scaled(s, units, UINT64_MAX, out_bytes);
}

/* A decimal number without the help of strtod(), which reads the locale's point. */
static bool take_decimal(struct str *s, double *out)
{
    uint64_t whole = 0;
    if (!take_digits(s, &whole))
        return false;
    double value = (double)whole;
    if (s->len > 0 && s->ptr[0] == '.') {
        struct str fraction = {s->ptr + 1, s->len - 1};
        const char *from = fraction.ptr;
        uint64_t digits = 0;
        if (!take_digits(&fraction, &digits))
            return false;
        double scaled = (double)digits;
        for (; from < fraction.ptr; from++)
            scaled /= 10;
        value += scaled;
        *s = fraction;
    }
    *out = value;
    return true;
}

bool units_rate(struct str s, double *out_per_s)
{
    double n = 0;
    if (!take_decimal(&s, &n) || !(n > 0))
        return false;
    if (str_eq_c(s, "/m"))
        n /= 60;
    else if (s.len > 0 && !str_eq_c(s, "/s"))
        return false;
    *out_per_s = n;
    return true;
}

bool units_percent(struct str s, uint64_t *out_millionths)
{
    uint64_t whole = 0;
    uint64_t unit = 10000; /* millionths in a hundredth */
    uint64_t n = 0;
    if (!take_digits(&s, &whole) || whole > 100)
        return false;
    n = whole * unit;
    if (s.len > 0 && s.ptr[0] == '.') {
        size_t i = 1;
        for (; i < s.len && i <= 4 && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++) {
            unit /= 10;
            n += (uint64_t)(s.ptr[i] - '0') * unit;
        }
        if (i == 1)
            return false;
        s = (struct str){s.ptr + i, s.len - i};
    }
    if (!str_eq_c(s, "%") || n > 1000000)
        return false;
    *out_millionths = n;
    return true;
}

bool units_portion(struct str s, struct portion *out)
{
    struct portion count = {.kind = PORTION_COUNT}, share = {.kind = PORTION_SHARE};
    bool is_count = units_uint(s, &count.n);
    if (!is_count && !units_percent(s, &share.n))
        return false;
    *out = is_count ? count : share;
    return true;
}

uint64_t portion_of(const struct portion *p, uint64_t all)
{
    if (p->kind == PORTION_ANY)
        return UINT64_MAX;
    if (p->kind == PORTION_COUNT)
        return p->n;
    return all / PORTION_WHOLE * p->n + all % PORTION_WHOLE * p->n / PORTION_WHOLE;
}

bool text_take(struct str *text, char end, struct str *out)
{
    const char *at = text->len ? memchr(text->ptr, end, text->len) : NULL;
    if (!at)
        return false;
    size_t n = (size_t)(at - text->ptr);
    *out = (struct str){text->ptr, n};
    *text = (struct str){at + 1, text->len - n - 1};
    return true;
}

bool text_take_uint(struct str *text, char end, uint64_t *out)
{
    struct str rest = *text;
    struct str digits;
    if (!text_take(&rest, end, &digits) || !units_uint(digits, out))
        return false;
    *text = rest;
    return true;
}

void units_bytes(char *out, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes / 1024;
    size_t unit = 0;
    if (bytes < 1024) {
        (void)snprintf(out, size, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
        return;
    }
    for (; n >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        n /= 1024;
    (void)snprintf(out, size, "%.1f %s", n, units[unit]);
}

void units_count(char out[UNITS_COUNT_CHARS], uint64_t n)
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n);
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}
