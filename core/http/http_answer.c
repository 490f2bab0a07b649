/* What the end of a transfer means. */
#include "core/http/http_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/http/http_failure.h"
#include "core/http/http_status.h"
#include "core/http/proxy.h"
#include "core/http/redirect.h"
#include "core/http/retry_after.h"

/* ---- texts ---------------------------------------------------------------------------------- */

const char *http_duration(int64_t us, char out[HTTP_DURATION_BYTES])
{
    int64_t ms = us / 1000;
    if (ms >= 7200000)
        (void)snprintf(out, HTTP_DURATION_BYTES, "%lldh%lldm", (long long)(ms / 3600000),
                       (long long)(ms / 60000 % 60));
    else if (ms >= 60000 && ms % 60000 < 1000)
        (void)snprintf(out, HTTP_DURATION_BYTES, "%lldm", (long long)(ms / 60000));
    else if (ms >= 60000)
        (void)snprintf(out, HTTP_DURATION_BYTES, "%lldm%llds", (long long)(ms / 60000),
                       (long long)(ms / 1000 % 60));
    else if (ms >= 10000 || (ms >= 1000 && ms % 1000 == 0))
        (void)snprintf(out, HTTP_DURATION_BYTES, "%llds", (long long)(ms / 1000));
    else if (ms >= 1000)
        (void)snprintf(out, HTTP_DURATION_BYTES, "%.1fs", (double)ms / 1000);
    else
        (void)snprintf(out, HTTP_DURATION_BYTES, "%lldms", (long long)ms);
    return out;
}

static void copy_printable(char *out, size_t size, const char *text)
{
    size_t i = 0;
    for (; text[i] && i + 1 < size; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    while (i && text[i] && ((unsigned char)text[i] & 0xc0) == 0x80)
        i--; /* cut: not within a character */
    out[i] = '\0';
}

void http_url_host(const char *url, char *out, size_t size)
{
    char *host = NULL;
    out[0] = '\0';
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        copy_printable(out, size, host);
    curl_free(host);
    curl_url_cleanup(u);
}

/* ---- an answer ------------------------------------------------------------------------------ */

/* The longest of those received; 0: none, or none says anything. */
static int64_t longest_retry_after(const struct transfer *t)
{
    int64_t longest_us = 0, us;
    bool understood = false;
    for (unsigned i = 0; i < t->n_retry_after; i++) {
        if (!retry_after_parse(str_c(t->retry_after[i]), str_c(t->date),
                               clock_wall_ms(t->h->cfg.clock), &us))
            continue;
        understood = true;
        longest_us = us > longest_us ? us : longest_us;
    }
    if (!understood && !t->h->retry_after_reported) {
        t->h->retry_after_reported = true;
        log_msg(t->h->cfg.log, LOG_LEVEL_WARN, t->h->cfg.subject,
                "HTTP %d with a Retry-After that is neither a delay nor a date; ignored (reported "
                "once)",
                t->status);
    }
    return longest_us;
}

static void read_retry_after(const struct transfer *t, struct http_try *y)
{
    bool has_field = t->n_retry_after > 0;
    y->is_limit = http_status_is_limit(y->status, has_field);
    if (has_field && http_status_may_hold(y->status))
        y->retry_after_us = longest_retry_after(t);
}

/* An https server's answer to what is no TLS, in the words of nginx, Apache, Go and Jetty. */
static bool wants_tls(const struct transfer *t)
{
    static const char *const words[] = {"HTTPS port", "HTTPS server", "SSL-enabled server port",
                                        "requires TLS"};
    const struct buf *body = &t->r->answer;
    if (t->status != 400 || strncasecmp(t->r->url, "http:", 5) != 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (body->len && memmem(body->data, body->len, words[i], strlen(words[i])))
            return true;
    }
    return false;
}

static void read_misfit(const struct transfer *t, struct http_try *y)
{
    const char *why = NULL;
    if (y->status == 407 && proxy_is_used(t->r->url, t->h->cfg.proxy))
        why = "the proxy requires a user and password, or rejects the ones given (407)";
    else if (wants_tls(t))
        why = "the server uses TLS on this port: use https://";
    if (!why)
        return;
    y->misfit = HTTP_MISFIT_CERTAIN;
    (void)snprintf(t->r->error, sizeof t->r->error, "%s", why);
}

static void read_charset(struct transfer *t)
{
    const char *type = NULL;
    (void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type); /* NULL where there is none */
    charset_declared(type, t->r->charset);
}

static void read_answer(struct transfer *t, struct http_try *y)
{
    y->status = t->status;
    t->r->status = y->status;
    if (buf_rc(&t->r->answer) != RC_OK)
        buf_clear(&t->r->answer); /* no memory for what would only have been shown */
    read_charset(t);
    read_retry_after(t, y);
    y->end = http_status_end(y->status, y->is_limit, y->retry_after_us);
    t->r->is_limit = y->is_limit;
    t->r->is_redirect = http_status_is_redirect(y->status, t->location[0] != '\0');
    if (t->r->is_redirect && t->location[0])
        redirect_describe(t->r->url, t->location, t->r->error, sizeof t->r->error);
    if (!t->success && t->h->origin.good_us == INT64_MIN)
        read_misfit(t, y);
    if (!y->is_too_large)
        return;
    t->r->code = "too_large";
    (void)snprintf(t->r->error, sizeof t->r->error, "the body is larger than %zu bytes",
                   t->max_bytes);
}

/* ---- no answer ------------------------------------------------------------------------------ */

/* Had the request been sent? */
static bool was_sent(const struct transfer *t)
{
    curl_off_t us = 0;
    return curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0;
}

static void read_failure(struct transfer *t, CURLcode result, struct http_try *y)
{
    struct http_request *r = t->r;
    struct http_failure_facts facts = {
        .result = buf_rc(&r->fields) == RC_LIMIT ? HTTP_HEAD_TOO_LARGE : result,
        .why = t->why,
        .status = t->status,
        .was_sent = was_sent(t),
        .has_begun = t->begun,
        .is_https = strncasecmp(r->url, "https:", 6) == 0,
        .body_refused = buf_rc(&r->answer) != RC_OK || buf_rc(&r->fields) == RC_NOMEM,
    };
    struct http_failure f;
    /* 0 where they do not apply */
    (void)curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &facts.verify_result);
    (void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &facts.connect_status);
    http_failure_read(&facts, &f);
    y->end = f.end;
    y->is_local = f.is_local;
    y->is_tls = f.is_tls;
    y->is_timeout = result == CURLE_OPERATION_TIMEDOUT;
    y->is_busy = f.is_busy;
    y->scheme_doubt = f.scheme_doubt;
    y->misfit = f.misfit;
    r->code = f.code;
    copy_printable(r->error, sizeof r->error, f.text);
    utf8_scrub(r->error);
    buf_clear(&r->answer);
}

bool http_head_decides(const struct transfer *t)
{
    bool is_enough = t->h->cfg.head_is_enough && !t->r->writer;
    return !t->is_untrusted && (t->status >= 300 || (t->status >= 200 && is_enough));
}

/* Was the connection the reason? */
static enum http_loss loss_of(const struct transfer *t, CURLcode result)
{
    bool is_http1 = t->group->kind == GROUP_HTTP1;
    if (t->is_refused && !was_sent(t))
        return LOSS_UNSENT;
    if (t->is_refused)
        return is_http1 ? LOSS_KEPT : LOSS_SHARED;
    if (t->is_untrusted)
        return LOSS_SHARED;
    if (result == CURLE_OPERATION_TIMEDOUT)
        return http_group_is_silent(t->group) ? LOSS_DEAD : LOSS_NONE;
    return t->group->kind == GROUP_HTTP2 && !http_group_is_open(t) ? LOSS_SHARED : LOSS_NONE;
}

/* Was there no connection, or was one made for this try that ended without a word? */
static bool is_new_connection(const struct transfer *t, const struct http_try *y)
{
    long connections = 0;
    if (y->is_local || y->is_tls || t->group->kind == GROUP_HTTP2)
        return false;
    if (y->end == TRY_UNREACHED)
        return strcmp(t->r->code, "dns") != 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connections); /* 0 where unknown */
    return y->end == TRY_SILENT && connections > 0 && !y->is_timeout && !t->begun;
}

/* What libcurl says is about its own second try, which was not allowed. */
static void describe_loss(struct transfer *t, struct http_try *y)
{
    struct http_request *r = t->r;
    y->end = TRY_SILENT;
    y->is_local = false;
    r->code = y->loss == LOSS_DEAD ? "timeout" : "closed";
    if (y->loss != LOSS_DEAD)
        (void)snprintf(r->error, sizeof r->error, "%s",
                       t->is_untrusted ? "an HTTP/1.1 response on an HTTP/2 connection"
                                       : "the server closed the connection without a response");
}

/* Is there an answer, though not the whole of it may have come? Not without fields that are wanted: who
 * asks for one would take it for absent. */
static bool is_answered(const struct transfer *t, CURLcode result)
{
    if (buf_rc(&t->r->fields) != RC_OK)
        return false;
    return t->too_large || t->no_room || t->not_written || http_head_decides(t) ||
           (result == CURLE_OK && t->status >= 200);
}

/* libcurl takes one member of gzip (RFC 1952 has any number), and calls what follows a failed write.
 * A server that sends it once will do so again. */
static CURLcode read_unpacking(struct transfer *t, CURLcode result, bool *is_news)
{
    bool is_decoding = result == CURLE_WRITE_ERROR && t->begun && t->encoded &&
                       buf_rc(&t->r->answer) == RC_OK && !t->too_large && !t->no_room &&
                       !t->not_written;
    if (is_decoding && t->is_unpacking) {
        (void)snprintf(t->why, sizeof t->why, "the body does not match its Content-Encoding");
        return CURLE_BAD_CONTENT_ENCODING;
    }
    *is_news = is_decoding && t->is_gzip && !http_head_decides(t);
    if (*is_news && !t->h->unpacks) {
        log_msg(t->h->cfg.log, LOG_LEVEL_DEBUG, t->h->cfg.subject,
                "gzip with several members: requested once more, to be decoded differently");
        http_unpack(t->h);
    }
    if (result == CURLE_OK && !http_body_is_whole(t)) {
        (void)snprintf(t->why, sizeof t->why, "the compressed body is truncated");
        return CURLE_BAD_CONTENT_ENCODING;
    }
    return result;
}

void http_answer_read(struct transfer *t, CURLcode result, struct http_try *out)
{
    curl_off_t total_us = 0, sent_us = 0;
    *out = (struct http_try){
        .is_too_large = t->too_large, .is_no_room = t->no_room, .is_not_written = t->not_written};
    bool is_news = false;
    result = read_unpacking(t, result, &is_news);
    if (is_answered(t, result))
        read_answer(t, out);
    else
        read_failure(t, result, out);
    if (out->status == 0)
        out->loss = loss_of(t, result);
    if (out->loss != LOSS_NONE)
        describe_loss(t, out);
    else if (out->status == 0)
        out->is_new_connection = is_new_connection(t, out);
    if (is_news) { /* the other way of decoding is tried, at nobody's cost */
        out->is_uncounted = true;
        out->end = TRY_ABORTED;
    }
    (void)curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    (void)curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    out->latency_us = total_us > sent_us ? total_us - sent_us : 0;
}
