/* Length-counted strings that own nothing, and a few helpers for text from outside. */
#ifndef LEADPIPE_STR_H
#define LEADPIPE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr; /* not NUL-terminated unless the owner says so; NULL means absent */
    size_t len;      /* bytes */
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct str str_c(const char *c_string)
{
    return (struct str){c_string, c_string ? strlen(c_string) : 0};
}

/* For one to seven bytes. */
static inline bool str_same_few(const char *a, const char *b, size_t n)
{
    uint32_t x[2], y[2];
    if (n < sizeof *x)
        return a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1];
    memcpy(x, a, sizeof *x);
    memcpy(y, b, sizeof *y);
    memcpy(x + 1, a + n - sizeof *x, sizeof *x); /* the rest, and some bytes twice */
    memcpy(y + 1, b + n - sizeof *y, sizeof *y);
    return x[0] == y[0] && x[1] == y[1];
}

/* memcmp() == 0 for at least one byte of what is most often short. */
static inline bool str_same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t x, y;
    if (n < sizeof x)
        return str_same_few(a, b, n);
    if (n > 4 * sizeof x)
        return *a == *b && memcmp(a, b, n) == 0;
    for (size_t i = 0; i + sizeof x < n; i += sizeof x) {
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (x != y)
            return false;
    }
    memcpy(&x, a + n - sizeof x, sizeof x); /* the rest, and some bytes twice */
    memcpy(&y, b + n - sizeof y, sizeof y);
    return x == y;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || str_same_bytes(a.ptr, b.ptr, a.len));
}

static inline bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_c(b));
}

/* Length of the valid UTF-8 sequence at `p` (RFC 3629: no surrogates, no overlong forms), 1 to 4,
 * or 0 when there is none. `n` is at least 1. */
size_t utf8_sequence(const unsigned char *p, size_t n);

/* When utf8_sequence() is 0: how many bytes one U+FFFD stands for ("maximal subpart", Unicode 15
 * section 3.9, the way of the WHATWG decoder and of Python). At least 1. */
size_t utf8_invalid_run(const unsigned char *p, size_t n);

bool utf8_valid(const char *p, size_t n);

/* How many bytes of `text` to show where `max` is the most: whole characters only. */
size_t utf8_cut(const char *text, size_t max);

/* Makes a C string valid UTF-8 in place: every byte that belongs to no sequence becomes '?'. */
void utf8_scrub(char *text);

/* A fast, unkeyed 64-bit hash for tables whose worst case is bounded otherwise. */
uint64_t str_hash(struct str s, uint64_t seed);

#endif
