/* The options of the sink `push`, and what is made of them before anything is sent: the destination, its URLs,
 * the credentials. Texts name the sink (cfg->spec) and never hold a secret. */
#ifndef LEADPIPE_PUSH_CONFIG_H
#define LEADPIPE_PUSH_CONFIG_H

#include "core/http/http.h"
#include "core/sink.h"
#include "sinks/push/destination.h"

struct push_opts {
    struct text_list params; /* "NAME=VALUE" */
    const char *base_url;
    int64_t concurrency;                             /* OPTION_AUTO: the destination's, or 4 */
    double rate_per_s;                               /* 0: the destination's, or no limit */
    int64_t attempts, timeout_ms, retry_max_time_ms; /* not above 0: as the run has it */
    const char *preview;
};

/* What is known before the run begins, and does not change. */
struct push_config {
    struct destination *destination;
    char *
        base; /* scheme, host, port and the beginning of a path that stand in the place of scheme, host and
                   port of all URLs; NULL: none */
    char *secret_url; /* of `url_place`; NULL: there is none */
    char *token_url;  /* with OAuth 2.0; else NULL */
    char *auth_value; /* of the header that carries the credential; NULL: OAuth 2.0, or none */
    char *client_id, *client_secret, *refresh_token; /* of OAuth 2.0; NULL: not there */
};

/* Loads the destination and, unless it is for a preview, the credentials, which it registers with
 * cfg->secrets. RC_USAGE, RC_NOMEM. */
enum rc push_config_make(struct push_config *out, const struct sink_cfg *cfg, struct err *e);
void push_config_free(struct push_config *c); /* a zeroed one, too */

/* May a request go there? Only https, and http to this machine or where it is allowed. RC_USAGE, RC_NOMEM. */
enum rc push_url_check(const struct sink_cfg *cfg, const char *url, struct err *e);

/* Appends `url` with `base` in the place of scheme, host and port; as it is where that is NULL. */
void push_url_put(struct buf *out, const char *base, struct str url);

/* Name of the header that carries the credential; NULL: there is none. */
const char *push_auth_header(const struct destination *d);

unsigned push_concurrency(const struct push_opts *opts, const struct destination *d);

#endif
