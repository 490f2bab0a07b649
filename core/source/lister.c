#include "core/source/lister.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/url.h"
#include "core/http/charset.h"
#include "core/http/http_status.h"
#include "core/source/id_seen.h"
#include "core/source/list_body.h"
#include "core/source/list_link.h"
#include "core/source/list_pages.h"

#define URL_BYTES_MAX (2 * SERVER_URL_BYTES_MAX + 3 * LIST_CURSOR_BYTES_MAX)
#define NAME_BYTES_MAX 4096
#define MESSAGE_BYTES_MAX 300
/* A tree takes many times the memory of its text. */
#define TREE_BYTES_MAX ((size_t)4 << 30)
#define ARENA_KEPT_BYTES ((size_t)1 << 20)
#define BAD_SHOWN 5 /* elements without a valid ID that are reported individually */

struct lister {
    struct lister_cfg cfg;
    const struct list_spec *spec;
    size_t list;             /* which of cfg.n_lists */
    const struct str *given; /* its parameters */
    struct str *params;      /* owned: those of one element */
    struct buf name;         /* of the list, for messages */
    struct buf first_url;    /* of the first page, without its number */
    struct buf url;          /* of the page that is requested */
    uint64_t number;         /* of that page; counted from 1 if pages have no numbers */
    struct list_pages pages;
    struct arena tree; /* of one response */
    struct http_request request;
    bool is_due; /* `request` must be sent */
    uint64_t bad_in_pass,
        bad_in_list; /* elements without a valid ID; of a list the most of a pass */
    struct lister_result result;
};

static const char *const wanted_fields[] = {"Link", NULL};

/* ---- URLs ------------------------------------------------------------------------------------ */

static void add_query(struct buf *url, struct str name, struct str value)
{
    bool has_query = url->len && memchr(url->data, '?', url->len);
    buf_addc(url, has_query ? '&' : '?');
    url_encode(url, name);
    buf_addc(url, '=');
    url_encode(url, value);
}

static void add_number(struct buf *url, struct str name, int64_t n)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, n);
    add_query(url, name, (struct str){text, (size_t)len});
}

static void add_time(struct buf *url, const struct list_filter *f, bool is_given, int64_t ms)
{
    char text[25];
    if (!is_given)
        return;
    if (f->format == LIST_TIME_RFC3339) {
        clock_format(ms, text);
        add_query(url, f->name, str_c(text));
    } else {
        add_number(url, f->name, f->format == LIST_TIME_UNIX ? ms / 1000 : ms);
    }
}

static enum rc make_first_url(struct lister *l, struct err *e)
{
    const struct list_spec *s = l->spec;
    buf_clear(&l->first_url);
    enum rc rc =
        profile_list_url(l->cfg.profile, str_c(l->cfg.base_url), l->given, &l->first_url, e);
    if (rc == RC_SYNTAX)
        rc = e->rc = RC_USAGE;
    if (rc != RC_OK)
        return rc;
    if (s->size_name.ptr)
        add_number(&l->first_url, s->size_name, (int64_t)s->size);
    add_time(&l->first_url, &s->since, l->cfg.has_since, l->cfg.since_ms);
    add_time(&l->first_url, &s->until, l->cfg.has_until, l->cfg.until_ms);
    return buf_rc(&l->first_url) == RC_OK ? RC_OK : err_nomem(e);
}

/* Names the list: "convocore, agentId A1". */
static enum rc make_name(struct lister *l, struct err *e)
{
    const struct profile *p = l->cfg.profile;
    buf_clear(&l->name);
    buf_add_str(&l->name, p->name);
    for (size_t i = 0; i < p->n_params; i++) {
        if (l->spec->in_url[i])
            buf_addf(&l->name, ", " STR_FMT " " STR_FMT, STR_ARG(p->params[i]),
                     STR_ARG(l->given[i]));
    }
    return buf_rc(&l->name) == RC_OK ? RC_OK : err_nomem(e);
}

/* Prepares the request for the page at `l->url`. */
static enum rc request_page(struct lister *l, struct err *e)
{
    if (buf_rc(&l->url) != RC_OK)
        return err_set(e, buf_rc(&l->url), "%s: the URL of the next page: %s", buf_cstr(&l->name),
                       rc_text(buf_rc(&l->url)));
    buf_free(&l->request.answer);
    buf_free(&l->request.fields);
    l->request = (struct http_request){
        .done = l->cfg.done,
        .url = buf_cstr(&l->url),
        .method = HTTP_GET,
        .max_body = l->cfg.max_body,
        .wanted = l->spec->style == LIST_LINK ? wanted_fields : NULL,
    };
    l->is_due = true;
    return RC_OK;
}

static enum rc request_first(struct lister *l, struct err *e)
{
    buf_clear(&l->url);
    buf_add_str(&l->url, buf_str(&l->first_url));
    l->number = l->spec->style == LIST_PAGE ? l->spec->first : 1;
    if (l->spec->style == LIST_PAGE)
        add_number(&l->url, l->spec->name, (int64_t)l->number);
    return request_page(l, e);
}

/* `cursor`: that of the previous page; with LIST_LINK the whole URL. */
static enum rc request_next(struct lister *l, struct str cursor, struct err *e)
{
    l->number++;
    buf_clear(&l->url);
    if (l->spec->style == LIST_LINK) {
        buf_add_str(&l->url, cursor);
        return request_page(l, e);
    }
    buf_add_str(&l->url, buf_str(&l->first_url));
    if (l->spec->style == LIST_PAGE)
        add_number(&l->url, l->spec->name, (int64_t)l->number);
    else
        add_query(&l->url, l->spec->name, cursor);
    return request_page(l, e);
}

/* ---- opening, closing ------------------------------------------------------------------------ */

static enum rc begin_list(struct lister *l, struct err *e)
{
    l->given = l->cfg.params + l->list * l->cfg.profile->n_params;
    enum rc rc = make_name(l, e);
    if (rc == RC_OK)
        rc = make_first_url(l, e);
    return rc == RC_OK ? request_first(l, e) : rc;
}

enum rc lister_new(struct lister **out, const struct lister_cfg *cfg, struct err *e)
{
    struct lister *l = calloc(1, sizeof *l);
    if (!l)
        return err_nomem(e);
    l->cfg = *cfg;
    l->spec = cfg->profile->list;
    l->params = calloc(cfg->profile->n_params + 1, sizeof *l->params);
    buf_init(&l->name, NAME_BYTES_MAX);
    buf_init(&l->first_url, URL_BYTES_MAX);
    buf_init(&l->url, URL_BYTES_MAX);
    arena_init(&l->tree, cfg->max_memory ? cfg->max_memory / 2 : TREE_BYTES_MAX);
    list_pages_init(&l->pages, l->spec->style);
    enum rc rc = l->params ? begin_list(l, e) : err_nomem(e);
    if (rc == RC_OK)
        *out = l;
    else
        lister_free(l);
    return rc;
}

void lister_free(struct lister *l)
{
    if (!l)
        return;
    list_pages_free(&l->pages);
    arena_free(&l->tree);
    buf_free(&l->request.answer);
    buf_free(&l->request.fields);
    buf_free(&l->name);
    buf_free(&l->first_url);
    buf_free(&l->url);
    free(l->params);
    free(l);
}

enum rc lister_begin_at(struct lister *l, const struct lister_start *start, struct err *e)
{
    l->list = start->list;
    l->cfg.has_since = start->has_since;
    l->cfg.has_until = start->has_until;
    l->cfg.since_ms = start->since_ms;
    l->cfg.until_ms = start->until_ms;
    return begin_list(l, e);
}

enum rc lister_know(struct lister *l, struct str id, const struct str *params, struct err *e)
{
    unsigned char key[LEAD_KEY_BYTES];
    enum rc rc = id_key(id, params, l->cfg.profile->n_params, key, e);
    return rc == RC_OK ? list_pages_know(&l->pages, key, e) : rc;
}

struct http_request *lister_next(struct lister *l)
{
    if (!l->is_due)
        return NULL;
    l->is_due = false;
    return &l->request;
}

const char *lister_name(struct lister *l)
{
    return buf_cstr(&l->name);
}

void lister_result(const struct lister *l, struct lister_result *out)
{
    *out = l->result;
}

/* ---- answers that are no page ---------------------------------------------------------------- */

/* The provider's message about the failure, without secrets. */
static void error_message(struct lister *l, char out[MESSAGE_BYTES_MAX])
{
    struct json_doc doc = {.root = NULL};
    struct str body = buf_str(&l->request.answer), text = STR_NONE;
    arena_reset(&l->tree, ARENA_KEPT_BYTES);
    if (body.len && json_parse(&l->tree, body, JSON_TREE, &doc, NULL) == RC_OK)
        text = list_body_message(l->cfg.profile, doc.root);
    (void)snprintf(out, MESSAGE_BYTES_MAX, "%s" STR_FMT, text.len ? ": " : "", STR_ARG(text));
    secrets_redact(l->cfg.secrets, out, MESSAGE_BYTES_MAX);
}

static enum rc refused(struct lister *l, struct err *e)
{
    struct http_request *r = &l->request;
    char message[MESSAGE_BYTES_MAX];
    secrets_redact(l->cfg.secrets, r->error, sizeof r->error);
    if (r->is_redirect)
        return err_set(
            e, RC_NET,
            "%s: the request for the list is redirected (HTTP %d%s%s), which is not "
            "followed because it would send the key to another address; check --base-url "
            "and --server",
            buf_cstr(&l->name), r->status, *r->error ? " to " : "", r->error);
    error_message(l, message);
    if (r->status == 401)
        return err_set(
            e, RC_AUTH, "%s: credentials refused: %s returned %d%s; check the API key in %s",
            buf_cstr(&l->name), l->cfg.base_url, r->status, message, l->cfg.credential_source);
    return err_set(e, RC_NET, "%s: the list was refused: HTTP %d%s", buf_cstr(&l->name), r->status,
                   message);
}

/* The response cannot be used; another attempt may help. */
static enum rc unusable(struct lister *l, struct http_engine *h, const struct err *why,
                        struct err *e)
{
    if (why->rc == RC_NOMEM)
        return err_nomem(e);
    if (h && why->rc != RC_LIMIT && http_engine_retry(h, &l->request, why->msg))
        return RC_OK;
    return err_set(e, RC_SYNTAX, "%s: page %" PRIu64 " of the list: %s", buf_cstr(&l->name),
                   l->number, why->msg);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void note_bad(struct lister *l, uint64_t index, const struct err *why)
{
    if (++l->bad_in_pass <= l->bad_in_list) /* an earlier pass has reported it */
        return;
    l->bad_in_list++;
    l->result.bad++;
    if (l->result.bad <= BAD_SHOWN)
        log_msg(l->cfg.log, LOG_LEVEL_WARN_ALWAYS, buf_cstr(&l->name),
                "element %" PRIu64 " of page %" PRIu64 " of the list is not a lead: %s", index,
                l->number, why->msg);
}

static enum rc take_item(struct lister *l, const cJSON *element, uint64_t index, struct err *e)
{
    const size_t n = l->cfg.profile->n_params;
    unsigned char key[LEAD_KEY_BYTES];
    struct str id;
    struct err why;
    bool is_new = false;
    if (n)
        memcpy(l->params, l->given, n * sizeof *l->params);
    enum rc rc = list_body_item(l->cfg.profile, element, &id, l->params, &why);
    if (rc != RC_OK) {
        note_bad(l, index, &why);
        return RC_OK;
    }
    rc = id_key(id, l->params, n, key, e);
    if (rc == RC_OK)
        rc = list_pages_add(&l->pages, key, &is_new, e);
    if (rc != RC_OK || !is_new)
        return rc;
    l->result.leads++;
    return l->cfg.found(l->cfg.ctx, id, l->params, e);
}

static enum rc next_list(struct lister *l, struct err *e)
{
    list_pages_free(&l->pages);
    list_pages_init(&l->pages, l->spec->style);
    l->bad_in_pass = l->bad_in_list = 0;
    return ++l->list < l->cfg.n_lists ? begin_list(l, e) : RC_END;
}

/* One list has been read: reports why it may be incomplete. False: it may be incomplete. */
static bool report_end(struct lister *l)
{
    static const char *const faults[] = {
        [LIST_END_CHANGED] =
            "the list changed while it was read, each of the 4 times: leads may be "
            "missing; list again when fewer leads are created or deleted",
        [LIST_END_TOKEN_REPEATED] =
            "the list refers back to a page that was read before, and would "
            "not end: leads may be missing",
        [LIST_END_PAGE_REPEATED] = "the list has the same page again, and would not end: leads may "
                                   "be missing",
        [LIST_END_NOTHING_NEW] = "the list goes on without new leads for 20 pages, and would not "
                                 "end: leads may be missing",
    };
    enum list_end end = l->pages.end;
    if (end == LIST_END_TOTAL_DIFFERS)
        log_msg(l->cfg.log, LOG_LEVEL_WARN, buf_cstr(&l->name),
                "the list says that there are %" PRIu64 " leads, but has %" PRIu64
                ", also when it is read again",
                l->pages.total, list_pages_leads(&l->pages));
    if (end == LIST_END_COMPLETE || end == LIST_END_TOTAL_DIFFERS)
        return true;
    l->result.incomplete = true;
    log_msg(l->cfg.log, LOG_LEVEL_ERROR, buf_cstr(&l->name), "%s", faults[end]);
    return false;
}

/* A page has been read. `cursor`: as for request_next(). */
static enum rc take_step(struct lister *l, enum list_step step, struct str cursor, struct err *e)
{
    struct lister_page page = {.list = l->list, .ends = step == LIST_STEP_DONE};
    if (page.ends) {
        page.is_incomplete = !report_end(l);
        page.bad = l->bad_in_list;
    }
    enum rc rc = l->cfg.page_end(l->cfg.ctx, &page, e);
    if (rc != RC_OK)
        return rc;
    if (step == LIST_STEP_DONE)
        return next_list(l, e);
    if (step == LIST_STEP_NEXT)
        return request_next(l, cursor, e);
    log_msg(l->cfg.log, LOG_LEVEL_INFO, buf_cstr(&l->name),
            "the list changed while it was read, or its total is wrong: reading it again");
    l->bad_in_pass = 0;
    return request_first(l, e);
}

/* Puts the absolute URL from the header field Link into `out`; empty: there is none. */
static enum rc read_link(struct lister *l, struct buf *out, struct err *e)
{
    struct str target = STR_NONE, field;
    for (unsigned i = 0; !target.ptr && (field = http_field(&l->request, "Link", i)).ptr; i++)
        target = list_link_next(field);
    if (!target.ptr)
        return RC_OK;
    enum rc rc = url_resolve(buf_cstr(&l->url), target, out, e);
    if (rc == RC_SYNTAX)
        return err_set(e, RC_SYNTAX,
                       "%s: the next page, by the header Link of page %" PRIu64 ": %s",
                       buf_cstr(&l->name), l->number, e->msg);
    return rc;
}

static enum rc take_page(struct lister *l, const struct list_body *body, struct err *e)
{
    struct buf link;
    struct list_page page = body->page;
    enum list_step step = LIST_STEP_DONE;
    uint64_t index = 0;
    enum rc rc = RC_OK;
    buf_init(&link, URL_BYTES_MAX);
    if (l->spec->style == LIST_LINK) {
        rc = read_link(l, &link, e);
        page.cursor = buf_str(&link);
    }
    l->result.pages++;
    for (const cJSON *v = body->items->child; rc == RC_OK && v; v = v->next)
        rc = take_item(l, v, index++, e);
    if (rc == RC_OK)
        rc = list_pages_next(&l->pages, &page, &step, e);
    if (rc == RC_OK)
        rc = take_step(l, step, page.cursor, e);
    buf_free(&link);
    return rc;
}

/* Handles a 2xx: a page, or a body that says that the request has failed. */
static enum rc take_body(struct lister *l, struct http_engine *h, struct err *e)
{
    struct http_request *r = &l->request;
    const struct profile *p = l->cfg.profile;
    struct json_doc doc = {.root = NULL};
    struct list_body body;
    struct err why;
    arena_reset(&l->tree, ARENA_KEPT_BYTES);
    enum rc rc = charset_to_utf8(&r->answer, r->charset, &why);
    if (rc == RC_OK)
        rc = json_parse(&l->tree, buf_str(&r->answer), JSON_TREE, &doc, &why);
    if (rc != RC_OK)
        return unusable(l, h, &why, e);
    if (p->success.n_steps && cJSON_IsFalse(path_find(&p->success, doc.root)))
        return refused(l, e);
    rc = list_body_read(l->spec, doc.root, &body, &why);
    if (rc != RC_OK)
        return err_set(e, rc, "%s: page %" PRIu64 " of the list: %s", buf_cstr(&l->name), l->number,
                       why.msg);
    return take_page(l, &body, e);
}

/* The requested page does not exist, because the one before it was the last. */
static enum rc take_none(struct lister *l, struct err *e)
{
    enum list_step step;
    enum rc rc = list_pages_none(&l->pages, &step, e);
    return rc == RC_OK ? take_step(l, step, STR_NONE, e) : rc;
}

enum rc lister_take(struct lister *l, struct http_engine *h, struct http_request *r, struct err *e)
{
    switch (r->end) {
    case HTTP_ANSWERED:
        if (r->status / 100 == 2)
            return take_body(l, h, e);
        if (l->spec->style == LIST_PAGE && (r->status == 404 || r->status == 400) &&
            list_pages_has_total(&l->pages))
            return take_none(l, e);
        return refused(l, e);
    case HTTP_TOO_LARGE:
        return err_set(e, RC_LIMIT,
                       "%s: page %" PRIu64
                       " of the list is larger than --max-body or --max-memory allows",
                       buf_cstr(&l->name), l->number);
    case HTTP_NO_ANSWER:
        secrets_redact(l->cfg.secrets, r->error, sizeof r->error);
        return err_set(e, RC_NET, "%s: page %" PRIu64 " of the list: %s", buf_cstr(&l->name),
                       l->number, r->error);
    case HTTP_NOT_WRITTEN:
    case HTTP_NO_ROOM:
    case HTTP_ABORTED:
        break;
    }
    return err_set(e, RC_STOPPED, "%s: stopped while the list was read", buf_cstr(&l->name));
}
