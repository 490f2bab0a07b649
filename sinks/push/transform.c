#include "sinks/push/transform.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/rfc3339.h"
#include "core/base/unicode.h"
#include "core/base/units.h"
#include "sinks/push/case_map.h"

#define E164_DIGITS_MIN 7 /* of the shortest numbers in use, country code included */
#define E164_DIGITS_MAX 15
#define TIME_BYTES_MAX 128
#define FRACTION_DIGITS 6 /* that a microsecond has */

/* ---- names ---------------------------------------------------------------------------------- */

static const char *const names[] = {
    [DO_TRIM] = "trim",       [DO_LOWER] = "lower",       [DO_UPPER] = "upper",
    [DO_DIGITS] = "digits",   [DO_E164] = "e164",         [DO_DATE] = "date",
    [DO_EPOCH_S] = "epoch_s", [DO_EPOCH_MS] = "epoch_ms", [DO_FIRST] = "first",
};

const char *transform_name(enum transform_kind kind)
{
    return names[kind];
}

bool transform_makes_number(enum transform_kind kind)
{
    return kind == DO_EPOCH_S || kind == DO_EPOCH_MS;
}

/* What stands behind the colon. */
static bool parse_argument(enum transform_kind kind, struct str text, uint32_t *out)
{
    uint64_t n, max = kind == DO_FIRST ? TRANSFORM_FIRST_MAX : 999;
    if (kind == DO_E164 && text.len > 1 && text.ptr[0] == '+')
        text = (struct str){text.ptr + 1, text.len - 1};
    else if (kind != DO_FIRST)
        return false;
    if (text.len == 0 || text.ptr[0] == '0' || !units_uint(text, &n) || n > max)
        return false;
    *out = (uint32_t)n;
    return true;
}

bool transform_parse(struct str text, struct transform *out)
{
    const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    struct str name = {text.ptr, colon ? (size_t)(colon - text.ptr) : text.len};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct transform t = {.kind = (enum transform_kind)i};
        if (!str_eq_c(name, names[i]))
            continue;
        if (colon &&
            !parse_argument(t.kind, (struct str){colon + 1, text.len - name.len - 1}, &t.n))
            return false;
        if (t.kind == DO_FIRST && !colon)
            return false;
        *out = t;
        return true;
    }
    return false;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static bool is_white(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == ' ' || c == 0x85 || c == 0x2028 || c == 0x2029 ||
           c == 0x200B || c == 0xFEFF || unicode_is_space(c);
}

static size_t length_of(struct str s)
{
    size_t n = utf8_sequence((const unsigned char *)s.ptr, s.len);
    return n ? n : 1;
}

static uint32_t character_of(struct str s, size_t n)
{
    return utf8_decode((const unsigned char *)s.ptr, n);
}

static struct str trimmed(struct str in)
{
    size_t n;
    while (in.len && is_white(utf8_last(in, &n)))
        in.len -= n;
    for (; in.len; in = (struct str){in.ptr + n, in.len - n}) {
        n = length_of(in);
        if (!is_white(character_of(in, n)))
            break;
    }
    return in;
}

static void add_character(struct buf *b, uint32_t c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3F));
    bytes[0] = (char)(leads[n] | c);
    buf_add(b, bytes, n);
}

static void change_case(struct str in, uint32_t (*map)(uint32_t), struct buf *out)
{
    while (in.len) {
        size_t n = length_of(in);
        add_character(out, map(character_of(in, n)));
        in = (struct str){in.ptr + n, in.len - n};
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void digits(struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        if (is_digit(in.ptr[i]))
            buf_addc(out, in.ptr[i]);
    }
}

static void first(struct str in, uint32_t max, struct buf *out)
{
    size_t at = 0;
    for (uint32_t n = 0; n < max && at < in.len; n++)
        at += length_of((struct str){in.ptr + at, in.len - at});
    buf_add(out, in.ptr, at);
}

/* ---- phone numbers -------------------------------------------------------------------------- */

#define NO_PHONE                                                                                   \
    "is not a phone number: digits, with blanks, - . / ( ) between them and perhaps a + before "   \
    "them (e164)"

struct phone {
    bool is_international; /* began with "+" or "00" */
    char digits[E164_DIGITS_MAX + 4];
    size_t n;
};

/* The national prefix, which is not dialled from abroad: "+49 (0)30". */
static bool is_trunk_zero(struct str s)
{
    return s.len >= 3 && memcmp(s.ptr, "(0)", 3) == 0;
}

static bool read_phone(struct str in, struct phone *p)
{
    in = trimmed(in);
    if (in.len && in.ptr[0] == '+') {
        p->is_international = true;
        in = (struct str){in.ptr + 1, in.len - 1};
    }
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        struct str rest = {in.ptr + i, in.len - i};
        if (is_trunk_zero(rest) && p->is_international && p->n) {
            i += 2;
        } else if (is_digit(c)) {
            if (p->n == sizeof p->digits)
                return false;
            p->digits[p->n++] = c;
        } else if (is_white(character_of(rest, length_of(rest)))) {
            i += length_of(rest) - 1;
        } else if (c == '\0' || !strchr("-./()", c)) {
            return false;
        }
        if (!p->is_international && p->n == 2 && memcmp(p->digits, "00", 2) == 0) {
            p->is_international = true;
            p->n = 0;
        }
    }
    return true;
}

/* Countries whose national numbers all have one length, and what is dialled before them at home. */
static const struct closed_plan {
    uint32_t country;
    size_t digits;
    char trunk;
    const char *fault;
} closed_plans[] = {
    {1, 10, '1', "is not a phone number of 10 digits (e164:+1)"},
    {7, 10, '8', "is not a phone number of 10 digits (e164:+7)"},
};

/* Without what a national number has only within its country. NULL, or the fault. */
static const char *make_national(uint32_t country, const struct phone *p, struct str *out)
{
    struct str rest = {p->digits + 1, p->n - 1};
    *out = (struct str){p->digits, p->n};
    for (size_t i = 0; i < sizeof closed_plans / sizeof *closed_plans; i++) {
        const struct closed_plan *plan = &closed_plans[i];
        if (plan->country != country)
            continue;
        if (rest.len == plan->digits && p->digits[0] == plan->trunk)
            *out = rest;
        return out->len == plan->digits ? NULL : plan->fault;
    }
    if (country != 39 && p->digits[0] == '0') /* in Italy it belongs to the number */
        *out = rest;
    return NULL;
}

static const char *e164(struct str in, uint32_t country, struct buf *out)
{
    struct phone p = {.n = 0};
    char code[16] = "";
    if (!read_phone(in, &p))
        return NO_PHONE;
    if (p.n == 0 && !p.is_international)
        return NO_PHONE;
    struct str number = {p.digits, p.n};
    if (!p.is_international && country == 0)
        return "has no + and country code, and e164 names no country (such as e164:+1)";
    if (!p.is_international) {
        (void)snprintf(code, sizeof code, "%" PRIu32, country);
        const char *fault = make_national(country, &p, &number);
        if (fault)
            return fault;
    }
    size_t n = strlen(code) + number.len;
    if (n < E164_DIGITS_MIN || n > E164_DIGITS_MAX || (!*code && number.ptr[0] == '0'))
        return "is not a phone number of 7 to 15 digits that begins with a country code (e164)";
    buf_addc(out, '+');
    buf_adds(out, code);
    buf_add_str(out, number);
    return NULL;
}

/* ---- times ---------------------------------------------------------------------------------- */

#define NO_TIME "is not a time of RFC 3339 such as 2026-01-30T02:00:00Z"

/* Digits of a fraction beyond the microsecond go: what is asked for is no finer. */
static bool read_time(struct str in, int64_t *out_us)
{
    char text[TIME_BYTES_MAX];
    size_t n = 0, fraction = 0;
    bool in_fraction = false;
    if (in.len > sizeof text)
        return false;
    for (size_t i = 0; i < in.len; i++) {
        in_fraction = in.ptr[i] == '.' || (in_fraction && is_digit(in.ptr[i]));
        fraction = in_fraction && in.ptr[i] != '.' ? fraction + 1 : 0;
        if (fraction <= FRACTION_DIGITS)
            text[n++] = in.ptr[i];
    }
    return rfc3339_parse((struct str){text, n}, out_us);
}

static const char *date(struct str in, struct buf *out)
{
    char text[32] = "";
    int64_t us;
    bool is_date = in.len == 10;
    if (is_date) {
        (void)snprintf(text, sizeof text, "%.10sT00:00:00Z", in.ptr);
        is_date = rfc3339_parse(str_c(text), &us);
    }
    if (!is_date && !read_time(in, &us))
        return "is not a date or time of RFC 3339 such as 2026-01-30T02:00:00Z (date)";
    buf_add(out, in.ptr, 10);
    return NULL;
}

static const char *epoch(struct str in, int64_t unit_us, struct buf *out)
{
    int64_t us;
    if (!read_time(in, &us))
        return unit_us == 1000 ? NO_TIME " (epoch_ms)" : NO_TIME " (epoch_s)";
    int64_t n = us / unit_us - (us % unit_us < 0);
    buf_addf(out, "%" PRId64, n);
    return NULL;
}

const char *transform_apply(const struct transform *t, struct str in, struct buf *out)
{
    if (in.len == 0)
        return NULL;
    switch (t->kind) {
    case DO_TRIM:
        buf_add_str(out, trimmed(in));
        break;
    case DO_LOWER:
        change_case(in, case_lower, out);
        break;
    case DO_UPPER:
        change_case(in, case_upper, out);
        break;
    case DO_DIGITS:
        digits(in, out);
        break;
    case DO_FIRST:
        first(in, t->n, out);
        break;
    case DO_E164:
        return e164(in, t->n, out);
    case DO_DATE:
        return date(in, out);
    case DO_EPOCH_S:
        return epoch(in, 1000000, out);
    case DO_EPOCH_MS:
        return epoch(in, 1000, out);
    }
    return NULL;
}
