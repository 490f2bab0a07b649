#include "monitor/metrics.h"

#include <inttypes.h>

#include "monitor/metrics_label.h"

/* ---- lines ---------------------------------------------------------------------------------- */

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP leadpipe_%s %s\n# TYPE leadpipe_%s %s\n", name, help, name, type);
}

/* To write a sample: sample(), then any labels, then the value. */
static void sample(struct buf *out, const struct metrics *m, const char *name)
{
    buf_addf(out, "leadpipe_%s{", name);
    metrics_label_put(out, "job", m->job);
}

static void label(struct buf *out, const char *name, const char *value)
{
    buf_addc(out, ',');
    metrics_label_put(out, name, value);
}

static void count(struct buf *out, uint64_t value)
{
    buf_addf(out, "} %" PRIu64 "\n", value);
}

static void seconds(struct buf *out, int64_t ms)
{
    buf_addf(out, "} %" PRId64 ".%03" PRId64 "\n", ms / 1000, ms % 1000);
}

static void gauge(struct buf *out, const struct metrics *m, const char *name, const char *help,
                  uint64_t value)
{
    family(out, name, "gauge", help);
    sample(out, m, name);
    count(out, value);
}

static void gauge_seconds(struct buf *out, const struct metrics *m, const char *name,
                          const char *help, int64_t ms)
{
    family(out, name, "gauge", help);
    sample(out, m, name);
    seconds(out, ms > 0 ? ms : 0);
}

/* ---- of the run ----------------------------------------------------------------------------- */

static void put_ends(struct buf *out, const struct metrics *m)
{
    int64_t duration_ms = m->ended_wall_ms - m->started_wall_ms;
    if (m->result)
        duration_ms = (int64_t)(m->result->seconds * 1000 + 0.5);
    gauge_seconds(out, m, "last_start_timestamp_seconds",
                  "When the last run started, as Unix time.", m->started_wall_ms);
    gauge_seconds(out, m, "last_end_timestamp_seconds", "When the last run ended, as Unix time.",
                  m->ended_wall_ms);
    gauge_seconds(out, m, METRICS_LAST_SUCCESS,
                  "When the last run with exit status 0 ended, as Unix time; 0 if there was none.",
                  m->last_success_wall_ms);
    gauge(out, m, "exit_status", "Exit status of the last run.", (uint64_t)m->exit_status);
    gauge(out, m, "published", "1 if the outputs of the last run were published, else 0.",
          m->result && m->result->published);
    gauge_seconds(out, m, "duration_seconds", "How long the last run was running.", duration_ms);
}

static void put_leads(struct buf *out, const struct metrics *m)
{
    static const struct ledger_counts none = {0};
    const struct ledger_counts *l = m->result ? &m->result->ledger : &none;
    const struct {
        const char *outcome;
        uint64_t n;
    } rows[] = {{"exported", l->exported},
                {"unchanged", l->unchanged},
                {"missing", l->missing},
                {"failed", l->failed},
                {"pending", l->pending}};
    family(out, "leads", "gauge",
           "Leads of the last run by their outcome; exported ones are in files and databases only "
           "if leadpipe_published is 1.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sample(out, m, "leads");
        label(out, "outcome", rows[i].outcome);
        count(out, rows[i].n);
    }
}

static void put_status(struct buf *out, const struct metrics *m, const char *status, uint64_t n)
{
    if (!n)
        return;
    sample(out, m, "requests");
    label(out, "status", status);
    count(out, n);
}

/* Returns how many requests were answered. */
static uint64_t put_statuses(struct buf *out, const struct metrics *m, const struct http_stats *h)
{
    uint64_t answered = 0;
    family(out, "requests", "gauge",
           "Requests of the last run by the HTTP status of the response; none: there was no "
           "response, other: a status that HTTP does not have.");
    for (unsigned i = 0; i < HTTP_STATUS_MAX; i++) {
        char status[16] = "other";
        if (i)
            (void)snprintf(status, sizeof status, "%u", i);
        put_status(out, m, status, h->statuses[i]);
        answered += h->statuses[i];
    }
    put_status(out, m, "none", h->no_answer);
    return answered;
}

/* Without requests a quantile is NaN, as in Prometheus's client libraries. */
static void put_latency(struct buf *out, const struct metrics *m, const struct http_stats *h,
                        uint64_t answered)
{
    static const char name[] = "request_latency_seconds";
    const struct {
        const char *quantile;
        double ms;
    } rows[] = {
        {"0.5", h->latency_p50_ms}, {"0.9", h->latency_p90_ms}, {"0.99", h->latency_p99_ms}};
    family(out, name, "summary",
           "Time from sending a request to the end of its response, of answered requests of the "
           "last run.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sample(out, m, name);
        label(out, "quantile", rows[i].quantile);
        if (answered)
            buf_addf(out, "} %.6f\n", rows[i].ms / 1000);
        else
            buf_adds(out, "} NaN\n");
    }
    sample(out, m, "request_latency_seconds_sum");
    buf_addf(out, "} %.6f\n", h->latency_sum_ms / 1000);
    sample(out, m, "request_latency_seconds_count");
    count(out, answered);
}

static void put_requests(struct buf *out, const struct metrics *m)
{
    static const struct http_stats none = {0};
    const struct http_stats *h = m->result ? &m->result->http : &none;
    uint64_t answered = put_statuses(out, m, h);
    gauge(out, m, "retries", "Requests of the last run that were not the first for their lead.",
          h->retries);
    gauge(out, m, "received_bytes",
          "Bytes of response bodies that the last run received, before decompression.",
          h->bytes_received);
    put_latency(out, m, h, answered);
}

/* ---- of its sinks --------------------------------------------------------------------------- */

/* Two sinks may have the same name: then it is prefixed with a number, with which no kind of sink begins. */
static void sink_sample(struct buf *out, const struct metrics *m, const char *name, size_t sink)
{
    const struct run_sink_cfg *sinks = m->cfg->sinks;
    struct buf value;
    unsigned same = 1;
    for (size_t i = 0; i < sink; i++)
        same += strcmp(sinks[i].cfg.spec, sinks[sink].cfg.spec) == 0;
    buf_init(&value, METRICS_LABEL_BYTES_MAX);
    if (same > 1)
        buf_addf(&value, "%u ", same);
    buf_adds(&value, sinks[sink].cfg.spec);
    sample(out, m, name);
    label(out, "sink", buf_cstr(&value));
    if (buf_rc(&value) != RC_OK)
        out->rc = buf_rc(&value);
    buf_free(&value);
}

static size_t sinks_of(const struct metrics *m)
{
    return m->result ? m->cfg->n_sinks : 0;
}

static void put_operation(struct buf *out, const struct metrics *m, size_t sink,
                          const char *operation, uint64_t rows)
{
    sink_sample(out, m, "sink_rows", sink);
    label(out, "operation", operation);
    count(out, m->result->published ? rows : 0);
}

static void put_rows(struct buf *out, const struct metrics *m)
{
    family(out, "sink_rows", "gauge", "Rows that the last run published, by sink and operation.");
    for (size_t i = 0; i < sinks_of(m); i++) {
        const struct sink_result *s = &m->result->sinks[i];
        uint64_t written = 0;
        for (size_t k = 0; k < s->n_files; k++)
            written += s->files[k].rows;
        if (s->is_database) {
            put_operation(out, m, i, "inserted", s->inserted);
            put_operation(out, m, i, "updated", s->updated);
            put_operation(out, m, i, "deleted", s->deleted);
        } else if (!s->is_delivery) {
            put_operation(out, m, i, "written", written);
        }
    }
}

static void put_bytes(struct buf *out, const struct metrics *m)
{
    family(out, "sink_bytes", "gauge", "Bytes of the files that the last run published, by sink.");
    for (size_t i = 0; i < sinks_of(m); i++) {
        const struct sink_result *s = &m->result->sinks[i];
        uint64_t bytes = 0;
        for (size_t k = 0; k < s->n_files && m->result->published; k++)
            bytes += s->files[k].bytes;
        if (s->is_database || s->is_delivery)
            continue;
        sink_sample(out, m, "sink_bytes", i);
        count(out, bytes);
    }
}

static void put_deliveries(struct buf *out, const struct metrics *m)
{
    family(out, "deliveries", "gauge", "Deliveries of the last run by sink and outcome.");
    for (size_t i = 0; i < sinks_of(m); i++) {
        const struct sink_result *s = &m->result->sinks[i];
        if (!s->is_delivery)
            continue;
        sink_sample(out, m, "deliveries", i);
        label(out, "outcome", "delivered");
        count(out, s->delivered);
        sink_sample(out, m, "deliveries", i);
        label(out, "outcome", "failed");
        count(out, s->failed);
    }
}

void metrics_put(struct buf *out, const struct metrics *m)
{
    put_ends(out, m);
    put_leads(out, m);
    put_requests(out, m);
    put_rows(out, m);
    put_bytes(out, m);
    put_deliveries(out, m);
}
