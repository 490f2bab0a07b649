#include "check/check_lead.h"

#include <inttypes.h>

#include "core/flatten/flatten.h"
#include "core/http/charset.h"
#include "core/http/http_status.h"

#define URL_BYTES_MAX ((size_t)64 << 10)

/* ---- the response --------------------------------------------------------------------------- */

static void report_refused_key(const struct lead_check *l, const struct http_probe *p,
                               const char *message)
{
    const struct run_cfg *cfg = l->asking->cfg;
    if (cfg->profile->key_header.len)
        findings_add(l->asking->to, FINDING_FAIL, "key",
                     "refused by the provider with status %d%s%s; check the API key in %s, and "
                     "that it is valid for this server",
                     p->status, message ? ": " : "", message ? message : "",
                     cfg->credential_source);
    else
        findings_add(l->asking->to, FINDING_FAIL, "lead",
                     "the provider refuses it with status %d%s%s, although its profile says that "
                     "it needs no key; check --provider and --base-url",
                     p->status, message ? ": " : "", message ? message : "");
}

static void report_payload(struct lead_check *l, struct lead *lead, const struct http_probe *p)
{
    const char *code = NULL;
    struct err e;
    enum rc rc = flatten_parse(l->plan, lead, JSON_TREE, &code, &e);
    if (rc == RC_OK) {
        findings_add(l->asking->to, FINDING_OK, "lead",
                     "%s: fetched in %" PRId64 " ms, %zu bytes as received", lead->id.ptr,
                     p->total_us / 1000, lead->body.len);
        return;
    }
    findings_add(l->asking->to, FINDING_FAIL, "lead", "%s: %s; %s", lead->id.ptr, e.msg,
                 rc == RC_SYNTAX ? "check that this is the provider's server (--base-url, --server)"
                                 : "try another ID, and check that --provider is the right one");
}

static void report_found(struct lead_check *l, struct lead *lead, struct http_probe *p)
{
    struct err e;
    asking_report_key(l->asking);
    l->is_over = true;
    if (p->is_too_large) {
        findings_add(l->asking->to, FINDING_FAIL, "lead",
                     "%s: the response is larger than --max-body allows; give a larger --max-body",
                     lead->id.ptr);
        return;
    }
    enum rc rc = charset_to_utf8(&p->body, p->charset, &e);
    if (rc != RC_OK) {
        findings_add(l->asking->to, FINDING_FAIL, "lead", "%s: %s", lead->id.ptr, e.msg);
        return;
    }
    lead->body = p->body;
    p->body = (struct buf){0};
    report_payload(l, lead, p);
}

static const char *advice(int status)
{
    if (status / 100 == 3)
        return "redirects are not followed: give the address that it leads to with --base-url";
    if (http_status_retryable(status))
        return "try again later; if it still fails, ask the provider";
    return "check the ID, --param and --base-url; if they are right, ask the provider";
}

static void report_answer(struct lead_check *l, struct lead *lead, struct http_probe *p)
{
    const char *message = NULL, *code = NULL;
    if (p->status / 100 == 2) {
        report_found(l, lead, p);
        return;
    }
    flatten_error_body(l->plan, lead, buf_str(&p->body), &message, &code);
    l->is_over = p->status != 404 && p->status != 410;
    if (http_status_is_refusal(p->status, false))
        report_refused_key(l, p, message);
    else if (p->status == 404 || p->status == 410)
        l->missing_status = p->status;
    else
        findings_add(l->asking->to, FINDING_FAIL, "lead", "%s: the provider returned %d%s%s; %s",
                     lead->id.ptr, p->status, message ? ": " : "", message ? message : "",
                     advice(p->status));
}

/* ---- asking --------------------------------------------------------------------------------- */

static enum rc ask_for(struct lead_check *l, struct lead *lead, const char *url, struct err *e)
{
    struct http_probe p;
    struct asking *a = l->asking;
    enum rc rc = asking_get(a, url, &p, e);
    l->is_over = !a->is_reached;
    l->missing_status = 0;
    if (rc == RC_OK && a->is_reached && p.stage == PROBE_ANSWERED) {
        report_answer(l, lead, &p);
    } else if (rc == RC_OK && a->is_reached) {
        l->is_over = true;
        findings_add(l->asking->to, FINDING_FAIL, "lead", "%s: %s; try again later", lead->id.ptr,
                     p.error);
    }
    buf_free(&p.body);
    return rc;
}

enum rc lead_check_open(struct lead_check *l, struct asking *a, struct err *e)
{
    *l = (struct lead_check){.asking = a};
    return flatten_plan_new(&l->plan, a->cfg->profile, (enum signed_urls)a->cfg->signed_urls, e);
}

void lead_check_close(struct lead_check *l)
{
    flatten_plan_free(l->plan);
}

enum rc lead_check_ask(struct lead_check *l, struct str id, const struct str *params, struct err *e)
{
    struct buf url;
    const struct run_cfg *cfg = l->asking->cfg;
    struct lead *lead = lead_new(id, params, cfg->profile->n_params, sizeof *lead);
    if (!lead)
        return err_nomem(e);
    lead->arena.max_bytes = cfg->max_memory / 2; /* the limit of a run */
    buf_init(&url, URL_BYTES_MAX);
    enum rc rc = profile_url(cfg->profile, str_c(cfg->base_url), lead->id, lead->params, &url, e);
    if (rc == RC_OK)
        rc = ask_for(l, lead, buf_cstr(&url), e);
    else if (rc == RC_SYNTAX || rc == RC_LIMIT)
        findings_add(l->asking->to, FINDING_WARN, "ids", "%s: cannot be requested: %s",
                     lead->id.ptr, rc == RC_SYNTAX ? e->msg : "its URL is too long");
    buf_free(&url);
    lead_free(lead);
    return rc == RC_SYNTAX || rc == RC_LIMIT ? RC_OK : rc;
}
