/* The scanner in front of cJSON. Private to core/json*.c.
 *
 * One pass checks the whole grammar of RFC 8259, counts depth, and writes up to two texts:
 *   shape    what cJSON is given: a bracket for every bracket, [] also for objects, and one pair
 *            around all. So cJSON makes the tree, and need not look at what was looked at here, nor
 *            copy it byte by byte: names and values are listed in the order in which they come, and
 *            are hung into the tree when it stands.
 *   compact  the text as received but for blanks and invalid UTF-8. */
#ifndef LEADPIPE_JSON_SCAN_H
#define LEADPIPE_JSON_SCAN_H

#include <endian.h>

#include "json.h"

/* A text being written: what was received goes over in runs, as long as nothing has to change. */
struct json_out {
    char *start, *at, *end;   /* start NULL: this text is not wanted */
    const unsigned char *run; /* received, not yet copied: from here to the scanner's place */
};

/* What cJSON does not get to see: for every value what stands for it, before that its name where it
 * is a member of an object. Names and strings are decoded, with a NUL behind each and a quote before
 * it; numbers and words have a NUL behind and another byte before them; an array or object has its
 * bracket, and a NULL where it ends. */
struct json_texts {
    char *copy; /* of what was received, one byte in front of it; NULL: no tree is wanted */
    const char **items;
    size_t n, cap;
};

struct json_scan {
    struct arena *arena;
    const unsigned char *start, *p, *end;
    struct json_out shape, compact;
    struct json_texts texts;
    uint64_t mended;
    unsigned depth;
    unsigned char open[JSON_DEPTH_MAX]; /* '{' or '[' of each level */
    struct json_watch *watches;
    size_t n_watches;
    unsigned watch_depth; /* no watch has more names; 0: nothing is watched */
    bool unsure;          /* see json_watch() */
    enum rc rc;
    const char *problem; /* static text, NULL for want of memory */
};

/* Scans `text`; on RC_OK shape and compact (where wanted) go from `start` to `at`, the shape with
 * its NUL. Errors as json_parse(). */
enum rc json_scan(struct json_scan *s, struct arena *a, struct str text, unsigned want,
                  struct err *e);

/* As json_scan() for the compact text, with watches. */
enum rc json_scan_watching(struct json_scan *s, struct arena *a, struct str text,
                           struct json_watch *watches, size_t n_watches, struct err *e);

/* Returns `rc`, for which `a` refused memory, with its text. */
enum rc json_refusal(const struct arena *a, enum rc rc, struct err *e);

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

/* The first byte from `p` on that is special in the sense of json_special_bits(), or `end`. */
static inline const unsigned char *json_plain_end(const unsigned char *p, const unsigned char *end,
                                                  uint64_t high)
{
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
