#include <stdio.h>
#include <stdlib.h>

#include "core/base/thread.h"
#include "core/kafka_source/kafka_source_internal.h"

#define WHERE_BYTES 384

static struct kafka_source *self(struct id_source *source)
{
    return (struct kafka_source *)source;
}

/* ---- items: the intake's thread --------------------------------------------------------------- */

static bool is_idle(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    bool idle = !s->n && !s->has_ended && !s->is_cancelled && s->failed == RC_OK;
    pthread_mutex_unlock(&s->lock);
    return idle;
}

/* What was read before does not count any more: its offsets belong to other messages now. */
static void begin_again(struct kafka_source *s, size_t partition)
{
    struct kafka_part *p = &s->parts[partition];
    kafka_offsets_forget(s->offsets, partition);
    p->committed = p->placed = KAFKA_OFFSET_NONE;
}

/* Takes the next entry out of the queue, and notes its offset; under the lock. */
static enum rc pop(struct kafka_source *s, struct kafka_entry *out, struct err *e)
{
    *out = s->queue[s->at];
    s->at = (s->at + 1) % KAFKA_QUEUE_MESSAGES;
    s->n--;
    if (out->message)
        s->n_bytes -= out->message->len + out->message->key_len;
    struct kafka_part *p = &s->parts[out->partition];
    p->has_items |= out->message != NULL;
    if (out->message && p->began == KAFKA_OFFSET_NONE)
        p->began = out->message->offset;
    if (!out->message && out->position == KAFKA_OFFSET_NONE) {
        begin_again(s, out->partition);
        return RC_OK;
    }
    enum rc rc = out->message ? kafka_offsets_add(s->offsets, out->partition, out->message->offset)
                              : kafka_offsets_skip(s->offsets, out->partition, out->position);
    /* What is committed at the end alone is committed as far as it was read: nothing needs to be remembered of each. */
    if (rc == RC_OK && s->cfg.commits == SOURCE_COMMITS_AT_END)
        kafka_offsets_settle(s->offsets, kafka_offsets_read(s->offsets));
    if (rc == RC_OK)
        return RC_OK;
    if (out->message)
        rd_kafka_message_destroy(out->message);
    return err_nomem(e);
}

static enum rc take_entry(struct kafka_source *s, struct kafka_entry *out, struct err *e)
{
    if (s->wait.before && is_idle(s))
        s->wait.before(s->wait.ctx);
    pthread_mutex_lock(&s->lock);
    while (!s->n && !s->has_ended && !s->is_cancelled && s->failed == RC_OK)
        (void)pthread_cond_wait(&s->changed, &s->lock);
    enum rc rc = RC_END;
    if (s->failed != RC_OK) {
        *e = s->why;
        rc = s->failed;
    } else if (s->is_cancelled) {
        rc = err_set(e, RC_STOPPED, "%s: the run was stopped", s->cfg.url->name);
    } else if (s->n) {
        rc = pop(s, out, e);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static enum rc next_item(struct id_source *source, struct arena *a, struct id_item *out,
                         struct err *e)
{
    struct kafka_source *s = self(source);
    struct kafka_entry entry = {.message = NULL};
    char where[WHERE_BYTES];
    if (s->current)
        rd_kafka_message_destroy(s->current);
    s->current = NULL;
    do {
        enum rc rc = take_entry(s, &entry, e);
        if (rc != RC_OK)
            return rc;
    } while (!entry.message);
    s->current = entry.message;
    const rd_kafka_message_t *m = entry.message;
    (void)snprintf(where, sizeof where, "topic %s, partition %zu, offset %lld", s->cfg.url->topic,
                   entry.partition, (long long)m->offset);
    return ids_messages_read(s->messages, (struct str){m->key, m->key_len},
                             (struct str){m->payload, m->len}, where, a, out, e);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void settle(struct id_source *source, uint64_t item)
{
    struct kafka_source *s = self(source);
    pthread_mutex_lock(&s->lock);
    kafka_offsets_settle(s->offsets, item);
    pthread_mutex_unlock(&s->lock);
}

static void hold_back(struct id_source *source)
{
    struct kafka_source *s = self(source);
    pthread_mutex_lock(&s->lock);
    s->holds_back = true;
    pthread_mutex_unlock(&s->lock);
}

/* Wakes the thread of the member, which may wait for this before it gives partitions to others. */
static enum rc commit(struct id_source *source, bool all, struct err *e)
{
    struct kafka_source *s = self(source);
    if (all) {
        pthread_mutex_lock(&s->lock);
        kafka_offsets_settle_to(s->offsets, kafka_offsets_read(s->offsets));
        pthread_mutex_unlock(&s->lock);
    }
    enum rc rc = kafka_source_commit(s, e);
    pthread_mutex_lock(&s->lock);
    s->commit_ended = true;
    (void)pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static enum rc check(struct id_source *source, struct err *e)
{
    struct kafka_source *s = self(source);
    pthread_mutex_lock(&s->lock);
    enum rc rc = s->failed;
    if (rc != RC_OK)
        *e = s->why;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static enum rc place(struct id_source *source, uint64_t item, struct buf *out, struct err *e)
{
    return kafka_source_place(self(source), item, out, e);
}

static void placed(struct id_source *source, uint64_t item)
{
    kafka_source_placed(self(source), item);
}

static const char *identity(const struct id_source *source)
{
    return ((const struct kafka_source *)source)->identity;
}

static enum rc recall(struct id_source *source, struct str record, bool is_confirmed, struct err *e)
{
    return kafka_source_recall(self(source), record, is_confirmed, e);
}

static enum rc record(struct id_source *source, struct buf *out, struct err *e)
{
    return kafka_source_record(self(source), out, e);
}

static enum rc compare(struct id_source *source, struct str record, struct err *e)
{
    return kafka_source_compare(self(source), record, e);
}

static bool is_held(const struct kafka_part *p)
{
    return p->is_held;
}

static struct source_share share(struct id_source *source)
{
    struct kafka_source *s = self(source);
    pthread_mutex_lock(&s->lock);
    const struct source_share of = {kafka_source_count(s, is_held), s->n_partitions};
    pthread_mutex_unlock(&s->lock);
    return of;
}

/* Items that are settled behind `item`, which are repeats, are committed with it. */
static bool is_awaited(struct id_source *source, uint64_t item)
{
    struct kafka_source *s = self(source);
    uint64_t awaited = atomic_load_explicit(&s->awaited, memory_order_relaxed);
    if (!awaited)
        return false;
    pthread_mutex_lock(&s->lock);
    bool is = kafka_offsets_extend(s->offsets, item) >= awaited;
    pthread_mutex_unlock(&s->lock);
    return is;
}

static bool is_empty(struct id_source *source)
{
    struct kafka_source *s = self(source);
    pthread_mutex_lock(&s->lock);
    bool is = kafka_offsets_read(s->offsets) == 0;
    pthread_mutex_unlock(&s->lock);
    return is;
}

static void close_source(struct id_source *source)
{
    struct kafka_source *s = self(source);
    if (s->has_thread) {
        pthread_mutex_lock(&s->lock);
        s->is_closing = true;
        (void)pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        (void)pthread_join(s->thread, NULL);
    }
    for (; s->n; s->n--, s->at = (s->at + 1) % KAFKA_QUEUE_MESSAGES) {
        if (s->queue[s->at].message)
            rd_kafka_message_destroy(s->queue[s->at].message);
    }
    if (s->current)
        rd_kafka_message_destroy(s->current);
    kafka_client_close(&s->client);
    ids_messages_free(s->messages);
    kafka_offsets_free(s->offsets);
    free(s->parts);
    free(s->places);
    free(s->group_has);
    free(s->identity);
    if (s->has_lock) {
        (void)pthread_cond_destroy(&s->changed);
        (void)pthread_mutex_destroy(&s->lock);
        (void)pthread_mutex_destroy(&s->committing);
    }
    if (!s->client.is_left)
        free(s);
}

static enum rc begin(struct id_source *source, struct err *e);

static const struct id_source_ops kafka_source_ops = {.next = next_item,
                                                      .close = close_source,
                                                      .settle = settle,
                                                      .hold_back = hold_back,
                                                      .commit = commit,
                                                      .check = check,
                                                      .place = place,
                                                      .placed = placed,
                                                      .is_awaited = is_awaited,
                                                      .is_empty = is_empty,
                                                      .share = share,
                                                      .identity = identity,
                                                      .recall = recall,
                                                      .begin = begin,
                                                      .record = record,
                                                      .compare = compare};

/* ---- opening --------------------------------------------------------------------------------- */

static enum rc open_client(struct kafka_source *s, bool is_member, struct err *e)
{
    const struct kafka_url *u = s->cfg.url;
    static const struct kafka_property defaults[] = {
        {"client.id", "leadpipe"},
        {"auto.offset.reset", "earliest"},
        {"isolation.level", "read_committed"},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"fetch.wait.max.ms", "100"}, /* see KAFKA_QUEUE_MESSAGES */
        {"queued.min.messages", "1000"},
        {"queued.max.messages.kbytes", "8192"},
    };
    const struct kafka_property own[] = {
        {"group.id", u->group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"allow.auto.create.topics", "false"},
        {"group.instance.id", u->instance},
    };
    size_t n = sizeof defaults / sizeof *defaults;
    struct kafka_property *all = calloc(n + u->n_properties, sizeof *all);
    if (!all)
        return err_nomem(e);
    memcpy(all, defaults, sizeof defaults);
    if (u->n_properties)
        memcpy(all + n, u->properties, u->n_properties * sizeof *all);
    const struct kafka_client_cfg cfg = {
        .subject = u->name,
        .log = s->cfg.log,
        .secrets = s->cfg.secrets,
        .clock = s->cfg.clock,
        .stop = s->cfg.stop,
        .brokers = u->brokers,
        .properties = all,
        .n_properties = n + u->n_properties,
        .own = own,
        .n_own = sizeof own / sizeof *own - (u->instance && is_member ? 0 : 1),
        .is_consumer = true,
        .rebalance = is_member ? kafka_member_rebalance : NULL,
        .ctx = s,
    };
    enum rc rc = kafka_client_open(&s->client, &cfg, e);
    s->client.cfg.properties = s->client.cfg.own = NULL; /* librdkafka has copies */
    s->client.cfg.n_properties = s->client.cfg.n_own = 0;
    free(all);
    return rc;
}

static enum rc find_topic(struct kafka_source *s, int64_t wait_ms, struct err *e)
{
    struct kafka_topic_facts facts = {.exists = false};
    const struct kafka_url *u = s->cfg.url;
    enum rc rc = kafka_client_topic(&s->client, u->topic, wait_ms, &facts, e);
    if (rc == RC_OK && !facts.exists)
        rc = err_set(e, RC_USAGE,
                     "%s: the cluster has no topic %s (or does not show it to this user)", u->name,
                     u->topic);
    s->n_partitions = facts.n_partitions > 0 ? (size_t)facts.n_partitions : 0;
    return rc;
}

/* Topics and groups of other clusters may have the same names. Clusters older than Kafka 0.10.1 have no id. */
static enum rc identify(struct kafka_source *s, struct err *e)
{
    char *cluster = kafka_client_cluster(&s->client);
    int n = asprintf(&s->identity, "%s%s%s", s->cfg.url->identity, cluster ? "&cluster=" : "",
                     cluster ? cluster : "");
    if (n < 0)
        s->identity = NULL;
    if (cluster)
        rd_kafka_mem_free(s->client.handle, cluster);
    return n < 0 ? err_nomem(e) : RC_OK;
}

static enum rc make_parts(struct kafka_source *s, struct err *e)
{
    enum rc rc = RC_OK;
    s->parts = calloc(s->n_partitions + 1, sizeof *s->parts);
    s->places = calloc(s->n_partitions + 1, sizeof *s->places);
    s->group_has = calloc(s->n_partitions + 1, sizeof *s->group_has);
    if (!s->parts || !s->places || !s->group_has ||
        kafka_offsets_new(&s->offsets, s->n_partitions) != RC_OK)
        return err_nomem(e);
    for (size_t i = 0; rc == RC_OK && i < s->n_partitions; i++) {
        struct kafka_part *p = &s->parts[i];
        p->committed = p->placed = p->began = p->from = p->taken_up = p->recorded =
            KAFKA_OFFSET_NONE;
        rc = kafka_client_ends(&s->client, s->cfg.url->topic, (int32_t)i, s->cfg.retry_max_ms,
                               &p->first, &p->end, e);
        if (s->cfg.has_no_end)
            p->end = INT64_MAX;
    }
    return rc;
}

static enum rc join_group(struct kafka_source *s, struct err *e)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    if (!topics ||
        !rd_kafka_topic_partition_list_add(topics, s->cfg.url->topic, RD_KAFKA_PARTITION_UA)) {
        if (topics)
            rd_kafka_topic_partition_list_destroy(topics);
        return err_nomem(e);
    }
    (void)rd_kafka_poll_set_consumer(s->client.handle);
    s->client.is_served = true; /* by the member's thread */
    rd_kafka_resp_err_t code = rd_kafka_subscribe(s->client.handle, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code)
        return kafka_client_error(&s->client, code, NULL, "cannot join the group", e);
    s->began_us = s->waits_since_us = clock_mono_us(s->cfg.clock);
    int failed = thread_start(&s->thread, kafka_member_main, s);
    s->has_thread = !failed;
    if (!failed)
        return RC_OK;
    kafka_client_leave(&s->client); /* it has no assignment */
    return err_sys(e, RC_NOMEM, failed, "cannot start a thread");
}

static enum rc begin(struct id_source *source, struct err *e)
{
    return join_group(self(source), e);
}

static enum rc make_lock(struct kafka_source *s, struct err *e)
{
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        return err_nomem(e);
    if (pthread_mutex_init(&s->committing, NULL) != 0) {
        (void)pthread_mutex_destroy(&s->lock);
        return err_nomem(e);
    }
    if (pthread_cond_init(&s->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&s->committing);
        (void)pthread_mutex_destroy(&s->lock);
        return err_nomem(e);
    }
    s->has_lock = true;
    return RC_OK;
}

enum rc kafka_source_open(struct id_source **out, const struct kafka_source_cfg *cfg,
                          const struct source_wait *wait, struct err *e)
{
    struct kafka_source *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->source.ops = &kafka_source_ops;
    s->cfg = *cfg;
    s->wait = *wait;
    enum rc rc = make_lock(s, e);
    if (rc == RC_OK)
        rc = ids_messages_new(&s->messages, cfg->ids, e);
    if (rc == RC_OK)
        rc = open_client(s, true, e);
    if (rc == RC_OK)
        rc = find_topic(s, cfg->retry_max_ms, e);
    if (rc == RC_OK)
        rc = make_parts(s, e);
    if (rc == RC_OK && cfg->is_recorded)
        rc = identify(s, e);
    if (rc == RC_OK && !cfg->is_recorded)
        rc = join_group(s, e);
    if (rc != RC_OK) {
        close_source(&s->source);
        return rc;
    }
    *out = &s->source;
    return RC_OK;
}

enum rc kafka_source_find(struct kafka_source *s, int64_t wait_ms, struct err *e)
{
    enum rc rc = open_client(s, false, e);
    return rc == RC_OK ? find_topic(s, wait_ms, e) : rc;
}

enum rc kafka_source_check(const struct kafka_source_cfg *cfg, int64_t wait_ms, struct err *e)
{
    struct kafka_source s = {.cfg = *cfg};
    enum rc rc = kafka_source_find(&s, wait_ms, e);
    kafka_client_close(&s.client);
    return rc;
}
