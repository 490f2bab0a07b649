#include "core/run/fetcher.h"

#include <stdlib.h>
#include <string.h>

#define ERROR_BODY_BYTES_MAX ((size_t)64 * 1024)
#define LISTING_BODY_SHARE                                                                         \
    4 /* a body may have a fourth of a page's memory; its tree needs the rest */
#define KEY_BYTES_MAX ((size_t)64 * 1024)

/* ---- the next request ------------------------------------------------------------------------ */

enum rc fetcher_make_request(struct fetcher *f, struct lead *lead, struct err *e)
{
    const struct run_cfg *cfg = f->cfg;
    struct fetch_request *req = request_pool_take(f->requests, cfg->max_body);
    if (!req)
        return err_nomem(e);
    lead->run->request = req;
    enum rc rc =
        profile_url(cfg->profile, str_c(cfg->base_url), lead->id, lead->params, &req->url, e);
    if (rc != RC_OK)
        return rc;
    req->http.owner = lead;
    req->http.done = fetch_answered;
    req->http.room = fetch_take_room;
    req->http.url = buf_cstr(&req->url);
    req->http.method = HTTP_GET;
    return buf_rc(&req->url) == RC_OK ? RC_OK : err_nomem(e);
}

struct http_request *fetcher_count_request(struct fetcher *f, struct lead *lead)
{
    struct fetch_request *req = lead->run->request;
    if (!req->is_counted)
        req->ordinal = f->requested++;
    req->is_counted = true;
    return &req->http;
}

/* Starts the next lead, and returns its request. NULL with *again: the lead needed no request; NULL without: there is no
 * lead now. */
static struct http_request *start_lead(struct fetcher *f, bool *again)
{
    struct lead *lead = intake_take(f->intake);
    *again = lead != NULL;
    if (!lead)
        return NULL;
    ring_reserve(f->ring, lead);
    if (lead->run->outcome == OUTCOME_FAILED) { /* a bad line */
        fetcher_complete(f, lead);
        return NULL;
    }
    struct err e;
    if (fetcher_make_request(f, lead, &e) != RC_OK) {
        lead_fail(lead, STAGE_FETCH, "request", "%s", e.msg);
        fetcher_complete(f, lead);
        return NULL;
    }
    if (resume_take_buffered(f->resume, lead, &lead->run->request->http.answer)) {
        fetch_hand_over(f, lead); /* its payload is in the state: no request */
        return NULL;
    }
    return fetcher_count_request(f, lead);
}

static bool has_room(const struct fetcher *f)
{
    uint64_t reserved, completed;
    if (!ring_has_room(f->ring))
        return false;
    ring_counts(f->ring, &reserved, &completed);
    return memory_has_room(f->memory, reserved - completed);
}

static struct http_request *next_request(void *fetcher)
{
    struct fetcher *f = fetcher;
    bool wants_wake = false;
    while (!control_is_stopping(f->control)) {
        struct http_request *page = listing_next(&f->listing);
        if (page)
            return page;
        struct http_request *waited;
        struct lead *ready;
        bool again = fetch_next_waiting(f, &ready, &waited);
        if (waited)
            return waited;
        if (ready)
            fetcher_to_workers(f, ready);
        if (!again && !fetch_must_pause(f) && has_room(f)) {
            struct http_request *http = start_lead(f, &again);
            if (http)
                return http;
        }
        if (again)
            continue;
        if (wants_wake)
            return NULL;
        /* Checks once more afterwards, because changes before it cause no wake-up. */
        control_want_wake(f->control);
        wants_wake = true;
    }
    return NULL;
}

/* ---- where leads go -------------------------------------------------------------------------- */

void fetcher_to_workers(struct fetcher *f, struct lead *lead)
{
    f->answered[f->n_answered++] = lead;
    if (f->n_answered == FETCHER_BATCH)
        fetcher_flush(f);
}

void fetcher_flush(struct fetcher *f)
{
    if (f->n_answered == 0)
        return;
    workers_push(f->workers, f->answered, f->n_answered);
    f->n_answered = 0;
}

void fetcher_complete(struct fetcher *f, struct lead *lead)
{
    memory_end_exclusive(f->memory, lead);
    memory_hold(f->memory, lead, 0);
    memory_charge_as(f->memory, lead, 0);
    request_pool_give(f->requests, &lead, 1);
    ring_complete(f->ring, &lead, 1);
}

/* ---- opening, closing ------------------------------------------------------------------------ */

static void on_fatal(void *fetcher, const struct err *e)
{
    control_fail(((struct fetcher *)fetcher)->control, e);
}

static void on_stopped(void *fetcher)
{
    control_wake_always(((struct fetcher *)fetcher)->control);
}

static void page_answered(void *fetcher, struct http_request *http)
{
    struct fetcher *f = fetcher;
    listing_take(&f->listing, http);
    http_engine_kick(f->engine);
}

enum rc fetcher_open_listing(struct fetcher *f, const struct source_wait *wait, struct err *e)
{
    struct lister_cfg cfg = *f->cfg->listing;
    cfg.done = page_answered;
    cfg.max_body = cfg.max_memory / LISTING_BODY_SHARE;
    if (cfg.max_body > f->cfg->max_body)
        cfg.max_body = f->cfg->max_body;
    f->listing.control = f->control;
    return listing_open(&f->listing, &cfg, wait, e);
}

enum rc fetcher_resume_listing(struct fetcher *f, struct err *e)
{
    return listing_resume(&f->listing, f->cfg->listing, f->resume->state, e);
}

enum rc fetcher_open(struct fetcher *f, uv_loop_t *loop, struct err *e)
{
    const struct run_cfg *cfg = f->cfg;
    bool has_key = cfg->profile->key_header.len != 0;
    rng_seed_system(&f->rng);
    buf_init(&f->key_value, KEY_BYTES_MAX);
    buf_add_str(&f->key_value, cfg->profile->key_prefix);
    buf_adds(&f->key_value, cfg->credential);
    f->key_header.name = cfg->profile->key_header.ptr;
    f->key_header.value = buf_cstr(&f->key_value);
    if (buf_rc(&f->key_value) != RC_OK)
        return err_set(e, buf_rc(&f->key_value), "the credential is too long");
    const struct http_engine_cfg engine = {
        .loop = loop,
        .clock = cfg->clock,
        .rng = &f->rng,
        .log = cfg->log,
        .subject = cfg->base_url,
        .headers = &f->key_header,
        .n_headers = has_key ? 1 : 0,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = cfg->proxy,
        .version = cfg->http_version,
        .totals = f->resume->totals,
        .concurrency = cfg->concurrency,
        .concurrency_max = cfg->concurrency_max,
        .rate_per_s = cfg->rate_per_s,
        .retry = cfg->retry,
        .max_body = cfg->max_body,
        .max_error_body = ERROR_BODY_BYTES_MAX,
        .ctx = f,
        .next = next_request,
        .fatal = on_fatal,
        .stopped = on_stopped,
    };
    enum rc rc = http_engine_new(&f->engine, &engine, e);
    f->listing.engine = f->engine;
    return rc;
}

void fetcher_close(struct fetcher *f)
{
    if (!f->engine)
        return;
    http_engine_stats(f->engine, &f->last_stats);
    http_engine_free(f->engine);
    f->engine = NULL;
}

void fetcher_free(struct fetcher *f)
{
    fetcher_close(f);
    listing_free(&f->listing);
    if (f->key_value.data)
        explicit_bzero(f->key_value.data, f->key_value.cap);
    buf_free(&f->key_value);
}

/* ---- from outside ---------------------------------------------------------------------------- */

/* The share changes whenever the queue is divided anew. */
static void take_share(struct fetcher *f)
{
    const struct run_cfg *cfg = f->cfg;
    struct id_source *q = f->intake->shared;
    if (!q || !cfg->queue.shares_rate || !(cfg->rate_per_s > 0))
        return;
    struct source_share now = q->ops->share(q);
    if (now.part == f->share.part && now.whole == f->share.whole)
        return;
    f->share = now;
    double per_s = source_share_of(&now, cfg->rate_per_s);
    http_engine_set_rate(f->engine, per_s);
    log_msg(
        cfg->log, LOG_LEVEL_INFO, cfg->queue.name,
        "--rate: this run has %llu of %llu partitions, and makes at most %g requests per second",
        (unsigned long long)now.part, (unsigned long long)now.whole, per_s);
}

void fetcher_kick(struct fetcher *f)
{
    take_share(f);
    http_engine_kick(f->engine);
}

void fetcher_stop(struct fetcher *f, int64_t grace_ms)
{
    intake_cancel(f->intake);
    listing_stop(&f->listing);
    http_engine_stop(f->engine, grace_ms);
    fetch_drop_waiting(f);
}

bool fetcher_try_end(struct fetcher *f)
{
    uint64_t reserved, completed;
    bool no_more = control_is_stopping(f->control) || intake_is_empty(f->intake);
    ring_counts(f->ring, &reserved, &completed);
    if (no_more && f->n_turned_away && reserved == completed + f->n_turned_away) {
        fetch_end_auth(f);
        ring_counts(f->ring, &reserved, &completed);
    }
    return no_more && reserved == completed;
}

void fetcher_stats(const struct fetcher *f, struct http_stats *out)
{
    if (f->engine)
        http_engine_stats(f->engine, out);
    else
        *out = f->last_stats;
}

void fetcher_save(struct fetcher *f, struct buf *out)
{
    http_engine_save(f->engine, out);
}
