#include "core/base/url.h"

#include <curl/curl.h>

#define ALPHA "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define UNRESERVED ALPHA DIGIT "-._~"
/* What may stand in a path or query as it is; "%" begins an escape. */
#define PATH_AND_QUERY UNRESERVED "%/?:@!$&'()*+,;="

static bool has_only(struct str s, const char *chars)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\0' || !strchr(chars, s.ptr[i]))
            return false;
    }
    return true;
}

/* ---- a server's URL ------------------------------------------------------------------------- */

static bool begins_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && strncasecmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

/* *has: it is there. False: no memory to find out. */
static bool find_part(CURLU *u, CURLUPart part, bool *has)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(u, part, &text, 0);
    curl_free(text);
    *has = code == CURLUE_OK;
    return code != CURLUE_OUT_OF_MEMORY;
}

static enum rc check_parts(CURLU *u, const char *url, struct err *e)
{
    CURLUcode code = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (code == CURLUE_OUT_OF_MEMORY)
        return err_nomem(e);
    if (code == CURLUE_USER_NOT_ALLOWED)
        return err_set(e, RC_SYNTAX, "must have no user name or password");
    if (code)
        return err_set(e, RC_SYNTAX, "is not a valid URL (%s)", curl_url_strerror(code));
    bool has_host, has_user, has_password;
    if (!find_part(u, CURLUPART_HOST, &has_host) || !find_part(u, CURLUPART_USER, &has_user) ||
        !find_part(u, CURLUPART_PASSWORD, &has_password))
        return err_nomem(e);
    if (!has_host)
        return err_set(e, RC_SYNTAX, "must have a host");
    if (has_user || has_password)
        return err_set(e, RC_SYNTAX, "must have no user name or password");
    return RC_OK;
}

enum rc url_check(struct str url, struct err *e)
{
    if (!begins_with(url, STR("http://")) && !begins_with(url, STR("https://")))
        return err_set(e, RC_SYNTAX, "must begin with https:// or http://");
    if (url.len > SERVER_URL_BYTES_MAX)
        return err_set(e, RC_SYNTAX, "must have at most %d bytes", SERVER_URL_BYTES_MAX);
    if (memchr(url.ptr, '?', url.len) || memchr(url.ptr, '#', url.len))
        return err_set(e, RC_SYNTAX, "must have no query (?) and no fragment (#)");
    if (!has_only(url, PATH_AND_QUERY "[]"))
        return err_set(e, RC_SYNTAX, "contains a character that is not allowed in a URL");
    struct buf copy;
    buf_init(&copy, SERVER_URL_BYTES_MAX + 1);
    buf_add_str(&copy, url);
    const char *text = buf_cstr(&copy);
    CURLU *u = curl_url();
    enum rc rc = buf_rc(&copy) || !u ? err_nomem(e) : check_parts(u, text, e);
    if (rc == RC_OK && url_has_dot_segment(url))
        rc = err_set(e, RC_SYNTAX, "must have no . or .. as a path segment");
    curl_url_cleanup(u);
    buf_free(&copy);
    return rc;
}

/* "host", "host:80", "[::1]:80". */
static bool is_host_and_port(struct str s)
{
    size_t host = 0;
    if (s.len && s.ptr[0] == '[')
        while (host < s.len && s.ptr[host] != ']')
            host++;
    while (host < s.len && s.ptr[host] != ':')
        host++;
    return host == s.len || has_only((struct str){s.ptr + host + 1, s.len - host - 1}, DIGIT);
}

static bool is_scheme(struct str s)
{
    return s.len && has_only(s, ALPHA DIGIT "+-.") && strchr(ALPHA, s.ptr[0]);
}

struct str url_userinfo(const char *url)
{
    const char *last = strrchr(url, '@');
    if (!last)
        return STR_NONE;
    const char *slashes = strstr(url, "//");
    const char *authority = slashes && slashes < last ? slashes + 2 : url;
    struct str before = {authority, strcspn(authority, "/?#")};
    const char *at = memrchr(authority, '@', before.len);
    if (at)
        return (struct str){authority, (size_t)(at - authority)};
    bool is_url = slashes > url && slashes[-1] == ':' && slashes < last &&
                  is_scheme((struct str){url, (size_t)(slashes - 1 - url)});
    if (is_url && is_host_and_port(before))
        return STR_NONE; /* the "@" is a part of the path or the query */
    return (struct str){authority, (size_t)(last - authority)};
}

struct str url_trim(struct str url)
{
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    return url;
}

/* ---- templates ------------------------------------------------------------------------------ */

static bool is_param_name(struct str s)
{
    return s.len && s.len <= 64 && has_only(s, ALPHA DIGIT "_") && !strchr(DIGIT, s.ptr[0]);
}

static size_t index_of(struct str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}

static struct str skip(struct str s, size_t n)
{
    return (struct str){s.ptr + n, s.len - n};
}

bool url_template_next(struct str *rest, struct str *literal, struct str *name)
{
    size_t open = index_of(*rest, '{');
    struct str before = {rest->ptr, open};
    if (index_of(before, '}') < open)
        return false;
    if (open == rest->len) {
        *literal = before;
        *name = STR_NONE;
        *rest = skip(*rest, open);
        return true;
    }
    struct str behind = skip(*rest, open + 1);
    size_t close = index_of(behind, '}');
    struct str inside = {behind.ptr, close};
    if (close == behind.len || !is_param_name(inside))
        return false;
    *literal = before;
    *name = inside;
    *rest = skip(behind, close + 1);
    return true;
}

/* What every template has in common. *has_id: "{id}" is in it. */
static enum rc check_template(struct str text, bool *has_id, struct err *e)
{
    if (url_has_dot_segment(text))
        return err_set(e, RC_SYNTAX, "must have no . or .. as a path segment");
    *has_id = false;
    struct str rest = text;
    while (rest.len) {
        struct str literal, name;
        if (!url_template_next(&rest, &literal, &name))
            return err_set(e, RC_SYNTAX,
                           "braces must be in pairs and enclose a name, such as {id}");
        if (!has_only(literal, PATH_AND_QUERY))
            return err_set(e, RC_SYNTAX,
                           "contains a character that is not allowed in the path and "
                           "query of a URL");
        *has_id |= str_eq_c(name, "id");
    }
    return RC_OK;
}

enum rc url_template_check(struct str text, struct err *e)
{
    bool has_id = false;
    if (text.len == 0 || text.ptr[0] != '/')
        return err_set(e, RC_SYNTAX, "must begin with a slash");
    enum rc rc = check_template(text, &has_id, e);
    if (rc == RC_OK && !has_id)
        return err_set(e, RC_SYNTAX, "must contain {id} for the lead's ID");
    return rc;
}

enum rc url_list_template_check(struct str text, struct err *e)
{
    bool has_id = false;
    if (text.len == 0)
        return err_set(e, RC_SYNTAX, "must not be empty");
    enum rc rc = check_template(text, &has_id, e);
    if (rc == RC_OK && has_id)
        return err_set(e, RC_SYNTAX, "must not contain {id}: it is the URL of many leads");
    return rc;
}

struct str url_origin(struct str url)
{
    const char *slashes = url.len ? memmem(url.ptr, url.len, "://", 3) : NULL;
    size_t at = slashes ? (size_t)(slashes - url.ptr) + 3 : 0;
    while (at < url.len && !strchr("/?#", url.ptr[at]))
        at++;
    return (struct str){url.ptr, at};
}

/* Same scheme, host and port? An absent port is that of the scheme. */
static bool is_same_origin(CURLU *a, CURLU *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    bool same = true;
    for (size_t i = 0; same && i < sizeof parts / sizeof *parts; i++) {
        char *x = NULL, *y = NULL;
        same = curl_url_get(a, parts[i], &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
               curl_url_get(b, parts[i], &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
               strcasecmp(x, y) == 0;
        curl_free(x);
        curl_free(y);
    }
    return same;
}

static enum rc resolve(CURLU *from, CURLU *to, const char *base, const char *reference,
                       struct buf *out, struct err *e)
{
    char *text = NULL;
    CURLUcode code = curl_url_set(from, CURLUPART_URL, base, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(to, CURLUPART_URL, base, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(to, CURLUPART_URL, reference, CURLU_DISALLOW_USER);
    if (code == CURLUE_OK)
        code = curl_url_set(to, CURLUPART_FRAGMENT, NULL, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        return err_nomem(e);
    if (code)
        return err_set(e, RC_SYNTAX, "is not a valid URL (%s)", curl_url_strerror(code));
    if (!is_same_origin(from, to))
        return err_set(e, RC_SYNTAX, "is on another server, which must not get the key");
    if (curl_url_get(to, CURLUPART_URL, &text, 0) != CURLUE_OK)
        return err_nomem(e);
    buf_adds(out, text);
    curl_free(text);
    return buf_rc(out) == RC_OK ? RC_OK
                                : err_set(e, buf_rc(out), "the URL: %s", rc_text(buf_rc(out)));
}

enum rc url_resolve(const char *base, struct str reference, struct buf *out, struct err *e)
{
    struct buf copy;
    if (!reference.len || !has_only(reference, PATH_AND_QUERY "[]#"))
        return err_set(e, RC_SYNTAX, "contains a character that is not allowed in a URL");
    buf_init(&copy, reference.len + 1);
    buf_add_str(&copy, reference);
    CURLU *from = curl_url(), *to = curl_url();
    enum rc rc = buf_rc(&copy) == RC_OK && from && to
                     ? resolve(from, to, base, buf_cstr(&copy), out, e)
                     : err_nomem(e);
    curl_url_cleanup(from);
    curl_url_cleanup(to);
    buf_free(&copy);
    return rc;
}

void url_encode(struct buf *b, struct str value)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c != '\0' && strchr(UNRESERVED, c)) {
            buf_addc(b, c);
            continue;
        }
        unsigned char byte = (unsigned char)c;
        const char escape[] = {'%', hex[byte >> 4], hex[byte & 15]};
        buf_add(b, escape, sizeof escape);
    }
}

bool url_has_dot_segment(struct str path_and_query)
{
    struct str rest = {path_and_query.ptr, index_of(path_and_query, '?')};
    while (rest.len) {
        size_t n = index_of(rest, '/');
        struct str segment = {rest.ptr, n};
        if (str_eq_c(segment, ".") || str_eq_c(segment, ".."))
            return true;
        rest = skip(rest, n < rest.len ? n + 1 : n);
    }
    return false;
}
