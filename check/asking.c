#include "check/asking.h"

#include <inttypes.h>

#define VALUE_BYTES_MAX ((size_t)64 << 10)
/* How much the clocks may differ: signatures of webhooks and of object storage allow 5 and 15 minutes. */
#define CLOCK_WARN_S 30
#define CLOCK_FAIL_S 300

static void report_clock(const struct http_probe *p, const struct findings *f)
{
    if (!p->has_date)
        return;
    int64_t ahead_s = (p->received_ms - p->date_ms) / 1000;
    int64_t by_s = ahead_s < 0 ? -ahead_s : ahead_s;
    if (by_s < CLOCK_WARN_S)
        findings_add(f, FINDING_OK, "clock",
                     "this machine's clock and the server's agree to %" PRId64 " s", by_s + 1);
    else
        findings_add(f, by_s < CLOCK_FAIL_S ? FINDING_WARN : FINDING_FAIL, "clock",
                     "this machine's clock is %" PRId64 " s %s the server's; servers refuse such "
                     "signatures, and times in outputs are wrong: synchronize it (NTP)",
                     by_s, ahead_s > 0 ? "ahead of" : "behind");
}

enum rc asking_init(struct asking *a, const struct run_cfg *cfg, const struct findings *f,
                    struct err *e)
{
    *a = (struct asking){.cfg = cfg, .to = f};
    buf_init(&a->key_value, VALUE_BYTES_MAX);
    /* Reserved at once: a buffer that grows would leave copies of the key in freed memory. */
    if (!buf_reserve(&a->key_value, VALUE_BYTES_MAX - 1))
        return err_nomem(e);
    buf_add_str(&a->key_value, cfg->profile->key_prefix);
    buf_adds(&a->key_value, cfg->credential ? cfg->credential : "");
    a->key = (struct http_header){cfg->profile->key_header.ptr, buf_cstr(&a->key_value)};
    return buf_rc(&a->key_value) == RC_OK ? RC_OK : err_nomem(e);
}

void asking_free(struct asking *a)
{
    buf_wipe(&a->key_value);
}

static struct http_probe_cfg probe_cfg(const struct asking *a, const char *url)
{
    const struct run_cfg *cfg = a->cfg;
    return (struct http_probe_cfg){
        .url = url,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = cfg->proxy,
        .version = cfg->http_version,
        .timeout_ms = cfg->retry.timeout_ms,
        .connect_timeout_ms = cfg->retry.connect_timeout_ms,
        .clock = cfg->clock,
        .header = cfg->profile->key_header.len ? &a->key : NULL,
        .max_body = cfg->max_body,
    };
}

enum rc asking_get(struct asking *a, const char *url, struct http_probe *out, struct err *e)
{
    const struct http_probe_cfg c = probe_cfg(a, url);
    enum rc rc = http_probe(out, &c, e);
    a->n_requests++;
    if (rc != RC_OK || a->is_reached)
        return rc;
    a->is_reached = http_probe_report(out, &c, "provider", a->to);
    if (a->is_reached)
        report_clock(out, a->to);
    return RC_OK;
}

enum rc asking_connect(struct asking *a, struct err *e)
{
    struct http_probe p;
    struct http_probe_cfg c = probe_cfg(a, a->cfg->base_url);
    c.header = NULL;
    c.only_connects = true;
    enum rc rc = http_probe(&p, &c, e);
    if (rc == RC_OK)
        a->is_reached = http_probe_report(&p, &c, "provider", a->to);
    buf_free(&p.body);
    return rc;
}

void asking_report_key(struct asking *a)
{
    if (a->cfg->profile->key_header.len && !a->is_key_reported)
        findings_add(a->to, FINDING_OK, "key", "accepted by the provider; it is in %s",
                     a->cfg->credential_source);
    a->is_key_reported = true;
}
