#include "core/base/unicode.h"

#include <stdio.h>

uint32_t utf8_decode(const unsigned char *p, size_t len)
{
    switch (len) {
    case 1:
        return p[0];
    case 2:
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3Fu);
    case 3:
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3Fu);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
               (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3Fu);
    }
}

uint32_t utf8_last(struct str s, size_t *len)
{
    const unsigned char *end = (const unsigned char *)s.ptr + s.len;
    for (*len = 1; *len <= 4 && *len <= s.len; ++*len)
        if (utf8_sequence(end - *len, *len) == *len)
            return utf8_decode(end - *len, *len);
    *len = 1;
    return 0xFFFD;
}

struct range {
    uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n && ranges[i].first <= c; i++)
        if (c <= ranges[i].last)
            return true;
    return false;
}

#define IS_IN(ranges, c) is_in(ranges, sizeof(ranges) / sizeof *(ranges), c)

bool unicode_is_space(uint32_t c)
{
    static const struct range spaces[] = {
        {0x00A0, 0x00A0}, {0x1680, 0x1680}, {0x2000, 0x200A},
        {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
    };
    return IS_IN(spaces, c);
}

bool unicode_is_invisible(uint32_t c)
{
    static const struct range invisible[] = {
        {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x061C, 0x061C}, {0x115F, 0x1160},
        {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F}, {0x2028, 0x202E},
        {0x2060, 0x206F},   {0x2800, 0x2800},   {0x3164, 0x3164}, {0xFE00, 0xFE0F},
        {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3},
        {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
    };
    return IS_IN(invisible, c);
}

bool unicode_is_shaping(uint32_t c)
{
    static const struct range shaping[] = {
        {0x180B, 0x180D}, {0x180F, 0x180F}, {0x200C, 0x200D}, {0xFE00, 0xFE0F}, {0xE0100, 0xE01EF},
    };
    return IS_IN(shaping, c);
}

static size_t show_escaped(uint32_t c, char out[UNICODE_SHOWN_BYTES])
{
    static const char named[] = "\nn\rr\tt";
    for (size_t i = 0; named[i]; i += 2) {
        if (c == (unsigned char)named[i]) {
            out[0] = '\\';
            out[1] = named[i + 1];
            return 2;
        }
    }
    if (c < 0x80)
        return (size_t)snprintf(out, UNICODE_SHOWN_BYTES, "\\x%02x", (unsigned)c);
    return (size_t)snprintf(out, UNICODE_SHOWN_BYTES, "\\u%04x", (unsigned)c);
}

size_t unicode_show(struct str s, char out[UNICODE_SHOWN_BYTES], size_t *taken)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    *taken = utf8_sequence(p, s.len);
    if (*taken == 0) {
        *taken = 1;
        return (size_t)snprintf(out, UNICODE_SHOWN_BYTES, "\\x%02x", *p);
    }
    uint32_t c = utf8_decode(p, *taken);
    if (c < 0x20 || (c >= 0x7F && c < 0xA0) || (unicode_is_invisible(c) && !unicode_is_shaping(c)))
        return show_escaped(c, out);
    memcpy(out, p, *taken);
    return *taken;
}
