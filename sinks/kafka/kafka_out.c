#include "sinks/kafka/kafka_out_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/failed_row.h"

#define POLL_MS 100
#define ABORT_MS 3000
#define TOPIC_MS 1000
#define OVERHEAD_BYTES                                                                             \
    256 /* of a message: lengths, names of headers, its share of a batch's header */
#define TRANSACTION_MS_MIN 60000
#define TRANSACTION_MS_MAX 900000 /* brokers' default of transaction.max.timeout.ms */
#define MESSAGE_BYTES_DEFAULT 1000000
#define ROW_BYTES_MAX ((size_t)1024 * 1024)

/* ---- verdicts ------------------------------------------------------------------------------- */

static void unlink_lead(struct kafka_out *o, struct kafka_out_lead *l)
{
    *(l->older ? &l->older->next : &o->first) = l->next;
    *(l->next ? &l->next->older : &o->last) = l->older;
}

static void settle(struct kafka_out *o, struct kafka_out_lead *l)
{
    struct verdict v = {.kind = VERDICT_ACCEPTED};
    if (l->refusal)
        v = (struct verdict){.kind = VERDICT_FAILED,
                             .attempts = 1,
                             .code = rd_kafka_err2name(l->refusal),
                             .error = rd_kafka_err2str(l->refusal)};
    else if (l->is_cut_off)
        v.kind = VERDICT_PENDING;
    o->n_failed += v.kind == VERDICT_FAILED;
    unlink_lead(o, l);
    o->host.settle(o->host.ctx, o->sink, l->lead, &v);
    free(l);
}

void kafka_out_break(struct kafka_out *o, const struct err *why)
{
    if (o->broken != RC_OK)
        return;
    o->why = *why;
    o->broken = why->rc;
}

static enum rc broken(const struct kafka_out *o, struct err *e)
{
    *e = o->why;
    return o->broken;
}

/* Does the error concern this message alone, and not all of them? */
static bool is_of_message(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_MSG ||
           code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

static void break_by(struct kafka_out *o, rd_kafka_resp_err_t code)
{
    struct err e;
    char text[512] = "";
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(o->client.handle, text, sizeof text);
    (void)kafka_client_error(&o->client, code, text, "cannot deliver", &e);
    kafka_out_break(o, &e);
}

static void note_failure(struct kafka_out *o, struct kafka_out_lead *l, rd_kafka_resp_err_t code)
{
    bool is_purged =
        code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    if (l)
        l->is_cut_off = true;
    if (l && is_of_message(code) && !o->transactions)
        l->refusal = code;
    else if (!is_purged)
        break_by(o, code);
}

/* Called within calls that serve the client, and so on the sink's thread. */
static void on_delivered(void *ctx, const rd_kafka_message_t *m)
{
    struct kafka_out *o = ctx;
    struct kafka_out_lead *l = m->_private; /* NULL: of a row */
    if (m->err)
        note_failure(o, l, m->err);
    else
        o->n_messages++;
    o->n_unreported--;
    if (l && --l->n_waiting == 0 && !o->transactions)
        settle(o, l);
}

/* ---- open, close ---------------------------------------------------------------------------- */

static int64_t at_most(int64_t n, int64_t most)
{
    return n < most ? n : most;
}

struct numbers { /* as texts */
    char timeout[24], transaction[24], kbytes[24], message[24];
};

static void make_numbers(const struct kafka_out *o, struct numbers *n)
{
    const struct kafka_config *c = o->config;
    int64_t wait_ms = at_most(c->retry_max_ms, INT32_MAX);
    /* Where offsets are in the transaction, nobody else can read on before a killed one has expired. */
    int64_t transaction_ms = wait_ms < TRANSACTION_MS_MIN || c->failed
                                 ? TRANSACTION_MS_MIN
                                 : at_most(wait_ms, TRANSACTION_MS_MAX);
    transaction_ms = kafka_client_number(c->properties, c->n_properties, "transaction.timeout.ms",
                                         transaction_ms);
    if (o->transactions)
        wait_ms = at_most(wait_ms, transaction_ms);
    (void)snprintf(n->timeout, sizeof n->timeout, "%" PRId64, wait_ms);
    (void)snprintf(n->transaction, sizeof n->transaction, "%" PRId64, transaction_ms);
    (void)snprintf(n->kbytes, sizeof n->kbytes, "%zu", c->queue_bytes / 1024);
    (void)snprintf(n->message, sizeof n->message, "%zu", o->message_max);
}

static enum rc open_client(struct kafka_out *o, const struct sink_cfg *cfg, struct err *e)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    const struct kafka_opts *opts = cfg->opts;
    struct numbers n;
    make_numbers(o, &n);
    const struct kafka_property own[] = {
        {"enable.idempotence", "true"},
        /* With more, a batch may overtake the first one of a partition that was not ready. A broker takes any number
         * as a producer's first, and answers the other one as if it had been there before: it would be lost. */
        {"max.in.flight.requests.per.connection", "1"},
        {"compression.codec", codecs[opts->compression]},
        {"message.timeout.ms", n.timeout},
        {"queue.buffering.max.kbytes", n.kbytes},
        {"message.max.bytes", n.message},
        {"transaction.timeout.ms", n.transaction}, /* the last two: with transactions only */
        {"transactional.id", o->transactions},
    };
    size_t n_own = sizeof own / sizeof *own;
    struct kafka_client_cfg client = kafka_config_client(o->config, cfg);
    client.own = own;
    client.n_own = o->transactions ? n_own : n_own - 2;
    client.delivered = on_delivered;
    client.ctx = o;
    return kafka_client_open(&o->client, &client, e);
}

/* Otherwise librdkafka would ask only with its first message, and after a delay. */
static enum rc open_topic(struct kafka_out *o, const char *name, struct err *e)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(o->client.handle, name, NULL);
    if (!topic)
        return err_nomem(e);
    o->topics[o->n_topics++] = topic;
    if (!rd_kafka_metadata(o->client.handle, 0, topic, &metadata, TOPIC_MS))
        rd_kafka_metadata_destroy(metadata);
    return RC_OK;
}

static enum rc open_topics(struct kafka_out *o, struct err *e)
{
    const struct kafka_config *c = o->config;
    o->topics = calloc(c->n_topics + 2, sizeof *o->topics);
    if (!o->topics)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < c->n_topics; i++)
        rc = open_topic(o, c->topics[i], e);
    o->missing = o->n_topics;
    if (rc == RC_OK && c->missing)
        rc = open_topic(o, c->missing, e);
    o->failed = o->n_topics;
    return rc == RC_OK && c->failed ? open_topic(o, c->failed, e) : rc;
}

static void close_client(struct kafka_out *o)
{
    for (size_t i = 0; i < o->n_topics; i++)
        rd_kafka_topic_destroy(o->topics[i]);
    free(o->topics);
    o->topics = NULL;
    o->n_topics = 0;
    kafka_client_close(&o->client);
}

enum rc kafka_out_open(struct kafka_out *o, const struct kafka_out_cfg *cfg, struct err *e)
{
    const struct kafka_config *c = cfg->config;
    int64_t most = c->message_max           ? c->message_max
                   : cfg->topic_message_max ? cfg->topic_message_max
                                            : MESSAGE_BYTES_DEFAULT;
    if (cfg->topic_message_max && cfg->topic_message_max < most)
        most = cfg->topic_message_max;
    *o = (struct kafka_out){
        .config = c,
        .clock = cfg->sink_cfg->clock,
        .subject = cfg->sink_cfg->spec,
        .profile = cfg->sink_cfg->profile,
        .provider = cfg->sink_cfg->profile->name,
        .run_id = cfg->sink_cfg->run_id,
        .transactions = cfg->transactions,
        .marker_topic = c->topics[0],
        .sink = cfg->sink,
        .host = cfg->sink_cfg->host,
        .message_max = (size_t)at_most(most, (int64_t)(c->queue_bytes / 2)),
    };
    enum rc rc = open_client(o, cfg->sink_cfg, e);
    return rc == RC_OK ? open_topics(o, e) : rc;
}

void kafka_out_close(struct kafka_out *o)
{
    if (o->client.handle)
        kafka_out_abandon(o);
    close_client(o);
}

void kafka_out_stop(struct kafka_out *o, int64_t grace_ms)
{
    int64_t us = clock_mono_us(o->clock) + grace_ms * 1000;
    atomic_store(&o->stop_us, us ? us : 1);
}

bool kafka_out_is_stopping(const struct kafka_out *o)
{
    return atomic_load(&o->stop_us) != 0;
}

/* ---- waiting -------------------------------------------------------------------------------- */

bool kafka_out_is_over(const struct kafka_out *o, int64_t least_us)
{
    int64_t stop_us = atomic_load(&o->stop_us);
    int64_t now_us = clock_mono_us(o->clock);
    return stop_us && now_us >= stop_us && now_us >= least_us;
}

enum rc kafka_out_stopped(struct kafka_out *o, struct err *e)
{
    (void)err_set(&o->why, RC_STOPPED,
                  "%s: the run was stopped before the cluster had confirmed everything%s",
                  o->subject,
                  o->transactions ? "; the rest is sent again when the run is resumed" : "");
    o->broken = RC_STOPPED;
    return broken(o, e);
}

enum rc kafka_out_wait(struct kafka_out *o, bool patient, struct err *e)
{
    int64_t least_us = patient ? clock_mono_us(o->clock) + KAFKA_PATIENCE_US : 0;
    while (o->broken == RC_OK && o->n_unreported > 0) {
        if (kafka_out_is_over(o, least_us))
            return kafka_out_stopped(o, e);
        (void)rd_kafka_flush(o->client.handle, POLL_MS); /* sends batches that are not full, too */
    }
    return o->broken == RC_OK ? RC_OK : broken(o, e);
}

/* ---- the end of leads ----------------------------------------------------------------------- */

void kafka_out_accept(struct kafka_out *o)
{
    for (struct kafka_out_lead *l = o->first, *next; l; l = next) {
        next = l->next;
        settle(o, l);
    }
    o->n_messages = 0;
}

void kafka_out_abandon(struct kafka_out *o)
{
    if (o->in_transaction && o->broken != RC_NET) /* if no broker answers, it has to expire */
        rd_kafka_error_destroy(rd_kafka_abort_transaction(o->client.handle, ABORT_MS));
    o->in_transaction = false;
    if (o->first) {
        (void)rd_kafka_purge(o->client.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(o->client.handle, POLL_MS);
    }
    for (struct kafka_out_lead *l = o->first, *next; l; l = next) {
        next = l->next;
        l->is_cut_off = true; /* later reports are lost with the handle */
        settle(o, l);
    }
    close_client(o);
}

/* ---- leads ---------------------------------------------------------------------------------- */

/* `content_id`: NULL where nothing was fetched. */
static rd_kafka_headers_t *make_headers(const struct kafka_out *o, const struct lead *lead,
                                        const char *content_id)
{
    const struct {
        const char *name;
        struct str value;
    } list[] = {
        {"provider", o->provider},
        {"lead_id", lead->id},
        {"run_id", str_c(o->run_id)},
        {"content_id", str_c(content_id)},
    };
    size_t n = sizeof list / sizeof *list - (content_id ? 0 : 1);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(n);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; headers && !code && i < n; i++)
        code = rd_kafka_header_add(headers, list[i].name, -1, list[i].value.ptr,
                                   (ssize_t)list[i].value.len);
    if (headers && code) {
        rd_kafka_headers_destroy(headers);
        return NULL;
    }
    return headers;
}

/* One message, which librdkafka copies. */
struct outgoing {
    rd_kafka_topic_t *topic;
    const struct lead *lead;
    struct str value;
    const rd_kafka_headers_t *headers;
    struct kafka_out_lead *report; /* NULL: of a row */
};

/* RD_KAFKA_RESP_ERR__QUEUE_FULL: not now. */
static rd_kafka_resp_err_t produce(struct kafka_out *o, const struct outgoing *m)
{
    rd_kafka_headers_t *copy = rd_kafka_headers_copy(m->headers);
    if (!copy)
        return RD_KAFKA_RESP_ERR__FAIL;
    rd_kafka_vu_t parts[6];
    size_t n = 0;
    parts[n].vtype = RD_KAFKA_VTYPE_RKT;
    parts[n++].u.rkt = m->topic;
    parts[n].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[n].u.mem.ptr = (void *)(uintptr_t)m->value.ptr;
    parts[n++].u.mem.size = m->value.len;
    parts[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[n++].u.i = RD_KAFKA_MSG_F_COPY;
    parts[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[n++].u.ptr = m->report;
    parts[n].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[n++].u.headers = copy;
    if (o->config->has_key) {
        parts[n].vtype = RD_KAFKA_VTYPE_KEY;
        parts[n].u.mem.ptr = (void *)(uintptr_t)m->lead->id.ptr;
        parts[n++].u.mem.size = m->lead->id.len;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(o->client.handle, parts, n);
    if (!error)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(copy);
    return code;
}

static enum rc send_one(struct kafka_out *o, const struct outgoing *m, struct err *e)
{
    for (;;) {
        rd_kafka_resp_err_t code = produce(o, m);
        if (!code) {
            o->n_unreported++;
            if (m->report)
                m->report->n_waiting++;
            return RC_OK;
        }
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && o->broken == RC_OK) {
            if (kafka_out_is_over(o, 0))
                return kafka_out_stopped(o, e);
            kafka_client_serve(&o->client, POLL_MS);
            continue;
        }
        if (o->broken == RC_OK) {
            (void)kafka_client_error(&o->client, code, NULL, "cannot send", e);
            kafka_out_break(o, e);
        }
        return broken(o, e);
    }
}

static enum rc send_all(struct kafka_out *o, struct kafka_out_lead *l,
                        const struct kafka_messages *messages, const rd_kafka_headers_t *headers,
                        struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < messages->n; i++) {
        const struct kafka_message *m = &messages->list[i];
        const struct outgoing one = {.topic = o->topics[m->topic],
                                     .lead = l->lead,
                                     .value = {messages->body.data + m->at, m->len},
                                     .headers = headers,
                                     .report = l};
        rc = send_one(o, &one, e);
    }
    return rc;
}

enum rc kafka_out_put_row(struct kafka_out *o, size_t topic, const struct lead *lead,
                          struct str row, struct err *e)
{
    kafka_client_serve(&o->client, 0);
    if (o->broken != RC_OK)
        return broken(o, e);
    enum rc rc = kafka_out_begin_transaction(o, e);
    if (rc != RC_OK)
        return rc;
    rd_kafka_headers_t *headers = make_headers(o, lead, NULL);
    if (!headers)
        return err_nomem(e);
    const struct outgoing one = {
        .topic = o->topics[topic], .lead = lead, .value = row, .headers = headers};
    rc = send_one(o, &one, e);
    rd_kafka_headers_destroy(headers);
    return rc;
}

static struct kafka_out_lead *add_lead(struct kafka_out *o, const struct lead *lead)
{
    struct kafka_out_lead *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->lead = lead;
    l->older = o->last;
    l->n_waiting = 1; /* until all messages are handed over */
    memcpy(l->content, lead->fingerprint, sizeof l->content);
    if (o->last)
        o->last->next = l;
    else
        o->first = l;
    o->last = l;
    return l;
}

/* A lead that the sink itself refuses: as the list of failed leads has it. */
enum rc kafka_out_put_refused(struct kafka_out *o, const struct lead *lead, const struct verdict *v,
                              struct err *e)
{
    struct buf row;
    const struct failed_row r = {.profile = o->profile,
                                 .lead = lead,
                                 .stage = "sink",
                                 .sink = o->subject,
                                 .code = v->code,
                                 .error = v->error,
                                 .attempts = v->attempts,
                                 .at_wall_ms = clock_wall_ms(o->clock)};
    buf_init(&row, ROW_BYTES_MAX);
    failed_row_write(&row, &r);
    enum rc rc = buf_rc(&row) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK)
        rc = kafka_out_put_row(o, o->failed, lead, (struct str){row.data, row.len - 1}, e);
    buf_free(&row);
    return rc;
}

static enum rc settle_too_large(struct kafka_out *o, const struct lead *lead, size_t bytes,
                                struct err *e)
{
    char text[160];
    enum rc rc = RC_OK;
    (void)snprintf(text, sizeof text,
                   "a message of the lead has %zu bytes; the topic and message.max.bytes allow %zu",
                   bytes, o->message_max);
    const struct verdict v = {
        .kind = VERDICT_FAILED, .attempts = 1, .code = "too_large", .error = text};
    if (o->config->failed)
        rc = kafka_out_put_refused(o, lead, &v, e);
    if (rc != RC_OK)
        return rc;
    o->n_failed++;
    o->host.settle(o->host.ctx, o->sink, lead, &v);
    return RC_OK;
}

enum rc kafka_out_put(struct kafka_out *o, const struct lead *lead,
                      const struct kafka_messages *messages, struct err *e)
{
    size_t bytes = kafka_messages_longest(messages) + 2 * lead->id.len + OVERHEAD_BYTES;
    kafka_client_serve(&o->client, 0);
    if (o->broken != RC_OK)
        return broken(o, e);
    if (bytes > o->message_max)
        return settle_too_large(o, lead, bytes, e);
    enum rc rc = kafka_out_begin_transaction(o, e);
    if (rc != RC_OK)
        return rc;
    struct kafka_out_lead *l = add_lead(o, lead);
    rd_kafka_headers_t *headers = l ? make_headers(o, lead, messages->content_id) : NULL;
    rc = headers ? send_all(o, l, messages, headers, e) : err_nomem(e);
    if (headers)
        rd_kafka_headers_destroy(headers);
    if (l && rc != RC_OK)
        l->is_cut_off = true;
    if (l && --l->n_waiting == 0 && !o->transactions)
        settle(o, l);
    return rc;
}
