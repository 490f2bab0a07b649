#include "core/run/listing.h"

/* Pages are requested while fewer leads than this wait. */
#define LISTING_AHEAD 1000

static enum rc on_found(void *listing, struct str id, const struct str *params, struct err *e)
{
    struct listing *l = listing;
    return list_queue_put(l->queue, id, params, e);
}

static enum rc on_page_end(void *listing, struct err *e)
{
    struct listing *l = listing;
    (void)e;
    list_queue_flush(l->queue);
    return RC_OK;
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
