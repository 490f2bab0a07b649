#include "core/http/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

/* ---- declarations --------------------------------------------------------------------------- */

/* What several servers put around a name, or leave within its quotes. */
static struct str bare(struct str name)
{
    while (name.len && strchr(" \t'", name.ptr[0]))
        name = (struct str){name.ptr + 1, name.len - 1};
    while (name.len && strchr(" \t'", name.ptr[name.len - 1]))
        name.len--;
    return name;
}

/* The value of the parameter "charset" behind the first semicolon, or absent; a quoted one may hold
 * semicolons. The first of several counts. */
static struct str find_charset(const char *at)
{
    while ((at = strchr(at, ';'))) {
        at += 1 + strspn(at + 1, " \t");
        size_t n = strcspn(at, "=;");
        bool is_it = n == 7 && strncasecmp(at, "charset", 7) == 0;
        if (at[n] != '=')
            continue;
        at += n + 1;
        bool is_quoted = *at == '"';
        at += is_quoted;
        n = strcspn(at,
                    is_quoted ? "\"" : ";, \t"); /* of two fields joined with a comma: the first */
        if (is_it)
            return bare((struct str){at, n});
        at += n;
    }
    return STR_NONE;
}

/* By any of its names: the labels of the WHATWG's Encoding standard, and what it is called in Python and
 * in MySQL. */
static bool is_utf8(const char *name)
{
    static const char *const names[] = {
        "utf-8",         "utf8",          "utf_8",           "unicode-1-1-utf-8",
        "unicode11utf8", "unicode20utf8", "x-unicode20utf8", "utf8mb4"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

void charset_declared(const char *content_type, char out[CHARSET_NAME_MAX + 1])
{
    struct str name = content_type ? find_charset(content_type) : STR_NONE;
    size_t n = name.len < CHARSET_NAME_MAX ? name.len : CHARSET_NAME_MAX;
    for (size_t i = 0; i < n; i++) {
        char c = name.ptr[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    out[n] = '\0';
    if (is_utf8(out))
        out[0] = '\0';
}

/* ---- known charsets ------------------------------------------------------------------------- */

enum kind {
    BYTES,     /* ASCII and more */
    DEFAULTED, /* the same, and declared by servers that were not asked */
    UTF16,
    UTF32,
};

static const struct charset {
    const char *name;
    const char *iconv_name; /* NULL: as `name`; of UTF-16 and UTF-32: by the text's first bytes */
    enum kind kind;
} charsets[] = {
    {"us-ascii", NULL, DEFAULTED},
    {"ascii", NULL, DEFAULTED},
    {"iso-8859-1", NULL, DEFAULTED},
    {"latin1", "ISO-8859-1", DEFAULTED},
    {"iso8859-1", "ISO-8859-1", DEFAULTED},
    {"iso_8859-1", "ISO-8859-1", DEFAULTED},
    {"iso-8859-2", NULL, BYTES},
    {"iso-8859-3", NULL, BYTES},
    {"iso-8859-4", NULL, BYTES},
    {"iso-8859-5", NULL, BYTES},
    {"iso-8859-6", NULL, BYTES},
    {"iso-8859-7", NULL, BYTES},
    {"iso-8859-8", NULL, BYTES},
    {"iso-8859-9", NULL, BYTES},
    {"iso-8859-10", NULL, BYTES},
    {"iso-8859-11", NULL, BYTES},
    {"iso-8859-13", NULL, BYTES},
    {"iso-8859-14", NULL, BYTES},
    {"iso-8859-15", NULL, BYTES},
    {"latin9", "ISO-8859-15", BYTES},
    {"iso-8859-16", NULL, BYTES},
    {"windows-874", "CP874", BYTES},
    {"windows-1250", "CP1250", BYTES},
    {"windows-1251", "CP1251", BYTES},
    {"windows-1252", "CP1252", BYTES},
    {"windows-1253", "CP1253", BYTES},
    {"windows-1254", "CP1254", BYTES},
    {"windows-1255", "CP1255", BYTES},
    {"windows-1256", "CP1256", BYTES},
    {"windows-1257", "CP1257", BYTES},
    {"windows-1258", "CP1258", BYTES},
    {"cp1250", NULL, BYTES},
    {"cp1251", NULL, BYTES},
    {"cp1252", NULL, BYTES},
    {"cp437", NULL, BYTES},
    {"ibm437", "CP437", BYTES},
    {"cp850", NULL, BYTES},
    {"ibm850", "CP850", BYTES},
    {"macintosh", NULL, BYTES},
    {"koi8-r", NULL, BYTES},
    {"koi8-u", NULL, BYTES},
    {"tis-620", NULL, BYTES},
    {"shift_jis", "CP932", BYTES},
    {"shift-jis", "CP932", BYTES},
    {"windows-31j", "CP932", BYTES},
    {"euc-jp", NULL, BYTES},
    {"euc-kr", "CP949", BYTES},
    {"gb2312", "GB18030", BYTES},
    {"gbk", "GB18030", BYTES},
    {"gb18030", NULL, BYTES},
    {"big5", "BIG5-HKSCS", BYTES},
    {"utf-16", NULL, UTF16},
    {"utf-16le", "UTF-16LE", UTF16},
    {"utf-16be", "UTF-16BE", UTF16},
    {"utf16", NULL, UTF16},
    {"ucs-2", NULL, UTF16},
    {"utf-32", NULL, UTF32},
    {"utf-32le", "UTF-32LE", UTF32},
    {"utf-32be", "UTF-32BE", UTF32},
    {"utf32", NULL, UTF32},
};

static const struct charset *find(const char *name)
{
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
        if (strcmp(charsets[i].name, name) == 0)
            return &charsets[i];
    }
    return NULL;
}

/* ---- first bytes ---------------------------------------------------------------------------- */

/* What a JSON text is by its first bytes, which are ASCII in any charset: a byte order mark, or where
 * the NULs are. `skip`: the mark's bytes. NULL: no UTF-16 or UTF-32. */
static const char *by_first_bytes(struct str body, size_t *skip)
{
    static const struct {
        const char *bytes, *name;
        size_t n, skip;
    } marks[] = {
        {"\xff\xfe\0\0", "UTF-32LE", 4, 4}, /* before that of UTF-16, which begins like it */
        {"\0\0\xfe\xff", "UTF-32BE", 4, 4},
        {"\xff\xfe", "UTF-16LE", 2, 2},
        {"\xfe\xff", "UTF-16BE", 2, 2},
    };
    const char *p = body.ptr;
    *skip = 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (body.len < marks[i].n || memcmp(p, marks[i].bytes, marks[i].n) != 0)
            continue;
        *skip = marks[i].skip;
        return marks[i].name;
    }
    if (body.len < 2 || (p[0] && p[1]))
        return NULL;
    if (body.len >= 4 && !p[0] && !p[1] && !p[2] && p[3])
        return "UTF-32BE";
    if (body.len >= 4 && p[0] && !p[1] && !p[2] && !p[3])
        return "UTF-32LE";
    return p[0] ? "UTF-16LE" : p[1] ? "UTF-16BE" : NULL;
}

/* ---- decoding ------------------------------------------------------------------------------- */

static enum rc convert(iconv_t cd, struct str in, struct buf *out)
{
    char *from = (char *)(uintptr_t)in.ptr; /* iconv() does not write to it */
    size_t left = in.len;
    bool is_flushed = false;
    while (buf_rc(out) == RC_OK) {
        size_t room = left * 2 + 16;
        room = room < out->max - out->len ? room : out->max - out->len;
        char *to = room ? buf_reserve(out, room) : NULL;
        if (!to)
            return room ? buf_rc(out) : RC_LIMIT;
        char *at = to;
        errno = 0;
        size_t bad =
            is_flushed ? iconv(cd, NULL, NULL, &at, &room) : iconv(cd, &from, &left, &at, &room);
        out->len += (size_t)(at - to);
        if (bad != (size_t)-1 && is_flushed)
            return RC_OK;
        if (bad != (size_t)-1)
            is_flushed = true;
        else if (errno == E2BIG && at == to)
            return RC_LIMIT; /* not even a character fits into what is left */
        else if (errno != E2BIG)
            return RC_SYNTAX; /* EILSEQ, or EINVAL: cut in the middle of a character */
    }
    return buf_rc(out);
}

static enum rc decode(struct buf *body, size_t skip, const char *iconv_name, const char *shown,
                      struct err *e)
{
    iconv_t cd = iconv_open("UTF-8", iconv_name);
    if (cd == (iconv_t)-1 && errno == ENOMEM)
        return err_nomem(e);
    if (cd == (iconv_t)-1)
        return err_set(e, RC_USAGE, "is in the charset %s, which this system cannot decode", shown);
    struct buf out;
    buf_init(&out, body->max);
    struct str in = {body->data + skip, body->len - skip};
    enum rc rc = in.len ? convert(cd, in, &out) : RC_OK;
    (void)iconv_close(cd); /* only fails for a wrong descriptor */
    if (rc == RC_OK) {
        buf_free(body);
        *body = out;
        return RC_OK;
    }
    buf_free(&out);
    if (rc == RC_SYNTAX)
        return err_set(e, rc, "is not valid in its charset, %s", shown);
    if (rc == RC_LIMIT)
        return err_set(e, rc, "is larger than %zu bytes after conversion to UTF-8", body->max);
    return err_nomem(e);
}

/* One that was cut may be anything, such as the beginning of a credential that is echoed. */
static bool is_name_shown(const char *name)
{
    if (strlen(name) == CHARSET_NAME_MAX)
        return false;
    for (; *name; name++) {
        bool is_alnum = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9');
        if (!is_alnum && !strchr("-_.:", *name))
            return false;
    }
    return true;
}

enum rc charset_to_utf8(struct buf *body, const char *name, struct err *e)
{
    size_t skip;
    struct str text = buf_str(body);
    const char *seen = text.len ? by_first_bytes(text, &skip) : NULL;
    if (seen)
        return decode(body, skip, seen, seen, e);
    if (!*name || text.len == 0)
        return RC_OK;
    if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
        return RC_OK; /* UTF-8, by its mark */
    const struct charset *c = find(name);
    if (!c)
        return err_set(e, RC_USAGE, "is in the unknown charset %s",
                       is_name_shown(name) ? name : "(name not shown)");
    if (c->kind == DEFAULTED && utf8_valid(text.ptr, text.len))
        return RC_OK;
    if (c->kind == UTF16 || c->kind == UTF32)
        return err_set(e, RC_SYNTAX, "is not valid in its charset, %s", name);
    return decode(body, 0, c->iconv_name ? c->iconv_name : name, name, e);
}
