/* The webhook's options, and what is made of them before anything is sent: a checked URL, the
 * headers, the secrets. Texts name the sink (cfg->spec) and never hold a secret. */
#ifndef LEADPIPE_WEBHOOK_CONFIG_H
#define LEADPIPE_WEBHOOK_CONFIG_H

#include "core/http/http.h"
#include "core/sink.h"
#include "sinks/webhook/standard_webhooks.h"

struct webhook_opts {
    int64_t batch, concurrency;
    double rate_per_s;                               /* 0: no limit */
    int64_t attempts, timeout_ms, retry_max_time_ms; /* not above 0: as the run has it */
    int layout;                                      /* index in WEBHOOK_LAYOUTS */
    const char *type;
    const char *secret_env, *secret_file;
    struct text_list headers, header_envs;
};

#define WEBHOOK_LAYOUTS "lead|raw"

/* An http or https URL without a user; plain http only to this machine, or where it is allowed. */
enum rc webhook_url_check(const struct sink_cfg *cfg, struct err *e);

/* The name of an event: 1 to 128 of the bytes A-Z a-z 0-9 . _ - : / */
enum rc webhook_type_check(const struct sink_cfg *cfg, struct err *e);

/* On every request: content-type, then the user's. */
struct webhook_headers {
    struct http_header *list;
    size_t n;
    char **values;      /* secret: one for each of `list`; NULL for what is not the user's */
    struct arena arena; /* owns it all */
};

enum rc webhook_headers_make(struct webhook_headers *out, const struct sink_cfg *cfg,
                             struct err *e);
void webhook_headers_free(struct webhook_headers *h); /* a zeroed one, too */

/* NULL where no secret is configured: then requests are not signed. */
enum rc webhook_secrets_load(struct webhook_secrets **out, const struct sink_cfg *cfg,
                             struct err *e);

#endif
