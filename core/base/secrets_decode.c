#include "core/base/secrets_decode.h"

#include <string.h>

/* What a decoder reads, and what it has written so far. */
struct decoder {
    const struct decoded_byte *in;
    size_t len, at;
    struct decoded *out;
    bool found; /* something was encoded */
};

static int byte_at(const struct decoder *d, size_t ahead)
{
    return ahead < d->len - d->at ? d->in[d->at + ahead].byte : -1;
}

static bool is_at_end(const struct decoder *d, size_t ahead)
{
    return ahead >= d->len - d->at;
}

static void put(struct decoder *d, unsigned char byte, size_t first, size_t last)
{
    d->out->bytes[d->out->len++] = (struct decoded_byte){d->in[first].from, d->in[last].to, byte};
}

static void copy_byte(struct decoder *d)
{
    d->out->bytes[d->out->len++] = d->in[d->at++];
}

/* The next `n` bytes stand for one character, as UTF-8. */
static void take_character(struct decoder *d, size_t n, uint32_t c)
{
    size_t first = d->at, last = d->at + n - 1;
    d->at += n;
    d->found = true;
    if (c < 0x80) {
        put(d, (unsigned char)c, first, last);
    } else if (c < 0x800) {
        put(d, (unsigned char)(0xC0 | c >> 6), first, last);
        put(d, (unsigned char)(0x80 | (c & 0x3F)), first, last);
    } else if (c < 0x10000) {
        put(d, (unsigned char)(0xE0 | c >> 12), first, last);
        put(d, (unsigned char)(0x80 | (c >> 6 & 0x3F)), first, last);
        put(d, (unsigned char)(0x80 | (c & 0x3F)), first, last);
    } else {
        put(d, (unsigned char)(0xF0 | (c >> 18 & 7)), first, last);
        put(d, (unsigned char)(0x80 | (c >> 12 & 0x3F)), first, last);
        put(d, (unsigned char)(0x80 | (c >> 6 & 0x3F)), first, last);
        put(d, (unsigned char)(0x80 | (c & 0x3F)), first, last);
    }
}

static void take_byte(struct decoder *d, size_t n, unsigned char byte)
{
    put(d, byte, d->at, d->at + n - 1);
    d->at += n;
    d->found = true;
}

/* What the end of the text cuts off says nothing any more. */
static void drop_rest(struct decoder *d)
{
    d->at = d->len;
    d->found = true;
}

static int digit_value(int c, int base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : base;
    return value < base ? value : -1;
}

/* Digits from `ahead` on, at most `max` of them; returns how many. */
static size_t read_digits(const struct decoder *d, size_t ahead, size_t max, int base,
                          uint32_t *out)
{
    size_t n = 0;
    *out = 0;
    for (int v; n < max && (v = digit_value(byte_at(d, ahead + n), base)) >= 0; n++)
        *out = *out * (uint32_t)base + (uint32_t)v;
    return n;
}

/* ---- \ % & ---------------------------------------------------------------------------------- */

/* A fixed number of hexadecimal digits behind `head` bytes. False: there are others. */
static bool take_hex(struct decoder *d, size_t head, size_t digits)
{
    uint32_t c = 0;
    size_t n = read_digits(d, head, digits, 16, &c);
    if (n < digits && is_at_end(d, head + n)) {
        drop_rest(d);
        return true;
    }
    if (n < digits || c > 0x10FFFF)
        return false;
    uint32_t low = 0;
    bool is_pair = digits == 4 && c >= 0xD800 && c <= 0xDBFF && byte_at(d, head + 4) == '\\' &&
                   byte_at(d, head + 5) == 'u' && read_digits(d, head + 6, 4, 16, &low) == 4 &&
                   low >= 0xDC00 && low <= 0xDFFF;
    if (is_pair)
        take_character(d, head + 10, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
    else
        take_character(d, head + digits, c);
    return true;
}

/* \u{6b} */
static bool take_braced(struct decoder *d)
{
    uint32_t c;
    size_t n = read_digits(d, 3, 6, 16, &c);
    if (is_at_end(d, 3 + n)) {
        drop_rest(d);
        return true;
    }
    if (n == 0 || byte_at(d, 3 + n) != '}' || c > 0x10FFFF)
        return false;
    take_character(d, n + 4, c);
    return true;
}

static bool take_backslash(struct decoder *d)
{
    static const char letters[] = "abefnrtv", values[] = "\a\b\x1b\f\n\r\t\v";
    int c = byte_at(d, 1);
    if (c < 0) {
        drop_rest(d);
        return true;
    }
    if (c == 'u')
        return byte_at(d, 2) == '{' ? take_braced(d) : take_hex(d, 2, 4);
    if (c == 'U')
        return take_hex(d, 2, 8);
    if (c == 'x')
        return take_hex(d, 2, 2);
    uint32_t octal;
    size_t n = read_digits(d, 1, 3, 8, &octal);
    if (n) {
        take_character(d, 1 + n, octal & 0xFF);
        return true;
    }
    const char *letter = c < 0x80 ? memchr(letters, c, sizeof letters - 1) : NULL;
    if (letter) {
        take_byte(d, 2, (unsigned char)values[letter - letters]);
        return true;
    }
    if (c > 0x20 && c < 0x7F && !(c >= '0' && c <= '9') &&
        !((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
        take_byte(d, 2, (unsigned char)c);
        return true;
    }
    return false;
}

static bool take_percent(struct decoder *d)
{
    uint32_t byte;
    if (byte_at(d, 1) == 'u')
        return take_hex(d, 2, 4);
    size_t n = read_digits(d, 1, 2, 16, &byte);
    if (n == 2) {
        take_byte(d, 3, (unsigned char)byte);
        return true;
    }
    if (!is_at_end(d, 1 + n))
        return false;
    drop_rest(d);
    return true;
}

/* Of the names in HTML, those of ASCII characters. */
static const struct {
    const char *name;
    char character;
} references[] = {
    {"amp", '&'},    {"AMP", '&'},    {"lt", '<'},       {"LT", '<'},     {"gt", '>'},
    {"GT", '>'},     {"quot", '"'},   {"QUOT", '"'},     {"apos", '\''},  {"sol", '/'},
    {"bsol", '\\'},  {"plus", '+'},   {"equals", '='},   {"num", '#'},    {"colon", ':'},
    {"semi", ';'},   {"comma", ','},  {"period", '.'},   {"excl", '!'},   {"quest", '?'},
    {"dollar", '$'}, {"percnt", '%'}, {"ast", '*'},      {"midast", '*'}, {"lpar", '('},
    {"rpar", ')'},   {"lsqb", '['},   {"lbrack", '['},   {"rsqb", ']'},   {"rbrack", ']'},
    {"lcub", '{'},   {"lbrace", '{'}, {"rcub", '}'},     {"rbrace", '}'}, {"vert", '|'},
    {"verbar", '|'}, {"lowbar", '_'}, {"UnderBar", '_'}, {"commat", '@'}, {"Hat", '^'},
    {"grave", '`'},  {"Tab", '\t'},   {"NewLine", '\n'}, {"hyphen", '-'}, {"dash", '-'},
};

#define REFERENCE_BYTES_MAX 10

static bool take_named(struct decoder *d)
{
    char name[REFERENCE_BYTES_MAX + 1];
    size_t n = 0;
    for (int c; n < REFERENCE_BYTES_MAX && (c = byte_at(d, 1 + n)) >= 0; n++) {
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
            break;
        name[n] = (char)c;
    }
    name[n] = '\0';
    if (is_at_end(d, 1 + n)) {
        drop_rest(d);
        return true;
    }
    if (byte_at(d, 1 + n) != ';')
        return false;
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        if (strcmp(references[i].name, name) != 0)
            continue;
        take_byte(d, n + 2, (unsigned char)references[i].character);
        return true;
    }
    return false;
}

/* The semicolon may be missing, as for browsers. */
static bool take_reference(struct decoder *d)
{
    if (byte_at(d, 1) != '#')
        return take_named(d);
    bool is_hex = (byte_at(d, 2) | 0x20) == 'x';
    size_t head = is_hex ? 3 : 2;
    uint32_t c;
    size_t n = read_digits(d, head, is_hex ? 6 : 7, is_hex ? 16 : 10, &c);
    if (is_at_end(d, head + n)) {
        drop_rest(d);
        return true;
    }
    if (n == 0 || c > 0x10FFFF)
        return false;
    take_character(d, head + n + (byte_at(d, head + n) == ';'), c);
    return true;
}

static void decode_escapes(struct decoder *d)
{
    while (d->at < d->len) {
        int c = byte_at(d, 0);
        bool taken = (c == '\\' && take_backslash(d)) || (c == '%' && take_percent(d)) ||
                     (c == '&' && take_reference(d));
        if (!taken)
            copy_byte(d);
    }
}

static void decode_form(struct decoder *d)
{
    bool has_plus = false;
    while (d->at < d->len) {
        int c = byte_at(d, 0);
        has_plus |= c == '+';
        if (c == '+')
            take_byte(d, 1, ' ');
        else if (c != '%' || !take_percent(d))
            copy_byte(d);
    }
    d->found = has_plus; /* without it, the other decoding is the same */
}

/* RFC 2045, section 6.7. */
static void decode_quoted(struct decoder *d)
{
    while (d->at < d->len) {
        uint32_t byte;
        if (byte_at(d, 0) != '=') {
            copy_byte(d);
        } else if (read_digits(d, 1, 2, 16, &byte) == 2) {
            take_byte(d, 3, (unsigned char)byte);
        } else if (byte_at(d, 1) == '\n' || (byte_at(d, 1) == '\r' && byte_at(d, 2) == '\n')) {
            d->at += byte_at(d, 1) == '\n' ? 2 : 3;
            d->found = true;
        } else if (is_at_end(d, 1) || (is_at_end(d, 2) && digit_value(byte_at(d, 1), 16) >= 0)) {
            drop_rest(d);
        } else {
            copy_byte(d);
        }
    }
}

/* ---- runs of digits ------------------------------------------------------------------------- */

/* Two runs do not make one secret. */
static void end_run(struct decoder *d)
{
    if (d->out->len && d->at < d->len)
        d->out->bytes[d->out->len++] = (struct decoded_byte){d->in[d->at].from, d->in[d->at].to, 0};
}

static int base64_value(int c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

#define BASE64_RUN_MIN 6   /* characters: four bytes */
#define BASE64_LINE_MIN 32 /* characters of a line that may be continued on the next one */

/* How far the run goes that begins at d->at: over the line ends of wrapped base64, too. */
static size_t base64_run(const struct decoder *d)
{
    size_t n = 0, line = 0;
    for (int c; (c = byte_at(d, n)) >= 0; n++) {
        if (base64_value(c) >= 0)
            line++;
        else if ((c == ' ' || c == '\r' || c == '\n' || c == '\t') &&
                 (line == 0 || line >= BASE64_LINE_MIN))
            line = 0;
        else
            break;
    }
    return n;
}

static void decode_base64_run(struct decoder *d, size_t end, size_t skip)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t previous = d->at;
    for (; d->at < end; d->at++) {
        int value = base64_value(byte_at(d, 0));
        if (value < 0)
            continue;
        if (skip) {
            skip--;
            continue;
        }
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            put(d, (unsigned char)(bits >> n_bits), previous, d->at);
            d->found = true;
        }
        previous = d->at;
    }
}

static void decode_base64(struct decoder *d, size_t skip)
{
    while (d->at < d->len) {
        bool begins = base64_value(byte_at(d, 0)) >= 0;
        size_t n = begins ? base64_run(d) : 1;
        if (n < BASE64_RUN_MIN) {
            d->at += n;
            continue;
        }
        decode_base64_run(d, d->at + n, skip);
        end_run(d);
    }
}

#define HEX_RUN_MIN 8 /* digits: four bytes */

/* "6b3379", "6b 33 79", "6b:33:79". */
static size_t hex_run(const struct decoder *d, size_t *digits)
{
    size_t n = 0, in_group = 0;
    *digits = 0;
    for (int c; (c = byte_at(d, n)) >= 0; n++) {
        if (digit_value(c, 16) >= 0) {
            in_group++;
            ++*digits;
        } else if ((c == ' ' || c == ':' || c == '-') && in_group >= 2 && in_group % 2 == 0 &&
                   digit_value(byte_at(d, n + 1), 16) >= 0) {
            in_group = 0;
        } else {
            break;
        }
    }
    return n;
}

static void decode_hex(struct decoder *d, size_t skip)
{
    while (d->at < d->len) {
        size_t digits;
        size_t n = hex_run(d, &digits);
        size_t end = d->at + (n ? n : 1);
        if (digits < HEX_RUN_MIN) {
            d->at = end;
            continue;
        }
        size_t left_out = skip;
        int high = -1;
        size_t first = d->at;
        for (; d->at < end; d->at++) {
            int value = digit_value(byte_at(d, 0), 16);
            if (value < 0 || left_out) {
                left_out -= value >= 0;
            } else if (high < 0) {
                high = value;
                first = d->at;
            } else {
                put(d, (unsigned char)(high << 4 | value), first, d->at);
                high = -1;
                d->found = true;
            }
        }
        end_run(d);
    }
}

bool secrets_decode(enum decoding how, const struct decoded *in, struct decoded *out)
{
    struct decoder d = {.in = in->bytes, .len = in->len, .out = out};
    out->len = 0;
    switch (how) {
    case DECODE_ESCAPES:
        decode_escapes(&d);
        break;
    case DECODE_FORM:
        decode_form(&d);
        break;
    case DECODE_QUOTED:
        decode_quoted(&d);
        break;
    case DECODE_BASE64_0:
    case DECODE_BASE64_1:
    case DECODE_BASE64_2:
    case DECODE_BASE64_3:
        decode_base64(&d, (size_t)how - DECODE_BASE64_0);
        break;
    case DECODE_HEX_0:
    case DECODE_HEX_1:
        decode_hex(&d, (size_t)how - DECODE_HEX_0);
        break;
    case DECODINGS:
        break;
    }
    return d.found;
}
