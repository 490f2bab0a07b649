/* What becomes of a request after a try, and those that wait for another one. */
#include "core/http/http_private.h"

#include <stdlib.h>

#include "core/http/backoff.h"
#include "core/http/http_status.h"

/* Those that a gate held back do not come through it all at once. */
#define GATE_JITTER_US 250000
/* A gate that closes for less is not worth a message. */
#define GATE_REPORT_US INT64_C(1000000)
/* So often a request is asked again for the sake of a shared connection without that being counted
 * as a failed try. From then on it gets one of its own: it may be what breaks them. */
#define LOST_MAX 2

/* ---- waiting: a binary heap by due time ----------------------------------------------------- */

static bool is_before(const struct http_request *a, const struct http_request *b)
{
    if (a->tries.due_us != b->tries.due_us)
        return a->tries.due_us < b->tries.due_us;
    return a->tries.order < b->tries.order;
}

bool http_wait_reserve(struct http_engine *h)
{
    size_t need = h->n_waiting + h->n_refused + h->in_flight + 1;
    if (need <= h->heap_size)
        return true;
    size_t size = need < 64 ? 64 : need * 2;
    struct http_request **heap = realloc(h->heap, size * sizeof(struct http_request *));
    if (!heap)
        return false;
    h->heap = heap;
    h->heap_size = size;
    return true;
}

int64_t http_wait_due_us(const struct http_engine *h)
{
    return h->n_waiting ? h->heap[0]->tries.due_us : INT64_MAX;
}

void http_wait_push(struct http_engine *h, struct http_request *r, int64_t due_us)
{
    r->tries.due_us = due_us;
    r->tries.order = h->order++;
    size_t i = h->n_waiting++;
    for (size_t up = (i - 1) / 2; i && is_before(r, h->heap[up]); i = up, up = (i - 1) / 2)
        h->heap[i] = h->heap[up];
    h->heap[i] = r;
}

struct http_request *http_wait_pop(struct http_engine *h)
{
    if (h->n_waiting == 0)
        return NULL;
    struct http_request *top = h->heap[0];
    struct http_request *last = h->heap[--h->n_waiting];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n_waiting; i = child) {
        if (child + 1 < h->n_waiting && is_before(h->heap[child + 1], h->heap[child]))
            child++;
        if (!is_before(h->heap[child], last))
            break;
        h->heap[i] = h->heap[child];
    }
    h->heap[i] = last;
    return top;
}

void http_wait_abort(struct http_engine *h)
{
    http_refused_abort(h);
    for (size_t i = 0; i < h->n_waiting; i++)
        http_request_end(h, h->heap[i], HTTP_ABORTED);
    h->n_waiting = 0;
}

/* ---- ended ---------------------------------------------------------------------------------- */

void http_request_end(struct http_engine *h, struct http_request *r, enum http_end end)
{
    r->end = end;
    if (end == HTTP_ABORTED)
        r->code = "aborted";
    r->tries.next = NULL;
    if (h->ended)
        h->ended_last->tries.next = r;
    else
        h->ended = r;
    h->ended_last = r;
}

struct http_request *http_ended_pop(struct http_engine *h)
{
    struct http_request *r = h->ended;
    if (r)
        h->ended = r->tries.next;
    return r;
}

/* ---- what a try says about the origin ------------------------------------------------------- */

/* "HTTP 503 (SlowDown: ...)", or why there is no answer. */
static void describe(const struct http_engine *h, const struct http_request *r,
                     const struct http_try *y, char *out, size_t size)
{
    struct buf reason;
    buf_init(&reason, size);
    if (y->status && h->cfg.explain)
        h->cfg.explain(h->cfg.ctx, r, &reason);
    if (!y->status)
        (void)snprintf(out, size, "%s", r->error);
    else if (reason.len)
        (void)snprintf(out, size, "HTTP %d (%s)", y->status, buf_cstr(&reason));
    else
        (void)snprintf(out, size, "HTTP %d", y->status);
    utf8_scrub(out); /* it may have been cut within a character */
    buf_free(&reason);
}

static void notify_gate(struct http_engine *h, const struct http_try *y)
{
    const char *what = y->is_busy ? "HTTP/2 ENHANCE_YOUR_CALM" : h->last_error;
    char text[HTTP_DURATION_BYTES];
    int64_t gate_us = h->origin.gate_us;
    bool is_news =
        gate_us - h->now_us >= GATE_REPORT_US && gate_us - h->gate_reported_us >= GATE_REPORT_US;
    if (is_news)
        h->gate_reported_us = gate_us;
    log_msg(h->cfg.log, is_news ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, h->cfg.subject,
            "%s%s: pausing requests for %s", what, y->retry_after_us > 0 ? " with Retry-After" : "",
            http_duration(gate_us - h->now_us, text));
}

static void notify_change(struct http_engine *h, const struct http_try *y, unsigned change)
{
    char text[HTTP_DURATION_BYTES];
    if (change & ORIGIN_GATE_CLOSED)
        notify_gate(h, y);
    if (change & ORIGIN_WENT_DOWN)
        log_msg(h->cfg.log, LOG_LEVEL_WARN, h->cfg.subject,
                "%s; retrying with one request at a time, for up to %s", h->last_error,
                http_duration(h->cfg.retry.retry_max_time_ms * 1000, text));
    if (change & ORIGIN_CAME_UP)
        log_msg(h->cfg.log, LOG_LEVEL_INFO, h->cfg.subject, "the server is available again");
}

static bool is_congestion(const struct http_try *y)
{
    bool is_slow = y->is_timeout && y->loss == LOSS_NONE;
    return http_status_is_congestion(y->status) || y->is_limit || y->is_busy || is_slow;
}

/* `in_flight` includes this try. */
static void adapt(struct http_engine *h, const struct http_request *r, const struct http_try *y,
                  unsigned change, unsigned in_flight)
{
    uint64_t seq = r->tries.client.seq, last = h->origin.seq;
    if (change & ORIGIN_CAME_UP)
        limiter_resume(&h->limiter, last);
    else if (origin_is_down(&h->origin))
        return; /* it keeps what it was */
    if (y->status == 503)
        limiter_refused(&h->limiter, seq, last, in_flight, h->now_us);
    else if (is_congestion(y))
        limiter_congested(&h->limiter, seq, last, in_flight, h->now_us);
    else if (y->status > 0 && y->status < 500 && y->status != 408 && y->status != 425)
        limiter_good(&h->limiter, seq, last, y->latency_us, h->now_us);
}

/* `change`: of the origin, which has heard of this try. */
static void inform(struct http_engine *h, struct http_request *r, const struct http_try *y,
                   unsigned change)
{
    if (y->end != TRY_GOOD && y->end != TRY_ABORTED)
        describe(h, r, y, h->last_error, sizeof h->last_error);
    adapt(h, r, y, change, h->in_flight + 1);
    notify_change(h, y, change);
    if (change & ORIGIN_WENT_DOWN)
        http_groups_close(h); /* probes open connections of their own */
}

static void pardon(struct http_engine *h, struct http_request *r)
{
    unsigned n = origin_pardoned(&h->origin, &r->tries.client);
    r->tries.counted -= n < r->tries.counted ? n : r->tries.counted;
}

/* The tries that showed that it is down are not their requests' fault. */
static void pardon_all(struct http_engine *h, struct http_request *r)
{
    pardon(h, r);
    for (size_t i = 0; i < h->n_waiting; i++)
        pardon(h, h->heap[i]);
    for (const struct transfer *t = h->active; t; t = t->next)
        pardon(h, t->r);
    for (struct http_request *set_aside = h->refused; set_aside; set_aside = set_aside->tries.next)
        pardon(h, set_aside);
}

/* ---- another try? --------------------------------------------------------------------------- */

static int64_t max_us(const struct http_engine *h)
{
    return h->cfg.retry.retry_max_time_ms * 1000;
}

/* What of its time was the request's own: not while the origin was down or asked to wait. */
static int64_t own_us(const struct http_engine *h, const struct http_request *r)
{
    int64_t held_us = origin_held_us(&h->origin, h->now_us) - r->tries.held_us;
    return h->now_us - r->tries.first_us - held_us;
}

static bool is_used_up(const struct http_engine *h, const struct http_request *r)
{
    return r->tries.counted >= h->cfg.retry.attempts || own_us(h, r) >= max_us(h);
}

/* A try may take as long as a request may, or longer: then this one is out of time before the origin
 * was seen to fail. If nobody was served in all that time, and it is not the only one (or had no
 * connection), it continues until another one is, or until the trouble clock has run out. */
static bool may_be_the_origin(const struct http_engine *h, const struct http_request *r,
                              const struct http_try *y)
{
    bool is_only_one = h->in_flight == 0 && h->n_waiting == 0 && h->n_refused == 0;
    return r->tries.counted < h->cfg.retry.attempts && h->origin.good_us < r->tries.first_us &&
           (y->end == TRY_UNREACHED || (y->end == TRY_SILENT && !is_only_one));
}

static int64_t next_due_us(struct http_engine *h, const struct http_request *r,
                           const struct http_try *y)
{
    enum try_end end = y->end;
    if (y->loss == LOSS_SHARED || y->loss == LOSS_DEAD)
        return h->now_us; /* they wait for a new connection together */
    if (end == TRY_BUSY || end == TRY_HELD) {
        int64_t open_us = h->now_us + origin_gate_us(&h->origin, h->now_us);
        int64_t gate_us = open_us + (int64_t)rng_below(h->cfg.rng, GATE_JITTER_US);
        int64_t own_us = h->now_us + backoff_us(h->cfg.rng, r->tries.counted);
        return own_us > gate_us ? own_us : gate_us;
    }
    if (origin_is_down(&h->origin))
        return h->now_us; /* its probes take turns: to the end of the queue */
    return h->now_us + backoff_us(h->cfg.rng, r->tries.counted ? r->tries.counted : 1);
}

static void wait_again(struct http_engine *h, struct http_request *r, int64_t due_us,
                       const char *why)
{
    char text[HTTP_DURATION_BYTES];
    log_msg(h->cfg.log, LOG_LEVEL_DEBUG, h->cfg.subject, "%s (attempt %u): retrying in %s", why,
            r->attempts, http_duration(due_us - h->now_us, text));
    http_wait_push(h, r, due_us);
}

/* Reasons to end the run. */
static bool is_fatal(struct http_engine *h, const struct http_request *r, const struct http_try *y)
{
    char host[256], wait[HTTP_DURATION_BYTES], most[HTTP_DURATION_BYTES];
    http_duration(max_us(h), most);
    if (y->is_tls) {
        http_url_host(r->url, host, sizeof host);
        http_fail(h, RC_TLS, "%s: TLS verification failed: %s", host, r->error);
    } else if (y->retry_after_us > max_us(h)) {
        http_fail(h, RC_LIMIT,
                  "%s: %s with Retry-After: the server asks to wait %s, but at most %s is "
                  "allowed (retry-max-time)",
                  h->cfg.subject, h->last_error, http_duration(y->retry_after_us, wait), most);
    } else {
        return false;
    }
    return true;
}

/* Server, proxy and configuration do not fit together, and no try has got a good answer: waiting
 * does not help. Later it may be one server of several, or a proxy that is being changed. */
static bool is_misfit(struct http_engine *h, const struct http_request *r, const struct http_try *y)
{
    if (h->origin.good_us != INT64_MIN || !y->misfit)
        return false;
    h->misfits += y->misfit;
    if (h->misfits < HTTP_MISFIT_CERTAIN)
        return false;
    http_fail(h, RC_NET, "%s: %s", h->cfg.subject, r->error);
    return true;
}

static bool is_hopeless(struct http_engine *h)
{
    char text[HTTP_DURATION_BYTES];
    int64_t trouble_us = origin_trouble_us(&h->origin, h->now_us);
    if (trouble_us < max_us(h))
        return false;
    http_fail(h, RC_NET, "%s: no success for %s; last error: %s", h->cfg.subject,
              http_duration(trouble_us, text), h->last_error);
    return true;
}

static bool is_retryable(const struct http_engine *h, const struct http_try *y)
{
    if (y->is_too_large || y->is_no_room || y->is_not_written)
        return false;
    if (y->status)
        return y->is_limit || h->cfg.retryable(y->status);
    return !y->is_local;
}

static enum http_end final_end(const struct http_try *y)
{
    if (y->is_not_written)
        return HTTP_NOT_WRITTEN;
    if (y->is_no_room)
        return HTTP_NO_ROOM;
    return y->is_too_large ? HTTP_TOO_LARGE : y->status ? HTTP_ANSWERED : HTTP_NO_ANSWER;
}

static void try_again(struct http_engine *h, struct http_request *r, const struct http_try *y,
                      unsigned change)
{
    char why[sizeof r->error];
    if (!(change & ORIGIN_UNCOUNTED) && !y->is_uncounted) {
        r->tries.counted++;
        if (!y->status && !(change & ORIGIN_OWN_FAULT))
            origin_counted(&h->origin, &r->tries.client);
    }
    if (http_is_over(h))
        http_request_end(h, r, HTTP_ABORTED);
    else if (is_used_up(h, r) && !may_be_the_origin(h, r, y))
        http_request_end(h, r, final_end(y));
    else if (is_hopeless(h))
        http_request_end(h, r, HTTP_ABORTED);
    else if (y->status) {
        (void)snprintf(why, sizeof why, "HTTP %d", y->status);
        wait_again(h, r, next_due_us(h, r, y), why);
    } else {
        wait_again(h, r, next_due_us(h, r, y), r->error);
    }
}

/* libcurl has sent it a second time, because the server refused to process it (RFC 9113 section 8.7). While nobody is served that is
 * no reason to give the request up: an outage must be recognized first, which takes the failures of several. */
static void count_resend(struct http_engine *h, struct http_request *r)
{
    r->attempts++;
    figure_add(&h->meter.requests, 1);
    figure_add(&h->meter.retries, 1);
    if (origin_is_down(&h->origin) || h->origin.good_us < r->tries.first_us)
        return;
    r->tries.counted++;
    origin_counted(&h->origin, &r->tries.client);
}

/* Returns how many connections were made for it. */
static long count_transfer(struct http_engine *h, const struct transfer *t)
{
    if (t->sends > 1)
        count_resend(h, t->r);
    curl_off_t bytes = 0;
    long connections = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes); /* 0 where unknown */
    (void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connections);
    figure_add(&h->meter.bytes_received, bytes > 0 ? (uint64_t)bytes : 0);
    figure_add(&h->meter.connections, connections > 0 ? (uint64_t)connections : 0);
    return connections;
}

void http_retry_settle(struct http_engine *h, struct http_request *r, const struct http_try *y)
{
    bool ends_run = is_misfit(h, r, y);
    if (y->scheme_doubt)
        http_scheme_suspect(h, r->url, y->scheme_doubt);
    unsigned change =
        origin_ended(&h->origin, &r->tries.client, y->end, y->retry_after_us, h->now_us);
    inform(h, r, y, change);
    if (change & ORIGIN_WENT_DOWN)
        pardon_all(h, r);
    if (ends_run || is_fatal(h, r, y))
        http_request_end(h, r, HTTP_ABORTED);
    else if (is_retryable(h, y))
        try_again(h, r, y, change);
    else
        http_request_end(h, r, final_end(y));
}

/* ---- lost connections ----------------------------------------------------------------------- */

/* Nothing was sent: not a try at all. */
static void place_elsewhere(struct http_engine *h, struct http_request *r)
{
    http_transfer_undo(h, r);
    if (http_is_over(h))
        http_request_end(h, r, HTTP_ABORTED);
    else
        http_wait_push(h, r, h->now_us);
}

/* What the loss of its connection means for a request, and for where it goes next. `is_news`: the
 * connection was not known to be lost. A request that was alone on it, or ought to have been, has failed
 * like any other: the origin hears of it, and it waits before it is tried again. */
static void note_loss(struct http_request *r, struct http_try *y, bool is_shared, bool is_news)
{
    if (is_shared && r->tries.lost >= LOST_MAX) {
        r->tries.alone = true;
        y->loss = LOSS_NONE;
        return;
    }
    y->is_uncounted = is_shared;
    r->tries.lost += is_shared;
    if (r->tries.lost >= LOST_MAX)
        r->tries.alone = true;
    if (y->loss == LOSS_KEPT)
        r->tries.fresh = r->tries.was_closed = true;
    if (y->loss != LOSS_DEAD || !is_news)
        y->end = TRY_ABORTED; /* what the next connection meets says more about the origin */
}

/* Everything on a connection that is dead is asked for again on another one. */
static void abandon(struct http_engine *h, const struct conn_group *g)
{
    struct transfer *next;
    for (struct transfer *t = h->active; t; t = next) {
        struct http_request *r = t->r;
        next = t->next;
        if (t->group != g)
            continue;
        struct http_try y = {.loss = LOSS_DEAD, .end = TRY_SILENT};
        note_loss(r, &y, true, false);
        r->code = "timeout";
        (void)snprintf(r->error, sizeof r->error, "the connection is dead");
        buf_clear(&r->answer);
        http_meter_try(h, &y);
        (void)count_transfer(h, t);
        http_transfer_release(t);
        http_retry_settle(h, r, &y);
    }
}

static void settle_try(struct http_engine *h, struct http_request *r, struct http_try *y,
                       bool is_new_connection)
{
    /* Whatever the reason turns out to be: should it fail again after others were served meanwhile,
     * that says nothing about the origin. */
    if (!y->status && !r->tries.client.first_bad)
        r->tries.client.first_bad = r->tries.client.seq;
    if (http_is_refusal(h, r, y)) {
        http_refused_add(h, r, y);
        return;
    }
    bool is_served = y->end == TRY_GOOD || y->end == TRY_BUSY;
    http_refused_retried(h, r, y);
    http_retry_settle(h, r, y);
    if (is_served)
        http_refused_served(h, is_new_connection);
}

void http_retry_decide(struct http_engine *h, struct transfer *t, CURLcode result)
{
    struct http_request *r = t->r;
    struct conn_group *g = t->group;
    struct http_try y;
    http_answer_read(t, result, &y);
    bool is_dead = y.loss == LOSS_DEAD && g->heard_us < t->started_us;
    if (y.loss == LOSS_UNSENT) {
        http_transfer_release(t);
        if (!r->tries.kept)
            http_group_is_full(g);
        r->tries.kept = false; /* there was none */
        place_elsewhere(h, r);
        http_refused_settle(h);
        return;
    }
    http_meter_try(h, &y);
    long connections = count_transfer(h, t);
    http_transfer_release(t);
    bool is_news = !g->closing;
    bool is_shared = y.loss == LOSS_SHARED || (y.loss == LOSS_DEAD && (g->in_flight || !is_news));
    if (y.loss == LOSS_SHARED || y.loss == LOSS_DEAD)
        http_group_close(g);
    if (y.loss != LOSS_NONE)
        note_loss(r, &y, is_shared, is_news);
    settle_try(h, r, &y, connections > 0);
    if (is_dead)
        abandon(h, g);
    http_refused_settle(h);
}

bool http_engine_retry(struct http_engine *h, struct http_request *r, const char *why)
{
    if (!h->busy)
        h->now_us = clock_mono_us(h->cfg.clock);
    if (http_is_over(h) || !http_wait_reserve(h))
        return false;
    r->tries.counted++;
    if (is_used_up(h, r))
        return false;
    wait_again(h, r, h->now_us + backoff_us(h->cfg.rng, r->tries.counted), why);
    if (!h->busy)
        http_loop_arm(h);
    return true;
}

bool http_engine_limited(struct http_engine *h, struct http_request *r)
{
    char why[32];
    const struct http_try y = {.status = r->status, .end = TRY_BUSY, .is_limit = true};
    if (!h->busy)
        h->now_us = clock_mono_us(h->cfg.clock);
    if (http_is_over(h) || !http_wait_reserve(h))
        return false;
    inform(h, r, &y, origin_limited(&h->origin, &r->tries.client, h->now_us));
    r->tries.counted++;
    if (is_used_up(h, r) || is_hopeless(h))
        return false;
    (void)snprintf(why, sizeof why, "HTTP %d, a limit", r->status);
    wait_again(h, r, next_due_us(h, r, &y), why);
    if (!h->busy)
        http_loop_arm(h);
    return true;
}

bool http_engine_verify(struct http_engine *h, struct http_request *r, const char *why)
{
    if (!h->busy)
        h->now_us = clock_mono_us(h->cfg.clock);
    if (http_is_over(h) || !http_wait_reserve(h))
        return false;
    r->tries.alone = true;
    wait_again(h, r, h->now_us, why);
    if (!h->busy)
        http_loop_arm(h);
    return true;
}
