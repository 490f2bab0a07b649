#include "core/json/json_out.h"

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

/* ---- strings that are not what they stand for ----------------------------------------------- */

int json_unicode_escape(const unsigned char *p, const unsigned char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int value = 0;
    for (int i = 2; i < 6; i++) {
        int c = p[i] | 0x20; /* folds capital letters, and no other byte onto a digit or letter */
        if (p[i] >= '0' && p[i] <= '9')
            value = value * 16 + (p[i] - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (c - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static char *put_character(char *to, unsigned value)
{
    if (value < 0x80) {
        *to++ = (char)value;
        return to;
    }
    if (value < 0x800) {
        *to++ = (char)(0xC0 | value >> 6);
    } else {
        if (value < 0x10000) {
            *to++ = (char)(0xE0 | value >> 12);
        } else {
            *to++ = (char)(0xF0 | value >> 18);
            *to++ = (char)(0x80 | (value >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (value >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (value & 0x3F));
    return to;
}

/* NUL and half a surrogate pair cannot be held by the tree: U+FFFD stands for them there. */
static char *decode_unicode(const unsigned char **p, const unsigned char *end, char *to)
{
    unsigned value = (unsigned)json_unicode_escape(*p, end);
    *p += 6;
    if (value == 0 || (value >= 0xDC00 && value <= 0xDFFF))
        return put_character(to, 0xFFFD);
    if (value < 0xD800 || value > 0xDFFF)
        return put_character(to, value);
    int low = json_unicode_escape(*p, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return put_character(to, 0xFFFD);
    *p += 6;
    return put_character(to, 0x10000 + ((value - 0xD800) << 10) + ((unsigned)low - 0xDC00));
}

static char *decode_escape(const unsigned char **p, const unsigned char *end, char *to)
{
    static const char meant[] = {
        ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    unsigned char c = (*p)[1];
    if (c == 'u')
        return decode_unicode(p, end, to);
    *p += 2;
    *to++ = c < sizeof meant && meant[c] ? meant[c] : (char)c;
    return to;
}

static char *decode_beyond_ascii(const unsigned char **p, const unsigned char *end, char *to)
{
    size_t left = (size_t)(end - *p), n = utf8_sequence(*p, left);
    if (n) {
        memcpy(to, *p, n);
        *p += n;
        return to + n;
    }
    *p += utf8_invalid_run(*p, left);
    return put_character(to, 0xFFFD);
}

/* Gives the end of what it writes: no more than is read, and two bytes for each U+FFFD. */
static char *decode(const unsigned char *p, const unsigned char *end, char *to)
{
    for (;;) {
        const unsigned char *special = json_plain_end(p, end, JSON_HIGH_BITS);
        memcpy(to, p, (size_t)(special - p));
        to += special - p;
        if (special == end)
            return to;
        p = special;
        to = *p == '\\' ? decode_escape(&p, end, to) : decode_beyond_ascii(&p, end, to);
    }
}

/* ---- what was replaced ---------------------------------------------------------------------- */

static char *put_hex(char *to, unsigned value, unsigned digits)
{
    while (digits--)
        *to++ = "0123456789abcdef"[value >> 4 * digits & 0xF];
    return to;
}

/* At most 7 bytes for each time. */
static char *put_replaced(const unsigned char *p, const unsigned char *end, char *to)
{
    char decoded[4];
    while ((p = json_plain_end(p, end, JSON_HIGH_BITS)) < end) {
        const unsigned char *at = p;
        size_t left = (size_t)(end - p);
        if (*at == '\\') {
            (void)decode_escape(&p, end, decoded);
            int value = json_unicode_escape(at, end);
            if (value == 0 || (value >= 0xD800 && value <= 0xDFFF && p - at == 6)) {
                *to++ = 'u';
                to = put_hex(to, (unsigned)value, 4);
            }
            continue;
        }
        size_t n = utf8_sequence(p, left);
        if (n) {
            p += n;
            continue;
        }
        *to++ = 'x';
        for (n = utf8_invalid_run(p, left); n; n--)
            to = put_hex(to, *p++, 2);
    }
    return to;
}

bool json_text_decode(struct json_scan *s, const unsigned char *from, const unsigned char *upto,
                      uint64_t n_replaced)
{
    if (!s->tree.copy)
        return true;
    char *text = json_text_at(s, from);
    if (n_replaced) /* for one byte there are three, and three more of what it was */
        text = arena_alloc(s->arena, (size_t)(upto - from) + 7 * (size_t)n_replaced + 2);
    if (!text)
        return json_scan_stop(s, s->arena->refused, NULL);
    char *end = decode(from, upto, text);
    s->tree.text = (struct str){text, (size_t)(end - text)};
    *end++ = '\0';
    if (n_replaced) {
        *put_replaced(from, upto, end) = '\0';
        s->tree.flags |= JSON_TEXT_REPLACED;
    }
    return true;
}
