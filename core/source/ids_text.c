#include "core/source/ids_text.h"

#include "core/source/ids.h"
#include "core/base/unicode.h"

#define IDEOGRAPHIC_SPACE 0x3000

struct excerpt ids_excerpt(struct str s)
{
    struct excerpt x = {"'"};
    char shown[UNICODE_SHOWN_BYTES];
    size_t at = 1;
    while (s.len) {
        size_t taken;
        size_t n = unicode_show(s, shown, &taken);
        if (at + n > 1 + EXCERPT_BYTES)
            break;
        memcpy(x.text + at, shown, n);
        at += n;
        s.ptr += taken;
        s.len -= taken;
    }
    memcpy(x.text + at, s.len ? "'..." : "'", s.len ? 5 : 2);
    return x;
}

/* Invisible characters in an ID are most likely a mistake, and are not allowed. A joiner is allowed after a character that
 * it can affect. */
static bool is_hidden(uint32_t c, uint32_t before)
{
    if (unicode_is_shaping(c))
        return before < 0x80;
    return unicode_is_invisible(c) || (unicode_is_space(c) && c != IDEOGRAPHIC_SPACE);
}

/* RC_SYNTAX: about the first character that is not allowed. */
static enum rc check_characters(struct str what, struct str s, struct err *e)
{
    uint32_t before = 0;
    for (size_t at = 0, n; at < s.len; at += n) {
        const unsigned char *p = (const unsigned char *)s.ptr + at;
        if (*p >= 0x20 && *p < 0x7F) { /* the usual case */
            n = 1;
            before = *p;
            continue;
        }
        n = utf8_sequence(p, s.len - at);
        if (n == 0)
            return err_set(e, RC_SYNTAX, STR_FMT " is not UTF-8: %s", STR_ARG(what),
                           ids_excerpt(s).text);
        uint32_t c = utf8_decode(p, n);
        if (c < 0x20 || (c >= 0x7F && c < 0xA0))
            return err_set(e, RC_SYNTAX,
                           STR_FMT " contains a control character, which is not "
                                   "allowed: %s",
                           STR_ARG(what), ids_excerpt(s).text);
        if (c >= 0x80 && is_hidden(c, before))
            return err_set(e, RC_SYNTAX,
                           STR_FMT " contains U+%04X, which is invisible or looks like a space: %s",
                           STR_ARG(what), (unsigned)c, ids_excerpt(s).text);
        before = c;
    }
    return RC_OK;
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
        return err_set(e, RC_SYNTAX,
                       STR_FMT " is '" STR_FMT "', which would be a path segment of "
                               "the URL",
                       STR_ARG(what), STR_ARG(s));
    return check_characters(what, s, e);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The length of the blank with which `s` begins, or 0. */
static size_t first_blank(struct str s)
{
    if ((unsigned char)*s.ptr < 0x80)
        return is_blank(*s.ptr);
    size_t n = utf8_sequence((const unsigned char *)s.ptr, s.len);
    uint32_t c = n ? utf8_decode((const unsigned char *)s.ptr, n) : 0;
    return unicode_is_space(c) || unicode_is_invisible(c) ? n : 0;
}

/* The length of the blank with which `s` ends, or 0. */
static size_t last_blank(struct str s)
{
    if ((unsigned char)s.ptr[s.len - 1] < 0x80)
        return is_blank(s.ptr[s.len - 1]);
    size_t n;
    size_t n_before;
    uint32_t c = utf8_last(s, &n);
    if (!unicode_is_space(c) && !unicode_is_invisible(c))
        return 0;
    bool shapes = unicode_is_shaping(c) && s.len > n &&
                  utf8_last((struct str){s.ptr, s.len - n}, &n_before) >= 0x80;
    return shapes ? 0 : n;
}

struct str ids_trim(struct str s)
{
    size_t n;
    while (s.len && (n = first_blank(s))) {
        s.ptr += n;
        s.len -= n;
    }
    while (s.len && (n = last_blank(s)))
        s.len -= n;
    return s;
}
