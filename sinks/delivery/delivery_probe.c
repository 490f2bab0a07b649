#include "sinks/delivery/delivery_probe.h"

#include "core/base/loopback.h"
#include "core/http/http_probe.h"
#include "core/sink_http.h"

#define TIMEOUT_MAX_MS 30000

void delivery_probe_hurry(struct http_retry_cfg *limits)
{
    limits->attempts = 1;
    if (limits->timeout_ms > TIMEOUT_MAX_MS)
        limits->timeout_ms = TIMEOUT_MAX_MS;
    if (limits->retry_max_time_ms > TIMEOUT_MAX_MS)
        limits->retry_max_time_ms = TIMEOUT_MAX_MS;
}

bool delivery_probe(const struct sink_cfg *cfg, const char *url, struct http_retry_cfg limits,
                    const char *subject, const struct findings *f)
{
    delivery_probe_hurry(&limits);
    const struct http_probe_cfg c = {
        .url = url,
        .user_agent = cfg->http->user_agent,
        .cacert = cfg->http->cacert,
        .proxy = url_bypasses_proxy(url, cfg->http->allow_http) ? "" : cfg->http->proxy,
        .version = cfg->http->version,
        .timeout_ms = limits.timeout_ms,
        .connect_timeout_ms = limits.connect_timeout_ms,
        .clock = cfg->clock,
        .only_connects = true,
    };
    struct http_probe p;
    struct err e;
    bool is_reached = false;
    if (http_probe(&p, &c, &e) == RC_OK)
        is_reached = http_probe_report(&p, &c, subject, f);
    else
        findings_add(f, FINDING_FAIL, subject, "%s", e.msg);
    buf_free(&p.body);
    return is_reached;
}
