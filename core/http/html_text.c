#include "core/http/html_text.h"

#include <stdlib.h>
#include <strings.h>

#define SCAN_BYTES_MAX ((size_t)64 << 10) /* of a page that are read */

static struct str skip(struct str s, size_t n)
{
    return (struct str){s.ptr + n, s.len - n};
}

static struct str skip_blanks(struct str s)
{
    while (s.len && (unsigned char)s.ptr[0] <= ' ')
        s = skip(s, 1);
    return s;
}

static struct str without_mark(struct str s)
{
    return s.len >= 3 && memcmp(s.ptr, "\xef\xbb\xbf", 3) == 0 ? skip(s, 3) : s;
}

bool html_is_page(struct str body)
{
    struct str s = skip_blanks(without_mark(body));
    return s.len && s.ptr[0] == '<';
}

/* Is it the tag "<name" or "</name" at the start of `s`? */
static bool is_tag(struct str s, const char *name)
{
    size_t n = strlen(name);
    if (s.len <= n + 1 || s.ptr[0] != '<' || strncasecmp(s.ptr + 1, name, n) != 0)
        return false;
    char c = s.ptr[n + 1];
    return c == '>' || c == '/' || (unsigned char)c <= ' ';
}

static struct str find_tag(struct str s, const char *name)
{
    while (s.len && !is_tag(s, name))
        s = skip(s, 1);
    return s;
}

/* Behind the tag that `s` begins with. */
static struct str behind_tag(struct str s)
{
    const char *end = s.len ? memchr(s.ptr, '>', s.len) : NULL;
    return end ? skip(s, (size_t)(end - s.ptr) + 1) : skip(s, s.len);
}

/* ---- text ----------------------------------------------------------------------------------- */

struct line {
    char *text;
    size_t len, size;
};

/* A character as UTF-8; blanks and control characters become one blank. False: there is no room. */
static bool put(struct line *l, uint32_t c)
{
    bool is_blank = c <= ' ' || (c >= 0x7f && c <= 0xa0) || c == 0x2028 || c == 0x2029;
    if (is_blank && (l->len == 0 || l->text[l->len - 1] == ' '))
        return true;
    if (is_blank)
        c = ' ';
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(lead[n] | c);
    if (l->len + n > l->size)
        return false;
    memcpy(l->text + l->len, bytes, n);
    l->len += n;
    return true;
}

/* A character reference at the start of `s`, or 0. */
static size_t reference(struct str s, uint32_t *c)
{
    static const struct {
        const char *name;
        uint32_t c;
    } named[] = {{"amp;", '&'},       {"lt;", '<'},    {"gt;", '>'},       {"quot;", '"'},
                 {"apos;", '\''},     {"nbsp;", ' '},  {"ndash;", 0x2013}, {"mdash;", 0x2014},
                 {"hellip;", 0x2026}, {"copy;", 0xa9}, {"rsquo;", 0x2019}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        size_t n = strlen(named[i].name);
        if (s.len > n && memcmp(s.ptr + 1, named[i].name, n) == 0) {
            *c = named[i].c;
            return n + 1;
        }
    }
    if (s.len < 4 || s.ptr[1] != '#')
        return 0;
    bool is_hex = (s.ptr[2] | 0x20) == 'x';
    uint32_t value = 0;
    size_t i = is_hex ? 3 : 2;
    size_t from = i;
    for (; i < s.len && i < from + 8; i++) {
        char d = s.ptr[i];
        int digit = d >= '0' && d <= '9'                               ? d - '0'
                    : is_hex && (d | 0x20) >= 'a' && (d | 0x20) <= 'f' ? (d | 0x20) - 'a' + 10
                                                                       : -1;
        if (digit < 0)
            break;
        value = value * (is_hex ? 16 : 10) + (uint32_t)digit;
    }
    if (i == from || i == s.len || s.ptr[i] != ';')
        return 0;
    *c = value ? value : 0xfffd;
    return i + 1;
}

/* The next character of `s`, which moves on. */
static uint32_t next_character(struct str *s)
{
    const unsigned char *p = (const unsigned char *)s->ptr;
    uint32_t c = 0;
    size_t n = *p == '&' ? reference(*s, &c) : 0;
    if (n) {
        *s = skip(*s, n);
        return c;
    }
    n = utf8_sequence(p, s->len);
    if (n == 0) {
        *s = skip(*s, utf8_invalid_run(p, s->len));
        return 0xfffd;
    }
    c = n == 1 ? *p : (uint32_t)(*p & (0x7f >> n));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    *s = skip(*s, n);
    return c;
}

/* Behind an element whose text nobody sees. */
static struct str skip_unseen(struct str s, bool *is_unseen)
{
    static const char *const names[] = {"script", "style", "head", "noscript"};
    static const char *const ends[] = {"/script", "/style", "/head", "/noscript"};
    *is_unseen = true;
    if (s.len >= 4 && memcmp(s.ptr, "<!--", 4) == 0) {
        const char *end = memmem(s.ptr, s.len, "-->", 3);
        return end ? skip(s, (size_t)(end - s.ptr) + 3) : skip(s, s.len);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is_tag(s, names[i]))
            return behind_tag(find_tag(s, ends[i]));
    }
    *is_unseen = false;
    return s;
}

static void read_text(struct line *l, struct str s, bool is_title)
{
    while (s.len) {
        bool is_unseen = false;
        if (s.ptr[0] != '<') {
            if (!put(l, next_character(&s)))
                return;
            continue;
        }
        if (is_title)
            return;
        s = skip_unseen(s, &is_unseen);
        if (!is_unseen)
            s = behind_tag(s);
        (void)put(l, ' ');
    }
}

char *html_text(struct arena *a, struct str body, size_t max)
{
    struct str page = without_mark(body);
    if (page.len > SCAN_BYTES_MAX)
        page.len = SCAN_BYTES_MAX;
    struct line l = {.text = arena_alloc(a, max + 1), .size = max};
    if (!l.text)
        return NULL;
    read_text(&l, behind_tag(find_tag(page, "title")), true);
    while (l.len && l.text[l.len - 1] == ' ')
        l.len--;
    if (l.len == 0)
        read_text(&l, page, false);
    while (l.len && l.text[l.len - 1] == ' ')
        l.len--;
    l.text[l.len] = '\0';
    return l.len ? l.text : NULL;
}
