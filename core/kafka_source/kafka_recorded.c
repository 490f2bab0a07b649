/* What a sink records of the messages that a run has read, and where a run continues by such records. */
#include <stdio.h>

#include "core/kafka/kafka_extent.h"
#include "core/kafka_source/kafka_source_internal.h"

/* ---- before reading -------------------------------------------------------------------------- */

static enum rc check_record(const struct kafka_source *s, struct str record, struct err *e)
{
    if (kafka_extents_are_valid(record))
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "%s: what an earlier run has recorded of the topic is malformed (allowed: "
                   "PARTITION:FROM-TO, such as 0:0-20 2:5-9)",
                   s->cfg.url->name);
}

/* Of each partition the latest record counts: later runs have read on from there. */
enum rc kafka_source_recall(struct kafka_source *s, struct str record, bool is_confirmed,
                            struct err *e)
{
    struct kafka_extent x;
    enum rc rc = check_record(s, record, e);
    while (rc == RC_OK && kafka_extent_take(&record, &x)) {
        struct kafka_part *p =
            (size_t)x.partition < s->n_partitions ? &s->parts[x.partition] : NULL;
        if (!p || p->recalled.is_there)
            continue;
        p->recalled.is_there = true;
        p->recalled.is_confirmed = is_confirmed;
        p->recalled.from = x.from;
        p->recalled.to = x.to;
    }
    return rc;
}

/* A run was cut off between its two commits, if the group is where that run began. Behind the end of the partition the record
 * is of another topic that had the name. */
static bool continues(const struct kafka_part *p, int64_t committed)
{
    return p->recalled.is_there && !p->recalled.is_confirmed && p->recalled.from == committed &&
           p->recalled.to <= p->end;
}

static void report_taken_up(const struct kafka_source *s, size_t partition, int64_t from,
                            int64_t to)
{
    log_msg(s->cfg.log, LOG_LEVEL_WARN, s->cfg.url->name,
            "partition %zu continues at offset %lld, up to which an earlier run has exported its "
            "leads; it was cut off before it could commit that to the group %s (committed: %lld)",
            partition, (long long)to, s->cfg.url->group, (long long)from);
}

void kafka_source_continue(struct kafka_source *s, rd_kafka_topic_partition_list_t *list)
{
    struct err e;
    enum rc rc = kafka_client_committed(&s->client, s->cfg.url->topic, s->n_partitions,
                                        s->cfg.retry_max_ms, s->group_has, &e);
    if (rc != RC_OK) {
        kafka_source_break(s, &e);
        return;
    }
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_part *p = kafka_source_part(s, &list->elems[i]);
        if (!p)
            continue;
        size_t partition = (size_t)list->elems[i].partition;
        int64_t committed = s->group_has[partition];
        bool is_taken_up = continues(p, committed);
        pthread_mutex_lock(&s->lock);
        p->from = is_taken_up ? p->recalled.to : committed;
        p->taken_up = is_taken_up ? p->recalled.to : KAFKA_OFFSET_NONE;
        pthread_mutex_unlock(&s->lock);
        if (p->from != KAFKA_OFFSET_NONE) /* else auto.offset.reset says where */
            list->elems[i].offset = p->from;
        if (is_taken_up)
            report_taken_up(s, partition, committed, p->from);
    }
}

/* ---- at the end ------------------------------------------------------------------------------ */

/* The group has committed nothing of the partition, or what is not there. It gets the first message that was read: Kafka
 * drops what is committed when the topic is deleted, so that a record can never be taken for one of a new topic, whose
 * first messages nobody has read. */
static void begin_at_first(struct kafka_part *p)
{
    bool is_known = p->from != KAFKA_OFFSET_NONE && p->from <= p->began;
    if (!p->is_held || p->began == KAFKA_OFFSET_NONE || is_known)
        return;
    p->from = p->taken_up = p->began;
}

/* What is committed later is what was recorded: nothing more is read. The group must be where this record begins. */
enum rc kafka_source_record(struct kafka_source *s, struct buf *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_partitions; i++)
        begin_at_first(&s->parts[i]);
    pthread_mutex_unlock(&s->lock);
    enum rc rc = kafka_source_commit_taken_up(s, s->cfg.retry_max_ms, e);
    if (rc != RC_OK)
        return rc;
    pthread_mutex_lock(&s->lock);
    rc = s->failed;
    if (rc != RC_OK)
        *e = s->why;
    kafka_offsets_place(s->offsets, kafka_offsets_read(s->offsets), s->places);
    for (size_t i = 0; rc == RC_OK && i < s->n_partitions; i++) {
        struct kafka_part *p = &s->parts[i];
        const struct kafka_extent x = {(int32_t)i, p->from, s->places[i]};
        if (!p->is_held || x.from == KAFKA_OFFSET_NONE || x.to <= x.from)
            continue;
        p->recorded = x.to;
        kafka_extent_put(out, &x);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc == RC_OK && out->len > KAFKA_EXTENTS_BYTES_MAX)
        rc = err_set(e, RC_IO, "%s: has more partitions than can be recorded", s->cfg.url->name);
    return rc;
}

/* What was recorded is forgotten with a partition that is lost, which others may have done by now: that is a failure, too. A
 * merge may be repeated long after the first one, if the database was away. */
enum rc kafka_source_compare(struct kafka_source *s, struct str record, struct err *e)
{
    struct kafka_extent x;
    bool overlaps = false;
    enum rc rc = check_record(s, record, e);
    pthread_mutex_lock(&s->lock);
    if (rc == RC_OK && s->failed != RC_OK) {
        rc = s->failed;
        *e = s->why;
    }
    while (rc == RC_OK && !overlaps && kafka_extent_take(&record, &x)) {
        const struct kafka_part *p =
            (size_t)x.partition < s->n_partitions ? &s->parts[x.partition] : NULL;
        const struct kafka_extent own = {x.partition, p ? p->from : 0, p ? p->recorded : 0};
        overlaps = p && p->recorded != KAFKA_OFFSET_NONE && kafka_extents_overlap(&own, &x);
    }
    pthread_mutex_unlock(&s->lock);
    if (!overlaps)
        return rc;
    return err_set(
        e, RC_BUSY,
        "%s: another run of the group %s has exported messages of partition %d that this "
        "run has read, too; nothing was published: run it again",
        s->cfg.url->name, s->cfg.url->group, (int)x.partition);
}
