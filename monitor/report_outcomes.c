/* The outcomes of the leads; statuses and latencies of the requests. */
#include <inttypes.h>
#include <stdio.h>

#include "monitor/chart.h"
#include "monitor/report_parts.h"
#include "monitor/scale.h"

/* ---- outcomes ------------------------------------------------------------------------------- */

struct outcome_row {
    const char *name, *class;
    uint64_t n;
};

#define OUTCOMES 5

static void outcomes_of(const struct report *r, struct outcome_row out[OUTCOMES])
{
    const struct ledger_counts *l = &r->result->ledger;
    const char *exported = run_result_exported(r->result, r->cfg->n_sinks);
    const struct outcome_row rows[OUTCOMES] = {{exported, "exported", l->exported},
                                               {"unchanged", "unchanged", l->unchanged},
                                               {"missing", "missing", l->missing},
                                               {"failed", "failed", l->failed},
                                               {"pending", "pending", l->pending}};
    memcpy(out, rows, sizeof rows);
}

/* One bar for all leads. */
static void put_bar(struct page *p, const struct outcome_row rows[OUTCOMES], uint64_t total)
{
    char share[16];
    page_raw(p, "<div class=\"bar\" aria-hidden=\"true\">");
    for (size_t i = 0; i < OUTCOMES; i++) {
        if (rows[i].n)
            buf_addf(p->out, "<span class=\"b-%s\" style=\"flex-grow:%s\"></span>", rows[i].class,
                     page_share(share, (double)rows[i].n, (double)total, 1000));
    }
    page_raw(p, "</div>\n");
}

static void open_figure(struct page *p, const char *name, const char *class)
{
    buf_addf(p->out, "<div%s%s%s><dt>%s</dt><dd>", class ? " class=\"k-" : "", class ? class : "",
             class ? "\"" : "", name);
}

static void close_figure(struct page *p)
{
    page_raw(p, "</dd></div>\n");
}

/* A share between none and all is never rounded to 0 % or 100 %. */
static void put_percent(struct page *p, uint64_t n, uint64_t total)
{
    double percent = total ? (double)n * 100 / (double)total : 0;
    if (n && percent < 0.1)
        page_raw(p, "&lt;0.1%");
    else if (n < total && percent > 99.9)
        page_raw(p, "&gt;99.9%");
    else
        buf_addf(p->out,
                 (percent >= 10 && percent < 99.5) || !n || n == total ? "%.0f%%" : "%.1f%%",
                 percent);
}

static void put_notes(struct page *p, const struct report *r)
{
    const struct run_result *run = r->result;
    uint64_t gone = 0;
    page_raw(p, "<p class=\"note\">");
    page_counted(p, run->ids.read, "ID", "IDs");
    page_raw(p, " read, ");
    page_count(p, run->ids.unique);
    page_raw(p, " unique, ");
    page_counted(p, run->ids.duplicates, "duplicate", "duplicates");
    page_raw(p, run->ids_ended ? "." : ". The input was not read to its end.");
    if (r->cfg->shard.of) {
        buf_addf(p->out, " Shard %u of %u (from 0): ", r->cfg->shard.index, r->cfg->shard.of);
        page_counted(p, run->ids.others, "ID", "IDs");
        page_raw(p, " left to the others.");
    }
    if (run_result_gone(r->cfg, run, &gone) && gone) {
        page_raw(p, " Of the missing leads, ");
        page_count(p, gone);
        page_raw(p, gone == 1 ? " was exported before." : " were exported before.");
    }
    if (run->replaced) {
        page_raw(p, " Invalid characters replaced with U+FFFD: ");
        page_count(p, run->replaced);
        page_raw(p, ".");
    }
    if (run->other_ids) {
        page_raw(p, " Payloads whose own ID is not the requested one: ");
        page_count(p, run->other_ids);
        page_raw(p, ".");
    }
    if (run->beyond.leads) {
        page_raw(p, " Leads with more columns than --max-columns allows: ");
        page_count(p, run->beyond.leads);
        page_raw(p, ".");
    }
    page_raw(p, "</p>\n");
}

static void put_speed(struct page *p, const struct report *r)
{
    const struct run_result *run = r->result;
    double done = (double)(run->ids.unique - run->ledger.pending);
    open_figure(p, "leads/s", NULL);
    page_rate(p, run->seconds > 0 ? done / run->seconds : 0);
    close_figure(p);
    open_figure(p, "requests", NULL);
    page_count(p, run->http.requests);
    close_figure(p);
    open_figure(p, "retries", NULL);
    page_count(p, run->http.retries);
    close_figure(p);
    open_figure(p, "received", NULL);
    page_bytes(p, run->http.bytes_received);
    close_figure(p);
}

void report_put_outcomes(struct page *p, const struct report *r)
{
    struct outcome_row rows[OUTCOMES];
    uint64_t total = r->result->ids.unique;
    outcomes_of(r, rows);
    report_open_section(p, "Leads");
    put_bar(p, rows, total);
    page_raw(p, "<dl class=\"figures\">\n");
    for (size_t i = 0; i < OUTCOMES; i++) {
        open_figure(p, rows[i].name, rows[i].n ? rows[i].class : "none");
        page_count(p, rows[i].n);
        page_raw(p, " <small>");
        put_percent(p, rows[i].n, total);
        page_raw(p, "</small>");
        close_figure(p);
    }
    put_speed(p, r);
    page_raw(p, "</dl>\n");
    put_notes(p, r);
    report_close_section(p);
}

/* ---- statuses ------------------------------------------------------------------------------- */

/* Reason phrases of RFC 9110 and others, for statuses that are not widely known by number. */
static const char *status_name(unsigned status)
{
    static const struct {
        unsigned status;
        const char *name;
    } names[] = {
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {408, "Request Timeout"},
        {410, "Gone"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].status == status)
            return names[i].name;
    }
    return "";
}

static const char *status_class(unsigned status)
{
    if (status >= 200 && status < 300)
        return "exported";
    return status == 404 || status == 410 ? "missing" : "failed";
}

static void put_status(struct page *p, const char *name, const char *class, uint64_t n,
                       uint64_t total)
{
    char share[16];
    if (!n)
        return;
    buf_addf(p->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">", name);
    page_count(p, n);
    buf_addf(
        p->out,
        "</td><td class=\"meter\"><span class=\"b-%s\" style=\"width:%s%%\"></span></td></tr>\n",
        class, page_share(share, (double)n, (double)total, 100));
}

#define STATUSES_MAX 40 /* rows; there are 500 possible statuses */

static void put_statuses(struct page *p, const struct http_stats *http, uint64_t total)
{
    uint64_t others = 0;
    unsigned rows = 0;
    page_raw(
        p, "<table class=\"statuses\"><thead><tr><th scope=\"col\">Response</th><th scope=\"col\" "
           "class=\"n\">Requests</th><th scope=\"col\"><span class=\"hidden\">Share</span></th>"
           "</tr></thead><tbody>\n");
    for (unsigned status = 1; status < HTTP_STATUS_MAX; status++) {
        char name[64];
        if (!http->statuses[status])
            continue;
        if (++rows > STATUSES_MAX) {
            others += http->statuses[status];
            continue;
        }
        (void)snprintf(name, sizeof name, "%u %s", status, status_name(status));
        put_status(p, name, status_class(status), http->statuses[status], total);
    }
    put_status(p, "other statuses", "failed", others + http->statuses[0], total);
    put_status(p, "no response", "failed", http->no_answer, total);
    page_raw(p, "</tbody></table>\n");
}

/* ---- latencies ------------------------------------------------------------------------------ */

#define LATENCIES_SHOWN_MIN 8
#define LATENCY_MARKS_MAX 7

struct latency_range {
    unsigned first, last; /* intervals that are shown; `first` begins a doubling */
    uint64_t below;       /* requests below the first interval, shown in it */
    uint64_t most;        /* the highest number of requests in an interval */
};

static uint64_t latencies_in(const struct http_stats *http, const struct latency_range *range,
                             unsigned i)
{
    return http->latencies[i] + (i == range->first ? range->below : 0);
}

/* Leaves out the width for a few requests that were far shorter than all others. */
static bool find_range(const struct http_stats *http, struct latency_range *out)
{
    uint64_t total = 0;
    uint64_t seen = 0;
    *out = (struct latency_range){.first = HTTP_LATENCIES};
    for (unsigned i = 0; i < HTTP_LATENCIES; i++) {
        total += http->latencies[i];
        out->last = http->latencies[i] ? i : out->last;
    }
    for (unsigned i = 0; i < HTTP_LATENCIES && seen <= total / 100; i++) {
        seen += http->latencies[i];
        out->first = i - i % 2;
    }
    if (!total)
        return false;
    out->last |= 1;
    while (out->last - out->first + 1 < LATENCIES_SHOWN_MIN) {
        out->last += out->last + 2 < HTTP_LATENCIES ? 2 : 0;
        out->first -= out->first >= 2 ? 2 : 0;
    }
    for (unsigned i = 0; i < out->first; i++)
        out->below += http->latencies[i];
    for (unsigned i = out->first; i <= out->last; i++) {
        uint64_t n = latencies_in(http, out, i);
        out->most = n > out->most ? n : out->most;
    }
    return true;
}

static void put_latency_bars(struct page *p, const struct http_stats *http,
                             const struct latency_range *range, double top)
{
    double width = CHART_WIDTH / (range->last - range->first + 1);
    for (unsigned i = range->first; i <= range->last; i++) {
        char from[SCALE_TIME_CHARS], to[SCALE_TIME_CHARS];
        uint64_t n = latencies_in(http, range, i);
        if (!n)
            continue;
        double tall = (double)n / top * CHART_HEIGHT;
        tall = tall < 0.7 ? 0.7 : tall; /* so that it is visible */
        scale_latency(from, http_latency_us(i));
        scale_latency(to, http_latency_us(i + 1));
        chart_open_rect(p, (i - range->first + 0.05) * width, width * 0.9, CHART_HEIGHT - tall,
                        tall);
        if (i == range->first && range->below)
            buf_addf(p->out, "><title>up to %s: ", to);
        else
            buf_addf(p->out, "><title>%s to %s: ", from, to);
        page_count(p, n);
        page_raw(p, "</title></rect>\n");
    }
}

static void put_latency_marks(struct page *p, const struct latency_range *range)
{
    unsigned n = range->last - range->first + 1;
    unsigned step = 2;
    while (n / step > LATENCY_MARKS_MAX)
        step *= 2;
    chart_open_marks(p);
    for (unsigned i = 0; i <= n; i += step) {
        char text[SCALE_TIME_CHARS];
        scale_latency(text, http_latency_us(range->first + i));
        chart_put_mark(p, i, n, i / step % 2, text);
    }
    chart_close_marks(p);
}

static void put_quantile(struct page *p, const char *name, double ms)
{
    char text[SCALE_TIME_CHARS];
    scale_latency(text, (uint64_t)(ms * 1000));
    open_figure(p, name, NULL);
    page_raw(p, text);
    close_figure(p);
}

static void put_latencies(struct page *p, const struct http_stats *http)
{
    struct latency_range range;
    double top;
    if (!find_range(http, &range))
        return;
    page_raw(p, "<figure>\n<figcaption>Time to the end of a response</figcaption>\n"
                "<dl class=\"figures\">\n");
    put_quantile(p, "half within", http->latency_p50_ms);
    put_quantile(p, "90% within", http->latency_p90_ms);
    put_quantile(p, "99% within", http->latency_p99_ms);
    put_quantile(p, "longest", http->latency_max_ms);
    page_raw(p, "</dl>\n<div class=\"latency\">\n");
    chart_open_plot(p, "Requests by time to the end of the response", (double)range.most, true,
                    &top);
    put_latency_bars(p, http, &range, top);
    chart_close_plot(p);
    put_latency_marks(p, &range);
    page_raw(p, "</div>\n</figure>\n");
}

void report_put_requests(struct page *p, const struct report *r)
{
    const struct http_stats *http = &r->result->http;
    uint64_t total = http->no_answer;
    for (unsigned i = 0; i < HTTP_STATUS_MAX; i++)
        total += http->statuses[i];
    if (!total)
        return;
    report_open_section(p, "Requests");
    put_statuses(p, http, total);
    put_latencies(p, http);
    report_close_section(p);
}
