/* The member of the group: polls, hands messages on, and does what the group says. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/kafka_source/kafka_source_internal.h"

#define SECOND_US INT64_C(1000000)
#define ASSIGNMENT_S 60
#define TELL_S 5
#define ASK_US (SECOND_US / 5)
#define COMMIT_US (2 * SECOND_US)
#define PROBE_MS 1000
#define LEAVE_US (2 * SECOND_US)
#define LEAVE_TICK_MS 10

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

/* Has another member still to finish it? */
static bool awaits_others(const struct kafka_part *p)
{
    return !p->is_held && !p->end_is_committed && p->first < p->end;
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

/* If the partition has gone back, queues an entry that says so, and continues from `m`; true: it has. The brokers have lost
 * the last messages, or the topic was recreated, and others have their offsets now. A run with an end leaves them to the
 * next one, as report_early_end() says; without one, nothing else would read them. Under the lock. */
static bool go_back(struct kafka_source *s, const rd_kafka_message_t *m, struct kafka_part *p)
{
    if (!s->cfg.has_no_end || !is_open(p) || m->offset >= p->next || s->has_ended)
        return false;
    const struct kafka_entry entry = {NULL, (size_t)m->partition, KAFKA_OFFSET_NONE};
    kafka_source_push(s, &entry);
    p->next = m->offset;
    return true;
}

static void report_gone_back(const struct kafka_source *s, size_t partition, int64_t from,
                             int64_t to)
{
    log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
            "partition %zu goes back from offset %lld to %lld: the brokers have lost messages, or "
            "the topic was recreated; messages from there on are read, some perhaps once more",
            partition, (long long)from, (long long)to);
}

/* There is room: see has_room(). */
static void take_message(struct kafka_source *s, rd_kafka_message_t *m)
{
    size_t i = (size_t)m->partition;
    struct kafka_part *p = m->partition >= 0 && i < s->n_partitions ? &s->parts[i] : NULL;
    int64_t next = p ? p->next : 0, offset = m->offset;
    bool is_end = false;
    pthread_mutex_lock(&s->lock);
    bool is_back = p && go_back(s, m, p);
    bool is_wanted = p && is_open(p) && m->offset >= p->next && !s->has_ended;
    if (is_wanted && m->offset < p->end) {
        const struct kafka_entry entry = {m, i, 0};
        p->next = m->offset + 1;
        p->is_read = is_end = p->next >= p->end;
        kafka_source_push(s, &entry);
        m = NULL;
    } else if (is_wanted) {
        const struct kafka_entry entry = {NULL, i, m->offset}; /* see take_end() */
        p->is_read = is_end = true;
        kafka_source_push(s, &entry);
    }
    pthread_mutex_unlock(&s->lock);
    if (m)
        rd_kafka_message_destroy(m);
    if (is_back)
        report_gone_back(s, i, next, offset);
    if (is_end)
        pause_one(s, i);
}

/* A broker that takes over from one that has failed may not have the last messages yet, or may never get them. */
static void report_early_end(const struct kafka_source *s, const rd_kafka_message_t *m, int64_t end)
{
    log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
            "partition %d now ends at offset %lld, but ended at %lld when the run began; messages "
            "that reappear are for the next run",
            (int)m->partition, (long long)m->offset, (long long)end);
}

/* Behind the last message there are markers of transactions, or messages that were deleted. The position may be behind
 * p->end: another member, which looked up the ends later, may have committed it. The group must not go back. */
static void take_end(struct kafka_source *s, const rd_kafka_message_t *m)
{
    size_t i = (size_t)m->partition;
    if (m->partition < 0 || i >= s->n_partitions)
        return;
    struct kafka_part *p = &s->parts[i];
    pthread_mutex_lock(&s->lock);
    bool is_wanted = is_open(p) && !s->has_ended;
    bool is_end = is_wanted && !s->cfg.has_no_end;
    if (is_wanted) {
        const struct kafka_entry entry = {NULL, i, m->offset};
        p->is_read = is_end;
        if (entry.position > p->first && entry.position > p->next)
            kafka_source_push(s, &entry);
        if (entry.position > p->next)
            p->next = entry.position;
    }
    pthread_mutex_unlock(&s->lock);
    if (is_end && m->offset < p->end)
        report_early_end(s, m, p->end);
    if (is_end)
        pause_one(s, i);
}

static bool is_lasting(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL ||
           code == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT ||
           code == RD_KAFKA_RESP_ERR_INVALID_GROUP_ID ||
           code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID || code == RD_KAFKA_RESP_ERR__FATAL ||
           code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || code == RD_KAFKA_RESP_ERR__FENCED;
}

/* librdkafka would read the same bytes again and again. */
static bool is_unreadable(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__BAD_COMPRESSION || code == RD_KAFKA_RESP_ERR__BAD_MSG ||
           code == RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED || code == RD_KAFKA_RESP_ERR_INVALID_MSG ||
           code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
}

static void take_unreadable(struct kafka_source *s, const rd_kafka_message_t *m)
{
    struct err e;
    (void)err_set(
        &e, RC_IO,
        "%s: partition %d cannot be read any further: %s; to skip what is damaged, stop all "
        "members of the group %s and move its offset (kafka-consumer-groups "
        "--reset-offsets)",
        s->cfg.url->name, (int)m->partition, rd_kafka_message_errstr(m), s->cfg.url->group);
    kafka_source_break(s, &e);
}

static void take_error(struct kafka_source *s, const rd_kafka_message_t *m)
{
    struct err e;
    char text[512] = "";
    rd_kafka_resp_err_t code = m->err;
    if (is_unreadable(code)) {
        take_unreadable(s, m);
        return;
    }
    if (!is_lasting(code)) {
        log_msg(s->cfg.log, LOG_LEVEL_INFO, s->cfg.url->name, "%s", rd_kafka_message_errstr(m));
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(s->client.handle, text, sizeof text);
    if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        (void)err_set(&e, RC_BUSY,
                      "%s: another process has joined the group %s as instance %s%s; give each "
                      "worker its own instance=NAME",
                      s->cfg.url->name, s->cfg.url->group, s->cfg.url->instance,
                      s->cfg.has_host_name ? ", the name of this host" : "");
    else
        (void)kafka_client_error(&s->client, code, text[0] ? text : rd_kafka_message_errstr(m),
                                 "cannot read", &e);
    kafka_source_break(s, &e);
}

/* With a full queue nothing is fetched, but the group still hears of this member. */
static void keep_room(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    /* What has been fetched may still come after a pause: has_room() waits for room for each of it. */
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
    bool has = s->n + 1 < KAFKA_QUEUE_MESSAGES; /* for take_message(), which may add two entries */
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

/* ---- the end --------------------------------------------------------------------------------- */

/* Which partitions of others are settled, is known from what the group has committed. */
static void ask_others(struct kafka_source *s)
{
    if (kafka_source_now(s) - s->asked_us < ASK_US)
        return;
    pthread_mutex_lock(&s->lock);
    rd_kafka_topic_partition_list_t *list = list_of(s, awaits_others);
    pthread_mutex_unlock(&s->lock);
    if (list && list->cnt && !rd_kafka_committed(s->client.handle, list, PROBE_MS)) {
        pthread_mutex_lock(&s->lock);
        for (int i = 0; i < list->cnt; i++) {
            struct kafka_part *p = kafka_source_part(s, &list->elems[i]);
            if (p && !list->elems[i].err)
                p->end_is_committed |= list->elems[i].offset >= p->end;
        }
        pthread_mutex_unlock(&s->lock);
    }
    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    s->asked_us = kafka_source_now(s);
}

static void report_others(struct kafka_source *s, size_t n)
{
    if (s->has_told_others || !n || kafka_source_now(s) - s->began_us < TELL_S * SECOND_US)
        return;
    s->has_told_others = true;
    log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
            "waiting until other members of the group %s have done %zu partition%s",
            s->cfg.url->group, n, n == 1 ? "" : "s");
}

/* Whoever has something to publish or to commit at the end does not wait for others, who may wait for it. */
static bool waits_for_others(const struct kafka_source *s)
{
    if (s->holds_back)
        return false;
    return s->cfg.commits != SOURCE_COMMITS_AT_END || kafka_offsets_read(s->offsets) == 0;
}

static void find_end(struct kafka_source *s)
{
    if (s->cfg.has_no_end)
        return;
    pthread_mutex_lock(&s->lock);
    bool is_read = !s->has_ended && !s->n && !kafka_source_count(s, is_open);
    bool waits = waits_for_others(s);
    pthread_mutex_unlock(&s->lock);
    if (!is_read)
        return;
    if (waits)
        ask_others(s);
    pthread_mutex_lock(&s->lock);
    /* Since it was unlocked, nothing has been added to the queue: only this thread does that. */
    size_t n = waits ? kafka_source_count(s, awaits_others) : 0;
    bool is_assigned = s->is_assigned;
    if (!n && (is_assigned || waits)) {
        s->has_ended = true;
        (void)pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    if (is_assigned)
        report_others(s, n);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void check_assignment(struct kafka_source *s)
{
    struct err e;
    pthread_mutex_lock(&s->lock);
    bool waits = !s->is_assigned && !s->has_ended;
    pthread_mutex_unlock(&s->lock);
    if (s->down_since_us) /* the group can say nothing */
        s->waits_since_us = kafka_source_now(s);
    int64_t waited_us = kafka_source_now(s) - s->waits_since_us;
    if (!waits || s->down_since_us)
        return;
    if (waited_us >= ASSIGNMENT_S * SECOND_US) {
        (void)err_set(&e, RC_NET,
                      "%s: the group %s has not said within %d seconds which partitions are for "
                      "this run; no offset was committed for what it has not done: run it again",
                      s->cfg.url->name, s->cfg.url->group, ASSIGNMENT_S);
        kafka_source_break(s, &e);
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
        s->down_since_us = kafka_source_now(s);
    bool is_refused = s->client.last == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
                      s->client.last == RD_KAFKA_RESP_ERR__SSL;
    if (!is_refused && kafka_source_now(s) - s->down_since_us < s->cfg.retry_max_ms * 1000)
        return;
    (void)kafka_client_error(&s->client, code, NULL, "cannot read", &e);
    kafka_source_break(s, &e);
}

static void commit_settled(struct kafka_source *s)
{
    struct err e;
    if (s->cfg.commits != SOURCE_COMMITS_SETTLED ||
        kafka_source_now(s) - s->committed_us < COMMIT_US)
        return;
    s->committed_us = kafka_source_now(s);
    if (kafka_source_has_done(s) && kafka_source_commit(s, &e) != RC_OK)
        log_msg(s->cfg.log, LOG_LEVEL_INFO, NULL, "%s",
                e.msg); /* tried again, at the end at last */
}

static bool is_taken_up(const struct kafka_part *p)
{
    return p->is_held && p->taken_up != KAFKA_OFFSET_NONE;
}

/* Others may wait until the group has it. If it fails, it is tried again; record() insists on it. */
static void commit_taken_up(struct kafka_source *s)
{
    struct err e;
    pthread_mutex_lock(&s->lock);
    bool has = kafka_source_count(s, is_taken_up) > 0;
    pthread_mutex_unlock(&s->lock);
    if (!has || kafka_source_now(s) - s->taken_up_us < ASK_US)
        return;
    s->taken_up_us = kafka_source_now(s);
    if (kafka_source_commit_taken_up(s, 0, &e) != RC_OK)
        log_msg(s->cfg.log, LOG_LEVEL_INFO, NULL, "%s", e.msg);
}

static bool has_left(rd_kafka_t *handle)
{
    char *id = rd_kafka_memberid(handle);
    bool has = !id || !*id;
    rd_kafka_mem_free(handle, id);
    return has;
}

/* rd_kafka_consumer_close() leaves the group only if the member is a dynamic one; rd_kafka_unsubscribe() always does, once
 * the partitions have been given back. It is the last thing that the member does, so nothing is waited for if it fails. */
static void leave_group(struct kafka_source *s)
{
    rd_kafka_t *handle = s->client.handle;
    int64_t until_us = kafka_source_now(s) + LEAVE_US;
    if (rd_kafka_fatal_error(handle, NULL, 0) || has_left(handle) || rd_kafka_unsubscribe(handle))
        return;
    while (!has_left(handle) && kafka_source_now(s) < until_us) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(handle, LEAVE_TICK_MS);
        if (m)
            rd_kafka_message_destroy(m);
    }
}

void *kafka_member_main(void *source)
{
    struct kafka_source *s = source;
    while (!kafka_source_is_over(s)) {
        poll_once(s);
        check_outage(s);
        check_assignment(s);
        commit_settled(s);
        commit_taken_up(s);
        find_end(s);
    }
    if (s->cfg.has_host_name)
        leave_group(s);
    (void)rd_kafka_consumer_close(s->client.handle);
    if (!s->was_assigned)
        kafka_client_leave(&s->client);
    return NULL;
}
