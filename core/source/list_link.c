#include "core/source/list_link.h"

#include <strings.h>

static struct str skip(struct str s, size_t n)
{
    return (struct str){s.ptr + n, s.len - n};
}

static struct str skip_blanks(struct str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = skip(s, 1);
    return s;
}

static bool is_one_of(char c, const char *chars)
{
    return c != '\0' && strchr(chars, c);
}

/* Takes a token, or a quoted text without its quotes. Escapes are not resolved, because relation types have none. */
static struct str take_value(struct str *rest)
{
    size_t n = 0;
    if (rest->len && rest->ptr[0] == '"') {
        *rest = skip(*rest, 1);
        while (n < rest->len && rest->ptr[n] != '"')
            n += rest->ptr[n] == '\\' && n + 1 < rest->len ? 2 : 1;
        struct str quoted = {rest->ptr, n};
        *rest = skip(*rest, n < rest->len ? n + 1 : n);
        return quoted;
    }
    while (n < rest->len && !is_one_of(rest->ptr[n], ";, \t"))
        n++;
    struct str token = {rest->ptr, n};
    *rest = skip(*rest, n);
    return token;
}

/* Is "next" one of the words, ignoring case (RFC 8288, section 2.1.1)? */
static bool has_next(struct str words)
{
    while (words.len) {
        words = skip_blanks(words);
        size_t n = 0;
        while (n < words.len && !is_one_of(words.ptr[n], " \t"))
            n++;
        if (n == 4 && strncasecmp(words.ptr, "next", n) == 0)
            return true;
        words = skip(words, n);
    }
    return false;
}

/* Reads the parameters of one link, up to the comma after it. If there are several "rel", the first one counts. */
static bool take_params(struct str *rest)
{
    bool is_next = false, has_rel = false;
    for (;;) {
        *rest = skip_blanks(*rest);
        if (!rest->len || rest->ptr[0] != ';')
            return is_next;
        *rest = skip_blanks(skip(*rest, 1));
        size_t n = 0;
        while (n < rest->len && !is_one_of(rest->ptr[n], "=;, \t"))
            n++;
        bool is_rel = n == 3 && strncasecmp(rest->ptr, "rel", n) == 0;
        struct str value = STR("");
        *rest = skip_blanks(skip(*rest, n));
        if (rest->len && rest->ptr[0] == '=') {
            *rest = skip_blanks(skip(*rest, 1));
            value = take_value(rest);
        }
        if (is_rel && !has_rel)
            is_next = has_next(value);
        has_rel |= is_rel;
    }
}

struct str list_link_next(struct str field)
{
    struct str rest = field;
    while (rest.len) {
        rest = skip_blanks(rest);
        if (rest.len && rest.ptr[0] == ',') {
            rest = skip(rest, 1);
            continue;
        }
        const char *end = rest.len && rest.ptr[0] == '<' ? memchr(rest.ptr, '>', rest.len) : NULL;
        if (!end)
            return STR_NONE;
        struct str target = {rest.ptr + 1, (size_t)(end - rest.ptr) - 1};
        rest = skip(rest, target.len + 2);
        if (take_params(&rest))
            return target;
        rest = skip_blanks(rest);
        if (rest.len && rest.ptr[0] != ',')
            return STR_NONE;
    }
    return STR_NONE;
}
