/* Headers: those of every request of an engine, and those that are fresh on every try. */
#include "core/base/http_field.h"
#include "core/http/http_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ENCODINGS_BYTES 64

static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *s = list; s; s = s->next)
        explicit_bzero(s->data, strlen(s->data));
    curl_slist_free_all(list);
}

void http_headers_free(struct http_engine *h)
{
    free_headers(h->headers);
    free_headers(h->proxy_headers);
    h->headers = h->proxy_headers = NULL;
}

static enum rc add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return RC_NOMEM;
    *list = longer;
    return RC_OK;
}

/* A line end in a value would be another header, a colon in a name another value. */
static bool is_safe(const struct http_header *header)
{
    if (!http_field_is_name(header->name))
        return false;
    for (const char *p = header->value; *p; p++) {
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    }
    return true;
}

/* libcurl's way of writing a header without a value differs. */
static enum rc add_named(struct curl_slist **list, const char *name, const char *value,
                         struct err *e)
{
    struct buf line;
    buf_init(&line, HTTP_LINES_BYTES_MAX);
    buf_addf(&line, value[0] ? "%s: %s" : "%s;%s", name, value);
    const char *text = buf_cstr(&line);
    enum rc rc = buf_rc(&line) == RC_OK ? add_header(list, text) : buf_rc(&line);
    if (line.data)
        explicit_bzero(line.data, line.cap);
    buf_free(&line);
    return rc == RC_OK ? RC_OK : err_set(e, rc, "header \"%s\": %s", name, rc_text(rc));
}

static bool has_header(const struct http_header *headers, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(headers[i].name, name) == 0)
            return true;
    }
    return false;
}

/* What this libcurl can decode. */
static void encodings_text(char out[ENCODINGS_BYTES])
{
    static const struct {
        int feature;
        const char *names;
    } known[] = {{CURL_VERSION_LIBZ, "deflate, gzip"},
                 {CURL_VERSION_BROTLI, "br"},
                 {CURL_VERSION_ZSTD, "zstd"}};
    int features = curl_version_info(CURLVERSION_NOW)->features;
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (features & known[i].feature)
            len += (size_t)snprintf(out + len, ENCODINGS_BYTES - len, "%s%s", len ? ", " : "",
                                    known[i].names);
    }
}

/* Those of every request of ours. Of its own options libcurl would write them anew each time, twice
 * and a character at a time: a twentieth of what is done for a small lead on this thread. */
static enum rc add_own_headers(struct http_engine *h, const struct http_header *headers, size_t n,
                               struct err *e)
{
    char encodings[ENCODINGS_BYTES];
    encodings_text(encodings);
    enum rc rc = RC_OK;
    if (h->cfg.user_agent)
        rc = add_named(&h->proxy_headers, "User-Agent", h->cfg.user_agent, e);
    if (rc == RC_OK && h->cfg.user_agent && !has_header(headers, n, "User-Agent"))
        rc = add_named(&h->headers, "User-Agent", h->cfg.user_agent, e);
    if (rc == RC_OK && encodings[0] && !has_header(headers, n, "Accept-Encoding"))
        rc = add_named(&h->headers, "Accept-Encoding", encodings, e);
    /* libcurl would wait a second for a "100 Continue" before a larger body */
    if (rc == RC_OK && add_header(&h->headers, "Expect:") != RC_OK)
        rc = err_nomem(e);
    return rc;
}

enum rc http_headers_open(struct http_engine *h, const struct http_header *headers, size_t n,
                          struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const char *why;
        if (http_field_owner(headers[i].name, &why) == HTTP_FIELD_ENGINE)
            return err_set(e, RC_USAGE, "header \"%s\": %s", headers[i].name, why);
        if (!is_safe(&headers[i]))
            return err_set(
                e, RC_USAGE,
                "header \"%s\": the name is not a token, or the value contains a control "
                "character",
                headers[i].name);
        enum rc rc = add_named(&h->headers, headers[i].name, headers[i].value, e);
        if (rc != RC_OK)
            return rc;
    }
    h->has_type = has_header(headers, n, "Content-Type");
    return add_own_headers(h, headers, n, e);
}

/* ---- of one try ----------------------------------------------------------------------------- */

/* Has one of this try's lines the name of `line`, which ends with its first colon or semicolon? */
static bool has_line(const struct transfer *t, const char *line)
{
    size_t n = strcspn(line, ":;");
    const char *end = t->lines.data + t->lines.len;
    for (const char *p = t->lines.data; p < end; p += strlen(p) + 1) {
        if (strncasecmp(p, line, n) == 0 && (p[n] == ':' || p[n] == ';'))
            return true;
    }
    return false;
}

static void add_line(struct transfer *t, const char *line)
{
    buf_adds(&t->lines, line);
    buf_addc(&t->lines, '\0');
}

static enum rc add_request_headers(struct transfer *t)
{
    const struct http_request *r = t->r;
    for (size_t i = 0; i < r->n_headers; i++) {
        const struct http_header *header = &r->headers[i];
        if (!is_safe(header)) { /* not shown: a name that is none may be a secret */
            (void)snprintf(t->why, sizeof t->why, "one of its headers is malformed");
            return RC_SYNTAX;
        }
        if (http_field_owner(header->name, NULL) == HTTP_FIELD_ENGINE) {
            (void)snprintf(t->why, sizeof t->why, "its header %.40s is the HTTP engine's own",
                           header->name);
            return RC_SYNTAX;
        }
        buf_addf(&t->lines, header->value[0] ? "%s: %s" : "%s;%s", header->name, header->value);
        buf_addc(&t->lines, '\0');
    }
    return buf_rc(&t->lines);
}

/* A list of the lines in t->lines, with those of the engine's headers behind them that they do not take
 * the place of. */
static enum rc chain_lines(struct transfer *t)
{
    size_t n = 0;
    char *end = t->lines.data + t->lines.len;
    for (const char *p = t->lines.data; p < end; p += strlen(p) + 1)
        n++;
    for (const struct curl_slist *s = t->h->headers; s; s = s->next)
        n++;
    if (n > t->n_nodes) {
        struct curl_slist *nodes = realloc(t->nodes, n * sizeof *nodes);
        if (!nodes)
            return RC_NOMEM;
        t->nodes = nodes;
        t->n_nodes = n;
    }
    n = 0;
    for (char *p = t->lines.data; p < end; p += strlen(p) + 1)
        t->nodes[n++].data = p;
    for (const struct curl_slist *s = t->h->headers; s; s = s->next) {
        if (!has_line(t, s->data))
            t->nodes[n++].data = s->data;
    }
    for (size_t i = 0; i < n; i++)
        t->nodes[i].next = i + 1 < n ? &t->nodes[i + 1] : NULL;
    return RC_OK;
}

enum rc http_headers_make(struct transfer *t, struct curl_slist **out)
{
    struct http_engine *h = t->h;
    const struct http_request *r = t->r;
    bool needs_type = http_sends_body(r) && !h->has_type;
    *out = h->headers;
    if (!r->sign && !r->n_headers && !r->writer && !needs_type)
        return RC_OK;
    buf_clear(&t->lines);
    enum rc rc = add_request_headers(t);
    if (rc == RC_OK && r->sign)
        rc = r->sign(t->r, clock_wall_ms(h->cfg.clock), &t->lines);
    if (rc != RC_OK)
        return rc;
    if (t->lines.len && t->lines.data[t->lines.len - 1] != '\0')
        return RC_INTERNAL;
    if (needs_type && !has_line(t, "Content-Type:"))
        add_line(t, "Content-Type:"); /* libcurl would call it a form */
    if (r->writer && !has_line(t, "Accept-Encoding:"))
        add_line(t, "Accept-Encoding: gzip"); /* what the engine decodes itself */
    rc = buf_rc(&t->lines);
    if (rc != RC_OK || t->lines.len == 0)
        return rc;
    rc = chain_lines(t);
    if (rc == RC_OK)
        *out = t->nodes;
    return rc;
}

void http_unpack(struct http_engine *h)
{
    static const char name[] = "Accept-Encoding: ", only[] = "Accept-Encoding: gzip";
    h->unpacks = true;
    for (struct curl_slist *s = h->headers; s; s = s->next) {
        if (strncmp(s->data, name, sizeof name - 1) == 0 && strlen(s->data) >= sizeof only - 1)
            memcpy(s->data, only, sizeof only);
    }
}
