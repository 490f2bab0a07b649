/* The sink "kafka": sends leads as messages to a topic.
 *
 * Without a state the producer is idempotent, and a lead is accepted when the cluster has confirmed its messages.
 *
 * With a state, all messages between two marks are one transaction. If a run is killed after the transaction's commit and
 * before the checkpoint's, the state has recorded the leads of the transaction (kafka_journal.h), and the cluster its
 * number. From both the resumed run knows whether the leads are in the topic, or must be sent again.
 *
 * With IDs from a topic of the same brokers, all messages between two marks are one transaction, too, which commits the
 * offsets of the IDs with them. What is not committed is read again: there is nothing to be found out. */
#include <stdio.h>
#include <stdlib.h>

#include "core/failed_row.h"
#include "core/kafka/kafka_url.h"
#include "sinks/kafka/kafka_journal.h"
#include "sinks/kafka/kafka_out.h"
#include "sinks/registry.h"

#define FENCE_MS 10000 /* to end the transaction of a discarded run */
#define PROBE_MS 10000
#define ROW_BYTES_MAX ((size_t)1024 * 1024)
#define TRANSACTIONS_BYTES 640

struct kafka {
    struct sink sink; /* first */
    struct sink_host host;
    struct kafka_config config;
    struct kafka_messages messages;
    struct kafka_out out;
    struct kafka_journal journal; /* with a state */
    bool has_journal;
    bool has_queue;     /* the IDs are from a topic of the same brokers */
    uint64_t delivered; /* messages; with a queue */
    bool has_marker;    /* the cluster has a transaction number of this run */
    uint64_t last_seq;  /* the highest sequence number of the leads in the transaction */
    enum rc dead;       /* the sink has failed, because of `why`; RC_OK: it has not */
    struct err why;
    char transactions[TRANSACTIONS_BYTES];
};

static struct kafka *self(struct sink *s)
{
    return (struct kafka *)s;
}

/* ---- checks --------------------------------------------------------------------------------- */

static enum rc kafka_check(const struct sink_cfg *cfg, struct err *e)
{
    struct kafka_config config;
    enum rc rc = kafka_config_make(&config, cfg, e);
    if (rc == RC_OK)
        kafka_config_free(&config);
    return rc;
}

static unsigned kafka_needs(const struct sink_cfg *cfg)
{
    unsigned of_queue = kafka_config_is_queue(cfg) ? SINK_WANTS_MISSING | SINK_WANTS_FAILED : 0;
    return SINK_WANTS_FINGERPRINT | of_queue |
           record_wants(&encoding_json, kafka_config_layout(cfg->opts));
}

static enum rc kafka_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    (void)cfg;
    (void)out;
    (void)e;
    return RC_OK;
}

static enum rc open_reader(struct kafka_client *c, const struct kafka_config *config,
                           const struct sink_cfg *cfg, const char *group, struct err *e)
{
    const struct kafka_property own[] = {{"group.id", group},
                                         {"isolation.level", "read_committed"},
                                         {"enable.auto.commit", "false"},
                                         {"allow.auto.create.topics", "false"}};
    struct kafka_client_cfg client = kafka_config_client(config, cfg);
    client.own = own;
    client.n_own = sizeof own / sizeof *own;
    client.is_consumer = true;
    return kafka_client_open(c, &client, e);
}

/* Do all topics exist? *message_max: the bytes of a message that all of them accept; 0: not known. */
static enum rc check_topics(struct kafka_client *c, const struct kafka_config *config,
                            const struct sink_cfg *cfg, int64_t wait_ms, int64_t *message_max,
                            struct err *e)
{
    enum rc rc = RC_OK;
    const char *const more[] = {config->missing, config->failed};
    size_t n = config->n_topics + (config->failed ? 2 : 0);
    *message_max = 0;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        struct kafka_topic_facts facts = {0};
        const char *topic = i < config->n_topics ? config->topics[i] : more[i - config->n_topics];
        rc = kafka_client_topic(c, topic, wait_ms, &facts, e);
        if (rc == RC_OK && !facts.exists)
            rc = err_set(e, RC_USAGE,
                         "%s: the cluster has no topic %s (or does not show it to this user); "
                         "create it first",
                         cfg->spec, topic);
        bool is_least = !*message_max || facts.message_bytes_max < *message_max;
        if (facts.message_bytes_max && is_least)
            *message_max = facts.message_bytes_max;
    }
    return rc;
}

/* What a run would log as a warning, such as brokers that do not answer, is what is reported. */
static struct sink_cfg quiet(const struct sink_cfg *cfg)
{
    struct sink_cfg own = *cfg;
    if (!log_shows(cfg->log, LOG_LEVEL_INFO))
        own.log = NULL;
    return own;
}

static void kafka_probe(const struct sink_cfg *given, const struct findings *f)
{
    const struct sink_cfg own = quiet(given), *cfg = &own;
    struct kafka_config config;
    struct kafka_client reader = {.handle = NULL};
    struct err e;
    int64_t message_max = 0;
    size_t n_topics = 0;
    enum rc rc = kafka_config_make(&config, cfg, &e);
    if (rc == RC_OK) {
        n_topics = config.n_topics;
        int64_t wait_ms = config.retry_max_ms < PROBE_MS ? config.retry_max_ms : PROBE_MS;
        rc = open_reader(&reader, &config, cfg, "leadpipe-check", &e);
        if (rc == RC_OK)
            rc = check_topics(&reader, &config, cfg, wait_ms, &message_max, &e);
        kafka_client_close(&reader);
        kafka_config_free(&config);
    }
    if (rc == RC_OK)
        findings_add(f, FINDING_OK, "kafka", "%s: the brokers answer, and the %s", cfg->spec,
                     n_topics == 1 ? "topic exists" : "topics exist");
    else
        findings_add(f, FINDING_FAIL, "kafka", "%s", e.msg);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* A static member is the only one with its name: what it has left open ends at once when it is started again. A slash
 * cannot be in its name; with a hyphen, member c of group a-b would fence off member b-c of group a. */
static void name_of_queue(char out[TRANSACTIONS_BYTES], const struct sink_cfg *cfg)
{
    const struct kafka_url *u = cfg->ids_topic;
    if (u->instance)
        (void)snprintf(out, TRANSACTIONS_BYTES, "leadpipe-%s/%s", u->group, u->instance);
}

static void name_transactions(char out[TRANSACTIONS_BYTES], const char *run_id, unsigned index)
{
    (void)snprintf(out, TRANSACTIONS_BYTES, "leadpipe-%.32s-%u", run_id, index);
}

static enum rc open_out(struct kafka *k, struct kafka_out *o, const struct sink_cfg *cfg,
                        const char *transactions, int64_t message_max, struct err *e)
{
    const struct kafka_out_cfg out = {.config = &k->config,
                                      .sink_cfg = cfg,
                                      .sink = &k->sink,
                                      .transactions = transactions,
                                      .topic_message_max = message_max};
    return kafka_out_open(o, &out, e);
}

/* A transaction that a discarded run has left open would keep readers of the topic waiting until it expires. */
static void fence_discarded(struct kafka *k, const struct sink_cfg *cfg)
{
    char transactions[TRANSACTIONS_BYTES];
    struct kafka_config config = k->config;
    struct kafka_out old = {.client.handle = NULL};
    struct err e;
    name_transactions(transactions, cfg->discarded_run_id, cfg->index);
    config.retry_max_ms = config.retry_max_ms < FENCE_MS ? config.retry_max_ms : FENCE_MS;
    enum rc rc = open_out(k, &old, cfg, transactions, 0, &e);
    old.config = &config;
    if (rc == RC_OK)
        rc = kafka_out_begin(&old, &e);
    if (rc != RC_OK)
        log_msg(cfg->log, LOG_LEVEL_WARN, NULL,
                "%s; readers of the topic may wait for a transaction of the discarded run", e.msg);
    kafka_out_close(&old);
}

static enum rc report_sent(struct kafka *k, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < k->journal.n_leads; i++)
        rc = k->host.sent(k->host.ctx, &k->sink, k->journal.leads[i].seq, e);
    return rc;
}

/* Ends the transaction that the killed process left, and then reads the number of the last committed one. */
static enum rc take_over(struct kafka *k, struct kafka_client *reader, const struct sink_cfg *cfg,
                         struct err *e)
{
    int64_t marker = -1;
    if (cfg->discarded_run_id[0])
        fence_discarded(k, cfg);
    enum rc rc = kafka_out_begin(&k->out, e);
    if (rc == RC_OK)
        rc = kafka_client_committed(reader, k->config.topics[0], 1, k->config.retry_max_ms, &marker,
                                    e);
    if (rc == RC_OK)
        rc = kafka_journal_resolve(&k->journal, marker, e);
    k->has_marker = marker >= 0;
    k->out.n_failed = k->journal.failed;
    return rc == RC_OK ? report_sent(k, e) : rc;
}

static enum rc open_parts(struct kafka *k, const struct sink_cfg *cfg, const struct sink_mark *from,
                          struct err *e)
{
    struct kafka_client reader = {.handle = NULL};
    int64_t message_max = 0;
    name_transactions(k->transactions, cfg->run_id, cfg->index);
    enum rc rc = kafka_config_make(&k->config, cfg, e);
    k->has_queue = rc == RC_OK && k->config.failed;
    if (k->has_queue)
        name_of_queue(k->transactions, cfg);
    if (rc == RC_OK)
        rc = kafka_messages_open(&k->messages, cfg->profile, k->config.layout, e);
    if (rc == RC_OK && cfg->state) {
        k->has_journal = true;
        rc = kafka_journal_open(&k->journal, cfg, from ? from->text : STR_NONE, e);
    }
    if (rc == RC_OK)
        rc = open_reader(&reader, &k->config, cfg, k->transactions, e);
    if (rc == RC_OK)
        rc = check_topics(&reader, &k->config, cfg, k->config.retry_max_ms, &message_max, e);
    if (rc == RC_OK)
        rc = open_out(k, &k->out, cfg, cfg->state || k->has_queue ? k->transactions : NULL,
                      message_max, e);
    if (rc == RC_OK && k->has_queue)
        rc = kafka_out_begin(&k->out, e);
    if (rc == RC_OK && cfg->state)
        rc = take_over(k, &reader, cfg, e);
    kafka_client_close(&reader);
    return rc;
}

static void kafka_close(struct sink *s)
{
    struct kafka *k = self(s);
    kafka_out_close(&k->out);
    if (k->has_journal)
        kafka_journal_close(&k->journal);
    kafka_messages_close(&k->messages);
    kafka_config_free(&k->config);
    free(k);
}

static enum rc kafka_open(struct sink **out, const struct sink_cfg *cfg,
                          const struct sink_mark *from, struct err *e)
{
    struct kafka *k = calloc(1, sizeof *k);
    if (!k)
        return err_nomem(e);
    k->sink.ops = &sink_kafka;
    k->host = cfg->host;
    enum rc rc = open_parts(k, cfg, from, e);
    if (rc != RC_OK) {
        kafka_close(&k->sink);
        return rc;
    }
    *out = &k->sink;
    return RC_OK;
}

/* ---- leads ---------------------------------------------------------------------------------- */

static void settle(struct kafka *k, const struct lead *lead, enum verdict_kind kind)
{
    const struct verdict v = {.kind = kind};
    k->host.settle(k->host.ctx, &k->sink, lead, &v);
}

static enum rc settle_too_large(struct kafka *k, const struct lead *lead, struct err *e)
{
    static const struct verdict v = {.kind = VERDICT_FAILED,
                                     .attempts = 1,
                                     .code = "too_large",
                                     .error = "the lead takes more than 1 GiB as JSON"};
    enum rc rc = k->has_queue ? kafka_out_put_refused(&k->out, lead, &v, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    k->out.n_failed++;
    k->host.settle(k->host.ctx, &k->sink, lead, &v);
    return RC_OK;
}

/* Is the lead in the topic already, by a transaction that no checkpoint covers? Then it gets its verdict. */
static bool settle_sent(struct kafka *k, const struct lead *lead)
{
    const struct kafka_journal_lead *sent =
        k->has_journal ? kafka_journal_find(&k->journal, lead) : NULL;
    if (!sent)
        return false;
    bool is_same = memcmp(sent->content, lead->fingerprint, sizeof sent->content) == 0;
    settle(k, lead, is_same ? VERDICT_ACCEPTED : VERDICT_OUTDATED);
    return true;
}

/* Before the first transaction. The state has a record from now on, so the run is known to have begun. The cluster has a
 * number from now on; if there is none when the run is resumed, the cluster has lost it. */
static enum rc begin_run(struct kafka *k, struct err *e)
{
    int64_t row = 0;
    enum rc rc = RC_OK;
    if (!k->has_journal || k->has_marker)
        return RC_OK;
    if (!k->journal.began) {
        kafka_journal_begin(&k->journal, 0, 0);
        rc = kafka_journal_record(&k->journal, 0, &row, e);
    }
    if (rc == RC_OK)
        rc = kafka_out_commit(&k->out, k->journal.number, e);
    if (rc == RC_OK && row)
        rc = kafka_journal_committed(&k->journal, row, 0, 0, e);
    k->has_marker = rc == RC_OK;
    return rc;
}

static enum rc put_lead(struct kafka *k, const struct lead *lead, struct err *e)
{
    if (settle_sent(k, lead))
        return RC_OK;
    if (!k->has_journal && !k->has_queue && kafka_out_is_stopping(&k->out)) {
        settle(k, lead, VERDICT_PENDING);
        return RC_OK;
    }
    enum rc rc = kafka_messages_make(&k->messages, lead);
    if (rc == RC_LIMIT)
        return settle_too_large(k, lead, e);
    if (rc != RC_OK)
        return err_nomem(e);
    if (lead->seq > k->last_seq)
        k->last_seq = lead->seq;
    return kafka_out_put(&k->out, lead, &k->messages, e);
}

/* The sink has failed: every lead that was taken in gets its verdict before the run gets the error. If it was mark() that
 * failed, put() may still be called. */
static enum rc abandon(struct kafka *k, enum rc rc, const struct err *e)
{
    kafka_out_abandon(&k->out);
    k->dead = rc;
    k->why = *e;
    return rc;
}

static enum rc check_alive(const struct kafka *k, struct err *e)
{
    if (k->dead != RC_OK)
        *e = k->why;
    return k->dead;
}

static enum rc kafka_put(struct sink *s, const struct lead *const leads[], size_t n, struct err *e)
{
    struct kafka *k = self(s);
    enum rc rc = check_alive(k, e);
    if (rc != RC_OK)
        return rc;
    rc = begin_run(k, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = put_lead(k, leads[i], e);
    return rc == RC_OK ? RC_OK : abandon(k, rc, e);
}

/* Of a run whose IDs are from a topic: nothing of it disappears. */
static enum rc kafka_put_missing(struct sink *s, const struct lead *const leads[], size_t n,
                                 struct err *e)
{
    struct kafka *k = self(s);
    struct buf row;
    enum rc rc = check_alive(k, e);
    if (rc != RC_OK)
        return rc;
    buf_init(&row, ROW_BYTES_MAX);
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        buf_clear(&row);
        missing_row_write(&row, k->messages.profile, leads[i]);
        rc = buf_rc(&row) == RC_OK ? RC_OK : err_nomem(e);
        if (rc == RC_OK)
            rc = kafka_out_put_row(&k->out, k->out.missing, leads[i], buf_str(&row), e);
    }
    buf_free(&row);
    return rc == RC_OK ? RC_OK : abandon(k, rc, e);
}

static enum rc kafka_put_failed(struct sink *s, const struct lead *lead, struct str row,
                                struct err *e)
{
    struct kafka *k = self(s);
    enum rc rc = check_alive(k, e);
    if (rc != RC_OK)
        return rc;
    row.len -= row.len && row.ptr[row.len - 1] == '\n';
    rc = kafka_out_put_row(&k->out, k->out.failed, lead, row, e);
    return rc == RC_OK ? RC_OK : abandon(k, rc, e);
}

/* ---- transactions --------------------------------------------------------------------------- */

static enum rc record(struct kafka *k, uint64_t number, int64_t *row, struct err *e)
{
    kafka_journal_begin(&k->journal, number, k->out.n_messages);
    for (const struct kafka_out_lead *l = k->out.first; l; l = l->next)
        kafka_journal_add(&k->journal, l->lead, l->content);
    return kafka_journal_record(&k->journal, k->last_seq, row, e);
}

/* Commits what was put since the last commit, and records that in the state. */
static enum rc commit(struct kafka *k, bool patient, struct err *e)
{
    uint64_t number = k->journal.number + 1;
    int64_t row = 0;
    if (!k->out.in_transaction)
        return RC_OK;
    enum rc rc = kafka_out_wait(&k->out, patient, e);
    if (rc == RC_OK)
        rc = record(k, number, &row, e);
    if (rc == RC_OK)
        rc = kafka_out_commit(&k->out, number, e);
    if (rc != RC_OK)
        return rc;
    uint64_t messages = k->out.n_messages;
    state_hold(
        k->journal.state); /* outcomes of the leads and the record's answer: in one transaction */
    kafka_out_accept(&k->out);
    rc = kafka_journal_committed(&k->journal, row, number, messages, e);
    state_release(k->journal.state);
    k->last_seq = 0;
    return rc;
}

/* What was put since the last time is in the topic, and its messages do not come again. */
static enum rc commit_with_place(struct kafka *k, struct err *e)
{
    struct str place = STR_NONE;
    enum rc rc = kafka_out_wait(&k->out, true, e);
    if (rc == RC_OK)
        rc = k->host.place(k->host.ctx, &place, e);
    if (rc != RC_OK || (!place.len && !k->out.in_transaction))
        return rc;
    if (!place.len)
        return err_set(e, RC_INTERNAL, "%s: there are leads, but no offsets to commit with them",
                       k->out.subject);
    rc = kafka_out_commit_place(&k->out, place, e);
    if (rc != RC_OK)
        return rc;
    k->delivered += k->out.n_messages;
    kafka_out_accept(&k->out);
    return RC_OK;
}

static enum rc mark_queue(struct kafka *k, struct sink_mark *out, struct err *e)
{
    enum rc rc = commit_with_place(k, e);
    out->text = STR("");
    return rc == RC_OK ? RC_OK : abandon(k, rc, e);
}

static enum rc kafka_mark(struct sink *s, struct sink_mark *out, struct err *e)
{
    struct kafka *k = self(s);
    enum rc rc = check_alive(k, e);
    if (rc != RC_OK)
        return rc;
    if (k->has_queue)
        return mark_queue(k, out, e);
    rc = commit(k, true, e);
    if (rc == RC_OK)
        rc = kafka_journal_mark(&k->journal, k->out.n_failed, e);
    if (rc != RC_OK)
        return abandon(k, rc, e);
    out->text = buf_str(&k->journal.text);
    return RC_OK;
}

/* Messages in a topic are visible once they are committed: a commit() has nothing left to do. */
static enum rc kafka_prepare(struct sink *s, struct buf *text, struct err *e)
{
    struct kafka *k = self(s);
    (void)text;
    if (k->has_queue) /* the last mark has committed everything */
        return k->out.in_transaction
                   ? err_set(e, RC_INTERNAL, "%s: leads were put behind the last mark",
                             k->out.subject)
                   : RC_OK;
    enum rc rc = k->has_journal ? commit(k, false, e) : kafka_out_wait(&k->out, false, e);
    return rc == RC_OK ? RC_OK : abandon(k, rc, e);
}

/* With a state, the messages after the last mark are aborted: the resumed run sends them again. */
static enum rc kafka_flush(struct sink *s, struct err *e)
{
    struct kafka *k = self(s);
    enum rc rc = RC_OK;
    if (!k->has_journal && !k->has_queue)
        rc = kafka_out_wait(&k->out, false, e);
    kafka_out_abandon(&k->out);
    return rc == RC_STOPPED ? RC_OK : rc; /* they are pending */
}

static void kafka_result(const struct sink *s, struct sink_result *out)
{
    const struct kafka *k = (const struct kafka *)s;
    uint64_t delivered = k->has_journal ? k->journal.delivered : k->out.n_messages;
    *out = (struct sink_result){
        .is_delivery = true,
        .delivered = k->has_queue ? k->delivered : delivered,
        .failed = k->out.n_failed,
    };
    out->deliveries = out->delivered + out->failed;
}

static void kafka_stop(struct sink *s, int64_t grace_ms)
{
    kafka_out_stop(&self(s)->out, grace_ms);
}

const struct sink_ops sink_kafka = {
    .name = "kafka",
    .help = "messages to a Kafka topic, BROKERS/TOPIC",
    .opts = kafka_options,
    .opts_size = sizeof(struct kafka_opts),
    .eighths = 16, /* the messages, and their copies on the way */
    .keeps = kafka_config_queue_bytes,
    .check = kafka_check,
    .probe = kafka_probe,
    .takes_place = kafka_config_is_queue,
    .needs = kafka_needs,
    .paths = kafka_paths,
    .open = kafka_open,
    .put = kafka_put,
    .put_missing = kafka_put_missing,
    .put_failed = kafka_put_failed,
    .mark = kafka_mark,
    .prepare = kafka_prepare,
    .delivers = true,
    .on_stop = SINK_STOP_FLUSH,
    .flush = kafka_flush,
    .stop = kafka_stop,
    .result = kafka_result,
    .close = kafka_close,
};
