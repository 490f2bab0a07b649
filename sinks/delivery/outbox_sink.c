/* What any sink with an outbox does between the run and its delivery. */
#include "core/sink_http.h"
#include "sinks/delivery/outbox.h"

#define SENT_BYTES_MAX ((size_t)16 << 20) /* of bodies that are ready or on their way */
#define KEEP_BYTES_MAX ((size_t)8 << 20)  /* of messages that are empty */
#define KEEP_SHARE 64                     /* and of --max-memory */

/* ---- opening -------------------------------------------------------------------------------- */

struct http_retry_cfg outbox_retry_cfg(const struct sink_cfg *cfg, int64_t attempts,
                                       int64_t timeout_ms, int64_t retry_max_time_ms)
{
    struct http_retry_cfg retry = *cfg->http->retry;
    if (attempts > 0)
        retry.attempts = (unsigned)attempts;
    if (timeout_ms > 0)
        retry.timeout_ms = timeout_ms;
    if (retry_max_time_ms > 0)
        retry.retry_max_time_ms = retry_max_time_ms;
    return retry;
}

enum rc outbox_open_delivery(struct outbox *o, const struct sink_cfg *cfg,
                             struct delivery_cfg *delivery, struct err *e)
{
    delivery->subject = cfg->spec;
    delivery->user_agent = cfg->http->user_agent;
    delivery->cacert = cfg->http->cacert;
    delivery->http_version = cfg->http->version;
    delivery->clock = cfg->clock;
    delivery->log = cfg->log;
    delivery->body_max = MESSAGE_BODY_MAX;
    delivery->host = &o->host;
    size_t share = cfg->max_memory / KEEP_SHARE;
    delivery->keep_bytes_max = share < KEEP_BYTES_MAX ? share : KEEP_BYTES_MAX;
    delivery->sent_bytes_max = SENT_BYTES_MAX;
    delivery->fill_when_stopped = cfg->state != NULL; /* it has them for when the run is resumed */
    delivery->settle = outbox_settle;
    delivery->ctx = o;
    return delivery_new(&o->delivery, delivery, e);
}

/* A message that was completed after the mark was recorded then, whole. */
static enum rc is_recorded(const struct outbox *o, const struct lead_note *leads, size_t n_leads,
                           bool *out)
{
    size_t n = 0;
    for (size_t i = 0; i < n_leads; i++)
        n += outbox_has(o, &leads[i].lead);
    *out = n > 0;
    return n == 0 || n == n_leads ? RC_OK : RC_SYNTAX;
}

enum rc outbox_resume(struct outbox *o, const struct lead_note *leads, size_t n,
                      struct message **out, struct err *e)
{
    bool recorded = false;
    *out = NULL;
    enum rc rc = is_recorded(o, leads, n, &recorded);
    if (rc != RC_OK || recorded)
        return rc;
    if (delivery_take(o->delivery, out) != RC_OK)
        return err_nomem(e);
    return *out
               ? RC_OK
               : err_set(e, RC_INTERNAL, "%s: %s", o->subject, delivery_refusal(o->delivery).error);
}

/* ---- the run's side ------------------------------------------------------------------------- */

enum rc outbox_mark(struct outbox *o, struct sink_mark *out, struct err *e)
{
    if (!o->state)
        return err_set(e, RC_USAGE, "%s: without --state there is no record of what was sent",
                       o->subject);
    buf_clear(&o->mark);
    o->messages.mark(o->messages.ctx, &o->mark);
    if (buf_rc(&o->mark) != RC_OK)
        return err_nomem(e);
    out->text = buf_str(&o->mark);
    return RC_OK;
}

enum rc outbox_end(struct outbox *o, struct err *e)
{
    delivery_end(o->delivery);
    if (!o->state)
        return RC_OK;
    enum rc rc = state_delivery_counts(o->state, o->index, &o->delivered, &o->failed, e);
    o->counts_whole_run = rc == RC_OK;
    return rc;
}

void outbox_abandon(struct outbox *o)
{
    delivery_stop(o->delivery, 0);
    outbox_drop(o);
    delivery_end(o->delivery);
}

void outbox_result(const struct outbox *o, struct sink_result *out)
{
    struct delivery_counts counts;
    delivery_count(o->delivery, &counts);
    *out = (struct sink_result){
        .is_delivery = true,
        .delivered = o->counts_whole_run ? o->delivered : counts.delivered,
        .failed = o->counts_whole_run ? o->failed : counts.failed,
    };
    out->deliveries = out->delivered + out->failed;
}
