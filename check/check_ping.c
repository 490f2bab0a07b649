#include "check/check_ping.h"

#include "core/http/http_probe.h"

#define TIMEOUT_MS 10000 /* a ping has no more for all its tries */

void check_ping(const char *url, const char *proxy, const struct run_cfg *cfg,
                const struct findings *f)
{
    const struct http_probe_cfg c = {
        .url = url,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = proxy,
        .version = cfg->http_version,
        .timeout_ms = TIMEOUT_MS,
        .connect_timeout_ms = TIMEOUT_MS,
        .clock = cfg->clock,
        .only_connects = true,
    };
    struct http_probe p;
    struct err e;
    if (http_probe(&p, &c, &e) == RC_OK)
        (void)http_probe_report(&p, &c, "ping", f);
    else
        findings_add(f, FINDING_FAIL, "ping", "%s", e.msg);
    buf_free(&p.body);
}
