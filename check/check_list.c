#include "check/check_list.h"

#include <inttypes.h>

#include "check/check_lead.h"
#include "core/http/http_status.h"
#include "core/source/lister.h"

/* Further lists are not requested. */
#define LISTS_MAX 5

/* The first page of one list. */
struct first_page {
    struct asking *asking;
    struct lister *lister;
    struct lead *leads[CHECK_LEADS_MAX]; /* owned: the first of them, to be requested */
    uint64_t n;
    bool has_ended;
};

static enum rc on_found(void *ctx, struct str id, const struct str *params, struct err *e)
{
    struct first_page *page = ctx;
    if (page->n++ >= CHECK_LEADS_MAX)
        return RC_OK;
    struct lead *lead = lead_new(id, params, page->asking->cfg->profile->n_params, sizeof *lead);
    page->leads[page->n - 1] = lead;
    return lead ? RC_OK : err_nomem(e);
}

/* No second page is asked for. */
static enum rc on_page_end(void *ctx, const struct lister_page *read, struct err *e)
{
    struct first_page *page = ctx;
    (void)read;
    (void)e;
    page->has_ended = true;
    return RC_CLOSED;
}

/* ---- reporting ------------------------------------------------------------------------------ */

static void report_page(struct first_page *page, const struct http_probe *p)
{
    struct lister_result result;
    const struct findings *to = page->asking->to;
    const char *name = lister_name(page->lister);
    lister_result(page->lister, &result);
    if (page->n > 0)
        findings_add(to, FINDING_OK, "list",
                     "%s: the first page has %" PRIu64 " lead%s and came in %" PRId64
                     " ms; the first one is %s",
                     name, page->n, page->n == 1 ? "" : "s", p->total_us / 1000,
                     page->leads[0]->id.ptr);
    else if (result.bad == 0)
        findings_add(
            to, FINDING_WARN, "list",
            "%s: the first page has no leads, so nothing would be exported; check --param, "
            "--created-since and the account that the key belongs to",
            name);
    if (result.bad > 0)
        findings_add(
            to, page->n > 0 ? FINDING_WARN : FINDING_FAIL, "list",
            "%s: %" PRIu64 " element%s of the first page %s no valid ID, and would be left "
            "out; check that --provider is the right one",
            name, result.bad, result.bad == 1 ? "" : "s", result.bad == 1 ? "has" : "have");
}

static const char *advice(const struct http_probe *p)
{
    switch (p->status) {
    case 403:
        return "check that this key has permission to list leads";
    case 400:
    case 404:
    case 410:
        return "check --base-url, --server, --param and the account that the key belongs to";
    default:
        break;
    }
    if (p->status / 100 == 2)
        return "check that --base-url, --server and --provider are right";
    if (!http_status_retryable(p->status))
        return "check --base-url, --server and --param; if they are right, ask the provider";
    return "try again later; if it still fails, ask the provider";
}

static void report_refusal(const struct first_page *page, const struct http_probe *p,
                           const struct err *e)
{
    /* These messages already say what to do. */
    bool says_all = e->rc == RC_AUTH || http_status_is_redirect(p->status, false);
    findings_add(page->asking->to, FINDING_FAIL, e->rc == RC_AUTH ? "key" : "list", "%s%s%s",
                 e->msg, says_all ? "" : "; ", says_all ? "" : advice(p));
}

/* ---- asking --------------------------------------------------------------------------------- */

/* Hands the response to the lister as an engine would. */
static enum rc take(struct first_page *page, struct http_request *r, struct http_probe *p,
                    struct err *e)
{
    r->end = p->is_too_large && p->status / 100 == 2 ? HTTP_TOO_LARGE : HTTP_ANSWERED;
    r->status = p->status;
    r->is_redirect = http_status_is_redirect(p->status, false);
    r->answer = p->body;
    p->body = (struct buf){0};
    memcpy(r->charset, p->charset, sizeof r->charset);
    return lister_take(page->lister, NULL, r, e);
}

static enum rc ask_page(struct first_page *page, bool *is_fine, struct err *e)
{
    struct http_probe p;
    struct err why;
    struct asking *a = page->asking;
    struct http_request *r = lister_next(page->lister);
    enum rc rc = asking_get(a, r->url, &p, e);
    if (rc == RC_OK && a->is_reached && p.stage == PROBE_ANSWERED) {
        rc = take(page, r, &p, &why);
        *is_fine = page->has_ended;
        if (page->has_ended && a->n_requests == 1)
            asking_report_key(a);
        if (page->has_ended)
            report_page(page, &p);
        else if (rc != RC_NOMEM)
            report_refusal(page, &p, &why);
        rc = rc == RC_NOMEM ? err_nomem(e) : RC_OK;
    } else if (rc == RC_OK && a->is_reached) {
        findings_add(a->to, FINDING_FAIL, "list", "%s: %s; try again later",
                     lister_name(page->lister), p.error);
    }
    buf_free(&p.body);
    return rc;
}

/* A list may be at an address below which no lead is. */
static enum rc ask_leads(const struct first_page *page, struct err *e)
{
    struct lead_check l;
    size_t n = page->n < CHECK_LEADS_MAX ? (size_t)page->n : CHECK_LEADS_MAX;
    enum rc rc = lead_check_open(&l, page->asking, e);
    for (size_t i = 0; rc == RC_OK && i < n && !l.is_over; i++)
        rc = lead_check_ask(&l, page->leads[i]->id, page->leads[i]->params, e);
    if (rc == RC_OK && l.missing_status)
        findings_add(page->asking->to, n > 1 ? FINDING_FAIL : FINDING_WARN, "lead",
                     "%s: the provider lists it, but does not have it (%d)%s; check --base-url, "
                     "--server and --param",
                     page->leads[n - 1]->id.ptr, l.missing_status,
                     n > 1 ? ", nor any of those before it" : "");
    lead_check_close(&l);
    return rc;
}

/* `wants_lead`: one of the leads is requested, too; false from then on. */
static enum rc ask_list(struct asking *a, size_t list, bool *wants_lead, bool *is_fine,
                        struct err *e)
{
    const struct lister_cfg *listing = a->cfg->listing;
    struct first_page page = {.asking = a};
    struct lister_cfg cfg = *listing;
    cfg.params = listing->params + list * listing->profile->n_params;
    cfg.n_lists = 1;
    cfg.log = NULL; /* its messages are reported as findings instead */
    cfg.found = on_found;
    cfg.page_end = on_page_end;
    cfg.ctx = &page;
    *is_fine = false;
    enum rc rc = lister_new(&page.lister, &cfg, e);
    if (rc == RC_OK)
        rc = ask_page(&page, is_fine, e);
    else if (rc == RC_USAGE)
        findings_add(a->to, FINDING_FAIL, "list", "%s", e->msg);
    if (rc == RC_OK && *is_fine && page.n > 0 && *wants_lead) {
        rc = ask_leads(&page, e);
        *wants_lead = false;
    }
    lister_free(page.lister);
    for (size_t i = 0; i < CHECK_LEADS_MAX; i++)
        lead_free(page.leads[i]);
    return rc == RC_USAGE ? RC_OK : rc;
}

enum rc check_list(struct asking *a, struct err *e)
{
    size_t n = a->cfg->listing->n_lists;
    enum rc rc = RC_OK;
    bool is_fine = true, wants_lead = true;
    for (size_t i = 0; rc == RC_OK && is_fine && i < n && i < LISTS_MAX; i++)
        rc = ask_list(a, i, &wants_lead, &is_fine, e);
    if (rc == RC_OK && is_fine && n > LISTS_MAX)
        findings_add(a->to, FINDING_OK, "list", "%zu more lists were not requested", n - LISTS_MAX);
    return rc;
}
