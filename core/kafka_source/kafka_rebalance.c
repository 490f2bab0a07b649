/* What the group says: which partitions this member gets, and which go to others. */
#include <stdio.h>
#include <time.h>

#include "core/kafka_source/kafka_source_internal.h"

#define POLL_INTERVAL_MS 300000 /* librdkafka's max.poll.interval.ms */

static bool is_held(const struct kafka_part *p)
{
    return p->is_held;
}

static bool is_cooperative(rd_kafka_t *handle)
{
    const char *protocol = rd_kafka_rebalance_protocol(handle);
    return protocol && strcmp(protocol, "COOPERATIVE") == 0;
}

/* A run with an end leaves them to the next one. */
static void refuse_new_partitions(struct kafka_source *s)
{
    struct err e;
    (void)err_set(&e, RC_IO,
                  "%s: the topic has more partitions than when this run was started: start it "
                  "again to read them",
                  s->cfg.url->name);
    kafka_source_break(s, &e);
}

/* What is known from an earlier time in which the partitions were held no longer counts; under the lock. */
static void set_held(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list,
                     bool is_held)
{
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_part *p = kafka_source_part(s, &list->elems[i]);
        if (!p)
            continue;
        kafka_offsets_forget(s->offsets, (size_t)list->elems[i].partition);
        p->is_held = is_held;
        p->is_read = false;
        p->has_items = false;
        p->next = 0;
        p->committed = p->placed = p->began = p->from = p->taken_up = p->recorded =
            KAFKA_OFFSET_NONE;
    }
}

static void take_over(struct kafka_source *s, rd_kafka_topic_partition_list_t *list)
{
    bool has_new = false;
    pthread_mutex_lock(&s->lock);
    set_held(s, list, true);
    for (int i = 0; i < list->cnt; i++)
        has_new |= !kafka_source_part(s, &list->elems[i]);
    s->is_assigned = true;
    pthread_mutex_unlock(&s->lock);
    s->was_assigned = true;
    if (has_new && s->cfg.has_no_end)
        refuse_new_partitions(s);
    if (s->cfg.is_recorded)
        kafka_source_continue(s, list);
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
            kafka_source_push(s, &entry);
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
        const struct kafka_part *p = kafka_source_part(s, &list->elems[i]);
        if (p && s->cfg.commits == SOURCE_COMMITS_AT_END)
            has |= p->has_items && !s->commit_ended;
        else if (p)
            has |= kafka_offsets_waits(s->offsets, (size_t)list->elems[i].partition, done);
    }
    return has;
}

/* Waits until what was read so far is done and committed, as long as the group allows. */
static bool finish_work(struct kafka_source *s)
{
    const struct kafka_url *u = s->cfg.url;
    int64_t until_us = kafka_source_now(s) +
                       INT64_C(500) * kafka_client_number(u->properties, u->n_properties,
                                                          "max.poll.interval.ms", POLL_INTERVAL_MS);
    bool is_done = false;
    pthread_mutex_lock(&s->lock);
    uint64_t target = kafka_offsets_read(s->offsets);
    pthread_mutex_unlock(&s->lock);
    if (s->cfg.commits == SOURCE_COMMITS_BY_SINK)
        atomic_store_explicit(&s->awaited, target, memory_order_relaxed);
    while (!is_done && !kafka_source_is_over(s) && kafka_source_now(s) < until_us) {
        struct err e;
        struct timespec tick;
        pthread_mutex_lock(&s->lock);
        bool at_end = s->cfg.commits == SOURCE_COMMITS_AT_END;
        bool is_ready = at_end ? s->commit_ended : kafka_offsets_done(s->offsets) >= target;
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
        is_done = is_ready &&
                  (s->cfg.commits != SOURCE_COMMITS_SETTLED || kafka_source_commit(s, &e) == RC_OK);
        if (is_ready && !is_done)
            break;
    }
    atomic_store_explicit(&s->awaited, 0, memory_order_relaxed);
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
                  "were committed, and others do them; nothing of them was published here: run it "
                  "again",
                  s->cfg.url->name, s->cfg.url->group);
    kafka_source_break(s, &e);
}

/* Where offsets are committed at the end, the run ends here: it publishes what it has, and others continue. */
static void end_early(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_first = !s->has_ended;
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
    enum source_commits commits = s->cfg.commits;
    pthread_mutex_lock(&s->lock);
    drop_queued(s, list);
    bool works = has_work(s, list);
    bool is_closing = s->is_closing;
    pthread_mutex_unlock(&s->lock);
    if (is_closing)
        return;
    if (works && !is_lost && commits == SOURCE_COMMITS_AT_END)
        end_early(s);
    bool is_done = works && !is_lost && finish_work(s);
    if (works && !is_done && !kafka_source_is_over(s))
        give_up_work(s);
    else if (!works && !is_lost &&
             commits == SOURCE_COMMITS_SETTLED) /* if it fails, the others do some of it again */
        (void)kafka_source_commit(s, &e);
}

static void let_go(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
    pthread_mutex_lock(&s->lock);
    set_held(s, list, false);
    s->is_assigned = kafka_source_count(s, is_held) > 0;
    pthread_mutex_unlock(&s->lock);
    s->waits_since_us = kafka_source_now(s);
    s->has_told = false;
}

/* All partitions that are read are paused, or none of them: keep_room(). One that was held before may be in either state. */
static void join_others(const struct kafka_source *s, rd_kafka_t *handle,
                        rd_kafka_topic_partition_list_t *list)
{
    if (s->is_paused)
        (void)rd_kafka_pause_partitions(handle, list);
    else
        (void)rd_kafka_resume_partitions(handle, list);
}

static void report(struct kafka_source *s, rd_kafka_resp_err_t code, rd_kafka_error_t *error)
{
    struct err e;
    if (error)
        code = rd_kafka_error_code(error);
    if (code) {
        (void)kafka_client_error(&s->client, code, error ? rd_kafka_error_string(error) : NULL,
                                 "cannot take what the group gives", &e);
        kafka_source_break(s, &e);
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
    if (gives)
        join_others(s, handle, list);
}
