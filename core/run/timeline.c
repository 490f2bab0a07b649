#include "core/run/timeline.h"

#include <string.h>

void timeline_begin(struct timeline *t, int64_t now_us, const struct timeline_sample *first)
{
    memset(t, 0, sizeof *t);
    t->start_us = now_us;
    t->width_us = TIMELINE_WIDTH_US;
    t->last = *first;
}

size_t timeline_intervals(const struct timeline *t)
{
    return (size_t)((t->end_us + t->width_us - 1) / t->width_us);
}

int64_t timeline_covered_us(const struct timeline *t, size_t interval)
{
    int64_t left_us = t->end_us - (int64_t)interval * t->width_us;
    return left_us < t->width_us ? left_us : t->width_us;
}

/* ---- intervals ------------------------------------------------------------------------------ */

/* Halves the number of intervals: each pair becomes one. */
static void double_width(struct timeline *t)
{
    for (size_t i = 0; i < TIMELINE_INTERVALS / 2; i++) {
        struct timeline_interval sum = t->intervals[2 * i];
        for (size_t k = 0; k < TIMELINE_FIGURES; k++)
            sum.figures[k] += t->intervals[2 * i + 1].figures[k];
        t->intervals[i] = sum;
    }
    memset(t->intervals + TIMELINE_INTERVALS / 2, 0, TIMELINE_INTERVALS / 2 * sizeof *t->intervals);
    t->width_us *= 2;
}

/* The share of `n` for the first `part` of the `whole`. */
static uint64_t share(uint64_t n, int64_t part_us, int64_t whole_us)
{
    if (part_us >= whole_us)
        return n;
    uint64_t floor = (uint64_t)((double)n * ((double)part_us / (double)whole_us));
    return floor < n ? floor : n;
}

/* Spreads `n` over the intervals; the parts add up to `n`. */
static void spread(struct timeline *t, enum timeline_figure figure, uint64_t n, int64_t from_us,
                   int64_t to_us)
{
    uint64_t done = 0;
    for (int64_t at_us = from_us; at_us < to_us;) {
        int64_t i = at_us / t->width_us;
        int64_t next_us = (i + 1) * t->width_us;
        uint64_t so_far = share(n, next_us - from_us, to_us - from_us);
        t->intervals[i].figures[figure] += so_far - done;
        done = so_far;
        at_us = next_us;
    }
}

static void add_figures(struct timeline *t, const struct timeline_sample *sample, int64_t now_us)
{
    uint64_t passed_us = (uint64_t)(now_us - t->end_us);
    for (size_t k = 0; k < TIMELINE_COUNTS; k++) {
        uint64_t before = t->last.counts[k];
        uint64_t n = sample->counts[k] > before ? sample->counts[k] - before : 0;
        spread(t, (enum timeline_figure)k, n, t->end_us, now_us);
    }
    spread(t, TIMELINE_IN_FLIGHT_US, sample->in_flight * passed_us, t->end_us, now_us);
    spread(t, TIMELINE_LIMIT_US, sample->limit * passed_us, t->end_us, now_us);
}

/* ---- spans ---------------------------------------------------------------------------------- */

/* Joins the two spans that are closest to each other. */
static void join_closest(struct timeline_spans *s)
{
    size_t best = 0;
    for (size_t i = 1; i + 1 < s->n; i++) {
        if (s->items[i + 1].from_us - s->items[i].to_us <
            s->items[best + 1].from_us - s->items[best].to_us)
            best = i;
    }
    s->items[best].to_us = s->items[best + 1].to_us;
    s->n--;
    memmove(s->items + best + 1, s->items + best + 2, (s->n - best - 1) * sizeof *s->items);
}

static void add_span(struct timeline_spans *s, bool is, int64_t from_us, int64_t to_us)
{
    if (is && !s->is_open) {
        if (s->n == TIMELINE_SPANS_MAX)
            join_closest(s);
        s->items[s->n++] = (struct timeline_span){.from_us = from_us};
    }
    if (is || s->is_open)
        s->items[s->n - 1].to_us = to_us;
    s->is_open = is;
}

void timeline_add(struct timeline *t, int64_t now_us, const struct timeline_sample *sample)
{
    int64_t at_us = now_us - t->start_us;
    if (at_us <= t->end_us)
        return;
    while (at_us > TIMELINE_INTERVALS * t->width_us)
        double_width(t);
    add_figures(t, sample, at_us);
    for (size_t k = 0; k < TIMELINE_SPAN_KINDS; k++)
        add_span(&t->spans[k], sample->is[k], t->end_us, at_us);
    t->end_us = at_us;
    t->last = *sample;
}
