#include "core/base/str.h"

#include <endian.h>

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The bounds of the second byte, which carry all special cases (RFC 3629, section 4). */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return is_continuation(second);
    }
}

static size_t length_by_first_byte(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        return 2;
    if (c >= 0xE0 && c <= 0xEF)
        return 3;
    if (c >= 0xF0 && c <= 0xF4)
        return 4;
    return 0;
}

/* How many bytes from `p` on belong to one sequence, as far as it goes well; *whole: to its end. */
static size_t sequence_prefix(const unsigned char *p, size_t n, bool *whole)
{
    size_t want = length_by_first_byte(p[0]);
    *whole = want == 1;
    if (want <= 1)
        return want;
    if (n < 2 || !second_byte_fits(p[0], p[1]))
        return 1;
    size_t have = 2;
    while (have < want && have < n && is_continuation(p[have]))
        have++;
    *whole = have == want;
    return have;
}

size_t utf8_sequence(const unsigned char *p, size_t n)
{
    bool whole;
    size_t length = sequence_prefix(p, n, &whole);
    return whole ? length : 0;
}

size_t utf8_invalid_run(const unsigned char *p, size_t n)
{
    bool whole;
    size_t length = sequence_prefix(p, n, &whole);
    return length ? length : 1;
}

bool utf8_valid(const char *p, size_t n)
{
    const unsigned char *at = (const unsigned char *)p;
    while (n) {
        size_t length = *at < 0x80 ? 1 : utf8_sequence(at, n);
        if (!length)
            return false;
        at += length;
        n -= length;
    }
    return true;
}

size_t utf8_cut(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);
    if (n <= max)
        return n;
    for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
        ;
    return n;
}

void utf8_scrub(char *text)
{
    size_t left = strlen(text);
    unsigned char *at = (unsigned char *)text;
    while (left) {
        size_t length = utf8_sequence(at, left);
        if (!length) {
            *at = '?';
            length = 1;
        }
        at += length;
        left -= length;
    }
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    return h;
}

/* Up to seven bytes, without a call. Some are read twice; they come to be in one place. */
static uint64_t tail_of(const char *p, size_t n)
{
    if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + n - sizeof last, sizeof last);
        return le32toh(first) | (uint64_t)le32toh(last) << (n - sizeof last) * 8;
    }
    if (n == 0)
        return 0;
    const unsigned char *u = (const unsigned char *)p;
    return u[0] | (uint64_t)u[n / 2] << n / 2 * 8 | (uint64_t)u[n - 1] << (n - 1) * 8;
}

uint64_t str_hash(struct str s, uint64_t seed)
{
    uint64_t h = seed ^ (s.len * 0x9e3779b97f4a7c15u);
    size_t at = 0;
    for (; at + 8 <= s.len; at += 8) {
        uint64_t word;
        memcpy(&word, s.ptr + at, sizeof word);
        h = mix(h ^ word);
    }
    return mix(h ^ tail_of(s.ptr + at, s.len - at));
}
