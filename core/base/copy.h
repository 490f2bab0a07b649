/* Copying what most often needs no change: a text is searched for what may not stand as it is while
 * it is copied, eight bytes at a time. Any thread. */
#ifndef LEADPIPE_COPY_H
#define LEADPIPE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not 0 where one of the eight bytes of `word` may not be copied; `arg` is the caller's. */
typedef uint64_t copy_test(uint64_t word, uint64_t arg);

/* One to seven bytes, some of them twice, so that no other byte is among the eight. */
static inline uint64_t copy_few(const char *p, size_t n)
{
    if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + n - sizeof last, sizeof last);
        return first | (uint64_t)last << 32;
    }
    const unsigned char *u = (const unsigned char *)p;
    uint32_t word = u[0] | (uint32_t)u[n / 2] << 8 | (uint32_t)u[n - 1] << 16;
    word |= (uint32_t)u[0] << 24;
    return word | (uint64_t)word << 32;
}

/* One to sixteen bytes, without a call. */
static inline void copy_small(char *to, const char *p, size_t n)
{
    if (n >= 8) {
        uint64_t first, last;
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + n - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + n - sizeof last, &last, sizeof last);
    } else if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + n - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + n - sizeof last, &last, sizeof last);
    } else {
        char middle = p[n / 2], last = p[n - 1];
        to[0] = p[0];
        to[n / 2] = middle;
        to[n - 1] = last;
    }
}

/* memcpy() for what is most often short; at least one byte. */
static inline void copy_bytes(char *to, const char *p, size_t n)
{
    if (n <= 16) {
        copy_small(to, p, n);
    } else if (n <= 32) {
        char first[16], last[16];
        memcpy(first, p, sizeof first);
        memcpy(last, p + n - sizeof last, sizeof last);
        memcpy(to, first, sizeof first);
        memcpy(to + n - sizeof last, last, sizeof last);
    } else {
        memcpy(to, p, n);
    }
}

/* Copies `n` bytes, at least one, to `to`. False: one of them may not be copied, and nobody knows
 * how many were. */
static inline bool copy_tested(char *to, const char *p, size_t n, copy_test *has, uint64_t arg)
{
    uint64_t word;
    if (n < sizeof word) {
        if (has(copy_few(p, n), arg))
            return false;
        copy_small(to, p, n);
        return true;
    }
    size_t last = n - sizeof word; /* the rest, and some bytes twice */
    for (size_t i = 0; i < last; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        if (has(word, arg))
            return false;
        memcpy(to + i, &word, sizeof word);
    }
    memcpy(&word, p + last, sizeof word);
    memcpy(to + last, &word, sizeof word);
    return !has(word, arg);
}

/* For a copy_test: not 0 where one of the eight bytes of `word` is the byte that `pattern`
 * repeats. */
static inline uint64_t copy_word_has(uint64_t word, uint64_t pattern)
{
    word ^= pattern;
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

#endif
