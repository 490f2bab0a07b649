/* Leads to an HTTP receiver, signed by the Standard Webhooks specification.
 *
 * put() forms bodies of `batch` leads, in the order of the leads, and hands them to the delivery,
 * which has a thread of its own; verdicts come from there. A batch that is not full waits for more
 * leads, across mark(), until finish(): what a batch holds depends on the leads alone, so the same
 * run makes the same batches, with the same ids. */
#include <stdlib.h>

#include "delivery.h"
#include "record.h"
#include "registry.h"
#include "webhook_config.h"

#define PARCELS_PER_REQUEST 4             /* that may be ready or on their way ... */
#define SENT_BYTES_MAX ((size_t)64 << 20) /* ... with bodies of so many bytes */
#define BODY_FULL_BYTES ((size_t)8 << 20) /* a batch that has this much is sent as it is */
#define BODY_BYTES_MAX ((size_t)1 << 30)  /* of one body; a lead that needs more has failed */

struct webhook {
    struct sink sink;
    struct sink_host host;
    const struct clock *clock;
    const struct profile *profile;
    const char *url, *type;
    int layout;
    bool is_list; /* the data is an array, however many leads it has */
    unsigned batch;

    struct webhook_headers headers;
    struct webhook_secrets *secrets;
    struct record_writer *writer;
    struct webhook_id_maker *ids;
    struct delivery *delivery;
    struct parcel *parcel; /* being filled, or NULL */
};

static struct webhook *self(struct sink *s)
{
    return (struct webhook *)s;
}

/* ---- options -------------------------------------------------------------------------------- */

#define OFFSET(member) offsetof(struct webhook_opts, member)
#define DAY_MS INT64_C(86400000)

static const struct opt_spec options[] = {
    {"batch", OPT_UINT, OFFSET(batch), NULL, 1, 1000, "1",
     "leads in one request; over 1, the data is an array", false},
    {"concurrency", OPT_UINT, OFFSET(concurrency), NULL, 1, 256, "4", "requests in flight", true},
    {"rate", OPT_RATE, OFFSET(rate_per_s), NULL, 0, 0, NULL,
     "requests a second (or N/m, a minute), retries included", true},
    {"attempts", OPT_UINT, OFFSET(attempts), NULL, 1, 1000, NULL,
     "tries of one request; else as --attempts", true},
    {"timeout", OPT_DURATION, OFFSET(timeout_ms), NULL, 1, DAY_MS, NULL,
     "of one try; else as --timeout", true},
    {"retry-max-time", OPT_DURATION, OFFSET(retry_max_time_ms), NULL, 1, 7 * DAY_MS, NULL,
     "longest time that one request may take; else as --retry-max-time", true},
    {"layout", OPT_CHOICE, OFFSET(layout), WEBHOOK_LAYOUTS, 0, 0, "lead",
     "columns and tables of a lead, or its payload as received", false},
    {"type", OPT_TEXT, OFFSET(type), NULL, 0, 0, NULL,
     "name of the event; else lead.exported, or leads.exported for an array", false},
    {"secret-env", OPT_TEXT, OFFSET(secret_env), NULL, 0, 0, NULL,
     "variable that holds the signing secret, or several with blanks between them", true},
    {"secret-file", OPT_TEXT, OFFSET(secret_file), NULL, 0, 0, NULL, "the same in a file", true},
    {"header", OPT_LIST, OFFSET(headers), NULL, 0, 0, NULL,
     "a header for every request, \"Name: value\"; repeatable", true},
    {"header-env", OPT_LIST, OFFSET(header_envs), NULL, 0, 0, NULL,
     "the same with the value in a variable, \"Name: VARIABLE\"; repeatable", true},
    {.name = NULL},
};

static enum record_layout record_layout(const struct sink_cfg *cfg)
{
    const struct webhook_opts *opts = cfg->opts;
    return opts->layout == 0 ? LAYOUT_LEAD : LAYOUT_RAW;
}

static unsigned webhook_needs(const struct sink_cfg *cfg)
{
    return SINK_WANTS_FINGERPRINT | record_wants(&encoding_json, record_layout(cfg));
}

static enum rc webhook_check(const struct sink_cfg *cfg, struct err *e)
{
    struct webhook_headers headers;
    struct webhook_secrets *secrets;
    enum rc rc = webhook_url_check(cfg, e);
    if (rc == RC_OK)
        rc = webhook_type_check(cfg, e);
    if (rc == RC_OK)
        rc = webhook_headers_make(&headers, cfg, e);
    if (rc != RC_OK)
        return rc;
    webhook_headers_free(&headers);
    rc = webhook_secrets_load(&secrets, cfg, e);
    if (rc == RC_OK)
        webhook_secrets_free(secrets);
    return rc;
}

static enum rc webhook_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    (void)cfg;
    (void)out;
    (void)e;
    return RC_OK;
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static void settle_parcel(void *ctx, const struct parcel *p, const struct verdict *v)
{
    struct webhook *w = ctx;
    for (size_t i = 0; i < p->n_leads; i++)
        w->host.settle(w->host.ctx, &w->sink, p->leads[i], v);
}

static void settle_unsent(struct webhook *w, struct lead *lead)
{
    struct verdict v = delivery_refusal(w->delivery);
    w->host.settle(w->host.ctx, &w->sink, lead, &v);
}

static void settle_too_large(struct webhook *w, struct lead *lead)
{
    static const struct verdict v = {
        .kind = VERDICT_FAILED,
        .code = "too_large",
        .error = "the lead takes more than 1 GiB as JSON",
    };
    w->host.settle(w->host.ctx, &w->sink, lead, &v);
}

/* ---- open, close ---------------------------------------------------------------------------- */

static struct http_retry_cfg retry_cfg(const struct sink_cfg *cfg)
{
    const struct webhook_opts *opts = cfg->opts;
    struct http_retry_cfg retry = *cfg->retry;
    if (opts->attempts)
        retry.attempts = opts->attempts;
    if (opts->retry_max_time_ms)
        retry.retry_max_time_ms = opts->retry_max_time_ms;
    if (opts->timeout_ms)
        retry.timeout_ms = opts->timeout_ms;
    return retry;
}

static enum rc open_delivery(struct webhook *w, const struct sink_cfg *cfg, struct err *e)
{
    const struct webhook_opts *opts = cfg->opts;
    const struct delivery_cfg delivery = {
        .url = cfg->target,
        .subject = cfg->spec,
        .headers = w->headers.list,
        .n_headers = w->headers.n,
        .blot = w->headers.secrets,
        .n_blot = w->headers.n_secrets,
        .secrets = w->secrets,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = cfg->proxy,
        .concurrency = opts->concurrency,
        .rate_per_s = opts->rate_per_s,
        .retry = retry_cfg(cfg),
        .clock = cfg->clock,
        .log = cfg->log,
        .parcels_max = (size_t)opts->concurrency * PARCELS_PER_REQUEST,
        .leads_max = opts->batch,
        .body_max = BODY_BYTES_MAX,
        .sent_bytes_max = SENT_BYTES_MAX,
        .settle = settle_parcel,
        .ctx = w,
    };
    return delivery_new(&w->delivery, &delivery, e);
}

static void webhook_close(struct sink *s)
{
    struct webhook *w = self(s);
    if (w->delivery && w->parcel) {
        delivery_stop(w->delivery, 0);
        delivery_send(w->delivery, w->parcel); /* its leads are owed a verdict */
    }
    delivery_free(w->delivery);
    webhook_id_maker_free(w->ids);
    record_writer_free(w->writer);
    webhook_secrets_free(w->secrets);
    webhook_headers_free(&w->headers);
    free(w);
}

static enum rc open_parts(struct webhook *w, const struct sink_cfg *cfg, struct err *e)
{
    enum rc rc = webhook_headers_make(&w->headers, cfg, e);
    if (rc == RC_OK)
        rc = webhook_secrets_load(&w->secrets, cfg, e);
    if (rc == RC_OK)
        rc = record_writer_new(&w->writer, cfg->profile, &encoding_json, record_layout(cfg), e);
    if (rc == RC_OK)
        rc = webhook_id_maker_new(&w->ids, e);
    if (rc == RC_OK)
        rc = open_delivery(w, cfg, e);
    return rc;
}

static enum rc webhook_open(struct sink **out, const struct sink_cfg *cfg,
                            const struct sink_mark *from, struct err *e)
{
    (void)from;
    const struct webhook_opts *opts = cfg->opts;
    struct webhook *w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(e);
    w->sink.ops = &sink_webhook;
    w->host = cfg->host;
    w->clock = cfg->clock;
    w->profile = cfg->profile;
    w->url = cfg->target;
    w->batch = opts->batch;
    w->is_list = opts->batch > 1;
    w->type = opts->type ? opts->type : w->is_list ? "leads.exported" : "lead.exported";
    w->layout = opts->layout;
    enum rc rc = open_parts(w, cfg, e);
    if (rc != RC_OK) {
        webhook_close(&w->sink);
        return rc;
    }
    *out = &w->sink;
    return RC_OK;
}

/* ---- bodies --------------------------------------------------------------------------------- */

/* What makes this sink's messages others than those of another sink. */
static void begin_id(struct webhook *w)
{
    webhook_id_begin(w->ids);
    webhook_id_add(w->ids, STR("webhook"));
    webhook_id_add(w->ids, str_c(w->url));
    webhook_id_add(w->ids, w->layout == 0 ? STR("lead") : STR("raw"));
    webhook_id_add(w->ids, str_c(w->type));
    webhook_id_add(w->ids, w->is_list ? STR("list") : STR("one"));
    webhook_id_add(w->ids, w->profile->name);
}

static void add_to_id(struct webhook *w, const struct lead *lead)
{
    webhook_id_add(w->ids, lead->id);
    for (size_t i = 0; i < w->profile->n_params; i++)
        webhook_id_add(w->ids, lead->params[i]);
    webhook_id_add(w->ids, (struct str){(const char *)lead->fingerprint, FINGERPRINT_BYTES});
}

static void begin_body(struct webhook *w, struct buf *body)
{
    char now[25];
    clock_format(clock_wall_ms(w->clock), now);
    buf_adds(body, "{\"type\":");
    json_write_string(body, str_c(w->type));
    buf_addf(body, ",\"timestamp\":\"%.24s\",\"data\":", now);
    if (w->is_list)
        buf_addc(body, '[');
}

/* An empty parcel to fill; none where nothing is delivered any more. */
static enum rc begin_parcel(struct webhook *w)
{
    enum rc rc = delivery_take(w->delivery, &w->parcel);
    if (rc != RC_OK || !w->parcel)
        return rc;
    begin_body(w, &w->parcel->body);
    begin_id(w);
    return RC_OK;
}

/* RC_LIMIT and RC_NOMEM leave the parcel as it was. */
static enum rc add_lead(struct webhook *w, struct lead *lead)
{
    struct parcel *p = w->parcel;
    size_t before = p->body.len;
    if (p->n_leads > 0)
        buf_addc(&p->body, ',');
    record_write_object(w->writer, &p->body, lead);
    (void)buf_reserve(&p->body, 2); /* for the end */
    enum rc rc = buf_rc(&p->body);
    if (rc != RC_OK) {
        p->body.rc = RC_OK;
        p->body.len = before;
        return rc;
    }
    add_to_id(w, lead);
    p->leads[p->n_leads++] = lead;
    return RC_OK;
}

static enum rc send_parcel(struct webhook *w)
{
    struct parcel *p = w->parcel;
    if (w->is_list)
        buf_addc(&p->body, ']');
    buf_addc(&p->body, '}');
    enum rc rc = buf_rc(&p->body);
    if (rc == RC_OK)
        rc = webhook_id_end(w->ids, p->id);
    if (rc != RC_OK)
        return rc;
    w->parcel = NULL;
    delivery_send(w->delivery, p);
    return RC_OK;
}

static enum rc put_lead(struct webhook *w, struct lead *lead)
{
    if (!w->parcel) {
        enum rc rc = begin_parcel(w);
        if (rc != RC_OK)
            return rc;
    }
    if (!w->parcel) {
        settle_unsent(w, lead);
        return RC_OK;
    }
    enum rc rc = add_lead(w, lead);
    if (rc == RC_LIMIT) {
        settle_too_large(w, lead);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    if (w->parcel->n_leads < w->batch && w->parcel->body.len < BODY_FULL_BYTES)
        return RC_OK;
    return send_parcel(w);
}

/* ---- the run's side ------------------------------------------------------------------------- */

/* Out of memory: every lead that was taken in gets its verdict before the run hears of it. */
static enum rc abandon(struct webhook *w, struct err *e)
{
    delivery_stop(w->delivery, 0);
    if (w->parcel)
        delivery_send(w->delivery, w->parcel);
    w->parcel = NULL;
    delivery_end(w->delivery);
    return err_nomem(e);
}

static enum rc webhook_put(struct sink *s, struct lead *const leads[], size_t n, struct err *e)
{
    struct webhook *w = self(s);
    for (size_t i = 0; i < n; i++)
        if (put_lead(w, leads[i]) != RC_OK)
            return abandon(w, e);
    return RC_OK;
}

/* The leads of a batch that is not full have no verdict yet, and none is waited for. */
static enum rc webhook_mark(struct sink *s, struct sink_mark *out, struct err *e)
{
    (void)e;
    delivery_wait(self(s)->delivery);
    out->text = STR("");
    return RC_OK;
}

static enum rc webhook_finish(struct sink *s, struct err *e)
{
    struct webhook *w = self(s);
    if (w->parcel && w->parcel->n_leads > 0 && send_parcel(w) != RC_OK)
        return abandon(w, e);
    delivery_end(w->delivery);
    return RC_OK;
}

static void webhook_result(const struct sink *s, struct sink_result *out)
{
    const struct webhook *w = (const struct webhook *)s;
    struct delivery_counts counts;
    delivery_count(w->delivery, &counts);
    *out = (struct sink_result){
        .is_delivery = true,
        .deliveries = counts.delivered + counts.failed,
        .delivered = counts.delivered,
        .failed = counts.failed,
        .http = counts.http,
    };
}

static void webhook_stop(struct sink *s, int64_t grace_ms)
{
    delivery_stop(self(s)->delivery, grace_ms);
}

const struct sink_ops sink_webhook = {
    .name = "webhook",
    .help = "POST requests to a URL, signed by the Standard Webhooks specification",
    .opts = options,
    .opts_size = sizeof(struct webhook_opts),
    .check = webhook_check,
    .needs = webhook_needs,
    .paths = webhook_paths,
    .open = webhook_open,
    .put = webhook_put,
    .mark = webhook_mark,
    .finish = webhook_finish,
    .result = webhook_result,
    .stop = webhook_stop,
    .close = webhook_close,
};
