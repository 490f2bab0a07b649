/* Figures of the engine: counted by the loop's thread, read by any. */
#include "core/http/http_private.h"
#include "core/base/units.h"

void http_meter_try(struct http_engine *h, const struct http_try *try)
{
    struct meter *m = &h->meter;
    if (try->status == 0) {
        figure_add(&m->no_answer, 1);
        return;
    }
    bool known = try->status > 0 && try->status < HTTP_STATUS_MAX;
    figure_add(&m->statuses[known ? try->status : 0], 1);
    latency_add(&m->latency, try->latency_us);
    figure_add(&m->latency_sum_us, try->latency_us > 0 ? (uint64_t)try->latency_us : 0);
}

static void show(_Atomic uint64_t *f, uint64_t value)
{
    atomic_store_explicit(f, value, memory_order_relaxed);
}

void http_meter_publish(struct http_engine *h)
{
    struct meter *m = &h->meter;
    show(&m->in_flight, h->in_flight);
    show(&m->waiting, h->n_waiting);
    show(&m->limit, origin_is_down(&h->origin) ? 1 : http_connections_max(h));
    show(&m->down, origin_is_down(&h->origin));
    atomic_store_explicit(&m->gate_us, h->origin.gate_us, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *f)
{
    return atomic_load_explicit(f, memory_order_relaxed);
}

void http_engine_stats(struct http_engine *h, struct http_stats *out)
{
    const struct meter *m = &h->meter;
    static const double shares[] = {0.5, 0.9, 0.99};
    double quantiles[3];
    int64_t gate_us = atomic_load_explicit(&m->gate_us, memory_order_relaxed);
    int64_t now_us = clock_mono_us(h->cfg.clock);
    latency_quantiles(&m->latency, shares, quantiles, 3);
    *out = (struct http_stats){
        .requests = get(&m->requests),
        .retries = get(&m->retries),
        .no_answer = get(&m->no_answer),
        .bytes_received = get(&m->bytes_received),
        .connections = get(&m->connections),
        .in_flight = (unsigned)get(&m->in_flight),
        .waiting = (unsigned)get(&m->waiting),
        .limit = (unsigned)get(&m->limit),
        .held_back_ms = gate_us > now_us ? (gate_us - now_us + 999) / 1000 : 0,
        .down = get(&m->down) != 0,
        .latency_p50_ms = quantiles[0],
        .latency_p90_ms = quantiles[1],
        .latency_p99_ms = quantiles[2],
        .latency_max_ms = latency_max_ms(&m->latency),
        .latency_sum_ms = (double)get(&m->latency_sum_us) / 1000,
    };
    for (size_t i = 0; i < HTTP_STATUS_MAX; i++)
        out->statuses[i] = get(&m->statuses[i]);
    _Static_assert(HTTP_LATENCIES * LATENCY_STEPS / 2 == LATENCY_BUCKETS, "two for each doubling");
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        out->latencies[i / (LATENCY_STEPS / 2)] += get(&m->latency.counts[i]);
}

/* ---- figures of a run in several parts -------------------------------------------------------
 *
 * A text of "NUMBER=FIGURE " for each figure that is not 0: first those that stand alone, then the
 * statuses, then the histogram's buckets. */

enum { STATUSES = 16, /* more than stand alone */ BUCKETS = STATUSES + HTTP_STATUS_MAX };

static _Atomic uint64_t *figure_at(struct meter *m, uint64_t number)
{
    _Atomic uint64_t *const alone[] = {&m->requests,       &m->retries,     &m->no_answer,
                                       &m->bytes_received, &m->connections, &m->latency_sum_us};
    if (number < sizeof alone / sizeof *alone)
        return alone[number];
    if (number >= STATUSES && number < BUCKETS)
        return &m->statuses[number - STATUSES];
    if (number >= BUCKETS && number < BUCKETS + LATENCY_BUCKETS)
        return &m->latency.counts[number - BUCKETS];
    return NULL;
}

void http_engine_save(struct http_engine *h, struct buf *out)
{
    struct meter *m = &h->meter;
    buf_addf(out, "%lld ",
             (long long)atomic_load_explicit(&m->latency.max_us, memory_order_relaxed));
    for (uint64_t i = 0; i < BUCKETS + LATENCY_BUCKETS; i++) {
        const _Atomic uint64_t *figure = figure_at(m, i);
        if (figure && get(figure))
            buf_addf(out, "%llu=%llu ", (unsigned long long)i, (unsigned long long)get(figure));
    }
}

#define LOADED_MAX ((uint64_t)1 << 53) /* so that sums of all figures fit */

enum rc http_meter_load(struct http_engine *h, struct str totals, struct err *e)
{
    uint64_t number = 0;
    uint64_t value = 0;
    if (!totals.len)
        return RC_OK;
    bool sound = text_take_uint(&totals, ' ', &value) && value <= LOADED_MAX;
    atomic_store_explicit(&h->meter.latency.max_us, (int64_t)(sound ? value : 0),
                          memory_order_relaxed);
    while (sound && totals.len) {
        sound = text_take_uint(&totals, '=', &number) && text_take_uint(&totals, ' ', &value) &&
                value <= LOADED_MAX;
        _Atomic uint64_t *figure = sound ? figure_at(&h->meter, number) : NULL;
        sound = figure != NULL;
        if (figure)
            show(figure, value);
    }
    return sound ? RC_OK : err_set(e, RC_SYNTAX, "the request statistics are damaged");
}
