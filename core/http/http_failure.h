/* What a try met that got no answer: libcurl's result, and what else is known, in one word, one line
 * and what follows for the origin. Pure. Private to core/http. */
#ifndef LEADPIPE_HTTP_FAILURE_H
#define LEADPIPE_HTTP_FAILURE_H

#include <curl/curl.h>
#include <stdbool.h>

#include "core/http/origin.h"

/* How certain it is that no later try can do better, because server, proxy and configuration do not fit
 * together. Once they add up to HTTP_MISFIT_CERTAIN and no try has got a good answer, the run ends. */
enum http_misfit {
    HTTP_MISFIT_NONE = 0,
    HTTP_MISFIT_LIKELY = 1,
    HTTP_MISFIT_CERTAIN = 3,
};

/* How much a failure looks like http spoken to an https port, or the other way round. Once they add up
 * to this the other one is tried: so many connections that were closed, or a handshake that was never
 * answered. */
#define HTTP_SCHEME_DOUBT 5

/* CURLE_TOO_LARGE, which libcurl has from 8.6.0 on: the head of an answer, or what is kept of it. */
#define HTTP_HEAD_TOO_LARGE ((CURLcode)100)

struct http_failure_facts {
    CURLcode result;
    const char *why;     /* libcurl's own text, or "" */
    int status;          /* of the status line received; 0: none */
    long connect_status; /* of a proxy's answer to CONNECT; 0: none */
    long verify_result;  /* OpenSSL's, of the certificate */
    bool was_sent;       /* the request */
    bool has_begun;      /* the answer's body */
    bool is_https;       /* the request's URL */
    bool body_refused;   /* the body, or a field, could not be kept: memory */
};

struct http_failure {
    const char *code; /* static */
    const char *text; /* static, or points into facts.why */
    enum try_end end;
    enum http_misfit misfit;
    bool is_tls;           /* the certificate could not be verified */
    bool is_local;         /* the request could not be made, for reasons of our own */
    bool is_busy;          /* the server says that it is asked too much */
    unsigned scheme_doubt; /* see HTTP_SCHEME_DOUBT; 0: none */
    char own_text[200];
};

/* `facts.why` must live as long as out->text. */
void http_failure_read(const struct http_failure_facts *facts, struct http_failure *out);

#endif
