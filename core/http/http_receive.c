/* What libcurl hands over of an answer: its head, and the bytes of its body, which go into memory or to
 * the request's writer. */
#include "core/http/http_private.h"

#include <stdio.h>
#include <strings.h>

#define AHEAD_BYTES_MAX ((size_t)1 << 20) /* reserved on the word of a Content-Length */
#define UNPACK_BYTES 16384
#define FIELDS_BYTES_MAX 65536

/* ---- the head ------------------------------------------------------------------------------- */

static void begin_head(struct transfer *t)
{
    if (t->r->wanted)
        buf_clear(&t->r->fields);
    t->begun = t->success = t->encoded = t->is_gzip = t->is_declared_empty = false;
    t->status = 0;
    t->n_retry_after = 0;
    t->date[0] = t->location[0] = '\0';
}

static size_t max_body(const struct transfer *t)
{
    return t->r->max_body ? t->r->max_body : t->h->cfg.max_body;
}

static void note_writer(struct http_request *r, const struct err *e)
{
    r->code = "write";
    (void)snprintf(r->error, sizeof r->error, "%.*s", (int)sizeof r->error - 1, e->msg);
    utf8_scrub(r->error); /* it may have been cut within a character */
}

enum rc http_receive_reset(struct transfer *t)
{
    struct http_request *r = t->r;
    struct err e;
    begin_head(t);
    t->too_large = t->no_room = t->not_written = false;
    t->settling = false;
    t->dropped_bytes = 0;
    t->written_bytes = t->max_bytes = 0;
    t->why[0] = '\0';
    buf_clear(&r->answer);
    r->answer.max = max_body(t) < SIZE_MAX ? max_body(t) + 1 : SIZE_MAX;
    if (r->wanted)
        r->fields.max = FIELDS_BYTES_MAX;
    r->is_limit = r->is_redirect = false;
    r->code = NULL;
    r->error[0] = e.msg[0] = '\0';
    enum rc rc = r->writer ? r->writer->restart(r->writer->ctx, &e) : RC_OK;
    if (rc != RC_OK)
        note_writer(r, &e);
    return rc;
}

/* Not a field whose name looks like one ("HTTP/1.1: 404"). */
static bool is_status_line(struct str line)
{
    size_t n = 5;
    if (line.len <= n || memcmp(line.ptr, "HTTP/", n) != 0)
        return false;
    while (n < line.len && ((line.ptr[n] >= '0' && line.ptr[n] <= '9') || line.ptr[n] == '.'))
        n++;
    return n < line.len && line.ptr[n] == ' ';
}

/* "HTTP/1.1 404 Not Found", "HTTP/2 404": the number, or 0. */
static int status_of(struct str line)
{
    const char *blank = memchr(line.ptr, ' ', line.len);
    int status = 0;
    if (!blank)
        return 0;
    for (const char *p = blank + 1; p < line.ptr + line.len && *p >= '0' && *p <= '9'; p++) {
        status = status * 10 + (*p - '0');
        if (status > 999)
            return 0;
    }
    return status;
}

static bool is_field(struct str line, const char *name, struct str *value)
{
    size_t n = strlen(name);
    if (line.len <= n || line.ptr[n] != ':' || strncasecmp(line.ptr, name, n) != 0)
        return false;
    *value = (struct str){line.ptr + n + 1, line.len - n - 1};
    while (value->len && (value->ptr[0] == ' ' || value->ptr[0] == '\t'))
        *value = (struct str){value->ptr + 1, value->len - 1};
    while (value->len && strchr(" \t\r\n", value->ptr[value->len - 1]))
        value->len--;
    return true;
}

/* What is too long for any of the fields' forms is none of them. */
static void keep_field(char out[HTTP_FIELD_BYTES_MAX + 1], struct str value)
{
    size_t n = value.len <= HTTP_FIELD_BYTES_MAX ? value.len : 0;
    memcpy(out, value.ptr, n);
    out[n] = '\0';
}

static void keep_location(struct transfer *t, struct str value)
{
    size_t n = value.len <= HTTP_LOCATION_BYTES_MAX ? value.len : 0;
    memcpy(t->location, value.ptr, n);
    t->location[n] = '\0';
}

static void read_encoding(struct transfer *t, struct str value)
{
    t->encoded = value.len && !(value.len == 8 && !strncasecmp(value.ptr, "identity", 8));
    t->is_gzip = (value.len == 4 && !strncasecmp(value.ptr, "gzip", 4)) ||
                 (value.len == 6 && !strncasecmp(value.ptr, "x-gzip", 6));
}

/* The name as it is asked for, the value, with a NUL behind each: both, or nothing. False: they are too
 * long together. */
static bool keep_wanted(struct http_request *r, struct str line)
{
    struct str value;
    size_t before = r->fields.len;
    for (const char *const *name = r->wanted; *name; name++) {
        if (!is_field(line, *name, &value))
            continue;
        buf_add(&r->fields, *name, strlen(*name) + 1);
        buf_add(&r->fields, value.ptr,
                strnlen(value.ptr, value.len)); /* not every libcurl refuses a NUL */
        buf_addc(&r->fields, '\0');
        break;
    }
    if (buf_rc(&r->fields) == RC_OK)
        return true;
    r->fields.len = before;
    return false;
}

struct str http_field(const struct http_request *r, const char *name, unsigned nth)
{
    const char *end = r->fields.data + r->fields.len;
    for (const char *value, *p = r->fields.data; p < end; p = value + strlen(value) + 1) {
        value = p + strlen(p) + 1;
        if (strcasecmp(p, name) == 0 && nth-- == 0)
            return str_c(value);
    }
    return STR_NONE;
}

static void read_field(struct transfer *t, struct str line)
{
    struct str value;
    switch (line.ptr[0] | 0x20) {
    case 'c':
        if (is_field(line, "Content-Encoding", &value))
            read_encoding(t, value);
        break;
    case 'd':
        if (is_field(line, "Date", &value))
            keep_field(t->date, value);
        break;
    case 'r':
        if (is_field(line, "Retry-After", &value) && t->n_retry_after < HTTP_RETRY_AFTER_MAX)
            keep_field(t->retry_after[t->n_retry_after++], value);
        break;
    case 'l':
        if (t->status / 100 == 3 && is_field(line, "Location", &value))
            keep_location(t, value);
        break;
    default:
        break;
    }
}

/* ---- the body ------------------------------------------------------------------------------- */

/* As it is sent; -1: that is not known. */
static int64_t announced_bytes(const struct transfer *t)
{
    curl_off_t n = -1;
    return curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n) ? -1 : n;
}

/* The answer may have to grow for `bytes` more. */
static bool has_room(struct transfer *t, size_t bytes)
{
    struct http_request *r = t->r;
    size_t cap = buf_cap_for(&r->answer, r->answer.len + bytes);
    return !r->room || cap == 0 || r->room(t->h->cfg.ctx, r, cap);
}

/* The body is about to begin: how much of it may there be? */
static bool begin_body(struct transfer *t)
{
    if (t->status < 200)
        return true;
    t->begun = true;
    t->success = t->status / 100 == 2;
    if (http_head_decides(t))
        http_settle_begin(t);
    if (t->r->method == HTTP_HEAD || t->status == 204) { /* its fields are about a body elsewhere */
        t->encoded = t->is_gzip = false;
        return true;
    }
    if (t->is_unpacking && t->is_gzip && gunzip_begin(&t->gunzip) != RC_OK)
        return false;
    t->max_bytes = t->success ? max_body(t) : t->h->cfg.max_error_body;
    struct buf *answer = &t->r->answer;
    answer->max = t->max_bytes < SIZE_MAX ? t->max_bytes + 1 : SIZE_MAX; /* for the owner's NUL */
    int64_t n = announced_bytes(t);
    t->is_declared_empty = n == 0;
    if (n <= 0 || t->encoded)
        return true;
    if (t->success && (uint64_t)n > t->max_bytes) {
        t->too_large = true;
        return false;
    }
    if (t->success && t->r->writer)
        return true;
    size_t ahead = (uint64_t)n < t->max_bytes ? (size_t)n : t->max_bytes;
    ahead = ahead < AHEAD_BYTES_MAX ? ahead : AHEAD_BYTES_MAX;
    if (!has_room(t, ahead))
        return !(t->no_room = t->success);
    return buf_reserve(answer, ahead) != NULL;
}

size_t http_receive_header(char *p, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    struct str line = {p, size * n};
    if (t->begun)
        return line.len; /* of a trailer, which decides nothing, whatever it looks like */
    if (is_status_line(line)) {
        t->is_untrusted = !http_group_saw_version(t->group, p[5]);
        if (t->is_untrusted)
            return 0;
        begin_head(t); /* also after a 1xx */
        t->status = status_of(line);
    } else if (line.len <= 2) {
        return begin_body(t) ? line.len : 0;
    } else {
        read_field(t, line);
        if (t->r->wanted && !keep_wanted(t->r, line))
            return 0;
    }
    return line.len;
}

/* A success's body goes to the request's writer. */
static size_t write_on(struct transfer *t, const char *p, size_t bytes)
{
    const struct http_writer *w = t->r->writer;
    struct err e;
    t->too_large = bytes > t->max_bytes - t->written_bytes;
    if (bytes == 0 || t->too_large)
        return 0;
    t->written_bytes += bytes;
    e.msg[0] = '\0';
    t->not_written = w->write(w->ctx, (struct str){p, bytes}, &e) != RC_OK;
    if (t->not_written)
        note_writer(t->r, &e);
    return t->not_written ? 0 : bytes;
}

size_t http_receive_body(char *p, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    struct buf *answer = &t->r->answer;
    size_t bytes = size * n;
    size_t room = t->max_bytes - answer->len;
    if (!t->begun)
        return 0; /* a body without a status cannot be */
    if (t->success && t->r->writer)
        return write_on(t, p, bytes);
    size_t more = bytes < room ? bytes : room;
    bool is_cut = !t->success && t->dropped_bytes;
    if (is_cut || (more > answer->cap - answer->len && !has_room(t, more))) {
        t->no_room = t->success;
        t->dropped_bytes += bytes;
        if (t->success || t->dropped_bytes > t->h->cfg.max_body)
            return 0;
        return bytes; /* of an error the head is enough */
    }
    if (bytes <= room) {
        buf_add(answer, p, bytes);
        return buf_rc(answer) == RC_OK ? bytes : 0;
    }
    if (t->success) {
        t->too_large = true;
        return 0;
    }
    buf_add(answer, p, room);
    t->dropped_bytes += bytes - room;
    if (buf_rc(answer) != RC_OK || t->dropped_bytes > t->h->cfg.max_body)
        return 0; /* an error without end: the head has decided */
    return bytes;
}

/* As libcurl got it: where the engine unpacks. */
size_t http_receive_packed(char *p, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    struct str in = {p, size * n};
    char out[UNPACK_BYTES];
    size_t made;
    if (!t->begun || !t->encoded)
        return http_receive_body(p, size, n, transfer);
    do {
        enum rc rc = t->is_gzip ? gunzip_some(&t->gunzip, &in, out, sizeof out, &made) : RC_SYNTAX;
        if (rc != RC_OK)
            return 0;
        if (made && http_receive_body(out, 1, made, transfer) != made)
            return 0;
    } while (in.len || made == sizeof out);
    return size * n;
}

/* Whether a body that has come to its end is all of it. Compressed, an empty body has 20 bytes; many servers
 * send none, and say so. Without a length, a body of no bytes is one that was cut off. */
bool http_body_is_whole(const struct transfer *t)
{
    return !t->is_unpacking || !t->is_gzip || !t->success || t->is_declared_empty ||
           t->gunzip.is_whole;
}
