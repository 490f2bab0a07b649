#include "sinks/record/record_scan.h"

#include <stdlib.h>

#include "core/base/grow.h"

void scan_members_free(struct scan_members *m)
{
    free(m->items);
    *m = (struct scan_members){0};
}

static void move(struct str *text, size_t n)
{
    text->ptr += n;
    text->len -= n;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* From its quote on, to the next one that has an even number of backslashes before it. */
static bool skip_string(struct str *text)
{
    const char *end = text->ptr + text->len;
    for (const char *p = text->ptr + 1; p < end; p++) {
        p = memchr(p, '"', (size_t)(end - p));
        if (!p)
            return false;
        const char *first = p;
        while (first[-1] == '\\') /* it ends at the string's own quote */
            first--;
        if ((p - first) % 2 == 0) {
            move(text, (size_t)(p + 1 - text->ptr));
            return true;
        }
    }
    return false;
}

static bool skip_nested(struct str *text)
{
    uint64_t depth = 0;
    while (text->len > 0) {
        char c = *text->ptr;
        if (c == '"') {
            if (!skip_string(text))
                return false;
            continue;
        }
        move(text, 1);
        depth += c == '{' || c == '[';
        if ((c == '}' || c == ']') && --depth == 0)
            return true;
    }
    return false;
}

static bool skip_json(struct str *text)
{
    if (text->len == 0)
        return false;
    char c = *text->ptr;
    if (c == '"')
        return skip_string(text);
    if (c == '{' || c == '[')
        return skip_nested(text);
    size_t n = 0;
    while (n < text->len && !strchr(",]}\n", text->ptr[n]))
        n++;
    move(text, n);
    return n > 0;
}

static bool json_member(struct str *text, struct scan_member *out)
{
    const char *begin = text->ptr;
    if (text->len == 0 || *begin != '"' || !skip_string(text) || text->len == 0 ||
        *text->ptr != ':')
        return false;
    move(text, 1);
    out->name = (struct str){begin, (size_t)(text->ptr - begin)};
    begin = text->ptr;
    if (!skip_json(text))
        return false;
    out->value = (struct str){begin, (size_t)(text->ptr - begin)};
    return true;
}

/* ---- MessagePack ----------------------------------------------------------------------------- */

static bool take_big_endian(struct str *text, size_t bytes, uint64_t *out)
{
    *out = 0;
    if (text->len < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        *out = *out << 8 | (unsigned char)text->ptr[i];
    move(text, bytes);
    return true;
}

/* What follows a first byte: so many bytes, or values; or so many bytes that say how many there are. */
struct msgpack_kind {
    uint64_t bytes, values;
    unsigned length_bytes;
    unsigned length_values; /* for each of the length, values; 0: it is one of bytes */
};

/* Of the bytes from 0xc0 to 0xdf. Extensions and 0xc1 are nothing that we write. */
static bool long_kind_of(unsigned char byte, struct msgpack_kind *out)
{
    unsigned i = byte;
    if (i == 0xc0 || i == 0xc2 || i == 0xc3)
        return true;
    if (i >= 0xc4 && i <= 0xc6)
        out->length_bytes = 1U << (i - 0xc4);
    else if (i == 0xca || i == 0xcb)
        out->bytes = i == 0xca ? 4 : 8;
    else if (i >= 0xcc && i <= 0xd3)
        out->bytes = 1U << (i & 3);
    else if (i >= 0xd9 && i <= 0xdb)
        out->length_bytes = 1U << (i - 0xd9);
    else if (i >= 0xdc)
        *out =
            (struct msgpack_kind){.length_bytes = i & 1 ? 4 : 2, .length_values = i < 0xde ? 1 : 2};
    else
        return false;
    return true;
}

static bool kind_of(unsigned char byte, struct msgpack_kind *out)
{
    *out = (struct msgpack_kind){0};
    if (byte >= 0xc0 && byte < 0xe0)
        return long_kind_of(byte, out);
    if (byte >= 0x80 && byte < 0x90)
        out->values = 2 * (uint64_t)(byte & 0x0f);
    else if (byte >= 0x90 && byte < 0xa0)
        out->values = byte & 0x0f;
    else if (byte >= 0xa0 && byte < 0xc0)
        out->bytes = byte & 0x1f;
    return true; /* the others are small numbers */
}

/* A value without those in it, of which there are *values. */
static bool take_first(struct str *text, uint64_t *values)
{
    struct msgpack_kind kind;
    uint64_t length = 0;
    if (text->len == 0 || !kind_of((unsigned char)*text->ptr, &kind))
        return false;
    move(text, 1);
    if (!take_big_endian(text, kind.length_bytes, &length))
        return false;
    *values = kind.values + length * kind.length_values;
    uint64_t bytes = kind.bytes + (kind.length_values ? 0 : length);
    if (bytes > text->len)
        return false;
    move(text, (size_t)bytes);
    return true;
}

static bool skip_msgpack(struct str *text)
{
    for (uint64_t due = 1; due > 0; due--) {
        uint64_t values = 0;
        if (!take_first(text, &values) || values > text->len)
            return false;
        due += values;
    }
    return true;
}

static bool msgpack_member(struct str *text, struct scan_member *out)
{
    const char *begin = text->ptr;
    if (!skip_msgpack(text))
        return false;
    out->name = (struct str){begin, (size_t)(text->ptr - begin)};
    begin = text->ptr;
    if (!skip_msgpack(text))
        return false;
    out->value = (struct str){begin, (size_t)(text->ptr - begin)};
    return true;
}

static bool is_msgpack(struct str text, unsigned char fixed, unsigned char wide)
{
    unsigned char byte = text.len ? (unsigned char)*text.ptr : 0;
    return (byte & 0xf0) == fixed || byte == wide || byte == wide + 1;
}

/* ---- either ---------------------------------------------------------------------------------- */

bool scan_value(enum scan_format format, struct str *text)
{
    return format == SCAN_JSON ? skip_json(text) : skip_msgpack(text);
}

static enum rc add_member(enum scan_format format, struct str *text, struct scan_members *out)
{
    struct scan_member *items = list_grow(out->items, out->n, &out->cap, sizeof *items);
    if (!items)
        return RC_NOMEM;
    out->items = items;
    bool good = format == SCAN_JSON ? json_member(text, &items[out->n])
                                    : msgpack_member(text, &items[out->n]);
    out->n += good;
    return good ? RC_OK : RC_SYNTAX;
}

static enum rc scan_json_map(struct str text, struct scan_members *out)
{
    if (text.len < 2 || *text.ptr != '{')
        return RC_SYNTAX;
    move(&text, 1);
    bool is_empty = *text.ptr == '}';
    while (!is_empty) {
        enum rc rc = add_member(SCAN_JSON, &text, out);
        if (rc != RC_OK)
            return rc;
        if (text.len == 0 || *text.ptr != ',')
            break;
        move(&text, 1);
    }
    return text.len == 1 && *text.ptr == '}' ? RC_OK : RC_SYNTAX;
}

enum rc scan_map(enum scan_format format, struct str text, struct scan_members *out)
{
    uint64_t values = 0;
    if (format == SCAN_JSON)
        return scan_json_map(text, out);
    if (!is_msgpack(text, 0x80, 0xde) || !take_first(&text, &values))
        return RC_SYNTAX;
    for (uint64_t i = 0; i < values / 2; i++) {
        enum rc rc = add_member(format, &text, out);
        if (rc != RC_OK)
            return rc;
    }
    return text.len == 0 ? RC_OK : RC_SYNTAX;
}

bool scan_array(enum scan_format format, struct str *text, uint64_t *n)
{
    if (format == SCAN_MSGPACK)
        return is_msgpack(*text, 0x90, 0xdc) && take_first(text, n);
    if (text->len < 2 || *text->ptr != '[')
        return false;
    move(text, 1);
    *n = *text->ptr == ']' ? 0 : UINT64_MAX;
    return true;
}

bool scan_element(enum scan_format format, struct str *text, uint64_t *n, struct str *out,
                  bool *ended)
{
    *ended = *n == 0;
    if (*ended)
        return format == SCAN_JSON ? str_eq(*text, STR("]")) : text->len == 0;
    const char *begin = text->ptr;
    if (!scan_value(format, text))
        return false;
    *out = (struct str){begin, (size_t)(text->ptr - begin)};
    if (format == SCAN_MSGPACK) {
        --*n;
        return true;
    }
    if (text->len == 0 || (*text->ptr != ',' && *text->ptr != ']'))
        return false;
    if (*text->ptr == ',')
        move(text, 1);
    else
        *n = 0;
    return true;
}
