/* What the scanner writes: the two texts of json_scan.h. Private to core/json*.c.
 *
 * Functions that give false have stopped the scan: for want of memory. */
#ifndef LEADPIPE_JSON_OUT_H
#define LEADPIPE_JSON_OUT_H

#include "json_scan.h"

/* Gives false. */
bool json_scan_stop(struct json_scan *s, enum rc rc, const char *problem);

/* `bytes` for a text, with what it has so far. */
bool json_out_alloc(struct json_scan *s, struct json_out *o, size_t bytes);

/* Makes ready for the shape and the texts. */
bool json_shape_begin(struct json_scan *s, struct str text);

/* U+FFFD takes the place of `skip` received bytes. */
bool json_compact_mend(struct json_scan *s, size_t skip);

/* The value of \uXXXX at `p`, or -1. */
int json_unicode_escape(const unsigned char *p, const unsigned char *end);

/* What was received from `from` to `upto` is, once it is decoded, the next text; it was scanned.
 * `grows`: it holds bytes that are not UTF-8, which may make it longer. */
bool json_text_decode(struct json_scan *s, const unsigned char *from, const unsigned char *upto,
                      bool grows);

/* Behind the whole text. */
bool json_shape_end(struct json_scan *s);

/* For the functions below. */
bool json_shape_add(struct json_scan *s, const char *p, size_t n);
bool json_texts_grow(struct json_scan *s);

static inline void json_out_flush(struct json_out *o, const unsigned char *upto)
{
    size_t n = (size_t)(upto - o->run);
    memcpy(o->at, o->run, n);
    o->at += n;
    o->run = upto;
}

static inline bool json_text_add(struct json_scan *s, const char *text)
{
    struct json_texts *t = &s->texts;
    if (t->n == t->cap && !json_texts_grow(s))
        return false;
    t->items[t->n++] = text;
    return true;
}

/* Where the copy has what was received at `p`. */
static inline char *json_text_at(const struct json_scan *s, const unsigned char *p)
{
    return s->texts.copy + 1 + (p - s->start);
}

/* What was received from `from` to `upto` is the next text. */
static inline bool json_text_keep(struct json_scan *s, const unsigned char *from,
                                  const unsigned char *upto)
{
    if (!s->texts.copy)
        return true;
    *json_text_at(s, upto) = '\0';
    return json_text_add(s, json_text_at(s, from));
}

/* An array or object begins with the bracket at `p`. */
static inline bool json_open_add(struct json_scan *s, const unsigned char *p)
{
    if (!s->texts.copy)
        return true;
    bool is_first = s->shape.at[-1] == '[';
    return json_text_add(s, json_text_at(s, p)) &&
           json_shape_add(s, is_first ? "[" : ",[", is_first ? 1 : 2);
}

static inline bool json_close_add(struct json_scan *s)
{
    return !s->texts.copy || (json_text_add(s, NULL) && json_shape_add(s, "]", 1));
}

#endif
