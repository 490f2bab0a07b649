#include "sinks/delivery/delivery_probe.h"

#include "core/base/loopback.h"
#include "core/http/http_probe.h"
#include "core/sink_http.h"

void delivery_probe(const struct sink_cfg *cfg, const char *url, struct http_retry_cfg limits,
                    const char *subject, const struct findings *f)
{
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
    if (http_probe(&p, &c, &e) == RC_OK)
        (void)http_probe_report(&p, &c, subject, f);
    else
        findings_add(f, FINDING_FAIL, subject, "%s", e.msg);
    buf_free(&p.body);
}
