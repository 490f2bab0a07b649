/* The member of the group: polls, hands messages on, and does what the group says. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/kafka_source/kafka_source_internal.h"

#define SECOND_US INT64_C(1000000)
#define ASSIGNMENT_S 60
#define TELL_S 5
#define ASK_US (SECOND_US)
#define COMMIT_US (2 * SECOND_US)
#define PROBE_MS 1000
#define POLL_INTERVAL_MS 300000 /* librdkafka's max.poll.interval.ms */

static int64_t now_us(const struct kafka_source *s)
{
    return clock_mono_us(s->cfg.clock);
}

static void fail(struct kafka_source *s, const struct err *e)
{
    pthread_mutex_lock(&s->lock);
    kafka_source_fail(s, e);
    pthread_mutex_unlock(&s->lock);
}

static bool is_over(struct kafka_source *s)
{
    struct pollfd cancel = {.fd = s->wait.cancel_fd, .events = POLLIN};
    bool is_cancelled = s->wait.cancel_fd && poll(&cancel, 1, 0) > 0;
    pthread_mutex_lock(&s->lock);
    if (is_cancelled && !s->is_cancelled) {
        s->is_cancelled = true;
        (void)pthread_cond_broadcast(&s->changed);
    }
    bool over = s->is_closing;
    pthread_mutex_unlock(&s->lock);
    return over;
}

/* ---- messages -------------------------------------------------------------------------------- */

static rd_kafka_topic_partition_list_t *list_of(const struct kafka_source *s,
                                                bool (*has)(const struct kafka_part *p))
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)s->n_partitions + 1);
    for (size_t i = 0; list && i < s->n_partitions; i++) {
        if (has(&s->parts[i]))
            (void)rd_kafka_topic_partition_list_add(list, s->cfg.url->topic, (int32_t)i);
    }
    return list;
}

static bool is_open(const struct kafka_part *p)
{
    return p->is_held && !p->is_read;
}

static bool is_held(const struct kafka_part *p)
{
    return p->is_held;
}

static bool is_others(const struct kafka_part *p)
{
    return !p->is_held && !p->is_settled && p->first < p->end;
}

static size_t count(const struct kafka_source *s, bool (*has)(const struct kafka_part *p))
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_partitions; i++)
        n += has(&s->parts[i]);
    return n;
}

/* Of a partition that was read to its end nothing more is wanted. */
static void pause_one(struct kafka_source *s, size_t partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    if (!list)
        return;
    (void)rd_kafka_topic_partition_list_add(list, s->cfg.url->topic, (int32_t)partition);
    (void)rd_kafka_pause_partitions(s->client.handle, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Under the lock. */
static void push(struct kafka_source *s, const struct kafka_entry *entry)
{
    s->queue[(s->at + s->n++) % KAFKA_QUEUE_MESSAGES] = *entry;
    if (entry->message)
        s->n_bytes += entry->message->len + entry->message->key_len;
    (void)pthread_cond_broadcast(&s->changed);
}

/* There is room: see keep_room(). */
static void take_message(struct kafka_source *s, rd_kafka_message_t *m)
{
    size_t i = (size_t)m->partition;
    struct kafka_part *p = m->partition >= 0 && i < s->n_partitions ? &s->parts[i] : NULL;
    bool is_end = false;
    pthread_mutex_lock(&s->lock);
    bool is_wanted = p && is_open(p) && m->offset >= p->next && !s->has_ended;
    if (is_wanted && m->offset < p->end) {
        const struct kafka_entry entry = {m, i, 0};
        p->next = m->offset + 1;
        p->is_read = is_end = p->next >= p->end;
        push(s, &entry);
        m = NULL;
    } else if (is_wanted) {
        const struct kafka_entry entry = {NULL, i, p->end};
        p->is_read = is_end = true;
        push(s, &entry);
    }
    pthread_mutex_unlock(&s->lock);
    if (m)
        rd_kafka_message_destroy(m);
    if (is_end)
        pause_one(s, i);
}

/* What is behind the last message are markers of transactions, or messages that were deleted. */
static void take_end(struct kafka_source *s, const rd_kafka_message_t *m)
{
    size_t i = (size_t)m->partition;
    if (m->partition < 0 || i >= s->n_partitions)
        return;
    struct kafka_part *p = &s->parts[i];
    pthread_mutex_lock(&s->lock);
    bool is_end = is_open(p) && !s->has_ended;
    if (is_end) {
        const struct kafka_entry entry = {NULL, i, m->offset < p->end ? m->offset : p->end};
        p->is_read = true;
        if (entry.position > p->first)
            push(s, &entry);
    }
    pthread_mutex_unlock(&s->lock);
    if (is_end)
        pause_one(s, i);
}

static bool is_lasting(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL ||
           code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID || code == RD_KAFKA_RESP_ERR__FATAL ||
           code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || code == RD_KAFKA_RESP_ERR__FENCED;
}

static void take_error(struct kafka_source *s, const rd_kafka_message_t *m)
{
    struct err e;
    char text[512] = "";
    rd_kafka_resp_err_t code = m->err;
    if (!is_lasting(code)) {
        log_msg(s->cfg.log, LOG_LEVEL_INFO, s->cfg.url->name, "%s", rd_kafka_message_errstr(m));
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(s->client.handle, text, sizeof text);
    if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        (void)err_set(&e, RC_BUSY,
                      "%s: another process has joined the group %s as instance %s; give each "
                      "worker its own instance=NAME, or none",
                      s->cfg.url->name, s->cfg.url->group, s->cfg.url->instance);
    else
        (void)kafka_client_error(&s->client, code, text[0] ? text : rd_kafka_message_errstr(m),
                                 "cannot read", &e);
    fail(s, &e);
}

/* With a full queue nothing is fetched, but the group still hears of this member. */
static void keep_room(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    /* What has been fetched may still come: an end for each partition, and one message. */
    bool is_full = s->n > KAFKA_QUEUE_MESSAGES / 2 || s->n_bytes > KAFKA_QUEUE_BYTES;
    bool is_low = s->n < KAFKA_QUEUE_MESSAGES / 4 && s->n_bytes < KAFKA_QUEUE_BYTES / 2;
    bool changes = s->is_paused ? is_low : is_full;
    rd_kafka_topic_partition_list_t *list = changes ? list_of(s, is_open) : NULL;
    pthread_mutex_unlock(&s->lock);
    if (!list)
        return;
    if (s->is_paused)
        (void)rd_kafka_resume_partitions(s->client.handle, list);
    else
        (void)rd_kafka_pause_partitions(s->client.handle, list);
    s->is_paused = !s->is_paused;
    rd_kafka_topic_partition_list_destroy(list);
}

/* Messages that were fetched before a pause may come after it: then the queue has to be read first. */
static bool has_room(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    bool has = s->n < KAFKA_QUEUE_MESSAGES;
    pthread_mutex_unlock(&s->lock);
    return has;
}

static void poll_once(struct kafka_source *s)
{
    keep_room(s);
    if (!has_room(s)) {
        const struct timespec tick = {.tv_nsec = KAFKA_TICK_MS * 1000000L};
        (void)nanosleep(&tick, NULL);
        return;
    }
    rd_kafka_message_t *m = rd_kafka_consumer_poll(s->client.handle, KAFKA_TICK_MS);
    if (!m)
        return;
    if (!m->err) {
        s->down_since_us = 0;
        take_message(s, m);
        return;
    }
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        take_end(s, m);
    else
        take_error(s, m);
    rd_kafka_message_destroy(m);
}

/* ---- what the group says ---------------------------------------------------------------------- */

static bool is_cooperative(rd_kafka_t *handle)
{
    const char *protocol = rd_kafka_rebalance_protocol(handle);
    return protocol && strcmp(protocol, "COOPERATIVE") == 0;
}

/* Of partitions that are new since the topic was looked at nothing is read: their end was not known at the start. */
static struct kafka_part *part_of(struct kafka_source *s, const rd_kafka_topic_partition_t *p)
{
    bool is_ours = strcmp(p->topic, s->cfg.url->topic) == 0 && p->partition >= 0 &&
                   (size_t)p->partition < s->n_partitions;
    return is_ours ? &s->parts[p->partition] : NULL;
}

static void take_over(struct kafka_source *s, rd_kafka_topic_partition_list_t *list)
{
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_part *p = part_of(s, &list->elems[i]);
        if (!p)
            continue;
        kafka_offsets_forget(s->offsets, (size_t)list->elems[i].partition);
        p->is_held = true;
        p->is_read = false;
        p->has_items = false;
        p->next = 0;
        p->committed = KAFKA_OFFSET_NONE;
    }
    s->is_assigned = true;
    pthread_mutex_unlock(&s->lock);
    log_msg(s->cfg.log, LOG_LEVEL_INFO, s->cfg.url->name,
            "the group %s has given this run %d more partition%s", s->cfg.url->group, list->cnt,
            list->cnt == 1 ? "" : "s");
}

/* Messages that nobody has taken from the queue yet are left to others; under the lock. */
static void drop_queued(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
    size_t n = s->n, at = s->at;
    s->n = s->n_bytes = 0;
    for (size_t k = 0; k < n; k++) {
        struct kafka_entry entry = s->queue[(at + k) % KAFKA_QUEUE_MESSAGES];
        bool goes = false;
        for (int i = 0; i < list->cnt; i++)
            goes |= (size_t)list->elems[i].partition == entry.partition;
        if (!goes)
            push(s, &entry);
        else if (entry.message)
            rd_kafka_message_destroy(entry.message);
    }
}

/* Do messages that are not done belong to what is taken away? Under the lock. */
static bool has_work(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
    uint64_t done = kafka_offsets_done(s->offsets);
    bool has = false;
    for (int i = 0; i < list->cnt; i++) {
        const struct kafka_part *p = part_of(s, &list->elems[i]);
        if (p && s->cfg.commits == SOURCE_COMMITS_AT_END)
            has |= p->has_items && !s->is_committed;
        else if (p)
            has |= kafka_offsets_waits(s->offsets, (size_t)list->elems[i].partition, done);
    }
    return has;
}

/* Waits until what was read so far is done and committed, as long as the group allows. */
static bool finish_work(struct kafka_source *s)
{
    const struct kafka_url *u = s->cfg.url;
    int64_t until_us =
        now_us(s) + INT64_C(500) * kafka_client_number(u->properties, u->n_properties,
                                                       "max.poll.interval.ms", POLL_INTERVAL_MS);
    bool is_done = false;
    pthread_mutex_lock(&s->lock);
    uint64_t target = kafka_offsets_read(s->offsets);
    pthread_mutex_unlock(&s->lock);
    while (!is_done && !is_over(s) && now_us(s) < until_us) {
        struct err e;
        struct timespec tick;
        pthread_mutex_lock(&s->lock);
        bool at_end = s->cfg.commits == SOURCE_COMMITS_AT_END;
        bool is_ready = at_end ? s->is_committed : kafka_offsets_done(s->offsets) >= target;
        if (!is_ready && s->failed == RC_OK) {
            (void)clock_gettime(CLOCK_REALTIME, &tick);
            tick.tv_nsec += KAFKA_TICK_MS * 1000000L;
            tick.tv_sec += tick.tv_nsec / 1000000000L;
            tick.tv_nsec %= 1000000000L;
            (void)pthread_cond_timedwait(&s->changed, &s->lock, &tick);
        }
        bool has_failed = s->failed != RC_OK;
        pthread_mutex_unlock(&s->lock);
        if (has_failed)
            break;
        is_done = is_ready && (at_end || kafka_source_commit(s, &e) == RC_OK);
        if (is_ready && !is_done)
            break;
    }
    return is_done;
}

/* What is not done, and belongs to others now. */
static void give_up_work(struct kafka_source *s)
{
    struct err e;
    if (s->cfg.commits == SOURCE_COMMITS_SETTLED) {
        log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
                "the group %s has given partitions to other members before their leads were done: "
                "these are delivered once more, by others",
                s->cfg.url->group);
        return;
    }
    (void)err_set(&e, RC_BUSY,
                  "%s: the group %s has taken partitions away from this run before their leads "
                  "were written, and others do them; nothing was published",
                  s->cfg.url->name, s->cfg.url->group);
    fail(s, &e);
}

/* Where offsets are committed at the end, the run ends here: it publishes what it has, and others continue. */
static void end_early(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_first = !s->has_ended;
    s->is_handed_on |= is_first;
    s->has_ended = true;
    (void)pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (is_first)
        log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
                "another member has joined the group %s: this run ends with what it has read, and "
                "the others continue",
                s->cfg.url->group);
}

static void hand_over(struct kafka_source *s, rd_kafka_t *handle,
                      const rd_kafka_topic_partition_list_t *list)
{
    struct err e;
    bool is_lost = rd_kafka_assignment_lost(handle) != 0;
    bool at_end = s->cfg.commits == SOURCE_COMMITS_AT_END;
    pthread_mutex_lock(&s->lock);
    drop_queued(s, list);
    bool works = has_work(s, list);
    bool is_closing = s->is_closing;
    pthread_mutex_unlock(&s->lock);
    if (is_closing)
        return;
    if (works && !is_lost && at_end)
        end_early(s);
    bool is_done = works && !is_lost && finish_work(s);
    if (works && !is_done && !is_over(s))
        give_up_work(s);
    else if (!works && !is_lost && !at_end) /* if it fails, the others do some of it again */
        (void)kafka_source_commit(s, &e);
}

static void let_go(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_part *p = part_of(s, &list->elems[i]);
        if (!p)
            continue;
        kafka_offsets_forget(s->offsets, (size_t)list->elems[i].partition);
        p->is_held = p->is_read = false;
    }
    s->is_assigned = count(s, is_held) > 0;
    pthread_mutex_unlock(&s->lock);
    s->waits_since_us = now_us(s);
    s->has_told = false;
}

static void report(struct kafka_source *s, rd_kafka_resp_err_t code, rd_kafka_error_t *error)
{
    struct err e;
    if (error)
        code = rd_kafka_error_code(error);
    if (code) {
        (void)kafka_client_error(&s->client, code, error ? rd_kafka_error_string(error) : NULL,
                                 "cannot take what the group gives", &e);
        fail(s, &e);
    }
    if (error)
        rd_kafka_error_destroy(error);
}

void kafka_member_rebalance(void *source, rd_kafka_t *handle, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *list)
{
    struct kafka_source *s = source;
    bool gives = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (gives) {
        take_over(s, list);
        s->is_paused = false; /* what is new is not */
    } else {
        hand_over(s, handle, list);
        let_go(s, list);
    }
    if (is_cooperative(handle))
        report(s, RD_KAFKA_RESP_ERR_NO_ERROR,
               gives ? rd_kafka_incremental_assign(handle, list)
                     : rd_kafka_incremental_unassign(handle, list));
    else
        report(s, rd_kafka_assign(handle, gives ? list : NULL), NULL);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Which partitions of others are settled, is known from what the group has committed. */
static void ask_others(struct kafka_source *s)
{
    if (now_us(s) - s->asked_us < ASK_US)
        return;
    pthread_mutex_lock(&s->lock);
    rd_kafka_topic_partition_list_t *list = list_of(s, is_others);
    pthread_mutex_unlock(&s->lock);
    if (list && list->cnt && !rd_kafka_committed(s->client.handle, list, PROBE_MS)) {
        pthread_mutex_lock(&s->lock);
        for (int i = 0; i < list->cnt; i++) {
            struct kafka_part *p = part_of(s, &list->elems[i]);
            if (p && !list->elems[i].err)
                p->is_settled |= list->elems[i].offset >= p->end;
        }
        pthread_mutex_unlock(&s->lock);
    }
    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    s->asked_us = now_us(s);
}

static void tell_others(struct kafka_source *s, size_t n)
{
    if (s->has_told_others || !n || now_us(s) - s->began_us < TELL_S * SECOND_US)
        return;
    s->has_told_others = true;
    log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
            "waiting until other members of the group %s have done %zu partition%s",
            s->cfg.url->group, n, n == 1 ? "" : "s");
}

/* Whoever has something to publish at the end does not wait for others, who may wait for it. */
static bool waits_for_others(const struct kafka_source *s)
{
    return s->cfg.commits != SOURCE_COMMITS_AT_END || kafka_offsets_read(s->offsets) == 0;
}

static void find_end(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_read = !s->has_ended && !s->n && !count(s, is_open);
    bool waits = waits_for_others(s);
    pthread_mutex_unlock(&s->lock);
    if (!is_read)
        return;
    if (waits)
        ask_others(s);
    pthread_mutex_lock(&s->lock);
    size_t n = waits ? count(s, is_others) : 0; /* nobody else changes it, or adds to the queue */
    bool is_assigned = s->is_assigned;
    if (!n && (is_assigned || waits)) {
        s->has_ended = true;
        (void)pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    if (is_assigned)
        tell_others(s, n);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void check_assignment(struct kafka_source *s)
{
    struct err e;
    pthread_mutex_lock(&s->lock);
    bool waits = !s->is_assigned && !s->has_ended;
    pthread_mutex_unlock(&s->lock);
    int64_t waited_us = now_us(s) - s->waits_since_us;
    if (!waits || s->down_since_us)
        return;
    if (waited_us >= ASSIGNMENT_S * SECOND_US) {
        (void)err_set(&e, RC_NET,
                      "%s: the group %s has not said within %d seconds which partitions are for "
                      "this run; no offset was committed for what it has not done: run it again",
                      s->cfg.url->name, s->cfg.url->group, ASSIGNMENT_S);
        fail(s, &e);
    } else if (waited_us >= TELL_S * SECOND_US && !s->has_told) {
        s->has_told = true;
        log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
                "waiting up to %d seconds until the group %s says which partitions are for this "
                "run; a member that was cut off holds its own for session.timeout.ms",
                ASSIGNMENT_S, s->cfg.url->group);
    }
}

/* A broker that does not answer is asked again, by librdkafka; but not for ever. */
static void check_outage(struct kafka_source *s)
{
    const struct rd_kafka_metadata *metadata = NULL;
    struct err e;
    if (!s->client.last)
        return;
    rd_kafka_resp_err_t code = rd_kafka_metadata(s->client.handle, 0, NULL, &metadata, PROBE_MS);
    if (!code) {
        rd_kafka_metadata_destroy(metadata);
        s->client.last = RD_KAFKA_RESP_ERR_NO_ERROR;
        s->client.last_text[0] = '\0';
        s->down_since_us = 0;
        return;
    }
    if (!s->down_since_us)
        s->down_since_us = now_us(s);
    bool is_refused = s->client.last == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
                      s->client.last == RD_KAFKA_RESP_ERR__SSL;
    if (!is_refused && now_us(s) - s->down_since_us < s->cfg.retry_max_ms * 1000)
        return;
    (void)kafka_client_error(&s->client, code, NULL, "cannot read", &e);
    fail(s, &e);
}

static void commit_settled(struct kafka_source *s)
{
    struct err e;
    if (s->cfg.commits != SOURCE_COMMITS_SETTLED || now_us(s) - s->committed_us < COMMIT_US)
        return;
    s->committed_us = now_us(s);
    if (kafka_source_has_done(s) && kafka_source_commit(s, &e) != RC_OK)
        log_msg(s->cfg.log, LOG_LEVEL_INFO, NULL, "%s",
                e.msg); /* tried again, at the end at last */
}

void *kafka_member_main(void *source)
{
    struct kafka_source *s = source;
    while (!is_over(s)) {
        poll_once(s);
        check_outage(s);
        check_assignment(s);
        commit_settled(s);
        find_end(s);
    }
    (void)rd_kafka_consumer_close(s->client.handle); /* leaves the group */
    return NULL;
}
