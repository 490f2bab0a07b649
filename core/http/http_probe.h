/* One request to a server, or a connection alone, and what each step of it took: for finding out before a run
 * whether the server can be reached. Nothing is tried again, no redirect is followed. Blocks; any thread; needs
 * curl_global_init(). */
#ifndef LEADPIPE_HTTP_PROBE_H
#define LEADPIPE_HTTP_PROBE_H

#include <stdbool.h>

#include "core/base/findings.h"
#include "core/http/http.h"

struct http_probe_cfg {
    const char *url;
    const char *user_agent, *cacert; /* NULL: none */
    const char *proxy;               /* NULL: the environment's; "": none */
    enum http_version_policy version;
    int64_t timeout_ms, connect_timeout_ms;
    const struct clock *clock;
    bool only_connects;               /* sends nothing but a TLS handshake */
    const struct http_header *header; /* of a GET; its value may be secret; NULL: none */
    size_t max_body;                  /* of the answer */
};

/* How far it came. */
enum http_probe_stage {
    PROBE_UNRESOLVED,  /* the host's name has no address */
    PROBE_UNCONNECTED, /* nobody accepts connections there */
    PROBE_NO_TLS,      /* no TLS, or its certificate is refused */
    PROBE_CONNECTED,   /* the server is reached, but there was no answer to the request */
    PROBE_ANSWERED,    /* or, with `only_connects`, all is well */
};

struct http_probe {
    enum http_probe_stage stage;
    char error[320]; /* where it did not come to PROBE_ANSWERED: why, one line */
    bool by_proxy;   /* then the names and times are those of the proxy */
    int64_t name_us, connect_us, tls_us; /* what each step took; 0 for steps there were none of */
    int64_t total_us;
    bool has_expiry;
    int64_t expires_ms; /* wall clock: the end of the certificate's validity */
    int status;         /* of the answer; 0: none */
    bool has_date;
    int64_t date_ms, received_ms;       /* the server's Date, and our wall clock when it came */
    struct buf body;                    /* up to max_body; the caller's to free */
    bool is_too_large;                  /* there was more, which was not waited for */
    char charset[CHARSET_NAME_MAX + 1]; /* as of struct http_request */
};

/* RC_NOMEM; everything else is in *out. */
enum rc http_probe(struct http_probe *out, const struct http_probe_cfg *cfg, struct err *e);

/* Reports as `subject` how the server at `url` was reached, and the validity of its certificate: one point for the
 * connection, with the time of each step, and one for a certificate that has less than two weeks left. False: it
 * was not reached. `url` is shown as scheme, host and port. */
bool http_probe_report(const struct http_probe *p, const struct http_probe_cfg *cfg,
                       const char *subject, const struct findings *f);

/* Appends scheme, host and port of a URL. */
void http_probe_put_origin(struct buf *out, const char *url);

#endif
