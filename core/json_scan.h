/* The scanner in front of cJSON. Private to core/json*.c.
 *
 * One pass checks the whole grammar of RFC 8259, counts depth, and writes up to two texts:
 *   tree     what cJSON is given: no blanks, strings mended, and every number written as a string
 *            that begins with JSON_NUMBER_MARK. The mark is a byte that UTF-8 has not, so no other
 *            string can begin with it, and numbers need no list beside the text.
 *   compact  the text as received but for blanks and invalid UTF-8. */
#ifndef LEADPIPE_JSON_SCAN_H
#define LEADPIPE_JSON_SCAN_H

#include "json.h"

#define JSON_NUMBER_MARK '\xff'

/* A text being written: what was received goes over in runs, as long as nothing has to change. */
struct json_out {
    char *start, *at, *end;   /* start NULL: this text is not wanted */
    const unsigned char *run; /* received, not yet copied: from here to the scanner's place */
};

struct json_scan {
    struct arena *arena;
    const unsigned char *start, *p, *end;
    struct json_out tree, compact;
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

/* Scans `text`; on RC_OK tree and compact (where wanted) go from `start` to `at`, the tree with a
 * NUL behind it. Errors as json_parse(). */
enum rc json_scan(struct json_scan *s, struct arena *a, struct str text, unsigned want,
                  struct err *e);

/* As json_scan() for the compact text, with watches. */
enum rc json_scan_watching(struct json_scan *s, struct arena *a, struct str text,
                           struct json_watch *watches, size_t n_watches, struct err *e);

/* Returns `rc`, for which `a` refused memory, with its text. */
enum rc json_refusal(const struct arena *a, enum rc rc, struct err *e);

#define JSON_EVERY_BYTE 0x0101010101010101u
#define JSON_HIGH_BITS 0x8080808080808080u

/* Is one of eight bytes a quote, a backslash or a control character (or, with JSON_HIGH_BITS as
 * `high`, beyond ASCII)? May say so wrongly, never the other way round. */
static inline bool json_any_special(uint64_t w, uint64_t high)
{
    uint64_t quote = w ^ (JSON_EVERY_BYTE * '"');
    uint64_t backslash = w ^ (JSON_EVERY_BYTE * '\\');
    uint64_t hits = (quote - JSON_EVERY_BYTE) & ~quote;
    hits |= (backslash - JSON_EVERY_BYTE) & ~backslash;
    hits |= (w - JSON_EVERY_BYTE * 0x20) & ~w;
    return ((hits & JSON_HIGH_BITS) | (w & high)) != 0;
}

/* The first byte from `p` on that is special in the sense of json_any_special(), or `end`. */
static inline const unsigned char *json_plain_end(const unsigned char *p, const unsigned char *end,
                                                  uint64_t high)
{
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        if (json_any_special(w, high))
            break;
        p += 8;
    }
    while (p < end && *p >= 0x20 && *p != '"' && *p != '\\' && !(*p & high & 0xFF))
        p++;
    return p;
}

#endif
