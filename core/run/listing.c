#include "core/run/listing.h"

#include <openssl/evp.h>
#include <stdio.h>

/* The next page is requested when fewer leads than this wait. */
#define LISTING_AHEAD 1000

/* ---- opening --------------------------------------------------------------------------------- */

static enum rc put_part(struct listing *l, const struct lister_page *page, struct err *e)
{
    const struct list_part part = {.list = page->list,
                                   .end = !page->ends           ? LIST_PART_GOES_ON
                                          : page->is_incomplete ? LIST_PART_INCOMPLETE
                                                                : LIST_PART_COMPLETE,
                                   .bad = page->bad};
    return list_queue_put(l->queue, &part, e);
}

static enum rc on_found(void *listing, struct str id, const struct str *params, struct err *e)
{
    struct listing *l = listing;
    bool is_full = false;
    enum rc rc = list_queue_add(l->queue, id, params, &is_full, e);
    return rc == RC_OK && is_full ? put_part(l, &(struct lister_page){.list = l->list}, e) : rc;
}

static enum rc on_page_end(void *listing, const struct lister_page *page, struct err *e)
{
    struct listing *l = listing;
    l->list = page->list + page->ends;
    return put_part(l, page, e);
}

enum rc listing_open(struct listing *l, const struct lister_cfg *cfg,
                     const struct source_wait *wait, struct err *e)
{
    struct lister_cfg own = *cfg;
    own.found = on_found;
    own.page_end = on_page_end;
    own.ctx = l;
    enum rc rc = list_queue_new(&l->queue, cfg->profile->n_params, wait, e);
    if (rc == RC_OK)
        rc = lister_new(&l->lister, &own, e);
    return rc;
}

void listing_free(struct listing *l)
{
    lister_free(l->lister);
    l->lister = NULL;
}

/* ---- with a state ---------------------------------------------------------------------------- */

static void add_text(struct buf *out, struct str text)
{
    buf_addf(out, "%zu:", text.len);
    buf_add_str(out, text);
}

/* A digest of what identifies the lists: provider, server and parameters, but not --created-since and -until. */
static enum rc put_source(const struct lister_cfg *cfg, char out[STATE_LIST_SOURCE_BYTES + 1],
                          struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    const size_t n_params = cfg->profile->n_params;
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    add_text(&text, cfg->profile->name);
    add_text(&text, str_c(cfg->base_url));
    buf_addf(&text, "%zu:", n_params);
    for (size_t i = 0; i < cfg->n_lists * n_params; i++)
        add_text(&text, cfg->params[i]);
    enum rc rc = buf_rc(&text);
    if (rc == RC_OK && !EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL))
        rc = RC_INTERNAL;
    buf_free(&text);
    for (size_t i = 0; i < STATE_LIST_SOURCE_BYTES / 2; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return rc == RC_OK ? RC_OK
                       : err_set(e, rc, "cannot compute the digest of a list: %s", rc_text(rc));
}

enum rc listing_begin(const struct lister_cfg *cfg, struct state *state, struct err *e)
{
    char source[STATE_LIST_SOURCE_BYTES + 1];
    enum rc rc = put_source(cfg, source, e);
    if (rc != RC_OK)
        return rc;
    const struct state_list_cfg list = {
        .source = str_c(source),
        .n_params = cfg->profile->n_params,
        .n_lists = cfg->n_lists,
        .has_since = cfg->has_since,
        .has_until = cfg->has_until,
        .since_ms = cfg->since_ms,
        .until_ms = cfg->until_ms,
    };
    return state_list_begin(state, &list, e);
}

/* ---- resuming -------------------------------------------------------------------------------- */

/* How far a resumed run has read its lists. */
struct recorded {
    struct listing *listing;
    size_t n_params;
    size_t next; /* the first list that was not read to its end */
};

static enum rc note_end(void *recorded, const struct list_part *part, struct err *e)
{
    struct recorded *r = recorded;
    (void)e;
    if (part->end == LIST_PART_GOES_ON)
        return RC_OK;
    r->next = part->list + 1;
    r->listing->may_lack_before |= part->bad || part->end == LIST_PART_INCOMPLETE;
    return RC_OK;
}

static enum rc know_leads(void *recorded, const struct list_part *part, struct err *e)
{
    const struct recorded *r = recorded;
    struct str rest = part->pack, id, params[PROFILE_PARAMS_MAX];
    enum rc rc = RC_OK;
    while (rc == RC_OK && part->list == r->next && rest.len &&
           list_pack_take(&rest, r->n_params, &id, params))
        rc = lister_know(r->listing->lister, id, params, e);
    return rc;
}

enum rc listing_resume(struct listing *l, const struct lister_cfg *cfg, struct state *state,
                       struct err *e)
{
    struct state_list_cfg then;
    struct recorded r = {.listing = l, .n_params = cfg->profile->n_params};
    enum rc rc = state_list_load(state, &then, e);
    if (rc == RC_OK && (then.n_params != r.n_params || then.n_lists != cfg->n_lists))
        rc = err_set(e, RC_USAGE,
                     "the state is damaged: it has the list of another command; restore it, or "
                     "remove it to start over");
    if (rc == RC_OK)
        rc = state_list_each(state, note_end, &r, e);
    if (rc != RC_OK)
        return rc;
    if (r.next == cfg->n_lists) {
        listing_free(l);
        list_queue_end(l->queue, RC_END, NULL);
        return RC_OK;
    }
    const struct lister_start start = {
        .list = r.next,
        .has_since = then.has_since,
        .has_until = then.has_until,
        .since_ms = then.since_ms,
        .until_ms = then.until_ms,
    };
    l->list = r.next;
    rc = lister_begin_at(l->lister, &start, e);
    return rc == RC_OK ? state_list_each(state, know_leads, &r, e) : rc;
}

/* ---- pages ----------------------------------------------------------------------------------- */

bool listing_may_lack(const struct listing *l)
{
    return l->may_lack_before || l->result.incomplete || l->result.bad;
}

struct http_request *listing_next(struct listing *l)
{
    if (!l->lister || list_queue_ahead(l->queue) >= LISTING_AHEAD)
        return NULL;
    return lister_next(l->lister);
}

void listing_stop(struct listing *l)
{
    if (l->queue)
        list_queue_end(l->queue, RC_STOPPED, NULL);
}

void listing_take(struct listing *l, struct http_request *http)
{
    struct err e;
    enum rc rc = lister_take(l->lister, l->engine, http, &e);
    lister_result(l->lister, &l->result);
    if (rc == RC_OK)
        return;
    if (rc != RC_END && rc != RC_STOPPED)
        control_fail(l->control, &e);
    list_queue_end(l->queue, rc == RC_END ? RC_END : RC_STOPPED, NULL);
}
