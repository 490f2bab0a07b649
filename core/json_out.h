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

/* The copy is made at once: what is a text in it gets its NUL as it is passed. */
bool json_shape_begin(struct json_scan *s, struct str text);

/* U+FFFD takes the place of `skip` received bytes. */
bool json_compact_mend(struct json_scan *s, size_t skip);
bool json_shape_mend(struct json_scan *s, size_t skip);

/* The shape gets what was received since `run`. */
bool json_shape_flush(struct json_scan *s);

/* For the functions below. */
bool json_shape_grow(struct json_scan *s, size_t n);
bool json_texts_grow(struct json_scan *s);

static inline void json_out_flush(struct json_out *o, const unsigned char *upto)
{
    size_t n = (size_t)(upto - o->run);
    memcpy(o->at, o->run, n);
    o->at += n;
    o->run = upto;
}

static inline bool json_shape_add(struct json_scan *s, const void *p, size_t n)
{
    struct json_out *o = &s->shape;
    if (!o->start)
        return true;
    if (n >= (size_t)(o->end - o->at) && !json_shape_grow(s, n)) /* a NUL comes in the end */
        return false;
    memcpy(o->at, p, n);
    o->at += n;
    return true;
}

/* What the shape has instead of a text. */
struct json_token {
    char text[4];
    unsigned len;
};

static const struct json_token json_a_name = {{'"', '"'}, 2},
                               json_a_value = {{'n', 'u', 'l', 'l'}, 4};

/* What was received from `from` to `upto` is a text that the shape is without. */
static inline bool json_shape_text(struct json_scan *s, const unsigned char *from,
                                   const unsigned char *upto, const struct json_token *instead)
{
    struct json_texts *t = &s->texts;
    if (!s->shape.start)
        return true;
    if (t->n == t->cap && !json_texts_grow(s))
        return false;
    t->items[t->n++] = t->copy + 1 + (from - s->start);
    t->copy[1 + (upto - s->start)] = '\0';
    if (!json_shape_add(s, instead->text, sizeof instead->text))
        return false;
    s->shape.at -= sizeof instead->text - instead->len;
    return true;
}

#endif
