/* Leads into a CRM, by a destination (destination.h).
 *
 * put() makes items of leads and forms batches (push_batch.h), which the delivery sends by the courier's rules
 * (courier.h); verdicts come from there. Batches that are not full wait for more leads, across mark(), until
 * prepare(). With a preview nothing is sent: the requests are written to a file. */
#include <stdlib.h>

#include "core/base/loopback.h"
#include "core/sink_http.h"
#include "sinks/delivery/outbox.h"
#include "sinks/push/courier.h"
#include "sinks/push/preview.h"
#include "sinks/push/push_batch.h"
#include "sinks/push/push_config.h"
#include "sinks/push/push_probe.h"
#include "sinks/registry.h"

#define MESSAGES_PER_REQUEST 4 /* that may be ready or on their way */
#define DAY_MS INT64_C(86400000)

struct push {
    struct sink sink;
    struct sink_host host;
    const char *subject;
    struct push_config config;
    struct courier courier;
    struct batches batches;
    struct outbox outbox;
    struct preview *preview; /* NULL: what is made is sent */
};

static struct push *self(struct sink *s)
{
    return (struct push *)s;
}

/* ---- options -------------------------------------------------------------------------------- */

#define AT(type, member) OPTION_AT(struct push_opts, type, member)

static const struct option_spec options[] = {
    {.name = "param",
     AT(LIST, params),
     .help = "a parameter of the destination, NAME=VALUE; repeatable"},
    {.name = "base-url",
     AT(TEXT, base_url),
     .flags = OPTION_MAY_CHANGE,
     .help =
         "scheme, host, port and the beginning of a path, in the place of scheme, host and port of all URLs "
         "of the destination: a gateway, or a server for tests"},
    {.name = "concurrency",
     AT(NUMBER, concurrency),
     .min = 1,
     .max = 256,
     .default_note = "the destination's, or 4",
     .flags = OPTION_MAY_CHANGE,
     .help = "requests in flight"},
    {.name = "rate",
     AT(RATE, rate_per_s),
     .flags = OPTION_MAY_CHANGE,
     .help =
         "maximum requests started per second (or N/m, per minute), retries included; if omitted, the "
         "destination's"},
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
     .max = 7 * DAY_MS,
     .flags = OPTION_MAY_CHANGE,
     .help = "maximum time to retry a request; if omitted, the value of --retry-max-time"},
    {.name = "preview",
     .arg = "FILE",
     AT(TEXT, preview), /* push_paths() names the file */
     .help =
         "send nothing: write the requests to this file (-: standard output), one JSON object a line"},
    {.name = NULL},
};

static unsigned push_needs(const struct sink_cfg *cfg)
{
    (void)cfg;
    return SINK_WANTS_FINGERPRINT | SINK_WANTS_ROWS | SINK_WANTS_TREE;
}

static enum rc push_check(const struct sink_cfg *cfg, struct err *e)
{
    struct push_config config;
    enum rc rc = push_config_make(&config, cfg, e);
    if (rc == RC_OK)
        push_config_free(&config);
    return rc;
}

/* What is read from the CRM. What goes there is of leads, which are charged for it. */
static size_t push_keeps(const struct sink_cfg *cfg)
{
    const struct push_opts *opts = cfg->opts;
    struct destination *d = NULL;
    struct answer_room room;
    struct err ignored;
    if (opts->preview ||
        destination_load(&d, cfg->target, cfg->profile, &opts->params, &ignored) != RC_OK)
        return 0; /* or check() says so */
    answer_room_init(&room, cfg->max_memory);
    size_t bytes = answer_room_bytes(&room, push_concurrency(opts, d));
    destination_free(d);
    return bytes;
}

static enum rc push_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    const struct push_opts *opts = cfg->opts;
    if (!opts->preview)
        return RC_OK;
    buf_add(out, opts->preview, strlen(opts->preview) + 1);
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

/* ---- open, close ---------------------------------------------------------------------------- */

static enum rc open_delivery(struct push *w, const struct sink_cfg *cfg, struct err *e)
{
    const struct push_opts *opts = cfg->opts;
    const struct destination *d = w->config.destination;
    const char *url = w->courier.url;
    unsigned concurrency = push_concurrency(opts, d);
    struct delivery_cfg delivery = {
        .protocol = &push_protocol,
        .protocol_ctx = &w->courier,
        .headers = w->courier.headers,
        .n_headers = w->courier.n_headers,
        .proxy = url && url_bypasses_proxy(url, cfg->http->allow_http) ? "" : cfg->http->proxy,
        .concurrency = concurrency,
        .rate_per_s = opts->rate_per_s > 0 ? opts->rate_per_s : d->rate_per_s,
        .retry = w->courier.retry,
        .messages_max = (size_t)concurrency * MESSAGES_PER_REQUEST + BATCHES_MAX,
        .leads_max = d->max_items,
        .max_answer = answer_room_most(&w->courier.room),
        .max_error_answer = answer_room_most(&w->courier.room),
    };
    return outbox_open_delivery(&w->outbox, cfg, &delivery, e);
}

/* Of a batch at hand, whose leads are pending. */
static void drop_message(struct push *w, struct message *p)
{
    static const struct verdict pending = {.kind = VERDICT_PENDING};
    if (w->outbox.delivery) {
        delivery_drop(w->outbox.delivery, p);
        return;
    }
    for (size_t i = 0; i < p->own.n_leads; i++)
        w->host.settle(w->host.ctx, &w->sink, p->own.leads[i].lead, &pending);
    message_free(p);
}

static void drop_batches(struct push *w)
{
    for (size_t i = 0; i < w->batches.n_open; i++)
        drop_message(w, w->batches.open[i].message);
    w->batches.n_open = 0;
}

static void push_close(struct sink *s)
{
    struct push *w = self(s);
    drop_batches(w);
    outbox_close(&w->outbox);
    preview_close(w->preview);
    batches_close(&w->batches);
    courier_close(&w->courier);
    push_config_free(&w->config);
    free(w);
}

static enum rc damaged(const struct push *w, enum rc rc, struct err *e)
{
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc == RC_USAGE)
        return err_set(
            e, RC_USAGE,
            "%s: the destination or its parameters have changed since the run began, and items made "
            "by the old one wait to be sent; use the old one to resume, or --fresh",
            w->subject);
    return err_set(e, RC_USAGE, "%s: the mark in the state is damaged", w->subject);
}

static enum rc resume_batch(struct push *w, const struct batch_rest *rest, struct err *e)
{
    struct message *p = NULL;
    enum rc rc = outbox_resume(&w->outbox, rest->leads, rest->n_leads, &p, e);
    if (rc != RC_OK || !p)
        return rc == RC_SYNTAX ? damaged(w, rc, e) : rc;
    rc = batches_resume(&w->batches, p, rest, &w->host, &w->sink, e);
    return rc == RC_OK || rc == RC_NOMEM ? rc : damaged(w, rc, e);
}

static enum rc restore(struct push *w, const struct sink_mark *from, struct err *e)
{
    struct batch_rest rest[BATCHES_MAX];
    struct arena a;
    size_t n = 0;
    if (!from || from->text.len == 0)
        return RC_OK;
    arena_init(&a, SIZE_MAX);
    enum rc rc = batches_rest_take(&w->batches, from->text, &a, rest, &n);
    if (rc != RC_OK)
        rc = damaged(w, rc, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = resume_batch(w, &rest[i], e);
    arena_free(&a);
    return rc;
}

static enum rc open_preview(struct push *w, const struct sink_cfg *cfg, const char *path,
                            struct err *e)
{
    if (cfg->state)
        return err_set(
            e, RC_USAGE,
            "%s: option preview: not with --state, as nothing is sent that a later run could resume",
            cfg->spec);
    if (cfg->ids_topic)
        return err_set(e, RC_USAGE,
                       "%s: option preview: not with FILE kafka://, as the messages would count as "
                       "done although nothing is sent",
                       cfg->spec);
    return preview_open(&w->preview, path, cfg, &w->courier, e);
}

static enum rc open_parts(struct push *w, const struct sink_cfg *cfg, const struct sink_mark *from,
                          struct err *e)
{
    const struct push_opts *opts = cfg->opts;
    const struct http_retry_cfg retry =
        outbox_retry_cfg(cfg, opts->attempts, opts->timeout_ms, opts->retry_max_time_ms);
    struct outbox_messages messages = {.check = batches_check_recorded,
                                       .rest = batches_rest,
                                       .sending = batches_sending,
                                       .ended = batches_ended,
                                       .mark = batches_mark,
                                       .ctx = &w->batches};
    enum rc rc = push_config_make(&w->config, cfg, e);
    if (rc == RC_OK)
        rc = courier_open(&w->courier, cfg, &w->config, &retry, e);
    if (rc == RC_OK)
        rc = batches_open(&w->batches, cfg, w->config.destination,
                          w->courier.before.len + w->courier.behind.len, e);
    if (rc == RC_OK && opts->preview)
        return open_preview(w, cfg, opts->preview, e);
    messages.leads_max = rc == RC_OK ? w->config.destination->max_items : 0;
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

static enum rc push_open(struct sink **out, const struct sink_cfg *cfg,
                         const struct sink_mark *from, struct err *e)
{
    struct push *w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(e);
    w->sink.ops = &sink_push;
    w->host = cfg->host;
    w->subject = cfg->spec;
    enum rc rc = open_parts(w, cfg, from, e);
    if (rc != RC_OK) {
        push_close(&w->sink);
        return rc;
    }
    *out = &w->sink;
    return RC_OK;
}

/* ---- leads ---------------------------------------------------------------------------------- */

static void settle_now(struct push *w, const struct lead *lead, const struct verdict *v)
{
    w->host.settle(w->host.ctx, &w->sink, lead, v);
}

static void settle_fault(struct push *w, const struct lead *lead,
                         const struct template_fault *fault)
{
    const struct verdict v = {.kind = VERDICT_FAILED, .code = fault->code, .error = fault->text};
    settle_now(w, lead, &v);
}

/* Nothing is sent: the leads of a preview are as good as accepted. */
static enum rc write_first(struct push *w, struct message *p, struct err *e)
{
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    static const struct verdict pending = {.kind = VERDICT_PENDING};
    enum rc rc = preview_write(w->preview, buf_str(&p->body), e);
    for (size_t i = 0; i < p->own.n_leads; i++)
        settle_now(w, p->own.leads[i].lead, rc == RC_OK ? &accepted : &pending);
    message_free(p);
    return rc;
}

static enum rc send_first(struct push *w, bool at_end, struct err *e)
{
    struct message *p = NULL;
    if (batches_end(&w->batches, &p) != RC_OK)
        return err_nomem(e);
    if (w->preview)
        return write_first(w, p, e);
    enum rc rc = outbox_send(&w->outbox, p, at_end, e);
    if (rc != RC_OK)
        delivery_drop(w->outbox.delivery, p);
    return rc;
}

/* False: nothing is delivered any more. */
static enum rc begin_batch(struct push *w, bool *out, struct err *e)
{
    struct message *p = NULL;
    if (w->preview) {
        p = message_new(NULL, w->config.destination->max_items, MESSAGE_BODY_MAX);
        if (!p)
            return err_nomem(e);
    } else if (delivery_take(w->outbox.delivery, &p) != RC_OK) {
        return err_nomem(e);
    }
    *out = p != NULL;
    if (!p)
        return RC_OK;
    if (batches_begin(&w->batches, p) == RC_OK)
        return RC_OK;
    drop_message(w, p);
    return err_nomem(e);
}

/* Puts the item where it belongs, and sends what is full then. */
static enum rc place_item(struct push *w, const struct lead *lead, const struct item *item,
                          struct err *e)
{
    size_t at = 0;
    struct str key;
    bool is_full = false;
    enum rc rc;
    while ((rc = batches_find(&w->batches, item, &at, &key)) == RC_BUSY) {
        rc = send_first(w, false, e);
        if (rc != RC_OK)
            return rc;
    }
    if (rc == RC_OK && at == w->batches.n_open) {
        bool begun = false;
        rc = begin_batch(w, &begun, e);
        if (rc == RC_OK && !begun) {
            const struct verdict v = delivery_refusal(w->outbox.delivery);
            settle_now(w, lead, &v);
            return RC_OK;
        }
    }
    if (rc == RC_OK)
        rc = batches_add(&w->batches, at, lead, item, key, &is_full);
    if (rc == RC_INTERNAL)
        return err_set(e, rc, "%s: an item cannot be read again", w->subject);
    if (rc != RC_OK)
        return err_nomem(e);
    for (size_t i = 0; rc == RC_OK && is_full && i <= at; i++)
        rc = send_first(w, false, e);
    return rc;
}

static enum rc put_lead(struct push *w, const struct lead *lead, struct err *e)
{
    struct item item;
    struct template_fault fault;
    if (outbox_put(&w->outbox, lead))
        return RC_OK;
    enum rc rc = batches_make_item(&w->batches, lead, &item, &fault);
    if (rc == RC_USAGE) {
        settle_fault(w, lead, &fault);
        return RC_OK;
    }
    return rc == RC_OK ? place_item(w, lead, &item, e) : err_nomem(e);
}

/* ---- the run's side ------------------------------------------------------------------------- */

/* The sink is dead: every lead that was taken in gets its verdict before the run hears of it. */
static enum rc abandon(struct push *w, enum rc rc)
{
    drop_batches(w);
    if (!w->preview)
        outbox_abandon(&w->outbox);
    return rc;
}

static enum rc push_put(struct sink *s, const struct lead *const leads[], size_t n, struct err *e)
{
    struct push *w = self(s);
    enum rc rc = outbox_send_again(&w->outbox, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = put_lead(w, leads[i], e);
    return rc == RC_OK ? RC_OK : abandon(w, rc);
}

static enum rc push_mark(struct sink *s, struct sink_mark *out, struct err *e)
{
    return outbox_mark(&self(s)->outbox, out, e);
}

/* What is not sent because the run is stopped is left to when it is resumed. */
static enum rc send_rest(struct push *w, bool at_end, struct err *e)
{
    enum rc rc = RC_OK;
    if (w->outbox.delivery && delivery_is_stopping(w->outbox.delivery)) {
        drop_batches(w);
        outbox_drop(&w->outbox);
        return RC_OK;
    }
    rc = outbox_send_again(&w->outbox, e);
    while (rc == RC_OK && w->batches.n_open > 0)
        rc = send_first(w, at_end, e);
    return rc;
}

static enum rc push_send_collected(struct sink *s, struct err *e)
{
    struct push *w = self(s);
    enum rc rc = send_rest(w, false, e);
    return rc == RC_OK ? RC_OK : abandon(w, rc);
}

static enum rc push_flush(struct sink *s, struct err *e)
{
    struct push *w = self(s);
    enum rc rc = send_rest(w, true, e);
    if (rc != RC_OK)
        return abandon(w, rc);
    return w->preview ? RC_OK : outbox_end(&w->outbox, e);
}

/* What was sent cannot be more visible than it is. */
static enum rc push_prepare(struct sink *s, struct buf *text, struct err *e)
{
    struct push *w = self(s);
    enum rc rc = push_flush(s, e);
    (void)text;
    return rc == RC_OK && w->preview ? preview_prepare(w->preview, e) : rc;
}

static enum rc push_commit(struct sink *s, struct err *e)
{
    struct push *w = self(s);
    return w->preview ? preview_commit(w->preview, e) : RC_OK;
}

static enum rc push_abort(struct sink *s, struct err *e)
{
    struct push *w = self(s);
    return w->preview ? preview_abort(w->preview, e) : RC_OK;
}

static void push_result(const struct sink *s, struct sink_result *out)
{
    const struct push *w = (const struct push *)s;
    if (w->preview)
        preview_result(w->preview, out);
    else
        outbox_result(&w->outbox, out);
}

static void push_stop(struct sink *s, int64_t grace_ms)
{
    struct push *w = self(s);
    if (w->outbox.delivery)
        delivery_stop(w->outbox.delivery, grace_ms);
}

const struct sink_ops sink_push = {
    .name = "push",
    .help =
        "leads into a CRM; the target is a destination, which describes the CRM's API (see \"leadpipe "
        "destinations\")",
    .opts = options,
    .opts_size = sizeof(struct push_opts),
    .target = NAMES_DESTINATIONS | NAMES_FILES,
    .eighths = 16, /* an item beside the lead, and the body that it goes into */
    .keeps = push_keeps,
    .check = push_check,
    .probe = push_probe,
    .needs = push_needs,
    .paths = push_paths,
    .open = push_open,
    .put = push_put,
    .mark = push_mark,
    .send_collected = push_send_collected,
    .prepare = push_prepare,
    .commit = push_commit,
    .abort = push_abort,
    .delivers = true,
    .on_stop = SINK_STOP_FLUSH,
    .flush = push_flush,
    .stop = push_stop,
    .result = push_result,
    .close = push_close,
};
