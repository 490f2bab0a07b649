#include "ids_text.h"

#include "ids.h"

enum character {
    CHAR_PLAIN,
    CHAR_CONTROL, /* of Unicode's category Cc */
    CHAR_INVALID,
};

/* What `s` begins with, and its length; `s` is not empty. */
static enum character first_character(struct str s, size_t *n)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    *n = 1;
    if (*p < 0x80)
        return *p < 0x20 || *p == 0x7F ? CHAR_CONTROL : CHAR_PLAIN;
    *n = utf8_sequence(p, s.len);
    if (*n == 0) {
        *n = utf8_invalid_run(p, s.len);
        return CHAR_INVALID;
    }
    return *p == 0xC2 && p[1] < 0xA0 ? CHAR_CONTROL : CHAR_PLAIN;
}

struct excerpt ids_excerpt(struct str s)
{
    struct excerpt x = {"'"};
    size_t at = 1;
    while (s.len) {
        size_t n;
        bool plain = first_character(s, &n) == CHAR_PLAIN;
        size_t width = plain ? n : 1;
        if (at + width > 1 + EXCERPT_BYTES)
            break;
        memcpy(x.text + at, plain ? s.ptr : "?", width);
        at += width;
        s.ptr += n;
        s.len -= n;
    }
    memcpy(x.text + at, s.len ? "'..." : "'", s.len ? 5 : 2);
    return x;
}

/* Which characters `s` has that are not allowed: the first of them. */
static enum character worst_character(struct str s)
{
    enum character c = CHAR_PLAIN;
    while (s.len && c == CHAR_PLAIN) {
        size_t n;
        c = first_character(s, &n);
        s.ptr += n;
        s.len -= n;
    }
    return c;
}

enum rc ids_value_check(struct str what, struct str s, struct err *e)
{
    if (s.len == 0)
        return err_set(e, RC_SYNTAX, STR_FMT " is empty (1 to %d bytes are allowed)", STR_ARG(what),
                       ID_BYTES_MAX);
    if (s.len > ID_BYTES_MAX)
        return err_set(e, RC_SYNTAX, STR_FMT " has %zu bytes (1 to %d are allowed): %s",
                       STR_ARG(what), s.len, ID_BYTES_MAX, ids_excerpt(s).text);
    if (str_eq(s, STR(".")) || str_eq(s, STR("..")))
        return err_set(e, RC_SYNTAX, STR_FMT " is '" STR_FMT "', which would be a step in the URL",
                       STR_ARG(what), STR_ARG(s));
    enum character worst = worst_character(s);
    if (worst == CHAR_CONTROL)
        return err_set(e, RC_SYNTAX, STR_FMT " has a control character (none is allowed): %s",
                       STR_ARG(what), ids_excerpt(s).text);
    if (worst == CHAR_INVALID)
        return err_set(e, RC_SYNTAX, STR_FMT " is not UTF-8: %s", STR_ARG(what),
                       ids_excerpt(s).text);
    return RC_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str ids_trim(struct str s)
{
    while (s.len && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}
