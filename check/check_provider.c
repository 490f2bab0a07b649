#include "check/check_provider.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "check/asking.h"
#include "check/check_list.h"
#include "core/file/descriptor.h"
#include "core/flatten/flatten.h"
#include "core/http/http_status.h"

/* Leads that are requested until one is found. */
#define LEADS_MAX 5
#define IDS_BYTES_MAX ((size_t)16 << 20)
#define URL_BYTES_MAX ((size_t)64 << 10)

struct leads {
    struct asking *asking;
    const struct findings *to;
    struct flatten_plan *plan;
    struct arena memory; /* of IDs */
    unsigned n_read;     /* IDs of the input, bad lines included */
    bool is_over;        /* requesting another lead would show nothing more */
};

/* ---- the response --------------------------------------------------------------------------- */

static void report_refused_key(const struct leads *l, const struct http_probe *p,
                               const char *message)
{
    const struct run_cfg *cfg = l->asking->cfg;
    if (cfg->profile->key_header.len)
        findings_add(l->to, FINDING_FAIL, "key",
                     "refused by the provider with status %d%s%s; check the API key in %s, and "
                     "that it is valid for this server",
                     p->status, message ? ": " : "", message ? message : "",
                     cfg->credential_source);
    else
        findings_add(l->to, FINDING_FAIL, "lead",
                     "the provider refuses it with status %d%s%s, although its profile says that "
                     "it needs no key; check --provider and --base-url",
                     p->status, message ? ": " : "", message ? message : "");
}

static void report_payload(struct leads *l, struct lead *lead, const struct http_probe *p)
{
    const char *code = NULL;
    struct err e;
    enum rc rc = flatten_parse(l->plan, lead, JSON_TREE, &code, &e);
    if (rc == RC_OK) {
        findings_add(l->to, FINDING_OK, "lead",
                     "%s: fetched in %" PRId64 " ms, %zu bytes as received", lead->id.ptr,
                     p->total_us / 1000, lead->body.len);
        return;
    }
    findings_add(l->to, FINDING_FAIL, "lead", "%s: %s; %s", lead->id.ptr, e.msg,
                 rc == RC_SYNTAX ? "check that this is the provider's server (--base-url, --server)"
                                 : "try another ID, and check that --provider is the right one");
}

static void report_found(struct leads *l, struct lead *lead, struct http_probe *p)
{
    struct err e;
    asking_report_key(l->asking);
    l->is_over = true;
    if (p->is_too_large) {
        findings_add(l->to, FINDING_FAIL, "lead",
                     "%s: the response is larger than --max-body allows; give a larger --max-body",
                     lead->id.ptr);
        return;
    }
    enum rc rc = charset_to_utf8(&p->body, p->charset, &e);
    if (rc != RC_OK) {
        findings_add(l->to, FINDING_FAIL, "lead", "%s: %s", lead->id.ptr, e.msg);
        return;
    }
    lead->body = p->body;
    p->body = (struct buf){0};
    report_payload(l, lead, p);
}

static void report_missing(struct leads *l, const struct lead *lead, const struct http_probe *p)
{
    l->is_over = l->n_read == LEADS_MAX;
    if (l->is_over)
        findings_add(l->to, FINDING_WARN, "lead",
                     "%s: the provider does not have it (%d), nor any of the IDs before it; check "
                     "that the IDs, the parameters and the key are for the same account",
                     lead->id.ptr, p->status);
}

static void report_answer(struct leads *l, struct lead *lead, struct http_probe *p)
{
    const char *message = NULL, *code = NULL;
    if (p->status / 100 == 2) {
        report_found(l, lead, p);
        return;
    }
    flatten_error_body(l->plan, lead, buf_str(&p->body), &message, &code);
    l->is_over = true;
    if (http_status_is_refusal(p->status, false))
        report_refused_key(l, p, message);
    else if (p->status == 404 || p->status == 410)
        report_missing(l, lead, p);
    else
        findings_add(l->to, FINDING_FAIL, "lead", "%s: the provider returned %d%s%s; %s",
                     lead->id.ptr, p->status, message ? ": " : "", message ? message : "",
                     p->status / 100 == 3 ? "redirects are not followed: give the address that it "
                                            "leads to with --base-url"
                                          : "try again later; if it still fails, ask the provider");
}

/* ---- asking --------------------------------------------------------------------------------- */

static enum rc ask_for(struct leads *l, struct lead *lead, const char *url, struct err *e)
{
    struct http_probe p;
    struct asking *a = l->asking;
    enum rc rc = asking_get(a, url, &p, e);
    l->is_over = !a->is_reached;
    if (rc == RC_OK && a->is_reached && p.stage == PROBE_ANSWERED) {
        report_answer(l, lead, &p);
    } else if (rc == RC_OK && a->is_reached) {
        l->is_over = true;
        findings_add(l->to, FINDING_FAIL, "lead", "%s: %s; try again later", lead->id.ptr, p.error);
    }
    buf_free(&p.body);
    return rc;
}

static enum rc ask_lead(struct leads *l, const struct id_item *item, struct err *e)
{
    struct buf url;
    const struct run_cfg *cfg = l->asking->cfg;
    struct lead *lead = lead_new(item->id, item->params, cfg->profile->n_params, sizeof *lead);
    if (!lead)
        return err_nomem(e);
    lead->arena.max_bytes = cfg->max_memory / 2; /* the limit of a run */
    buf_init(&url, URL_BYTES_MAX);
    enum rc rc = profile_url(cfg->profile, str_c(cfg->base_url), lead->id, lead->params, &url, e);
    if (rc == RC_OK)
        rc = ask_for(l, lead, buf_cstr(&url), e);
    else if (rc == RC_SYNTAX || rc == RC_LIMIT)
        findings_add(l->to, FINDING_WARN, "ids", "%s: cannot be requested: %s", lead->id.ptr,
                     rc == RC_SYNTAX ? e->msg : "its URL is too long");
    buf_free(&url);
    lead_free(lead);
    return rc == RC_SYNTAX || rc == RC_LIMIT ? RC_OK : rc;
}

static enum rc ask_item(struct leads *l, const struct id_item *item, struct err *e)
{
    l->n_read++;
    if (!item->bad)
        return ask_lead(l, item, e);
    findings_add(l->to, FINDING_WARN, "ids", "%s: line %" PRIu64 ": %s", item->file, item->line,
                 item->bad);
    return RC_OK;
}

/* ---- IDs ------------------------------------------------------------------------------------ */

/* What is read from a pipe or a terminal is lost for its intended reader, and reading may block. */
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

static enum rc ask_all(struct leads *l, struct id_source *ids, struct err *e)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && !l->is_over && l->n_read < LEADS_MAX) {
        struct id_item item;
        arena_reset(&l->memory, IDS_BYTES_MAX);
        rc = ids->ops->next(ids, &l->memory, &item, e);
        if (rc == RC_OK)
            rc = ask_item(l, &item, e);
    }
    if (rc == RC_END && l->n_read == 0)
        findings_add(l->to, FINDING_WARN, "ids", "the input has no IDs; nothing would be fetched");
    else if (rc == RC_END && !l->is_over && l->asking->n_requests > 0)
        findings_add(l->to, FINDING_WARN, "lead",
                     "the provider has none of the IDs of the input; check that the IDs, the "
                     "parameters and the key are for the same account");
    return rc == RC_END ? RC_OK : rc;
}

static void ask_by_ids(struct leads *l)
{
    struct id_source *ids = NULL;
    struct err e;
    enum rc rc = ids_open(&ids, &l->asking->cfg->ids, &e);
    if (rc == RC_OK)
        rc = ask_all(l, ids, &e);
    if (rc != RC_OK)
        findings_add(l->to, FINDING_FAIL, "ids", "%s", e.msg);
    if (ids)
        ids->ops->close(ids);
}

static enum rc check_leads(struct asking *a, struct err *e)
{
    struct leads l = {.asking = a, .to = a->to};
    if (a->cfg->queue.open) {
        findings_add(
            a->to, FINDING_WARN, "lead",
            "none was fetched, because a check reads no message of a topic; check the same "
            "command with --id, instead of FILE, to check the key");
        return RC_OK;
    }
    if (!may_read(&a->cfg->ids)) {
        findings_add(
            a->to, FINDING_WARN, "lead",
            "none was fetched, because IDs come from a pipe or a terminal, which a check does not "
            "read; give one with --id to check the key");
        return RC_OK;
    }
    arena_init(&l.memory, IDS_BYTES_MAX);
    enum rc rc = flatten_plan_new(&l.plan, a->cfg->profile, a->cfg->signed_urls, e);
    if (rc == RC_OK)
        ask_by_ids(&l);
    flatten_plan_free(l.plan);
    arena_free(&l.memory);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

void check_provider(const struct run_cfg *cfg, bool has_key, const struct findings *f)
{
    struct asking a;
    struct err e;
    enum rc rc = asking_init(&a, cfg, f, &e);
    if (rc == RC_OK && has_key)
        rc = cfg->listing ? check_list(&a, &e) : check_leads(&a, &e);
    if (rc == RC_OK && a.n_requests == 0)
        rc = asking_connect(&a, &e);
    if (rc != RC_OK)
        findings_add(f, FINDING_FAIL, "provider", "%s", e.msg);
    asking_free(&a);
}
