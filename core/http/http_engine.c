/* The public face of the HTTP engine, and what happens in a step of it. */
#include "core/http/http_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/http/http_status.h"

#define CONCURRENCY_MAX 4096

/* ---- starting requests ---------------------------------------------------------------------- */

/* The earliest time at which a try may start; INT64_MAX: not before one has ended. */
static int64_t may_start_us(const struct http_engine *h)
{
    if (http_is_over(h))
        return INT64_MAX;
    if (!origin_is_down(&h->origin) && (h->in_flight >= http_connections_max(h) || h->refused))
        return INT64_MAX;
    int64_t origin_us = origin_due_us(&h->origin);
    int64_t rate_us = rate_due_us(&h->rate);
    int64_t group_us = http_group_due_us(h);
    int64_t due_us = origin_us > rate_us ? origin_us : rate_us;
    return due_us > group_us ? due_us : group_us;
}

static struct http_request *pull(struct http_engine *h)
{
    if (h->source_empty)
        return NULL;
    if (!http_wait_reserve(h)) {
        http_fail(h, RC_NOMEM, "%s: out of memory", h->cfg.subject);
        return NULL;
    }
    struct http_request *r = h->cfg.next(h->cfg.ctx);
    if (!r) {
        h->source_empty = true;
        return NULL;
    }
    r->tries = (struct http_tries){0};
    r->attempts = 0;
    r->status = 0;
    return r;
}

/* New ones and those that wait take turns, due or not. Only the latter, and few of them would use up
 * their attempts on the answers of a gateway, or be what makes a good origin look down. Only new
 * ones, and an origin that serves nothing at the first try would never be seen to work. */
static struct http_request *pick_probe(struct http_engine *h)
{
    bool is_new = h->origin.probes % 2 == 0;
    struct http_request *r = is_new ? pull(h) : http_wait_pop(h);
    if (r)
        return r;
    return is_new ? http_wait_pop(h) : pull(h);
}

/* Those that are due go first. */
static struct http_request *pick(struct http_engine *h)
{
    if (origin_is_down(&h->origin))
        return pick_probe(h);
    return http_wait_due_us(h) <= h->now_us ? http_wait_pop(h) : pull(h);
}

static void fill(struct http_engine *h)
{
    while (may_start_us(h) <= h->now_us) {
        struct http_request *r = pick(h);
        if (!r)
            break;
        http_transfer_start(h, r);
    }
    limiter_filled(&h->limiter, h->in_flight);
}

/* ---- a step --------------------------------------------------------------------------------- */

void http_fail(struct http_engine *h, enum rc rc, const char *fmt, ...)
{
    if (h->fatal.rc != RC_OK)
        return;
    va_list args;
    va_start(args, fmt);
    h->fatal.rc = rc;
    (void)vsnprintf(h->fatal.msg, sizeof h->fatal.msg, fmt, args);
    va_end(args);
}

static void drain_group(struct http_engine *h, struct conn_group *g)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(g->multi, &left));) {
        char *t = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode result = m->data.result; /* the message goes with the handle */
        if (curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK && t)
            http_retry_decide(h, (struct transfer *)(void *)t, result);
    }
}

static void notify(struct http_engine *h)
{
    if (h->fatal.rc != RC_OK && !h->fatal_reported) {
        h->fatal_reported = true;
        h->cfg.fatal(h->cfg.ctx, &h->fatal);
    }
    for (struct http_request *r; (r = http_ended_pop(h));) {
        h->source_empty = false;
        r->done(h->cfg.ctx, r);
    }
}

/* After this the engine may have been freed. */
static void end_step(struct http_engine *h)
{
    if (h->in_flight == 0 && h->n_waiting == 0)
        origin_idle(&h->origin);
    http_meter_publish(h);
    h->busy = false;
    bool is_last = h->stopping && !h->stopped && !h->in_flight && !h->n_waiting && !h->ended;
    if (!is_last) {
        http_loop_arm(h);
        return;
    }
    h->stopped = true;
    http_loop_arm(h);
    if (h->cfg.stopped)
        h->cfg.stopped(h->cfg.ctx);
}

void http_step(struct http_engine *h)
{
    h->now_us = clock_mono_us(h->cfg.clock);
    h->busy = true;
    for (struct conn_group *g = h->groups; g; g = g->next)
        drain_group(h, g);
    http_settle_step(h);
    if (h->fatal.rc != RC_OK)
        http_wait_abort(h);
    if (h->fatal.rc != RC_OK || (h->stopping && h->now_us >= h->stop_us))
        http_transfers_abort(h);
    notify(h);
    http_groups_sweep(h); /* what is of no more use is closed before anything is opened */
    fill(h);
    end_step(h);
}

void http_engine_kick(struct http_engine *h)
{
    h->source_empty = false;
    if (h->busy)
        return; /* the step continues and asks for more anyway */
    h->now_us = clock_mono_us(h->cfg.clock);
    h->busy = true;
    fill(h);
    http_meter_publish(h);
    h->busy = false;
    http_loop_arm(h);
}

static int64_t start_due_us(const struct http_engine *h)
{
    int64_t start_us = may_start_us(h);
    if (start_us == INT64_MAX || !h->source_empty || (origin_is_down(&h->origin) && h->n_waiting))
        return start_us;
    int64_t due_us = http_wait_due_us(h);
    return due_us > start_us ? due_us : start_us;
}

int64_t http_engine_due_us(const struct http_engine *h)
{
    if (h->ended || (h->fatal.rc != RC_OK && (!h->fatal_reported || h->in_flight)))
        return INT64_MIN;
    if (h->stopping && !h->in_flight)
        return h->stopped ? INT64_MAX : INT64_MIN;
    int64_t due_us = h->stopping ? h->stop_us : start_due_us(h);
    int64_t settle_us = http_settle_due_us(h);
    return settle_us < due_us ? settle_us : due_us;
}

void http_engine_stop(struct http_engine *h, int64_t grace_ms)
{
    int64_t stop_us = clock_mono_us(h->cfg.clock) + grace_ms * 1000;
    if (!h->stopping || stop_us < h->stop_us)
        h->stop_us = stop_us;
    h->stopping = true;
    http_wait_abort(h);
    if (!h->busy)
        http_loop_arm(h);
}

/* ---- making --------------------------------------------------------------------------------- */

/* The configuration's texts are kept: handles are made when they are needed first. */
static enum rc copy_text(const char **text)
{
    if (!*text)
        return RC_OK;
    char *copy = strdup(*text);
    *text = copy;
    return copy ? RC_OK : RC_NOMEM;
}

static enum rc copy_cfg(struct http_engine *h, const struct http_engine_cfg *cfg)
{
    h->cfg = *cfg;
    h->cfg.headers = NULL;
    h->cfg.n_headers = 0;
    if (!cfg->subject)
        h->cfg.subject = "http";
    if (!cfg->retryable)
        h->cfg.retryable = http_status_retryable;
    enum rc rc = copy_text(&h->cfg.subject);
    enum rc agent = copy_text(&h->cfg.user_agent);
    enum rc cacert = copy_text(&h->cfg.cacert);
    enum rc proxy = copy_text(&h->cfg.proxy);
    return rc != RC_OK ? rc : agent != RC_OK ? agent : cacert != RC_OK ? cacert : proxy;
}

static void free_texts(struct http_engine *h)
{
    free((void *)(uintptr_t)h->cfg.subject); /* copies: see copy_cfg() */
    free((void *)(uintptr_t)h->cfg.user_agent);
    free((void *)(uintptr_t)h->cfg.cacert);
    free((void *)(uintptr_t)h->cfg.proxy);
}

static enum rc check_cfg(const struct http_engine_cfg *cfg, struct err *e)
{
    const struct http_retry_cfg *retry = &cfg->retry;
    unsigned most = cfg->concurrency ? cfg->concurrency : cfg->concurrency_max;
    if (most < 1 || most > CONCURRENCY_MAX)
        return err_set(e, RC_USAGE, "concurrency %u is not allowed: 1 to %d", most,
                       CONCURRENCY_MAX);
    if (retry->attempts < 1 || retry->retry_max_time_ms < 0 || retry->timeout_ms < 1 ||
        retry->connect_timeout_ms < 1)
        return err_set(e, RC_USAGE, "attempts and timeouts must be at least 1");
    return RC_OK;
}

enum rc http_engine_new(struct http_engine **out, const struct http_engine_cfg *cfg, struct err *e)
{
    enum rc rc = check_cfg(cfg, e);
    if (rc != RC_OK)
        return rc;
    struct http_engine *h = calloc(1, sizeof *h);
    if (!h)
        return err_nomem(e);
    if (copy_cfg(h, cfg) != RC_OK) {
        rc = err_nomem(e);
        goto failed;
    }
    origin_init(&h->origin, cfg->rng);
    rate_init(&h->rate, cfg->rate_per_s);
    if (cfg->concurrency)
        limiter_init_fixed(&h->limiter, cfg->concurrency);
    else
        limiter_init(&h->limiter, cfg->concurrency_max);
    rc = http_loop_open(h, e);
    if (rc == RC_OK)
        rc = http_headers_open(h, cfg->headers, cfg->n_headers, e);
    if (rc != RC_OK)
        goto failed;
    rc = http_meter_load(h, cfg->totals, e);
    if (rc != RC_OK)
        goto failed;
    http_meter_publish(h);
    *out = h;
    return RC_OK;

failed:
    http_engine_free(h);
    return rc;
}

void http_engine_set_rate(struct http_engine *h, double per_s)
{
    rate_change(&h->rate, per_s);
}

void http_engine_free(struct http_engine *h)
{
    if (!h)
        return;
    http_transfers_free(h);
    free(h->heap);
    free_texts(h);
    http_loop_close(h);
}
