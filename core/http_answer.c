/* What the end of a transfer means. */
#include "http_private.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>

#include "retry_after.h"

enum cause {
    CAUSE_NETWORK,   /* worth another try */
    CAUSE_UNREACHED, /* the same, and there was no connection */
    CAUSE_TLS,
    CAUSE_LOCAL,
};

struct meaning {
    CURLcode result;
    const char *code;
    enum cause cause;
};

/* What is not listed is { "network", CAUSE_NETWORK }. */
static const struct meaning meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "dns", CAUSE_UNREACHED},
    {CURLE_COULDNT_RESOLVE_PROXY, "dns", CAUSE_UNREACHED},
    {CURLE_COULDNT_CONNECT, "connect", CAUSE_UNREACHED},
    {CURLE_SSL_CONNECT_ERROR, "connect", CAUSE_UNREACHED},
    {CURLE_PROXY, "proxy", CAUSE_UNREACHED},
    {CURLE_OPERATION_TIMEDOUT, "timeout", CAUSE_NETWORK},
    {CURLE_GOT_NOTHING, "closed", CAUSE_NETWORK},
    {CURLE_SEND_ERROR, "closed", CAUSE_NETWORK},
    {CURLE_RECV_ERROR, "closed", CAUSE_NETWORK},
    {CURLE_PARTIAL_FILE, "cut_short", CAUSE_NETWORK},
    {CURLE_BAD_CONTENT_ENCODING, "encoding", CAUSE_NETWORK},
    {CURLE_WRITE_ERROR, "encoding", CAUSE_NETWORK}, /* our own reasons are told apart */
    {CURLE_HTTP2, "protocol", CAUSE_NETWORK},
    {CURLE_HTTP2_STREAM, "protocol", CAUSE_NETWORK},
    {CURLE_WEIRD_SERVER_REPLY, "protocol", CAUSE_NETWORK},
    {CURLE_PEER_FAILED_VERIFICATION, "tls", CAUSE_TLS},
    {CURLE_SSL_CACERT_BADFILE, "tls", CAUSE_TLS},
    {CURLE_SSL_ISSUER_ERROR, "tls", CAUSE_TLS},
    {CURLE_SSL_CRL_BADFILE, "tls", CAUSE_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, "tls", CAUSE_TLS},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, "tls", CAUSE_TLS},
    {CURLE_SSL_CERTPROBLEM, "tls", CAUSE_TLS},
    {CURLE_URL_MALFORMAT, "url", CAUSE_LOCAL},
    {CURLE_UNSUPPORTED_PROTOCOL, "url", CAUSE_LOCAL},
    {CURLE_OUT_OF_MEMORY, "memory", CAUSE_LOCAL},
    {CURLE_FAILED_INIT, "request", CAUSE_LOCAL},
    {CURLE_NOT_BUILT_IN, "request", CAUSE_LOCAL},
    {CURLE_UNKNOWN_OPTION, "request", CAUSE_LOCAL},
    {CURLE_BAD_FUNCTION_ARGUMENT, "request", CAUSE_LOCAL},
    {CURLE_ABORTED_BY_CALLBACK, "request", CAUSE_LOCAL},
    {CURLE_INTERFACE_FAILED, "request", CAUSE_LOCAL},
    {CURLE_SSL_ENGINE_NOTFOUND, "request", CAUSE_LOCAL},
    {CURLE_SSL_CIPHER, "request", CAUSE_LOCAL},
};

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

bool http_status_retryable(int status)
{
    switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return status >= 520 && status <= 524;
    }
}

static enum try_end answer_end(int status, int64_t retry_after_us)
{
    if (status == 429)
        return TRY_BUSY;
    if (status == 503 && retry_after_us > 0)
        return TRY_HELD;
    if (status == 502 || status == 503 || status == 504 || (status >= 520 && status <= 524))
        return TRY_GATEWAY;
    return TRY_GOOD;
}

static void read_retry_after(const struct transfer *t, struct http_try *y)
{
    if (!t->retry_after[0] || (y->status != 429 && y->status != 503))
        return;
    (void)retry_after_parse(str_c(t->retry_after), str_c(t->date), clock_wall_ms(t->h->cfg.clock),
                            &y->retry_after_us);
}

static void read_redirect(struct transfer *t)
{
    const char *target = NULL;
    if (curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target) == CURLE_OK && target)
        http_url_host(target, t->r->error, sizeof t->r->error);
}

static void read_answer(struct transfer *t, struct http_try *y)
{
    y->status = t->status;
    t->r->status = y->status;
    if (buf_rc(&t->r->answer) != RC_OK)
        buf_clear(&t->r->answer); /* no memory for what would only have been shown */
    read_retry_after(t, y);
    y->end = answer_end(y->status, y->retry_after_us);
    if (y->status / 100 == 3)
        read_redirect(t);
    if (!y->is_too_large)
        return;
    t->r->code = "too_large";
    (void)snprintf(t->r->error, sizeof t->r->error, "the body is larger than %zu bytes",
                   t->h->cfg.max_body);
}

/* ---- no answer ------------------------------------------------------------------------------ */

static struct meaning meaning_of(CURLcode result)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].result == result)
            return meanings[i];
    }
    return (struct meaning){result, "network", CAUSE_NETWORK};
}

/* Had the request been sent? */
static bool was_sent(const struct transfer *t)
{
    curl_off_t us = 0;
    return curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0;
}

/* When a connection that had been closed is replaced within one transfer, what libcurl says is still
 * about the old one ("Broken pipe"), and does not tell what is wrong with the certificate. */
static const char *tls_text(const struct transfer *t, CURLcode result)
{
    long verdict = 0;
    if (strstr(t->why, "SSL") || strstr(t->why, "certificate"))
        return t->why;
    (void)curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    return verdict > 0 ? X509_verify_cert_error_string(verdict) : curl_easy_strerror(result);
}

static const char *failure_text(const struct transfer *t, CURLcode result, const struct meaning *m)
{
    if (m->cause == CAUSE_TLS)
        return tls_text(t, result);
    if (strcmp(m->code, "header_too_large") == 0)
        return "the header of the answer is too large";
    if (t->status == 101)
        return "HTTP 101: the server switches to another protocol, which it was not asked for";
    if (result == CURLE_WRITE_ERROR)
        return "the compressed body goes on behind its end";
    return t->why[0] ? t->why : curl_easy_strerror(result);
}

static void read_failure(struct transfer *t, CURLcode result, struct http_try *y)
{
    struct http_request *r = t->r;
    struct meaning m = meaning_of(result);
    if (t->status ==
        101) /* libcurl takes what follows for a body, and is not given a place for it */
        m = (struct meaning){result, "protocol", CAUSE_NETWORK};
    if (result == CURLE_UNSUPPORTED_PROTOCOL && was_sent(t)) /* an answer that is not HTTP/1 */
        m = (struct meaning){result, "protocol", CAUSE_NETWORK};
    if (result == CURLE_OUT_OF_MEMORY && was_sent(t) && !t->begun) /* what libcurl 7 calls it */
        m = (struct meaning){result, "header_too_large", CAUSE_LOCAL};
    if (buf_rc(&r->answer) != RC_OK) /* the body could not be kept */
        m = (struct meaning){result, "memory", CAUSE_LOCAL};
    if (result == CURLE_OPERATION_TIMEDOUT && !was_sent(t))
        m.cause = CAUSE_UNREACHED;
    y->end = m.cause == CAUSE_UNREACHED ? TRY_UNREACHED
             : m.cause == CAUSE_NETWORK ? TRY_SILENT
                                        : TRY_ABORTED;
    y->is_local = m.cause == CAUSE_LOCAL;
    y->is_tls = m.cause == CAUSE_TLS;
    y->is_timeout = result == CURLE_OPERATION_TIMEDOUT;
    r->code = m.code;
    copy_printable(r->error, sizeof r->error, failure_text(t, result, &m));
    buf_clear(&r->answer);
}

bool http_head_decides(const struct transfer *t)
{
    return t->status >= 300 || (t->status >= 200 && t->h->cfg.head_is_enough);
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
                       t->is_untrusted ? "an HTTP/1.1 answer on a connection that speaks HTTP/2"
                                       : "the server closed the connection before it answered");
}

/* Is there an answer, though not the whole of it may have come? */
static bool is_answered(const struct transfer *t, CURLcode result)
{
    return t->too_large || http_head_decides(t) || (result == CURLE_OK && t->status >= 200);
}

void http_answer_read(struct transfer *t, CURLcode result, struct http_try *out)
{
    curl_off_t total_us = 0, sent_us = 0;
    *out = (struct http_try){.is_too_large = t->too_large};
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
    (void)curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    (void)curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    out->latency_us = total_us > sent_us ? total_us - sent_us : 0;
}
