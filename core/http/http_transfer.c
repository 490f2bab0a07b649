/* Easy handles: their options, the start of a try, the bytes of its answer. */
#include "core/http/http_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* libcurl keeps a buffer a request in flight: of the larger size, as long as all together are not
 * more than the last. */
#define BUFFER_BYTES_MIN 4096
#define BUFFER_BYTES_MAX 32768
#define BUFFERS_BYTES_MAX (8 << 20)
#define AHEAD_BYTES_MAX ((size_t)1 << 20) /* reserved on the word of a Content-Length */
#define UNPACK_BYTES 16384
/* Of a probe: one that is sent into the void must not outlast the time until the next one. */
#define PROBE_CONNECT_MS 5000
/* Of a connection that is silent: when the system asks whether the other side is still there. */
#define KEEPALIVE_S 15

/* ---- the answer ----------------------------------------------------------------------------- */

static void begin_answer(struct transfer *t)
{
    t->begun = t->success = t->encoded = t->is_gzip = false;
    t->status = 0;
    t->n_retry_after = 0;
    t->date[0] = t->location[0] = '\0';
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

static int64_t announced_bytes(const struct transfer *t)
{
    curl_off_t n = -1;
    if (t->encoded || curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n))
        return -1;
    return n;
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
    const struct http_engine_cfg *cfg = &t->h->cfg;
    if (t->status < 200)
        return true;
    t->begun = true;
    t->success = t->status / 100 == 2;
    if (http_head_decides(t))
        http_settle_begin(t);
    if (t->is_unpacking && t->is_gzip && gunzip_begin(&t->gunzip) != RC_OK)
        return false;
    t->max_bytes = t->success ? cfg->max_body : cfg->max_error_body;
    struct buf *answer = &t->r->answer;
    answer->max = t->max_bytes + 1; /* for the owner's NUL */
    int64_t n = announced_bytes(t);
    if (n <= 0)
        return true;
    if (t->success && (uint64_t)n > t->max_bytes) {
        t->too_large = true;
        return false;
    }
    size_t ahead = (uint64_t)n < t->max_bytes ? (size_t)n : t->max_bytes;
    ahead = ahead < AHEAD_BYTES_MAX ? ahead : AHEAD_BYTES_MAX;
    if (!has_room(t, ahead))
        return !(t->no_room = t->success);
    return buf_reserve(answer, ahead) != NULL;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct str line = {p, size * n};
    if (t->begun)
        return line.len; /* of a trailer, which decides nothing, whatever it looks like */
    if (is_status_line(line)) {
        t->is_untrusted = !http_group_saw_version(t->group, p[5]);
        if (t->is_untrusted)
            return 0;
        begin_answer(t); /* also after a 1xx */
        t->status = status_of(line);
    } else if (line.len <= 2) {
        return begin_body(t) ? line.len : 0;
    } else {
        read_field(t, line);
    }
    return line.len;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct buf *answer = &t->r->answer;
    size_t bytes = size * n;
    size_t room = t->max_bytes - answer->len;
    if (!t->begun)
        return 0; /* a body without a status cannot be */
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
static size_t on_packed_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct str in = {p, size * n};
    char out[UNPACK_BYTES];
    size_t made;
    if (!t->begun || !t->encoded)
        return on_body(p, size, n, arg);
    do {
        enum rc rc = t->is_gzip ? gunzip_some(&t->gunzip, &in, out, sizeof out, &made) : RC_SYNTAX;
        if (rc != RC_OK)
            return 0;
        if (made && on_body(out, 1, made, arg) != made)
            return 0;
    } while (in.len || made == sizeof out);
    return size * n;
}

/* Whether a body that has come to its end is all of it. */
bool http_body_is_whole(const struct transfer *t)
{
    return !t->is_unpacking || !t->is_gzip || !t->success || t->gunzip.is_whole;
}

/* ---- sending -------------------------------------------------------------------------------- */

#if LIBCURL_VERSION_NUM >= 0x075000
/* The request is about to be sent. Where a connection that was used before turns out to be closed,
 * libcurl would send it again without telling, and that up to five times. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static int on_send(void *transfer, char *peer, char *own, int peer_port, int own_port)
{
    (void)peer, (void)own, (void)peer_port, (void)own_port;
    struct transfer *t = transfer;
    if (t->sends == 0 || (t->sends == 1 && !t->begun && http_group_may_resend(t->group))) {
        t->sends++;
        return CURL_PREREQFUNC_OK;
    }
    t->is_refused = true;
    return CURL_PREREQFUNC_ABORT;
}
#endif

/* ---- easy handles --------------------------------------------------------------------------- */

static CURLcode set_protocols(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static CURLcode set_callbacks(struct transfer *t)
{
    CURL *c = t->easy;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->why);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, http_loop_open_socket);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, http_loop_close_socket);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, t->h);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SHARE, t->h->share);
#if LIBCURL_VERSION_NUM >= 0x075000
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_send);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
#endif
    return rc;
}

static long buffer_bytes(const struct http_engine *h)
{
    long bytes = BUFFERS_BYTES_MAX / (long)h->limiter.max;
    return bytes < BUFFER_BYTES_MIN   ? BUFFER_BYTES_MIN
           : bytes > BUFFER_BYTES_MAX ? BUFFER_BYTES_MAX
                                      : bytes;
}

/* What is the same for every request. Redirects are not followed, for they would carry the key to
 * another host; TLS verification is left on. */
static CURLcode set_options(struct transfer *t)
{
    CURL *c = t->easy;
    const struct http_engine_cfg *cfg = &t->h->cfg;
    CURLcode rc = set_protocols(c);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    rc = rc ? rc
            : curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, ""); /* decodes; see add_own_headers() */
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_BUFFERSIZE, buffer_bytes(t->h));
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)cfg->retry.timeout_ms);
    if (cfg->cacert)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CAINFO, cfg->cacert);
    if (cfg->proxy)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROXY, cfg->proxy);
    return rc;
}

/* The connection that may be used; see http_group.c. */
static CURLcode set_connection(struct transfer *t, bool http1, bool fresh, bool alone)
{
    CURL *c = t->easy;
    CURLcode rc = CURLE_OK;
    if (http1 != t->is_http1) /* a libcurl without HTTP/2 refuses to offer it: HTTP/1.1 it is */
        (void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
                               (long)(http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    if (fresh != t->is_fresh)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    if (alone != t->is_alone)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_FORBID_REUSE, alone ? 1L : 0L);
    t->is_http1 = http1;
    t->is_fresh = fresh;
    t->is_alone = alone;
    return rc;
}

/* The connect time-out, shorter for a probe. */
static CURLcode set_connect_timeout(struct transfer *t, bool quick)
{
    int64_t ms = t->h->cfg.retry.connect_timeout_ms;
    if (quick && ms > PROBE_CONNECT_MS)
        ms = PROBE_CONNECT_MS;
    t->is_quick = quick;
    return curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ms);
}

static void free_transfer(struct transfer *t)
{
    if (t->easy)
        curl_easy_cleanup(t->easy);
    gunzip_free(&t->gunzip);
    if (t->lines.data)
        explicit_bzero(t->lines.data, t->lines.cap);
    buf_free(&t->lines);
    free(t->nodes);
    free(t);
}

static struct transfer *new_transfer(struct http_engine *h)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->h = h;
    buf_init(&t->lines, HTTP_LINES_BYTES_MAX);
    t->easy = curl_easy_init();
    t->is_http1 = true; /* as set_connection() leaves it */
    if (t->easy && set_callbacks(t) == CURLE_OK && set_options(t) == CURLE_OK &&
        set_connect_timeout(t, false) == CURLE_OK &&
        set_connection(t, false, false, false) == CURLE_OK)
        return t;
    free_transfer(t);
    return NULL;
}

void http_transfers_free(struct http_engine *h)
{
    while (h->active) {
        struct transfer *t = h->active;
        h->active = t->next;
        (void)curl_multi_remove_handle(t->group->multi, t->easy); /* fails for a wrong one only */
        free_transfer(t);
    }
    while (h->pool) {
        struct transfer *t = h->pool;
        h->pool = t->next;
        free_transfer(t);
    }
    http_headers_free(h);
    h->in_flight = 0;
}

/* ---- a try ---------------------------------------------------------------------------------- */

static CURLcode set_method(struct transfer *t)
{
    CURL *c = t->easy;
    const struct http_request *r = t->r;
    bool is_post = strcmp(r->method, "POST") == 0;
    CURLcode rc = CURLE_OK;
    if (!is_post && t->is_post)
        rc = curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    t->is_post = is_post;
    if (!is_post)
        return rc;
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_POST, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    return rc ? rc : curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.len ? r->body.ptr : "");
}

/* Before 7.80.0 libcurl cannot be kept from sending a request again when a kept connection turns out
 * to be closed: there only a first try may use one. */
static bool needs_new_connection(const struct transfer *t)
{
    const struct http_request *r = t->r;
    bool is_blind = LIBCURL_VERSION_NUM < 0x075000 && r->attempts > 0 && !r->tries.kept;
    return origin_is_down(&t->h->origin) || r->tries.fresh || r->tries.alone || is_blind;
}

/* Who decodes bodies. */
static CURLcode set_unpacking(struct transfer *t)
{
    CURL *c = t->easy;
    if (t->is_unpacking == t->h->unpacks)
        return CURLE_OK;
    t->is_unpacking = t->h->unpacks;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, NULL);
    return rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_packed_body);
}

/* What differs from request to request. */
static CURLcode set_request(struct transfer *t, struct curl_slist *headers)
{
    CURL *c = t->easy;
    bool is_tls = strncasecmp(t->r->url, "https:", 6) == 0;
    bool is_probe = origin_is_down(&t->h->origin);
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, t->r->url);
    rc = rc ? rc
            : set_connection(t, t->group->kind == GROUP_HTTP1, needs_new_connection(t),
                             t->r->tries.alone);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    /* a proxy that is asked without a CONNECT gets both lists */
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROXYHEADER, is_tls ? t->h->proxy_headers : NULL);
    rc = rc ? rc : set_method(t);
    rc = rc ? rc : set_unpacking(t);
    if (is_probe != t->is_quick)
        rc = rc ? rc : set_connect_timeout(t, is_probe);
    return rc;
}

static void reset_answer(struct transfer *t)
{
    struct http_request *r = t->r;
    begin_answer(t);
    t->too_large = false;
    t->no_room = false;
    t->settling = false;
    t->dropped_bytes = 0;
    t->max_bytes = 0;
    t->sends = 0;
    t->is_refused = t->is_untrusted = false;
    t->started_us = t->h->now_us;
    t->why[0] = '\0';
    buf_clear(&r->answer);
    r->answer.max = t->h->cfg.max_body + 1;
    r->is_limit = r->is_redirect = false;
    r->code = NULL;
    r->error[0] = '\0';
}

static void put_into_flight(struct transfer *t)
{
    struct http_engine *h = t->h;
    t->prev = NULL;
    t->next = h->active;
    if (h->active)
        h->active->prev = t;
    h->active = t;
    h->in_flight++;
    t->group->in_flight++;
}

static void put_into_pool(struct transfer *t)
{
    t->r = NULL;
    t->group = NULL;
    t->next = t->h->pool;
    t->h->pool = t;
}

static struct transfer *take_from_pool(struct http_engine *h)
{
    struct transfer *t = h->pool;
    if (!t)
        return new_transfer(h);
    h->pool = t->next;
    return t;
}

static void count_start(struct http_engine *h, struct http_request *r)
{
    if (r->attempts++ == 0) {
        r->tries.first_us = h->now_us;
        r->tries.held_us = origin_held_us(&h->origin, h->now_us);
    } else {
        figure_add(&h->meter.retries, 1);
    }
    figure_add(&h->meter.requests, 1);
    origin_started(&h->origin, &r->tries.client);
    rate_take(&h->rate, h->now_us);
}

void http_transfer_undo(struct http_engine *h, struct http_request *r)
{
    if (--r->attempts)
        figure_sub(&h->meter.retries, 1);
    figure_sub(&h->meter.requests, 1);
    (void)origin_ended(&h->origin, &r->tries.client, TRY_ABORTED, 0, h->now_us);
}

/* The request cannot be made, for reasons of our own. */
static void refuse(struct http_engine *h, struct http_request *r, const char *why)
{
    r->code = "request";
    (void)snprintf(r->error, sizeof r->error, "the request cannot be prepared: %s", why);
    http_request_end(h, r, HTTP_NO_ANSWER);
}

void http_transfer_start(struct http_engine *h, struct http_request *r)
{
    struct transfer *t = take_from_pool(h);
    if (!t) {
        refuse(h, r, rc_text(RC_NOMEM));
        return;
    }
    t->r = r;
    t->group = http_group_choose(h, r);
    reset_answer(t);
    struct curl_slist *headers;
    enum rc rc = t->group ? http_headers_make(t, &headers) : RC_NOMEM;
    CURLcode easy = rc == RC_OK ? set_request(t, headers) : CURLE_OK;
    CURLMcode multi = CURLM_OK;
    if (rc == RC_OK && easy == CURLE_OK)
        multi = curl_multi_add_handle(t->group->multi, t->easy);
    if (rc != RC_OK || easy != CURLE_OK || multi != CURLM_OK) {
        put_into_pool(t);
        refuse(h, r,
               rc != RC_OK        ? rc_text(rc)
               : easy != CURLE_OK ? curl_easy_strerror(easy)
                                  : curl_multi_strerror(multi));
        return;
    }
    put_into_flight(t);
    count_start(h, r);
}

void http_transfer_release(struct transfer *t)
{
    struct http_engine *h = t->h;
    http_settle_end(t);
    (void)curl_multi_remove_handle(t->group->multi, t->easy); /* only fails for a wrong handle */
    t->group->in_flight--;
    if (t->prev)
        t->prev->next = t->next;
    else
        h->active = t->next;
    if (t->next)
        t->next->prev = t->prev;
    h->in_flight--;
    put_into_pool(t);
}

void http_transfers_abort(struct http_engine *h)
{
    while (h->active) {
        struct http_request *r = h->active->r;
        if (h->active->settling) { /* what was delivered must not be taken for pending */
            http_retry_decide(h, h->active, CURLE_OPERATION_TIMEDOUT);
            continue;
        }
        http_transfer_release(h->active);
        (void)origin_ended(&h->origin, &r->tries.client, TRY_ABORTED, 0, h->now_us);
        http_request_end(h, r, HTTP_ABORTED);
    }
}
