/* Easy handles: their options, the start of a try. */
#include "core/http/http_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* libcurl keeps a buffer a request in flight: of the larger size, as long as all together are not
 * more than the last. */
#define BUFFER_BYTES_MIN 4096
#define BUFFER_BYTES_MAX 32768
#define BUFFERS_BYTES_MAX (8 << 20)
/* Of a probe: one that is sent into the void must not outlast the time until the next one. */
#define PROBE_CONNECT_MS 5000
/* Of a connection that is silent: when the system asks whether the other side is still there. */
#define KEEPALIVE_S 15

/* ---- sending -------------------------------------------------------------------------------- */

#if LIBCURL_VERSION_NUM >= 0x075000
/* The request is about to be sent. Where a connection that was used before turns out to be closed,
 * libcurl would send it again unnoticed, and that up to five times. */
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
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, http_receive_header);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, http_receive_body);
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

CURLcode http_give_up_names(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075700
    return curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)c;
    return CURLE_OK;
#endif
}

/* What is the same for every request. Redirects are not followed, for they would carry the key to
 * another host; TLS verification is left on. */
static CURLcode set_options(struct transfer *t)
{
    CURL *c = t->easy;
    const struct http_engine_cfg *cfg = &t->h->cfg;
    CURLcode rc = set_protocols(c);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : http_give_up_names(c);
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

bool http_sends_body(const struct http_request *r)
{
    return r->body.len || r->method == HTTP_POST || r->method == HTTP_PUT ||
           r->method == HTTP_PATCH;
}

/* libcurl knows requests with a body (POST), without one (GET), and those whose answer has none (HEAD);
 * other methods are one of these by another name. */
static CURLcode switch_method(CURL *c, enum http_method method, bool sends_body)
{
    static const char *const names[] = {
        [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE"};
    CURLcode rc = curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, names[method]);
    CURLoption kind = method == HTTP_HEAD ? CURLOPT_NOBODY
                      : sends_body        ? CURLOPT_POST
                                          : CURLOPT_HTTPGET;
    return rc ? rc : curl_easy_setopt(c, kind, 1L);
}

static CURLcode set_method(struct transfer *t)
{
    CURL *c = t->easy;
    const struct http_request *r = t->r;
    bool sends_body = http_sends_body(r);
    CURLcode rc = CURLE_OK;
    if (r->method != t->method || sends_body != t->sends_body)
        rc = switch_method(c, r->method, sends_body);
    t->method = r->method;
    t->sends_body = sends_body;
    if (!sends_body)
        return rc;
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
    bool unpacks = t->h->unpacks || t->r->writer;
    if (t->is_unpacking == unpacks)
        return CURLE_OK;
    t->is_unpacking = unpacks;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, unpacks ? NULL : "");
    return rc ? rc
              : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION,
                                 unpacks ? http_receive_packed : http_receive_body);
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

static enum rc reset_try(struct transfer *t)
{
    t->sends = 0;
    t->is_refused = t->is_untrusted = false;
    t->started_us = t->h->now_us;
    return http_receive_reset(t);
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

/* RC_OK, or why the request cannot be made: where t->why is empty the result says it. */
static enum rc make_headers(struct transfer *t, struct curl_slist **out)
{
    const struct http_request *r = t->r;
    if (!t->group)
        return RC_NOMEM;
    if (r->body.len && (r->method == HTTP_GET || r->method == HTTP_HEAD)) {
        (void)snprintf(t->why, sizeof t->why, "GET and HEAD have no body");
        return RC_USAGE;
    }
    return http_headers_make(t, out);
}

void http_transfer_start(struct http_engine *h, struct http_request *r)
{
    struct transfer *t = take_from_pool(h);
    if (!t) {
        refuse(h, r, rc_text(RC_NOMEM));
        return;
    }
    t->r = r;
    if (reset_try(t) != RC_OK) {
        put_into_pool(t);
        http_request_end(h, r, HTTP_NOT_WRITTEN);
        return;
    }
    t->group = http_group_choose(h, r);
    struct curl_slist *headers = NULL;
    enum rc rc = make_headers(t, &headers);
    CURLcode easy = rc == RC_OK ? set_request(t, headers) : CURLE_OK;
    CURLMcode multi = CURLM_OK;
    if (rc == RC_OK && easy == CURLE_OK)
        multi = curl_multi_add_handle(t->group->multi, t->easy);
    if (rc != RC_OK || easy != CURLE_OK || multi != CURLM_OK) {
        refuse(h, r,
               rc != RC_OK        ? (t->why[0] ? t->why : rc_text(rc))
               : easy != CURLE_OK ? curl_easy_strerror(easy)
                                  : curl_multi_strerror(multi));
        if (easy != CURLE_OK)
            free_transfer(t); /* some of the options are those of another request now */
        else
            put_into_pool(t);
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
