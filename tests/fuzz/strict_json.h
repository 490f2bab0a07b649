/* JSON once more, written for the fuzz targets alone: what the program wrote is read with it, and
 * what the program was given. It shares nothing with core/json*.c but the arena. */
#ifndef LEADPIPE_TESTS_FUZZ_STRICT_JSON_H
#define LEADPIPE_TESTS_FUZZ_STRICT_JSON_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/arena.h"
#include "fuzz.h"

#define SJ_DEPTH_MAX 200         /* of a payload */
#define SJ_WRITTEN_DEPTH_MAX 204 /* of a record: a payload, and the lead and tables around it */

enum sj_type { SJ_NULL, SJ_FALSE, SJ_TRUE, SJ_NUMBER, SJ_STRING, SJ_ARRAY, SJ_OBJECT };

struct sj_value {
    enum sj_type type;
    struct str raw;  /* as it stands in the text, blanks inside included */
    struct str text; /* of a string, decoded: U+FFFD for U+0000, lone surrogates, bad bytes */
    struct str name; /* of a member, decoded; of several that U+FFFD makes the same all but one have
                        the lowest free "_n" behind it */
    struct str key;  /* the same before anything was replaced: 0xFF and what was there */
    struct sj_value *first; /* of an array's elements, of an object's members */
    struct sj_value *next;
};

enum sj_result { SJ_OK, SJ_SYNTAX, SJ_TOO_DEEP };

struct sj_reader {
    struct arena *arena;
    const unsigned char *p, *end;
    unsigned depth, depth_max;
    bool replaced; /* something became U+FFFD */
    char *key_at;  /* where the key of the string at hand continues */
    /* An object had a member twice: the last one counts, at the place of the first. */
    bool repeated;
    enum sj_result result;
};

static inline void *sj_alloc(struct sj_reader *r, size_t n)
{
    void *p = arena_alloc(r->arena, n);
    MUST(p);
    return p;
}

static inline bool sj_stop(struct sj_reader *r, enum sj_result result)
{
    r->result = result;
    return false;
}

static inline void sj_blanks(struct sj_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* Table 3-7 of Unicode: what a sequence may begin and continue with. */
static const struct sj_sequence {
    unsigned char first_low, first_high, second_low, second_high, len;
} sj_sequences[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

/* How many bytes from `p` on are a sequence, or the beginning of one; *whole: it is one. */
static inline size_t sj_sequence(const unsigned char *p, size_t n, bool *whole)
{
    *whole = false;
    for (size_t i = 0; i < sizeof sj_sequences / sizeof *sj_sequences; i++) {
        const struct sj_sequence *s = &sj_sequences[i];
        if (p[0] < s->first_low || p[0] > s->first_high)
            continue;
        if (n < 2 || p[1] < s->second_low || p[1] > s->second_high)
            return 1;
        size_t len = 2;
        while (len < s->len && len < n && (p[len] & 0xC0) == 0x80)
            len++;
        *whole = len == s->len;
        return len;
    }
    return 1;
}

static inline char *sj_put(char *to, uint32_t c)
{
    unsigned n = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char heads[] = {0, 0xC0, 0xE0, 0xF0};
    *to++ = (char)(heads[n] | c >> 6 * n);
    while (n--)
        *to++ = (char)(0x80 | (c >> 6 * n & 0x3F));
    return to;
}

/* The four digits at `p`, or -1. */
static inline int sj_hex(const struct sj_reader *r, const unsigned char *p)
{
    int value = 0;
    if (r->end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *at = p[i] ? strchr(digits, p[i]) : NULL;
        if (!at)
            return -1;
        value = value * 16 + (int)(at - digits) % 16;
    }
    return value;
}

/* Behind "\u". */
static inline bool sj_unicode(struct sj_reader *r, char **to)
{
    int c = sj_hex(r, r->p);
    if (c < 0)
        return sj_stop(r, SJ_SYNTAX);
    r->p += 4;
    if (c >= 0xD800 && c < 0xDC00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
        int low = sj_hex(r, r->p + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            r->p += 6;
            *to = sj_put(*to, 0x10000 + ((uint32_t)c - 0xD800) * 0x400 + (uint32_t)low - 0xDC00);
            return true;
        }
    }
    bool broken = c == 0 || (c >= 0xD800 && c < 0xE000);
    if (broken) {
        r->replaced = true;
        *r->key_at++ = '\xFF';
        r->key_at = sj_put(r->key_at, 0x20 + (uint32_t)c);
        c = 0xFFFD;
    }
    *to = sj_put(*to, (uint32_t)c);
    return true;
}

static inline bool sj_escape(struct sj_reader *r, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    r->p++;
    if (r->p == r->end || *r->p == '\0')
        return sj_stop(r, SJ_SYNTAX);
    unsigned char c = *r->p++;
    if (c == 'u')
        return sj_unicode(r, to);
    const char *at = strchr(names, c);
    if (!at)
        return sj_stop(r, SJ_SYNTAX);
    *(*to)++ = values[at - names];
    return true;
}

/* Bytes up to the quote that ends the string, or to the end of the text. */
static inline size_t sj_string_bytes(const struct sj_reader *r)
{
    const unsigned char *p = r->p + 1;
    while (p < r->end && *p != '"')
        p += *p == '\\' && r->end - p > 1 ? 2 : 1;
    return (size_t)(p - r->p);
}

/* At the opening quote. */
static inline bool sj_string(struct sj_reader *r, struct str *out, struct str *key)
{
    char *text = sj_alloc(r, 3 * sj_string_bytes(r)), *to = text;
    char *key_text = sj_alloc(r, 5 * sj_string_bytes(r));
    r->key_at = key_text;
    for (r->p++; r->p < r->end && *r->p != '"';) {
        bool whole;
        char *from = to;
        const unsigned char *at = r->p;
        const char *key_from = r->key_at;
        if (*r->p == '\\') {
            if (!sj_escape(r, &to))
                return false;
        } else if (*r->p < 0x20) {
            return sj_stop(r, SJ_SYNTAX);
        } else if (*r->p < 0x80) {
            *to++ = (char)*r->p++;
        } else {
            size_t n = sj_sequence(r->p, (size_t)(r->end - r->p), &whole);
            r->replaced = r->replaced || !whole;
            memcpy(to, whole ? (const char *)r->p : "\xEF\xBF\xBD", whole ? n : 3);
            to += whole ? n : 3;
            r->p += n;
            if (!whole) {
                *r->key_at++ = '\xFF';
                memcpy(r->key_at, at, n);
                r->key_at += n;
            }
        }
        if (r->key_at == key_from) { /* nothing was replaced */
            memcpy(r->key_at, from, (size_t)(to - from));
            r->key_at += to - from;
        }
    }
    if (r->p == r->end)
        return sj_stop(r, SJ_SYNTAX);
    r->p++;
    *key = (struct str){key_text, (size_t)(r->key_at - key_text)};
    *out = (struct str){text, (size_t)(to - text)};
    return true;
}

/* ---- numbers and words ---------------------------------------------------------------------- */

static inline size_t sj_digits(struct sj_reader *r)
{
    const unsigned char *from = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return (size_t)(r->p - from);
}

static inline bool sj_take(struct sj_reader *r, const char *any_of)
{
    bool is_there = r->p < r->end && *r->p && strchr(any_of, *r->p);
    r->p += is_there;
    return is_there;
}

static inline bool sj_number(struct sj_reader *r)
{
    (void)sj_take(r, "-");
    if (!sj_take(r, "0") && !sj_digits(r))
        return sj_stop(r, SJ_SYNTAX);
    if (sj_take(r, ".") && !sj_digits(r))
        return sj_stop(r, SJ_SYNTAX);
    if (sj_take(r, "eE")) {
        (void)sj_take(r, "+-");
        if (!sj_digits(r))
            return sj_stop(r, SJ_SYNTAX);
    }
    return true;
}

static inline bool sj_word(struct sj_reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return sj_stop(r, SJ_SYNTAX);
    r->p += n;
    return true;
}

/* ---- values --------------------------------------------------------------------------------- */

static inline struct sj_value *sj_member(const struct sj_value *object, struct str name)
{
    if (!object || object->type != SJ_OBJECT)
        return NULL;
    struct sj_value *member = object->first;
    while (member && !str_eq(member->name, name))
        member = member->next;
    return member;
}

static inline void sj_add(struct sj_reader *r, struct sj_value *to, struct sj_value **last,
                          struct sj_value *v)
{
    struct sj_value *first = to->type == SJ_OBJECT ? to->first : NULL;
    while (first && !str_eq(first->key, v->key))
        first = first->next;
    if (first) {
        r->repeated = true;
        v->next = first->next;
        *first = *v;
    } else if (*last) {
        (*last)->next = v;
        *last = v;
    } else {
        to->first = *last = v;
    }
}

static inline bool sj_read_value(struct sj_reader *r, struct sj_value *v);

static inline bool sj_read_member(struct sj_reader *r, struct sj_value *v)
{
    sj_blanks(r);
    if (r->p == r->end || *r->p != '"')
        return sj_stop(r, SJ_SYNTAX);
    if (!sj_string(r, &v->name, &v->key))
        return false;
    sj_blanks(r);
    return sj_take(r, ":") ? true : sj_stop(r, SJ_SYNTAX);
}

static inline bool sj_is_there(const struct sj_value *object, struct str name,
                               const struct sj_value *but)
{
    for (const struct sj_value *m = object->first; m; m = m->next) {
        if (m != but && str_eq(m->name, name))
            return true;
    }
    return false;
}

/* A name in which nothing was replaced stays, else the first one. */
static inline bool sj_keeps_name(const struct sj_value *object, const struct sj_value *v)
{
    struct sj_value *m = object->first;
    if (str_eq(v->key, v->name))
        return true;
    for (bool before = true; m; m = m->next) {
        before = before && m != v;
        if (m != v && str_eq(m->name, v->name) && (before || str_eq(m->key, m->name)))
            return false;
    }
    return true;
}

static inline void sj_tell_apart(struct sj_reader *r, struct sj_value *object)
{
    struct str *names;
    size_t n = 0, i = 0;
    for (struct sj_value *m = object->first; m; m = m->next)
        n++;
    names = sj_alloc(r, n * sizeof *names);
    for (struct sj_value *m = object->first; m; m = m->next, i++) {
        unsigned number = 1;
        names[i] = m->name;
        bool taken = !sj_keeps_name(object, m);
        while (taken) {
            char *name = sj_alloc(r, m->name.len + 16);
            int len = snprintf(name, m->name.len + 16, "%.*s_%u", STR_ARG(m->name), ++number);
            names[i] = (struct str){name, (size_t)len};
            taken = sj_is_there(object, names[i], m);
            for (size_t k = 0; !taken && k < i; k++)
                taken = str_eq(names[k], names[i]);
        }
    }
    i = 0;
    for (struct sj_value *m = object->first; m; m = m->next)
        m->name = names[i++];
}

static inline bool sj_container(struct sj_reader *r, struct sj_value *v)
{
    const char *close = v->type == SJ_OBJECT ? "}" : "]";
    struct sj_value *last = NULL;
    if (r->depth == r->depth_max)
        return sj_stop(r, SJ_TOO_DEEP);
    r->p++;
    r->depth++;
    sj_blanks(r);
    bool more = !sj_take(r, close);
    while (more) {
        struct sj_value *child = sj_alloc(r, sizeof *child);
        *child = (struct sj_value){0};
        if ((v->type == SJ_OBJECT && !sj_read_member(r, child)) || !sj_read_value(r, child))
            return false;
        sj_add(r, v, &last, child);
        sj_blanks(r);
        more = sj_take(r, ",");
        if (!more && !sj_take(r, close))
            return sj_stop(r, SJ_SYNTAX);
    }
    r->depth--;
    if (v->type == SJ_OBJECT && r->replaced)
        sj_tell_apart(r, v);
    return true;
}

static inline bool sj_read_value(struct sj_reader *r, struct sj_value *v)
{
    static const char beginnings[] = "nft\"[{";
    static const enum sj_type types[] = {SJ_NULL,   SJ_FALSE, SJ_TRUE,
                                         SJ_STRING, SJ_ARRAY, SJ_OBJECT};
    sj_blanks(r);
    if (r->p == r->end)
        return sj_stop(r, SJ_SYNTAX);
    const unsigned char *from = r->p;
    const char *at = *from ? strchr(beginnings, *from) : NULL;
    v->type = at ? types[at - beginnings] : SJ_NUMBER;
    bool ok = false;
    struct str text_key; /* only of names does it matter */
    switch (v->type) {
    case SJ_NULL:
        ok = sj_word(r, "null");
        break;
    case SJ_FALSE:
        ok = sj_word(r, "false");
        break;
    case SJ_TRUE:
        ok = sj_word(r, "true");
        break;
    case SJ_NUMBER:
        ok = sj_number(r);
        break;
    case SJ_STRING:
        ok = sj_string(r, &v->text, &text_key);
        break;
    case SJ_ARRAY:
    case SJ_OBJECT:
        ok = sj_container(r, v);
        break;
    }
    v->raw = (struct str){(const char *)from, (size_t)(r->p - from)};
    return ok;
}

/* One value and nothing behind it; `r` says how it went. Memory comes from `a`. */
static inline struct sj_value *sj_read(struct sj_reader *r, struct arena *a, struct str text,
                                       unsigned depth_max)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    *r = (struct sj_reader){.arena = a, .p = p, .end = p + text.len, .depth_max = depth_max};
    if (text.len >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        r->p += 3;
    struct sj_value *v = sj_alloc(r, sizeof *v);
    *v = (struct sj_value){0};
    if (!sj_read_value(r, v))
        return NULL;
    sj_blanks(r);
    if (r->p != r->end)
        r->result = SJ_SYNTAX;
    return r->result == SJ_OK ? v : NULL;
}

/* The text without blanks between its tokens, in memory of `a`. */
static inline struct str sj_minified(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, text.len + 1);
    MUST(out);
    size_t n = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            continue;
        out[n++] = c;
        if (c == '"')
            quoted = !quoted;
        if (quoted && c == '\\' && i + 1 < text.len)
            out[n++] = text.ptr[++i];
    }
    return (struct str){out, n};
}

#endif
