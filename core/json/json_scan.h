/* The scanner. Private to core/json.
 *
 * One pass checks the whole grammar of RFC 8259, counts depth, and makes up to two things:
 *   tree     of cJSON's nodes. Texts stay where they are in a copy of what was received: what is
 *            behind them becomes a NUL, and escapes are decoded in place, as that makes them shorter.
 *            Only a text with bytes that are not UTF-8 gets longer, and memory of its own.
 *   compact  the text as received but for blanks and invalid UTF-8. */
#ifndef LEADPIPE_JSON_SCAN_H
#define LEADPIPE_JSON_SCAN_H

#include <endian.h>
#include <stddef.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/json/json.h"

/* A text being written: what was received goes over in runs, as long as nothing has to change. */
struct json_out {
    char *start, *at, *end;   /* start NULL: this text is not wanted */
    const unsigned char *run; /* received, not yet copied: from here to the scanner's place */
};

/* An array or object that is not closed yet, and the last of what it has so far (NULL: nothing). */
struct json_level {
    cJSON *node, *last; /* the last of its children so far, or NULL */
    size_t n;           /* of them */
};

/* A "_n" that a name in the compact text still has to get. */
struct json_number {
    size_t at; /* of the name's closing quote */
    const char *text;
    size_t len;
};

struct json_tree {
    char *copy;      /* of what was received; NULL: no tree is wanted */
    struct str text; /* the string or number that was passed last, decoded; a NUL is behind it */
    size_t
        text_end; /* of a text with bytes that are not UTF-8: its closing quote in the compact text */
    struct str name;             /* of the member whose value comes next; absent in an array */
    size_t name_end;             /* as text_end */
    int flags;                   /* of the node that comes next: enum json_node_flags */
    bool any_replaced;           /* in any name so far */
    struct json_number *numbers; /* of names in the compact text */
    size_t n_numbers, cap_numbers;
    const cJSON *repeated; /* a member whose name came more than once, or NULL */
    cJSON top;             /* the whole tree is its only child */
    struct json_level *in;
    struct json_level levels[JSON_DEPTH_OWN_MAX + 1]; /* up to `in`; the first is that of `top` */
};

struct json_scan {
    struct arena *arena;
    const unsigned char *start, *p, *end;
    struct json_out compact;
    uint64_t replaced;
    unsigned depth, depth_max;
    unsigned char open[JSON_DEPTH_OWN_MAX]; /* '{' or '[' of each level */
    struct json_watch *watches;
    size_t n_watches;
    unsigned watch_depth; /* no watch has more names; 0: nothing is watched */
    bool unsure;          /* see json_watch() */
    enum rc rc;
    const char *problem; /* static text, NULL for want of memory */
    struct json_tree tree;
};

/* Scans `text`; on RC_OK the tree (where wanted) is complete, and compact goes from `start` to `at`.
 * Errors as json_parse(). */
enum rc json_scan(struct json_scan *s, struct arena *a, struct str text, unsigned want,
                  struct err *e);

/* As json_scan() for the compact text, with watches. */
enum rc json_scan_watching(struct json_scan *s, struct arena *a, struct str text,
                           struct json_watch *watches, size_t n_watches, struct err *e);

/* Returns `rc`, for which `a` refused memory, with its text. */
enum rc json_refusal(const struct arena *a, enum rc rc, struct err *e);

/* Set when a scan begins. The levels are set as they are entered. */
#define JSON_SCAN_BEGIN_BYTES offsetof(struct json_scan, tree.levels)

#define JSON_EVERY_BYTE 0x0101010101010101u
#define JSON_HIGH_BITS 0x8080808080808080u

/* A high bit for each of eight bytes that is a quote, a backslash or a control character (or, with
 * JSON_HIGH_BITS as `high`, beyond ASCII). Above the lowest one some may be set wrongly. */
static inline uint64_t json_special_bits(uint64_t w, uint64_t high)
{
    uint64_t hits = (w ^ (JSON_EVERY_BYTE * '"')) - JSON_EVERY_BYTE;
    hits |= (w ^ (JSON_EVERY_BYTE * '\\')) - JSON_EVERY_BYTE;
    hits |= w - JSON_EVERY_BYTE * 0x20;
    /* right for ASCII; a byte beyond it has its own high bit */
    return (high ? hits | w : hits & ~w) & JSON_HIGH_BITS;
}

static inline bool json_is_plain(unsigned char c, uint64_t high)
{
    return c >= 0x20 && c != '"' && c != '\\' && !(c & high & 0xFF);
}

#ifdef __SSE2__
#define JSON_STEP_BYTES 16

/* A bit for each of sixteen bytes that is special in the sense of json_special_bits(). */
static inline unsigned json_special_mask(const unsigned char *p, uint64_t high)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i control = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)); /* signed: beyond ASCII is below 0 */
    if (!high)
        control = _mm_and_si128(control, _mm_cmpgt_epi8(v, _mm_set1_epi8(-1)));
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
}
#endif

/* The first byte from `p` on that is special in the sense of json_special_bits(), or `end`. */
static inline const unsigned char *json_plain_end(const unsigned char *p, const unsigned char *end,
                                                  uint64_t high)
{
#ifdef __SSE2__ /* most texts are short: one step instead of two */
    for (; end - p >= JSON_STEP_BYTES; p += JSON_STEP_BYTES) {
        unsigned mask = json_special_mask(p, high);
        if (mask)
            return p + __builtin_ctz(mask);
    }
#endif
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        w = json_special_bits(le64toh(w), high); /* the first byte is the lowest */
        if (w)
            return p + __builtin_ctzll(w) / 8;
    }
    while (p < end && json_is_plain(*p, high))
        p++;
    return p;
}

#endif
