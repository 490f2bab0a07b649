#include "json_out.h"

#include <stddef.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

bool json_scan_stop(struct json_scan *s, enum rc rc, const char *problem)
{
    s->rc = rc;
    s->problem = problem;
    return false;
}

enum rc json_refusal(const struct arena *a, enum rc rc, struct err *e)
{
    if (rc == RC_NOMEM)
        return err_nomem(e);
    return err_set(e, rc, "the JSON text needs more than %zu bytes of memory", a->max_bytes);
}

bool json_out_alloc(struct json_scan *s, struct json_out *o, size_t bytes)
{
    size_t used = o->start ? (size_t)(o->at - o->start) : 0;
    char *room = arena_alloc(s->arena, bytes);
    if (!room)
        return json_scan_stop(s, s->arena->refused, NULL);
    if (used)
        memcpy(room, o->start, used);
    o->start = room;
    o->at = room + used;
    o->end = room + bytes;
    return true;
}

/* Room for `n` bytes, for all that is still to come, and for a NUL. Once there is not enough, the
 * rest is thought of at its worst (a byte that is not UTF-8 becomes three), so that a text moves
 * once at most. */
static bool out_room(struct json_scan *s, struct json_out *o, size_t n)
{
    size_t rest = (size_t)(s->end - o->run);
    if (n + rest < (size_t)(o->end - o->at))
        return true;
    return json_out_alloc(s, o, (size_t)(o->at - o->start) + n + 3 * rest + 8);
}

bool json_compact_mend(struct json_scan *s, size_t skip)
{
    struct json_out *o = &s->compact;
    if (!o->start)
        return true;
    json_out_flush(o, s->p);
    o->run += skip;
    if (!out_room(s, o, 3))
        return false;
    memcpy(o->at, REPLACEMENT, 3);
    o->at += 3;
    return true;
}

/* ---- the shape ------------------------------------------------------------------------------ */

bool json_shape_grow(struct json_scan *s, size_t n)
{
    size_t used = (size_t)(s->shape.at - s->shape.start);
    return json_out_alloc(s, &s->shape, 2 * used + n + 64);
}

bool json_shape_flush(struct json_scan *s)
{
    struct json_out *o = &s->shape;
    const unsigned char *run = o->run;
    o->run = s->p;
    return json_shape_add(s, run, (size_t)(s->p - run));
}

bool json_shape_mend(struct json_scan *s, size_t skip)
{
    if (!json_shape_flush(s))
        return false;
    s->shape.run += skip;
    return json_shape_add(s, REPLACEMENT, 3);
}

bool json_texts_grow(struct json_scan *s)
{
    struct json_texts *t = &s->texts;
    size_t cap = t->n ? 2 * t->n : (size_t)(s->end - s->p) / 12 + 8;
    const char **items = arena_alloc(s->arena, cap * sizeof *items);
    if (!items)
        return json_scan_stop(s, s->arena->refused, NULL);
    if (t->n)
        memcpy(items, t->items, t->n * sizeof *items);
    t->items = items;
    t->cap = cap;
    return true;
}

/* The copy is made at once: what is a text in it gets its NUL as it is passed. */
bool json_shape_begin(struct json_scan *s, struct str text)
{
    size_t bytes = text.len + 2; /* a byte before the first text, a NUL behind the last */
    s->texts.copy = arena_alloc(s->arena, bytes);
    if (!s->texts.copy)
        return json_scan_stop(s, s->arena->refused, NULL);
    s->texts.copy[0] = '\0';
    memcpy(s->texts.copy + 1, s->start, text.len);
    return json_out_alloc(s, &s->shape, text.len / 2 + 64);
}
