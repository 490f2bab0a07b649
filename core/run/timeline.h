/* How a run went over time, in fixed memory: figures in intervals of one width, which doubles when there is no
 * room for another interval; and the spans in which the provider was down or requests were held back. Pure: the time is a
 * parameter. One thread. */
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

/* As it is at one moment. */
struct timeline_sample {
    uint64_t counts[TIMELINE_COUNTS]; /* since any start; a figure that falls counts as unchanged */
    unsigned in_flight, limit;        /* requests: that there are, and that there may be */
    bool is[TIMELINE_SPAN_KINDS];
};

struct timeline_interval {
    uint64_t figures[TIMELINE_FIGURES];
};

/* From the start of the timeline. */
struct timeline_span {
    int64_t from_us, to_us;
};

struct timeline_spans {
    struct timeline_span items[TIMELINE_SPANS_MAX]; /* ascending, apart from each other */
    size_t n;
    bool is_open; /* the last one goes on */
};

struct timeline {
    int64_t start_us; /* by the clock */
    int64_t end_us;   /* of what is known, from the start */
    int64_t width_us;
    struct timeline_interval intervals[TIMELINE_INTERVALS]; /* from 0 to end_us */
    struct timeline_spans spans[TIMELINE_SPAN_KINDS]; /* of too many the closest have become one */
    struct timeline_sample last;
};

/* Begins at `now_us`, with these counts already done. */
void timeline_begin(struct timeline *t, int64_t now_us, const struct timeline_sample *first);

/* What happened since the sample before is spread over the time since then. A clock that went back: nothing
 * is added before it has caught up. */
void timeline_add(struct timeline *t, int64_t now_us, const struct timeline_sample *sample);

/* How many intervals there are; 0: no time has passed. */
size_t timeline_intervals(const struct timeline *t);

/* How much of an interval is before the end. */
int64_t timeline_covered_us(const struct timeline *t, size_t interval);

#endif
