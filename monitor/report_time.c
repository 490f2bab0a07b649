/* Charts over time: leads, requests in flight, and the spans in which the provider was down or requests were held back. */
#include <inttypes.h>

#include "monitor/chart.h"
#include "monitor/report_parts.h"
#include "monitor/scale.h"

#define SPANS_LISTED_MAX 12
#define IN_FLIGHT_US_MIN INT64_C(500000) /* a shorter run has too few samples for the chart */
#define SPAN_WIDTH_MIN 2.0               /* of CHART_WIDTH, so that it is visible */

/* The part of the timeline that is shown: whole intervals; the last one may be longer or shorter than the others. */
struct shown {
    struct timeline_interval last;
    int64_t last_us;
    size_t n;
};

/* A short last interval gives an unreliable rate: it is merged into the one before. */
static struct shown shown_of(const struct timeline *t)
{
    struct shown s = {.n = timeline_intervals(t)};
    s.last = t->intervals[s.n - 1];
    s.last_us = timeline_covered_us(t, s.n - 1);
    if (s.n < 2 || s.last_us * 2 >= t->width_us)
        return s;
    s.n--;
    s.last_us += t->width_us;
    for (size_t k = 0; k < TIMELINE_FIGURES; k++)
        s.last.figures[k] += t->intervals[s.n - 1].figures[k];
    return s;
}

static const struct timeline_interval *interval_of(const struct timeline *t, const struct shown *s,
                                                   size_t i)
{
    return i + 1 == s->n ? &s->last : &t->intervals[i];
}

static double seconds_of(const struct timeline *t, const struct shown *s, size_t i)
{
    return (double)(i + 1 == s->n ? s->last_us : t->width_us) / 1e6;
}

static double x_of(const struct timeline *t, int64_t us)
{
    return (double)us / (double)t->end_us * CHART_WIDTH;
}

/* A figure in an interval: a count per second, or the average of a gauge. */
static double rate_of(const struct timeline *t, const struct shown *s, size_t i,
                      enum timeline_figure figure)
{
    double n = (double)interval_of(t, s, i)->figures[figure];
    return n / seconds_of(t, s, i) / (figure >= TIMELINE_COUNTS ? 1e6 : 1);
}

/* ---- spans ---------------------------------------------------------------------------------- */

static const struct {
    const char *class, *name;
} kinds[TIMELINE_SPAN_KINDS] = {
    [TIMELINE_DOWN] = {"down", "down"}, [TIMELINE_HELD] = {"held", "held back"}};

static void put_spans(struct page *p, const struct timeline *t, enum timeline_span_kind kind)
{
    const struct timeline_spans *spans = &t->spans[kind];
    for (size_t i = 0; i < spans->n; i++) {
        double x = x_of(t, spans->items[i].from_us);
        double width = x_of(t, spans->items[i].to_us) - x;
        width = width < SPAN_WIDTH_MIN ? SPAN_WIDTH_MIN : width;
        x = x + width > CHART_WIDTH ? CHART_WIDTH - width : x;
        chart_open_rect(p, x, width, 0, CHART_HEIGHT);
        buf_addf(p->out, " class=\"s-%s\"/>\n", kinds[kind].class);
    }
}

static void put_all_spans(struct page *p, const struct timeline *t)
{
    put_spans(p, t, TIMELINE_HELD);
    put_spans(p, t, TIMELINE_DOWN);
}

static void open_strip(struct page *p, const char *name)
{
    buf_addf(
        p->out,
        "<div class=\"plot strip\"><div class=\"ys\"><span>%s</span></div><svg viewBox=\"0 0 1000 "
        "100\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\n",
        name);
}

static void put_strip(struct page *p, const struct timeline *t, enum timeline_span_kind kind)
{
    open_strip(p, kinds[kind].name);
    put_spans(p, t, kind);
    chart_close_plot(p);
}

/* Most intervals have none, so the number is shown by the colour. */
static void put_retries(struct page *p, const struct timeline *t, const struct shown *s)
{
    uint64_t most = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t n = interval_of(t, s, i)->figures[TIMELINE_RETRIES];
        most = n > most ? n : most;
    }
    if (!most)
        return;
    open_strip(p, "retries");
    for (size_t i = 0; i < s->n; i++) {
        uint64_t n = interval_of(t, s, i)->figures[TIMELINE_RETRIES];
        double x = x_of(t, (int64_t)i * t->width_us);
        double width = x_of(t, (int64_t)(seconds_of(t, s, i) * 1e6));
        if (!n)
            continue;
        chart_open_rect(p, x, width < SPAN_WIDTH_MIN ? SPAN_WIDTH_MIN : width, 0, CHART_HEIGHT);
        buf_addf(p->out, " class=\"s-retries\" opacity=\"%.2f\"><title>",
                 0.3 + 0.7 * (double)n / (double)most);
        page_counted(p, n, "retry", "retries");
        page_raw(p, "</title></rect>\n");
    }
    chart_close_plot(p);
}

static void put_span_list(struct page *p, const struct timeline *t, enum timeline_span_kind kind,
                          const char *text)
{
    const struct timeline_spans *spans = &t->spans[kind];
    int64_t total_us = 0;
    if (!spans->n)
        return;
    for (size_t i = 0; i < spans->n; i++)
        total_us += spans->items[i].to_us - spans->items[i].from_us;
    buf_addf(p->out, "<li>%s for ", text);
    page_seconds(p, (double)total_us / 1e6);
    page_raw(p, " in all: ");
    for (size_t i = 0; i < spans->n && i < SPANS_LISTED_MAX; i++) {
        page_raw(p, i ? ", " : "");
        page_seconds(p, (double)(spans->items[i].to_us - spans->items[i].from_us) / 1e6);
        page_raw(p, " from ");
        page_seconds(p, (double)spans->items[i].from_us / 1e6);
        page_raw(p, " on");
    }
    if (spans->n > SPANS_LISTED_MAX)
        buf_addf(p->out, ", and %zu more times", spans->n - SPANS_LISTED_MAX);
    page_raw(p, ".</li>\n");
}

/* ---- leads ---------------------------------------------------------------------------------- */

static const struct {
    enum timeline_figure figure;
    const char *class, *name;
} layers[] = {{TIMELINE_EXPORTED, "exported", "exported"},
              {TIMELINE_UNCHANGED, "unchanged", "unchanged"},
              {TIMELINE_MISSING, "missing", "missing"},
              {TIMELINE_FAILED, "failed", "failed"}};

#define LAYERS (sizeof layers / sizeof *layers)

static bool has_layer(const struct timeline *t, size_t layer)
{
    for (size_t i = 0; i < timeline_intervals(t); i++) {
        if (t->intervals[i].figures[layers[layer].figure])
            return true;
    }
    return false;
}

static double leads_rate(const struct timeline *t, const struct shown *s, size_t i, size_t layer_n)
{
    double rate = 0;
    for (size_t k = 0; k < layer_n; k++)
        rate += rate_of(t, s, i, layers[k].figure);
    return rate;
}

/* One layer of the stacked chart, as one path of columns. */
static void put_layer(struct page *p, const struct timeline *t, const struct shown *s, size_t layer,
                      double top)
{
    buf_addf(p->out, "<path class=\"f-%s\" d=\"", layers[layer].class);
    for (size_t i = 0; i < s->n; i++) {
        char x[16], y[16], width[16], height[16];
        double rate = rate_of(t, s, i, layers[layer].figure);
        double below = leads_rate(t, s, i, layer);
        if (rate <= 0)
            continue;
        page_share(x, x_of(t, (int64_t)i * t->width_us), CHART_WIDTH, CHART_WIDTH);
        page_share(width, x_of(t, (int64_t)(seconds_of(t, s, i) * 1e6)), CHART_WIDTH, CHART_WIDTH);
        page_share(y, top - below, top, CHART_HEIGHT);
        page_share(height, rate, top, CHART_HEIGHT);
        buf_addf(p->out, "M%s %sh%sv-%sh-%sz", x, y, width, height, width);
    }
    page_raw(p, "\"/>\n");
}

/* Tooltips of the intervals. */
static void put_hints(struct page *p, const struct timeline *t, const struct shown *s)
{
    page_raw(p, "<g class=\"hints\">\n");
    for (size_t i = 0; i < s->n; i++) {
        char from[SCALE_TIME_CHARS];
        scale_time(from, (int64_t)i * t->width_us);
        chart_open_rect(p, x_of(t, (int64_t)i * t->width_us),
                        x_of(t, (int64_t)(seconds_of(t, s, i) * 1e6)), 0, CHART_HEIGHT);
        buf_addf(p->out, "><title>%s: ", from);
        page_rate(p, leads_rate(t, s, i, LAYERS));
        page_raw(p, "/s, in flight ");
        page_rate(p, rate_of(t, s, i, TIMELINE_IN_FLIGHT_US));
        page_raw(p, "</title></rect>\n");
    }
    page_raw(p, "</g>\n");
}

static void put_key(struct page *p, const char *class, const char *name)
{
    buf_addf(p->out, "<span class=\"key\"><i class=\"%s\"></i>%s</span>", class, name);
}

static void put_leads(struct page *p, const struct report *r, const struct timeline *t,
                      const struct shown *s)
{
    const char *exported = run_result_exported(r->result, r->cfg->n_sinks);
    double most = 0;
    double top;
    for (size_t i = 0; i < s->n; i++) {
        double rate = leads_rate(t, s, i, LAYERS);
        most = rate > most ? rate : most;
    }
    page_raw(p, "<figure>\n<figcaption>Leads per second ");
    for (size_t k = 0; k < LAYERS; k++) {
        char class[32];
        (void)snprintf(class, sizeof class, "b-%s", layers[k].class);
        if (has_layer(t, k))
            put_key(p, class, layers[k].figure == TIMELINE_EXPORTED ? exported : layers[k].name);
    }
    page_raw(p, "</figcaption>\n");
    chart_open_plot(p, "Leads per second, by outcome, over time", most, most <= 0, &top);
    put_all_spans(p, t);
    for (size_t k = 0; k < LAYERS; k++) {
        if (has_layer(t, k))
            put_layer(p, t, s, k, top);
    }
    put_hints(p, t, s);
    chart_close_plot(p);
    if (t->spans[TIMELINE_DOWN].n)
        put_strip(p, t, TIMELINE_DOWN);
    if (t->spans[TIMELINE_HELD].n)
        put_strip(p, t, TIMELINE_HELD);
    put_retries(p, t, s);
    chart_put_times(p, t->end_us);
    page_raw(p, "</figure>\n");
}

/* ---- requests in flight --------------------------------------------------------------------- */

/* A step line; if it is to be filled, it goes down to 0 at both ends. */
static void put_steps(struct page *p, const struct timeline *t, const struct shown *s,
                      enum timeline_figure figure, const char *class, double top)
{
    char at[16];
    buf_addf(p->out, "<path class=\"%s\" d=\"%s", class, "M0 ");
    for (size_t i = 0; i < s->n; i++) {
        double rate = rate_of(t, s, i, figure);
        double end_us = (double)i * (double)t->width_us + seconds_of(t, s, i) * 1e6;
        buf_addf(p->out, i ? "V%s" : "%s", page_share(at, top - rate, top, CHART_HEIGHT));
        buf_addf(p->out, "H%s", page_share(at, x_of(t, (int64_t)end_us), CHART_WIDTH, CHART_WIDTH));
    }
    page_raw(p, figure == TIMELINE_IN_FLIGHT_US ? "V100H0z\"/>\n" : "\"/>\n");
}

static void put_in_flight(struct page *p, const struct timeline *t, const struct shown *s)
{
    double most = 1;
    double top;
    for (size_t i = 0; i < s->n; i++) {
        double in_flight = rate_of(t, s, i, TIMELINE_IN_FLIGHT_US);
        double limit = rate_of(t, s, i, TIMELINE_LIMIT_US);
        most = in_flight > most ? in_flight : most;
        most = limit > most ? limit : most;
    }
    page_raw(p, "<figure>\n<figcaption>Requests in flight ");
    put_key(p, "b-flight", "in flight");
    put_key(p, "b-limit", "allowed");
    page_raw(p, "</figcaption>\n");
    chart_open_plot(p, "Requests in flight, and how many were allowed, over time", most, true,
                    &top);
    put_all_spans(p, t);
    put_steps(p, t, s, TIMELINE_IN_FLIGHT_US, "f-flight", top);
    put_steps(p, t, s, TIMELINE_LIMIT_US, "l-limit", top);
    put_hints(p, t, s);
    chart_close_plot(p);
    chart_put_times(p, t->end_us);
    page_raw(p, "</figure>\n");
}

void report_put_time(struct page *p, const struct report *r)
{
    if (!r->result->figures || !r->result->figures->timeline.end_us)
        return;
    const struct timeline *t = &r->result->figures->timeline;
    struct shown s = shown_of(t);
    report_open_section(p, "Over time");
    put_leads(p, r, t, &s);
    if (t->end_us >= IN_FLIGHT_US_MIN)
        put_in_flight(p, t, &s);
    page_raw(p, "<ul class=\"spans\">\n");
    put_span_list(p, t, TIMELINE_DOWN, "The provider was down");
    put_span_list(p, t, TIMELINE_HELD, "Requests were held back (Retry-After or 429)");
    buf_addf(p->out, "<li>Times are from the start of %s; one column is ",
             r->result->resumed ? "this part of the run" : "the run");
    page_seconds(p, (double)t->width_us / 1e6);
    page_raw(p, ".</li>\n</ul>\n");
    report_close_section(p);
}
