#include "check/check_provider.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/flatten/flatten.h"
#include "core/http/http_probe.h"
#include "core/http/http_status.h"

/* So many leads are asked for until one is found. */
#define LEADS_MAX 5
#define IDS_BYTES_MAX ((size_t)16 << 20)
#define VALUE_BYTES_MAX ((size_t)64 << 10)
/* What the clocks may differ by: signatures of webhooks and of object storage allow 5 and 15 minutes. */
#define CLOCK_WARN_S 30
#define CLOCK_FAIL_S 300

struct asking {
    const struct run_cfg *cfg;
    const struct findings *to;
    struct flatten_plan *plan;
    struct buf key_value; /* secret */
    struct http_header key;
    struct arena memory; /* of IDs */
    unsigned n_asked;
    bool is_reached; /* which has been reported */
    bool is_over;    /* nothing more is to be learned by another lead */
};

/* ---- clocks --------------------------------------------------------------------------------- */

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
                     "this machine's clock is %" PRId64 " s %s the server's; signatures are "
                     "refused for that, and times in outputs are wrong: synchronize it (NTP)",
                     by_s, ahead_s > 0 ? "ahead of" : "behind");
}

/* ---- what the answer says ------------------------------------------------------------------- */

static void report_key(const struct asking *a, enum finding_level level, const struct http_probe *p,
                       const char *message)
{
    if (!a->cfg->profile->key_header.len)
        return;
    if (level == FINDING_OK)
        findings_add(a->to, level, "key", "accepted by the provider (%s)",
                     a->cfg->credential_source);
    else
        findings_add(
            a->to, level, "key",
            "refused by the provider with status %d%s%s; check the API key in %s, and that "
            "it is one for this server",
            p->status, message ? ": " : "", message ? message : "", a->cfg->credential_source);
}

static void report_payload(struct asking *a, struct lead *lead, const struct http_probe *p)
{
    const char *code = NULL;
    struct err e;
    enum rc rc = flatten_parse(a->plan, lead, JSON_TREE, &code, &e);
    a->is_over = true;
    if (rc == RC_OK) {
        findings_add(a->to, FINDING_OK, "lead",
                     "%s: fetched in %" PRId64 " ms, %zu bytes as received", lead->id.ptr,
                     p->total_us / 1000, lead->body.len);
        return;
    }
    findings_add(a->to, FINDING_FAIL, "lead", "%s: %s; %s", lead->id.ptr, e.msg,
                 rc == RC_SYNTAX ? "is this the provider's server (--base-url, --server)?"
                                 : "try another ID, and check that --provider is the right one");
}

static void report_found(struct asking *a, struct lead *lead, struct http_probe *p)
{
    struct err e;
    report_key(a, FINDING_OK, p, NULL);
    enum rc rc = charset_to_utf8(&p->body, p->charset, &e);
    if (rc != RC_OK) {
        findings_add(a->to, FINDING_FAIL, "lead", "%s: %s", lead->id.ptr, e.msg);
        a->is_over = true;
        return;
    }
    lead->body = p->body;
    p->body = (struct buf){0};
    report_payload(a, lead, p);
}

static void report_answer(struct asking *a, struct lead *lead, struct http_probe *p)
{
    const char *message = NULL, *code = NULL;
    if (p->status / 100 == 2) {
        report_found(a, lead, p);
        return;
    }
    flatten_error_body(a->plan, lead, buf_str(&p->body), &message, &code);
    a->is_over = true;
    if (http_status_is_refusal(p->status, false)) {
        report_key(a, FINDING_FAIL, p, message);
    } else if (p->status == 404 || p->status == 410) {
        a->is_over = a->n_asked == LEADS_MAX;
        if (a->is_over)
            findings_add(
                a->to, FINDING_WARN, "lead",
                "%s and the %d before it: the provider does not have them (%d); are the "
                "IDs, the parameters and the account of the key those that belong together?",
                lead->id.ptr, LEADS_MAX - 1, p->status);
    } else {
        findings_add(a->to, FINDING_FAIL, "lead", "%s: the provider returned %d%s%s; %s",
                     lead->id.ptr, p->status, message ? ": " : "", message ? message : "",
                     p->status / 100 == 3 ? "redirects are not followed: give the address that it "
                                            "leads to with --base-url"
                                          : "try again later, and ask the provider if it stays so");
    }
}

/* ---- asking --------------------------------------------------------------------------------- */

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

static enum rc ask_for(struct asking *a, struct lead *lead, struct buf *url, struct err *e)
{
    struct http_probe p;
    const struct run_cfg *cfg = a->cfg;
    enum rc rc = profile_url(cfg->profile, str_c(cfg->base_url), lead->id, lead->params, url, e);
    if (rc != RC_OK)
        return rc;
    const struct http_probe_cfg c = probe_cfg(a, buf_cstr(url));
    rc = http_probe(&p, &c, e);
    a->n_asked++;
    if (rc == RC_OK && !a->is_reached) {
        a->is_reached = http_probe_report(&p, &c, "provider", a->to);
        report_clock(&p, a->to);
    }
    a->is_over = !a->is_reached;
    if (rc == RC_OK && a->is_reached && p.stage == PROBE_ANSWERED)
        report_answer(a, lead, &p);
    else if (rc == RC_OK && a->is_reached) {
        a->is_over = true;
        findings_add(a->to, FINDING_FAIL, "lead", "%s: %s; try again later", lead->id.ptr, p.error);
    }
    buf_free(&p.body);
    return rc;
}

static enum rc ask_item(struct asking *a, const struct id_item *item, struct err *e)
{
    struct buf url;
    if (item->bad) {
        findings_add(a->to, FINDING_WARN, "ids", "%s: line %" PRIu64 ": %s", item->file, item->line,
                     item->bad);
        a->n_asked++;
        return RC_OK;
    }
    struct lead *lead = lead_new(item->id, item->params, a->cfg->profile->n_params, sizeof *lead);
    if (!lead)
        return err_nomem(e);
    buf_init(&url, VALUE_BYTES_MAX);
    enum rc rc = ask_for(a, lead, &url, e);
    buf_free(&url);
    lead_free(lead);
    return rc;
}

/* Without a lead: whether the server is there at all. */
static enum rc only_connect(struct asking *a, struct err *e)
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

/* ---- IDs ------------------------------------------------------------------------------------ */

/* What is read from a pipe or a terminal is gone for whoever it was meant for, and may be waited for. */
static bool may_read(const struct ids_cfg *ids)
{
    struct stat st;
    for (size_t i = 0; i < ids->n_files; i++) {
        int fd = descriptor_read(ids->files[i]);
        bool is_there = fd >= 0 ? fstat(fd, &st) == 0 : stat(ids->files[i], &st) == 0;
        if (is_there && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            return false;
    }
    return true;
}

static enum rc ask_all(struct asking *a, struct id_source *ids, struct err *e)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && !a->is_over && a->n_asked < LEADS_MAX) {
        struct id_item item;
        arena_reset(&a->memory, IDS_BYTES_MAX);
        rc = ids->ops->next(ids, &a->memory, &item, e);
        if (rc == RC_OK)
            rc = ask_item(a, &item, e);
    }
    if (rc == RC_END && a->n_asked == 0)
        findings_add(a->to, FINDING_WARN, "ids", "the input has no IDs; nothing would be fetched");
    else if (rc == RC_END && !a->is_over)
        findings_add(a->to, FINDING_WARN, "lead",
                     "the provider has none of the IDs of the input; are the IDs, the parameters "
                     "and the account of the key those that belong together?");
    return rc == RC_END ? RC_OK : rc;
}

static void ask_by_ids(struct asking *a)
{
    struct id_source *ids = NULL;
    struct err e;
    enum rc rc = ids_open(&ids, &a->cfg->ids, &e);
    if (rc == RC_OK)
        rc = ask_all(a, ids, &e);
    if (rc != RC_OK)
        findings_add(a->to, FINDING_FAIL, "ids", "%s", e.msg);
    if (ids)
        ids->ops->close(ids);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum rc prepare(struct asking *a, struct err *e)
{
    const struct run_cfg *cfg = a->cfg;
    buf_init(&a->key_value, VALUE_BYTES_MAX);
    arena_init(&a->memory, IDS_BYTES_MAX);
    /* All at once, so that no copy stays behind where it would grow. */
    if (!buf_reserve(&a->key_value, VALUE_BYTES_MAX - 1))
        return err_nomem(e);
    buf_add_str(&a->key_value, cfg->profile->key_prefix);
    buf_adds(&a->key_value, cfg->credential ? cfg->credential : "");
    a->key = (struct http_header){cfg->profile->key_header.ptr, buf_cstr(&a->key_value)};
    if (buf_rc(&a->key_value) != RC_OK)
        return err_nomem(e);
    return flatten_plan_new(&a->plan, cfg->profile, cfg->signed_urls, e);
}

void check_provider(const struct run_cfg *cfg, bool has_key, const struct findings *f)
{
    struct asking a = {.cfg = cfg, .to = f};
    struct err e;
    enum rc rc = prepare(&a, &e);
    bool reads = rc == RC_OK && may_read(&cfg->ids);
    if (rc == RC_OK && has_key && reads)
        ask_by_ids(&a);
    if (rc == RC_OK && a.n_asked == 0)
        rc = only_connect(&a, &e);
    if (rc != RC_OK)
        findings_add(f, FINDING_FAIL, "provider", "%s", e.msg);
    else if (!reads)
        findings_add(
            f, FINDING_WARN, "lead",
            "none was fetched, as IDs come from a pipe or a terminal, from which nothing is "
            "taken here; give one with --id to check the key");
    flatten_plan_free(a.plan);
    buf_wipe(&a.key_value);
    arena_free(&a.memory);
}
