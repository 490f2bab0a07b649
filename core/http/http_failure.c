#include "core/http/http_failure.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

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
    {CURLE_WRITE_ERROR, "encoding", CAUSE_NETWORK}, /* our own reasons have rows of their own */
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

static struct meaning meaning_of(CURLcode result)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].result == result)
            return meanings[i];
    }
    return (struct meaning){result, "network", CAUSE_NETWORK};
}

/* ---- a proxy that does not connect ---------------------------------------------------------- */

/* The proxy's status is about itself and the way there: nothing was heard of the server. What it may
 * answer otherwise a moment later is tried again like a server that cannot be reached. */
static bool read_connect(const struct http_failure_facts *facts, struct http_failure *out)
{
    long status = facts->connect_status;
    if (facts->was_sent || status == 0 || status / 100 == 2)
        return false;
    bool may_pass = status / 100 == 5 || status == 408 || status == 425 || status == 429;
    const char *says = status == 407   ? ": it requires a user and password, or rejects the ones "
                                         "given"
                       : status == 403 ? ": it does not allow this server"
                                       : "";
    (void)snprintf(out->own_text, sizeof out->own_text,
                   "the proxy returned %ld for CONNECT%s; the server was not reached", status,
                   says);
    out->text = out->own_text;
    out->code = "proxy";
    out->end = TRY_UNREACHED;
    out->misfit = may_pass ? HTTP_MISFIT_NONE : HTTP_MISFIT_CERTAIN;
    return true;
}

/* ---- TLS ------------------------------------------------------------------------------------ */

#define NO_TLS_TEXT "the server does not use TLS on this port: use http://, or another port"

/* OpenSSL's reasons why no later handshake can do better, and what they are in plain words. */
static const struct {
    const char *reason, *text;
} handshakes[] = {
    {"wrong version number", NO_TLS_TEXT},
    {"packet length too long", NO_TLS_TEXT},
    {"record layer failure", NO_TLS_TEXT},
    {"unknown protocol", NO_TLS_TEXT},
    {"certificate required", "the server requires a client certificate, which is not supported"},
    {"alert protocol version", "the server refuses the offered TLS versions"},
    {"unsupported protocol", "the server supports only TLS versions that are no longer secure"},
    {"alert insufficient security", "the server refuses the offered TLS ciphers"},
    {"handshake failure", "the server refuses the TLS handshake: no cipher in common, or it "
                          "requires a client certificate"},
    {"alert bad certificate", "the server refuses the TLS handshake: it requires a client "
                              "certificate, which is not supported"},
    {"alert unrecognized name", "the server does not recognize this host name (TLS)"},
    {"tlsv1 unrecognized name", "the server does not recognize this host name (TLS)"},
    {"alert access denied", "the server refuses the TLS handshake: access denied"},
    {"alert no application protocol", "the server supports none of the offered HTTP versions "
                                      "(ALPN)"},
    {"legacy sigalg disallowed", "the server supports only TLS versions that are no longer secure"},
    {"unsafe legacy renegotiation disabled", "the server supports only old, insecure TLS"},
    {"dh key too small", "the server's TLS key exchange is too weak"},
};

static bool read_handshake(const struct http_failure_facts *facts, struct http_failure *out)
{
    bool may_be = facts->is_https && facts->status == 0 && strstr(facts->why, "SSL");
    for (size_t i = 0; may_be && i < sizeof handshakes / sizeof *handshakes; i++) {
        if (!strstr(facts->why, handshakes[i].reason))
            continue;
        out->text = handshakes[i].text;
        out->code = "tls_handshake";
        out->end = TRY_UNREACHED;
        out->misfit = HTTP_MISFIT_CERTAIN;
        return true;
    }
    return false;
}

/* Another reason of a handshake: not one that comes and goes with a server's load or restart. */
static bool is_lasting(const struct http_failure_facts *facts)
{
    static const char *const passing[] = {"unexpected eof", "internal error", "bad record",
                                          "decode error", "reset"};
    if (facts->result != CURLE_SSL_CONNECT_ERROR || !strstr(facts->why, "SSL routines:"))
        return false;
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        if (strstr(facts->why, passing[i]))
            return false;
    }
    return true;
}

/* When a connection that had been closed is replaced within one transfer, what libcurl says is still
 * about the old one ("Broken pipe"), and does not say what is wrong with the certificate. */
static const char *verification_text(const struct http_failure_facts *facts)
{
    if (strstr(facts->why, "SSL") || strstr(facts->why, "certificate"))
        return facts->why;
    return facts->verify_result > 0 ? X509_verify_cert_error_string(facts->verify_result)
                                    : curl_easy_strerror(facts->result);
}

/* ---- what is said otherwise than by the result ---------------------------------------------- */

static bool is_calm(const struct http_failure_facts *facts)
{
    return (facts->result == CURLE_HTTP2 || facts->result == CURLE_HTTP2_STREAM) &&
           (strstr(facts->why, "ENHANCE_YOUR_CALM") || strstr(facts->why, "err 11)"));
}

/* A plain request is closed upon, or a handshake not answered; in both cases nothing was received. */
static unsigned scheme_doubt(const struct http_failure_facts *facts)
{
    if (facts->status || facts->body_refused)
        return 0;
    switch (facts->result) {
    case CURLE_SSL_CONNECT_ERROR:
        return facts->is_https;
    case CURLE_OPERATION_TIMEDOUT:
        /* not every libcurl says whether there was a connection; to ask in vain does no harm */
        return facts->is_https && !facts->was_sent ? HTTP_SCHEME_DOUBT : 0;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return !facts->is_https && facts->was_sent;
    default:
        return 0;
    }
}

static struct meaning corrected(const struct http_failure_facts *facts)
{
    CURLcode result = facts->result;
    struct meaning m = meaning_of(result);
    if (facts->status ==
        101) /* libcurl takes what follows for a body, and is given no place for it */
        m = (struct meaning){result, "protocol", CAUSE_NETWORK};
    if (result == CURLE_UNSUPPORTED_PROTOCOL && facts->was_sent) /* an answer that is not HTTP/1 */
        m = (struct meaning){result, "protocol", CAUSE_NETWORK};
    if (result == CURLE_OUT_OF_MEMORY && facts->was_sent &&
        !facts->has_begun) /* libcurl 7's name */
        m = (struct meaning){result, "header_too_large", CAUSE_LOCAL};
    if (result == HTTP_HEAD_TOO_LARGE)
        m = (struct meaning){result, "header_too_large", CAUSE_LOCAL};
    if (facts->body_refused)
        m = (struct meaning){result, "memory", CAUSE_LOCAL};
    if (result == CURLE_OPERATION_TIMEDOUT && !facts->was_sent)
        m.cause = CAUSE_UNREACHED;
    return m;
}

static const char *text_of(const struct http_failure_facts *facts, const struct meaning *m)
{
    if (m->cause == CAUSE_TLS)
        return verification_text(facts);
    if (strcmp(m->code, "header_too_large") == 0)
        return "the response headers are too large";
    if (facts->status == 101)
        return "HTTP 101: the server switches to another protocol, which was not requested";
    if (facts->result == CURLE_WRITE_ERROR && !facts->body_refused)
        return "there is data after the end of the compressed body";
    if (strstr(facts->why,
               "Connection died")) /* libcurl has counted its tries, and what of others */
        return "the server closed the connection before it answered";
    if (facts->result == CURLE_PARTIAL_FILE)
        return "the response is truncated: the connection was closed before it was complete";
    if (facts->result == CURLE_WEIRD_SERVER_REPLY ||
        (facts->result == CURLE_UNSUPPORTED_PROTOCOL && facts->was_sent))
        return "the response is not HTTP";
    return facts->why[0] ? facts->why : curl_easy_strerror(facts->result);
}

void http_failure_read(const struct http_failure_facts *facts, struct http_failure *out)
{
    *out = (struct http_failure){.misfit = HTTP_MISFIT_NONE};
    if (read_connect(facts, out) || read_handshake(facts, out))
        return;
    struct meaning m = corrected(facts);
    out->code = m.code;
    out->text = text_of(facts, &m);
    out->end = m.cause == CAUSE_UNREACHED ? TRY_UNREACHED
               : m.cause == CAUSE_NETWORK ? TRY_SILENT
                                          : TRY_ABORTED;
    out->is_local = m.cause == CAUSE_LOCAL;
    out->is_tls = m.cause == CAUSE_TLS;
    if (is_calm(facts)) {
        out->is_busy = true;
        out->end = TRY_BUSY;
        out->code = "enhance_your_calm";
        out->text = "the server reports too many requests (HTTP/2 ENHANCE_YOUR_CALM)";
    }
    out->scheme_doubt = scheme_doubt(facts);
    /* an alert of TLS, or something else than HTTP altogether */
    if ((facts->result == CURLE_UNSUPPORTED_PROTOCOL && facts->was_sent && !facts->is_https) ||
        is_lasting(facts))
        out->misfit = HTTP_MISFIT_LIKELY;
}
