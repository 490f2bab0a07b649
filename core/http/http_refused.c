/* New connections that the server refuses or resets while it serves others.
 *
 * A server (or what stands before it) may take so many connections and no more. What goes beyond is
 * refused, reset or closed without a word, which looks like an outage and like a lead that breaks its
 * connection. Which of the three it is shows a little later:
 *
 * - A request whose new connection failed is set aside while others are in flight, and nothing new is
 *   started. When none of those is answered either, all were ordinary failures: perhaps an outage.
 * - When one is answered, the server is up. What was set aside is asked again without being counted
 *   as a failed try, over a connection that is kept, if there is one. If it fails there too, it was
 *   the request's own fault, and both tries count.
 * - Where it happens repeatedly, no more connections are used than the server has been seen to accept, which
 *   is reported once a refused request has been answered. After a while one more is tried.
 *
 * From then on refused connections are the server's way, and more of them go uncounted; nor is a kept
 * connection that has been closed the request's own fault: such servers may keep none. A few resets while
 * nobody else is in flight mean what a 429 means. */
#include "core/http/http_private.h"

#define STRIKES_MAX 3          /* refused connections until the limit comes down */
#define REFUSED_MAX 3          /* tries of one request that do not count against it... */
#define REFUSED_MAX_BY_LIMIT 8 /* ... where the server is known to limit connections */
#define EXCUSED_MAX 3
#define HOLD_FIRST_US INT64_C(2000000)
#define HOLD_MAX_US INT64_C(64000000)

static bool is_limit_known(const struct http_engine *h)
{
    return h->connections.is_reported && h->connections.most;
}

bool http_is_refusal(const struct http_engine *h, const struct http_request *r,
                     const struct http_try *y)
{
    bool is_known = is_limit_known(h);
    bool failed_elsewhere =
        !is_known && (r->tries.was_closed || r->tries.lost); /* where others were served */
    unsigned most = is_known ? REFUSED_MAX_BY_LIMIT : REFUSED_MAX;
    return y->is_new_connection && !failed_elsewhere && !origin_is_down(&h->origin) &&
           h->in_flight > 0 && r->tries.refused < most && !http_is_over(h);
}

void http_refused_add(struct http_engine *h, struct http_request *r, const struct http_try *y)
{
    r->tries.refused_end = y->end;
    r->tries.next = h->refused;
    h->refused = r;
    h->n_refused++;
}

static struct http_request *take_refused(struct http_engine *h)
{
    struct http_request *r = h->refused;
    if (r) {
        h->refused = r->tries.next;
        h->n_refused--;
    }
    return r;
}

void http_refused_abort(struct http_engine *h)
{
    for (struct http_request *r; (r = take_refused(h));)
        http_request_end(h, r, HTTP_ABORTED);
}

/* ---- the limit ------------------------------------------------------------------------------ */

unsigned http_connections_max(const struct http_engine *h)
{
    unsigned limit = limiter_limit(&h->limiter);
    return h->connections.most && h->connections.most < limit ? h->connections.most : limit;
}

/* `most` requests are being served, and more were refused. */
static void lower_limit(struct http_engine *h, unsigned most)
{
    struct connection_limit *l = &h->connections;
    l->strikes = 0;
    if (l->most && most >= l->most)
        most = l->most > 1 ? l->most - 1 : 1;
    l->most = most;
    l->hold_us = l->hold_us ? l->hold_us * 2 : HOLD_FIRST_US;
    if (l->hold_us > HOLD_MAX_US)
        l->hold_us = HOLD_MAX_US;
    l->raise_us = h->now_us + l->hold_us;
}

static void raise_limit(struct http_engine *h)
{
    struct connection_limit *l = &h->connections;
    if (!l->most || h->now_us < l->raise_us)
        return;
    l->most++;
    l->raise_us = h->now_us + l->hold_us;
    if (l->most >= h->limiter.max)
        *l = (struct connection_limit){.is_reported = true};
}

/* ---- what it was ---------------------------------------------------------------------------- */

/* Was one of them refused that is not likely to be what breaks connections: it has not failed over a kept
 * one, nor often? */
static bool is_news(const struct http_engine *h)
{
    bool is = false;
    for (const struct http_request *r = h->refused; r; r = r->tries.next)
        is |= !r->tries.was_closed && r->tries.refused < REFUSED_MAX;
    return is;
}

void http_refused_served(struct http_engine *h, bool is_new_connection)
{
    struct connection_limit *l = &h->connections;
    raise_limit(h);
    if (is_new_connection && !h->refused && l->strikes)
        l->strikes--;
    if (!h->refused)
        return;
    l->strikes += h->n_refused;
    if ((l->strikes >= STRIKES_MAX || l->most) && is_news(h))
        lower_limit(h, h->in_flight + 1); /* and the one that was answered */
    for (struct http_request *r; (r = take_refused(h));) {
        struct http_try y = {.end = TRY_ABORTED, .is_uncounted = true};
        r->tries.refused++;
        r->tries.kept = true;
        r->tries.fresh = false;
        http_retry_settle(h, r, &y);
    }
}

/* A reset where nobody else was in flight: the server may be late to notice that connections are free, so it
 * is sent fewer requests, as after a 429. Or a kept connection had been closed: it may keep none. Only so
 * often, as it may also be the request, or an outage. */
static void excuse(const struct http_engine *h, struct http_request *r, struct http_try *y)
{
    bool was_reset = y->end == TRY_SILENT && y->is_new_connection && h->in_flight == 0;
    if (!is_limit_known(h) || !(was_reset || y->loss == LOSS_KEPT) || origin_is_down(&h->origin) ||
        r->tries.excused >= EXCUSED_MAX)
        return;
    y->is_uncounted = true;
    if (was_reset)
        y->end = TRY_BUSY;
    r->tries.excused++;
}

void http_refused_settle(struct http_engine *h)
{
    if (h->in_flight > 0)
        return;
    if (is_news(h) && is_limit_known(h))
        lower_limit(h, http_connections_max(h)); /* not one was served, few as they were */
    for (struct http_request *r; (r = take_refused(h));) {
        struct http_try y = {.end = r->tries.refused_end, .is_new_connection = true};
        r->tries.kept = false;
        excuse(h, r, &y);
        http_retry_settle(h, r, &y);
    }
}

static void report_limit(struct http_engine *h)
{
    struct connection_limit *l = &h->connections;
    if (!l->most || l->is_reported)
        return;
    l->is_reported = true;
    log_msg(h->cfg.log, LOG_LEVEL_WARN, h->cfg.subject,
            "the server accepts only about %u connection%s at a time; using no more than that",
            l->most, l->most == 1 ? "" : "s");
}

/* Its refused tries count after all. */
static void blame(struct http_engine *h, struct http_request *r)
{
    struct connection_limit *l = &h->connections;
    l->strikes -= r->tries.refused < l->strikes ? r->tries.refused : l->strikes;
    if (!l->is_reported)
        l->most = 0; /* no refusal has been confirmed yet */
    r->tries.counted += r->tries.refused < REFUSED_MAX ? r->tries.refused : REFUSED_MAX;
    r->tries.refused = REFUSED_MAX_BY_LIMIT; /* from now on all its tries count */
}

void http_refused_retried(struct http_engine *h, struct http_request *r, struct http_try *y)
{
    struct http_tries *t = &r->tries;
    /* Others are served over a kept connection, unless it had been closed. A new one may have been refused again,
     * but not always, as long as no limit is known. */
    bool is_refused_again = y->is_new_connection && t->refused < REFUSED_MAX;
    bool is_where_others_are_served =
        !(is_limit_known(h) && y->is_new_connection) &&
        (t->kept ? y->loss != LOSS_KEPT && !is_refused_again : t->was_closed);
    bool was_refused = t->refused > 0 && t->refused < REFUSED_MAX_BY_LIMIT;
    if (was_refused && y->end == TRY_GOOD)
        report_limit(h);
    else if (was_refused && !y->status && is_where_others_are_served)
        blame(h, r);
    t->kept = false;
    if (!y->status && y->is_new_connection)
        t->fresh = false; /* those that are kept may be all that the server takes */
    excuse(h, r, y);
}
