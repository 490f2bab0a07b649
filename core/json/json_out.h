/* The compact text that the scanner writes, and the texts of its tree. Private to core/json.
 *
 * Functions that give false have stopped the scan: for want of memory. */
#ifndef LEADPIPE_JSON_OUT_H
#define LEADPIPE_JSON_OUT_H

#include "core/json/json_scan.h"

/* Gives false. */
bool json_scan_stop(struct json_scan *s, enum rc rc, const char *problem);

/* Memory of `bytes` for the text; what it has so far moves there. */
bool json_out_alloc(struct json_scan *s, struct json_out *o, size_t bytes);

/* U+FFFD takes the place of `skip` received bytes. */
bool json_compact_mend(struct json_scan *s, size_t skip);

/* The value of \uXXXX at `p`, or -1. */
int json_unicode_escape(const unsigned char *p, const unsigned char *end);

/* Decodes what was received from `from` to `upto`, which was scanned, into s->tree.text. Where U+FFFD
 * stands for something in it, `n_replaced` times, it gets memory of its own, and what was replaced
 * is behind its NUL, with another one behind that: xFF for a byte, uD800 for an escape. */
bool json_text_decode(struct json_scan *s, const unsigned char *from, const unsigned char *upto,
                      uint64_t n_replaced);

/* Where the closing quote of a string at `upto` is in the compact text; 0: there is none. */
static inline size_t json_compact_end(const struct json_scan *s, const unsigned char *upto)
{
    const struct json_out *o = &s->compact;
    return o->start ? (size_t)(o->at - o->start) + (size_t)(upto - o->run) : 0;
}

static inline void json_out_flush(struct json_out *o, const unsigned char *upto)
{
    size_t n = (size_t)(upto - o->run);
    memcpy(o->at, o->run, n);
    o->at += n;
    o->run = upto;
}

/* Where the copy has what was received at `p`. */
static inline char *json_text_at(const struct json_scan *s, const unsigned char *p)
{
    return s->tree.copy + (p - s->start);
}

/* What was received from `from` to `upto` is the tree's text as it is. */
static inline void json_text_keep(struct json_scan *s, const unsigned char *from,
                                  const unsigned char *upto)
{
    if (!s->tree.copy)
        return;
    *json_text_at(s, upto) = '\0';
    s->tree.text = (struct str){json_text_at(s, from), (size_t)(upto - from)};
}

#endif
