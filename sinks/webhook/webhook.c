/* Leads to an HTTP receiver, signed by the Standard Webhooks specification.
 *
 * put() forms bodies of `batch` leads, in the order of the leads, and hands them to the outbox and
 * so to the delivery, which has a thread of its own; verdicts come from there. A batch that is not
 * full waits for more leads, across mark(), until prepare(): what a batch holds depends on the leads
 * alone, so the same run makes the same batches, with the same ids. */
#include <stdlib.h>

#include "sinks/webhook/batch.h"
#include "core/base/loopback.h"
#include "core/sink_http.h"
#include "sinks/delivery/delivery_probe.h"
#include "sinks/delivery/lead_text.h"
#include "sinks/delivery/outbox.h"
#include "sinks/webhook/sender.h"
#include "sinks/registry.h"
#include "sinks/webhook/webhook_config.h"

#define MESSAGES_PER_REQUEST 4 /* that may be ready or on their way */
/* Of a response: more than is used, so that one of ordinary size does not cost its connection. */
#define RESPONSE_BYTES ((size_t)64 << 10)

struct webhook {
    struct sink sink;
    struct sink_host host;
    const char *subject;
    struct webhook_headers headers;
    struct webhook_secrets *secrets;
    struct batch batch;
    struct sender sender;
    struct outbox outbox;
};

static struct webhook *self(struct sink *s)
{
    return (struct webhook *)s;
}

/* ---- options -------------------------------------------------------------------------------- */

#define AT(type, member) OPTION_AT(struct webhook_opts, type, member)
#define DAY_MS INT64_C(86400000)

static const struct option_spec options[] = {
    {.name = "batch",
     AT(NUMBER, batch),
     .min = 1,
     .max = 1000,
     .default_text = "1",
     .help = "leads per request; if more than 1, the data is an array"},
    {.name = "concurrency",
     AT(NUMBER, concurrency),
     .min = 1,
     .max = 256,
     .default_text = "4",
     .flags = OPTION_MAY_CHANGE,
     .help = "requests in flight"},
    {.name = "rate",
     AT(RATE, rate_per_s),
     .flags = OPTION_MAY_CHANGE,
     .help = "maximum requests started per second (or N/m, per minute), retries included"},
    {.name = "attempts",
     AT(NUMBER, attempts),
     .min = 1,
     .max = 1000,
     .flags = OPTION_MAY_CHANGE,
     .help = "maximum attempts per request; if omitted, the value of --attempts"},
    {.name = "timeout",
     AT(DURATION, timeout_ms),
     .min = 1,
     .max = DAY_MS,
     .flags = OPTION_MAY_CHANGE,
     .help = "maximum time per attempt; if omitted, the value of --timeout"},
    {.name = "retry-max-time",
     AT(DURATION, retry_max_time_ms),
     .min = 1,
     .max = 30 * DAY_MS,
     .flags = OPTION_MAY_CHANGE,
     .help = "maximum time to retry a request; if omitted, the value of --retry-max-time"},
    {.name = "layout",
     AT(CHOICE, layout),
     .choices = WEBHOOK_LAYOUTS,
     .default_text = "lead",
     .help = "columns and tables of a lead, or its payload as received"},
    {.name = "type",
     AT(TEXT, type),
     .help = "event type; if omitted, lead.exported, or leads.exported for an array"},
    {.name = "secret-env",
     AT(TEXT, secret_env),
     .flags = OPTION_MAY_CHANGE,
     .excludes = "secret-file",
     .help = "environment variable that contains the signing secret, or several separated by "
             "spaces"},
    {.name = "secret-file",
     AT(TEXT, secret_file),
     .flags = OPTION_MAY_CHANGE,
     .file = FILE_READ,
     .help = "the same, in a file"},
    {.name = "header",
     AT(LIST, headers),
     .flags = OPTION_MAY_CHANGE | OPTION_SECRET_HEADER,
     .help = "a header to send with every request, \"Name: value\"; repeatable"},
    {.name = "header-env",
     AT(LIST, header_envs),
     .flags = OPTION_MAY_CHANGE,
     .help = "the same, with the value in an environment variable, \"Name: VARIABLE\"; repeatable"},
    {.name = NULL},
};

static unsigned webhook_needs(const struct sink_cfg *cfg)
{
    return SINK_WANTS_FINGERPRINT | record_wants(&encoding_json, batch_layout(cfg));
}

static enum rc webhook_check(const struct sink_cfg *cfg, struct err *e)
{
    struct webhook_headers headers;
    struct webhook_secrets *secrets;
    enum rc rc = secrets_add_url(cfg->secrets, cfg->target);
    if (rc != RC_OK)
        return err_nomem(e);
    rc = webhook_url_check(cfg, e);
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

/* Connects, and sends no request. */
static void webhook_probe(const struct sink_cfg *cfg, const struct findings *f)
{
    const struct webhook_opts *opts = cfg->opts;
    (void)delivery_probe(
        cfg, cfg->target,
        outbox_retry_cfg(cfg, opts->attempts, opts->timeout_ms, opts->retry_max_time_ms), "webhook",
        f);
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static void settle_unsent(struct webhook *w, const struct lead *lead)
{
    struct verdict v = delivery_refusal(w->outbox.delivery);
    w->host.settle(w->host.ctx, &w->sink, lead, &v);
}

static void settle_too_large(struct webhook *w, const struct lead *lead)
{
    static const struct verdict v = {
        .kind = VERDICT_FAILED,
        .code = "too_large",
        .error = "the lead takes more than 512 MiB as JSON",
    };
    w->host.settle(w->host.ctx, &w->sink, lead, &v);
}

/* ---- open, close ---------------------------------------------------------------------------- */

static enum rc open_delivery(struct webhook *w, const struct sink_cfg *cfg, struct err *e)
{
    const struct webhook_opts *opts = cfg->opts;
    w->sender = (struct sender){
        .url = cfg->target,
        .subject = cfg->spec,
        .redaction = cfg->secrets,
        .secrets = w->secrets,
        .log = cfg->log,
    };
    struct delivery_cfg delivery = {
        .protocol = &webhook_protocol,
        .protocol_ctx = &w->sender,
        .headers = w->headers.list,
        .n_headers = w->headers.n,
        .proxy = url_bypasses_proxy(cfg->target, cfg->http->allow_http) ? "" : cfg->http->proxy,
        .concurrency = (unsigned)opts->concurrency,
        .rate_per_s = opts->rate_per_s,
        .retry = outbox_retry_cfg(cfg, opts->attempts, opts->timeout_ms, opts->retry_max_time_ms),
        .messages_max = (size_t)opts->concurrency * MESSAGES_PER_REQUEST,
        .leads_max = (size_t)opts->batch,
        .max_answer = RESPONSE_BYTES,
        .max_error_answer = ANSWER_BYTES_MAX,
        .head_is_enough = true, /* a 2xx must not be sent again */
    };
    return outbox_open_delivery(&w->outbox, cfg, &delivery, e);
}

/* The batch at hand is not sent: its leads are pending. */
static void drop_batch(struct webhook *w)
{
    if (w->batch.message)
        delivery_drop(w->outbox.delivery, w->batch.message);
    w->batch.message = NULL;
}

static void webhook_close(struct sink *s)
{
    struct webhook *w = self(s);
    drop_batch(w);
    outbox_close(&w->outbox);
    batch_close(&w->batch);
    webhook_secrets_free(w->secrets);
    webhook_headers_free(&w->headers);
    free(w);
}

static enum rc damaged(const struct webhook *w, enum rc rc, struct err *e)
{
    if (rc == RC_NOMEM)
        return err_nomem(e);
    return err_set(e, RC_USAGE, "%s: the mark in the state is damaged", w->subject);
}

static enum rc resume(struct webhook *w, struct batch_rest *rest, struct err *e)
{
    struct message *p = NULL;
    enum rc rc = outbox_resume(&w->outbox, rest->leads, rest->n_leads, &p, e);
    if (rc != RC_OK || !p)
        return rc == RC_SYNTAX ? damaged(w, rc, e) : rc;
    rc = batch_resume(&w->batch, p, rest, &w->host, &w->sink, e);
    return rc == RC_OK || rc == RC_NOMEM ? rc : damaged(w, rc, e);
}

static enum rc restore(struct webhook *w, const struct sink_mark *from, struct err *e)
{
    struct batch_rest rest = {.n_leads = 0};
    if (!from || from->text.len == 0)
        return RC_OK;
    enum rc rc = batch_rest_take(&rest, &w->batch, from->text);
    rc = rc == RC_OK ? resume(w, &rest, e) : damaged(w, rc, e);
    batch_rest_free(&rest);
    return rc;
}

static enum rc open_parts(struct webhook *w, const struct sink_cfg *cfg,
                          const struct sink_mark *from, struct err *e)
{
    const struct outbox_messages messages = {.leads_max = 1, /* one verdict for all of a batch */
                                             .check = batch_check_recorded,
                                             .mark = batch_mark,
                                             .ctx = &w->batch};
    enum rc rc = webhook_headers_make(&w->headers, cfg, e);
    if (rc == RC_OK)
        rc = webhook_secrets_load(&w->secrets, cfg, e);
    if (rc == RC_OK)
        rc = batch_open(&w->batch, cfg, e);
    if (rc == RC_OK)
        rc = outbox_open(&w->outbox, &w->sink, cfg, &messages, e);
    if (rc == RC_OK)
        rc = open_delivery(w, cfg, e);
    if (rc == RC_OK)
        rc = restore(w, from, e);
    if (rc == RC_OK)
        rc = outbox_claim(&w->outbox, e);
    return rc;
}

static enum rc webhook_open(struct sink **out, const struct sink_cfg *cfg,
                            const struct sink_mark *from, struct err *e)
{
    struct webhook *w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(e);
    w->sink.ops = &sink_webhook;
    w->host = cfg->host;
    w->subject = cfg->spec;
    enum rc rc = open_parts(w, cfg, from, e);
    if (rc != RC_OK) {
        webhook_close(&w->sink);
        return rc;
    }
    *out = &w->sink;
    return RC_OK;
}

/* ---- leads ---------------------------------------------------------------------------------- */

static enum rc send_batch(struct webhook *w, bool at_end, struct err *e)
{
    struct message *p = NULL;
    enum rc rc = batch_end(&w->batch, &p);
    if (rc != RC_OK)
        return err_nomem(e);
    rc = outbox_send(&w->outbox, p, at_end, e);
    if (rc != RC_OK)
        delivery_drop(w->outbox.delivery, p);
    return rc;
}

/* An empty batch where there is none; still none where nothing is delivered any more. */
static enum rc need_batch(struct webhook *w, struct err *e)
{
    struct message *p = NULL;
    if (w->batch.message)
        return RC_OK;
    if (delivery_take(w->outbox.delivery, &p) != RC_OK)
        return err_nomem(e);
    if (p)
        batch_begin(&w->batch, p);
    return RC_OK;
}

static enum rc put_lead(struct webhook *w, const struct lead *lead, struct err *e)
{
    if (outbox_put(&w->outbox, lead))
        return RC_OK;
    enum rc rc = need_batch(w, e);
    if (rc != RC_OK)
        return rc;
    if (!w->batch.message) {
        settle_unsent(w, lead);
        return RC_OK;
    }
    rc = batch_add(&w->batch, lead);
    if (rc == RC_LIMIT) {
        settle_too_large(w, lead);
        return RC_OK;
    }
    if (rc != RC_OK)
        return err_nomem(e);
    return batch_is_full(&w->batch) ? send_batch(w, false, e) : RC_OK;
}

/* ---- the run's side ------------------------------------------------------------------------- */

/* The sink is dead: every lead that was taken in gets its verdict before the run hears of it. */
static enum rc abandon(struct webhook *w, enum rc rc)
{
    drop_batch(w);
    outbox_abandon(&w->outbox);
    return rc;
}

static enum rc webhook_put(struct sink *s, const struct lead *const leads[], size_t n,
                           struct err *e)
{
    struct webhook *w = self(s);
    enum rc rc = outbox_send_again(&w->outbox, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = put_lead(w, leads[i], e);
    return rc == RC_OK ? RC_OK : abandon(w, rc);
}

static enum rc webhook_mark(struct sink *s, struct sink_mark *out, struct err *e)
{
    return outbox_mark(&self(s)->outbox, out, e);
}

/* What is not sent because the run is stopped is left to when it is resumed. */
static enum rc send_rest(struct webhook *w, bool at_end, struct err *e)
{
    enum rc rc = RC_OK;
    if (delivery_is_stopping(w->outbox.delivery)) {
        drop_batch(w);
        outbox_drop(&w->outbox);
        return RC_OK;
    }
    rc = outbox_send_again(&w->outbox, e);
    if (rc == RC_OK && w->batch.message && w->batch.message->own.n_leads > 0)
        rc = send_batch(w, at_end, e);
    return rc;
}

static enum rc webhook_send_collected(struct sink *s, struct err *e)
{
    struct webhook *w = self(s);
    enum rc rc = send_rest(w, false, e);
    return rc == RC_OK ? RC_OK : abandon(w, rc);
}

/* The same at the end of the run and where it is stopped, which send_rest() knows. */
static enum rc webhook_flush(struct sink *s, struct err *e)
{
    struct webhook *w = self(s);
    enum rc rc = send_rest(w, true, e);
    if (rc != RC_OK)
        return abandon(w, rc);
    return outbox_end(&w->outbox, e);
}

/* What was delivered cannot be more visible than it is. */
static enum rc webhook_prepare(struct sink *s, struct buf *text, struct err *e)
{
    (void)text;
    return webhook_flush(s, e);
}

static void webhook_result(const struct sink *s, struct sink_result *out)
{
    const struct webhook *w = (const struct webhook *)s;
    outbox_result(&w->outbox, out);
}

static void webhook_stop(struct sink *s, int64_t grace_ms)
{
    delivery_stop(self(s)->outbox.delivery, grace_ms);
}

const struct sink_ops sink_webhook = {
    .name = "webhook",
    .help = "POST requests to a URL, signed according to Standard Webhooks",
    .opts = options,
    .opts_size = sizeof(struct webhook_opts),
    .eighths = 28, /* a body, and the copies on its way into the state */
    .check = webhook_check,
    .probe = webhook_probe,
    .needs = webhook_needs,
    .paths = webhook_paths,
    .open = webhook_open,
    .put = webhook_put,
    .mark = webhook_mark,
    .send_collected = webhook_send_collected,
    .prepare = webhook_prepare,
    .delivers = true,
    .on_stop = SINK_STOP_FLUSH,
    .flush = webhook_flush,
    .stop = webhook_stop,
    .result = webhook_result,
    .close = webhook_close,
};
