/* Figures of the engine: counted by the loop's thread, read by any. */
#include "http_private.h"

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
    show(&m->limit, h->origin.down ? 1 : limiter_limit(&h->limiter));
    show(&m->down, h->origin.down);
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
    };
    for (size_t i = 0; i < HTTP_STATUS_MAX; i++)
        out->statuses[i] = get(&m->statuses[i]);
}
