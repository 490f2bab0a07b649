/* The course of a run over time, in a fixed amount of memory: figures in intervals of equal width, which doubles when
 * there is no room for another interval; and the spans in which the provider was down or requests were held back. Pure:
 * the time is a parameter. One thread. */
#ifndef LEADPIPE_TIMELINE_H
#define LEADPIPE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMELINE_INTERVALS 240
#define TIMELINE_WIDTH_US INT64_C(100000) /* of an interval, at first */
#define TIMELINE_SPANS_MAX 40

/* What is counted; the last two are the time integrals of gauges, in microseconds. */
enum timeline_figure {
    TIMELINE_EXPORTED,
    TIMELINE_UNCHANGED,
    TIMELINE_MISSING,
    TIMELINE_FAILED,
    TIMELINE_REQUESTS,
    TIMELINE_RETRIES,
    TIMELINE_COUNTS,
    TIMELINE_IN_FLIGHT_US = TIMELINE_COUNTS,
    TIMELINE_LIMIT_US,
    TIMELINE_FIGURES,
};

enum timeline_span_kind {
    TIMELINE_DOWN, /* the provider did not answer, or only its gateway did */
    TIMELINE_HELD, /* requests waited for a Retry-After or after a 429 */
    TIMELINE_SPAN_KINDS,
};

/* The figures at one moment. */
struct timeline_sample {
    uint64_t counts[TIMELINE_COUNTS]; /* counters; one that falls counts as unchanged */
    unsigned in_flight, limit;        /* requests in flight, and how many are allowed */
    bool is[TIMELINE_SPAN_KINDS];
};

struct timeline_interval {
    uint64_t figures[TIMELINE_FIGURES];
};

/* Relative to the start of the timeline. */
struct timeline_span {
    int64_t from_us, to_us;
};

struct timeline_spans {
    struct timeline_span items[TIMELINE_SPANS_MAX]; /* ascending; they do not touch */
    size_t n;
    bool is_open; /* the last one has not ended */
};

struct timeline {
    int64_t start_us; /* monotonic time */
    int64_t end_us;   /* time of the last sample, relative to the start */
    int64_t width_us; /* of an interval */
    struct timeline_interval intervals[TIMELINE_INTERVALS]; /* from 0 to end_us */
    struct timeline_spans spans[TIMELINE_SPAN_KINDS]; /* of too many, the closest are joined */
    struct timeline_sample last;
};

/* Begins at `now_us` (monotonic), with the counters of `first`. */
void timeline_begin(struct timeline *t, int64_t now_us, const struct timeline_sample *first);

/* Spreads what happened since the last sample over the time since then. If the clock has gone back, nothing is added until
 * it has caught up. */
void timeline_add(struct timeline *t, int64_t now_us, const struct timeline_sample *sample);

/* The number of intervals; 0: no time has passed. */
size_t timeline_intervals(const struct timeline *t);

/* How much of an interval, in microseconds, is before the end of the timeline. */
int64_t timeline_covered_us(const struct timeline *t, size_t interval);

#endif
