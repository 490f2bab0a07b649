/* Which offsets are committed, and that. */
#include "core/kafka/kafka_place.h"
#include "core/kafka_source/kafka_source_internal.h"

void kafka_source_fail(struct kafka_source *s, const struct err *why)
{
    if (s->failed != RC_OK)
        return;
    s->failed = why->rc;
    s->why = *why;
    (void)pthread_cond_broadcast(&s->changed);
}

static bool is_new(const struct kafka_source *s, size_t i)
{
    const struct kafka_part *p = &s->parts[i];
    return p->is_held && s->places[i] != KAFKA_OFFSET_NONE && s->places[i] > p->committed;
}

bool kafka_source_has_done(struct kafka_source *s)
{
    bool has = false;
    pthread_mutex_lock(&s->lock);
    kafka_offsets_place(s->offsets, kafka_offsets_done(s->offsets), s->places);
    for (size_t i = 0; i < s->n_partitions && !has; i++)
        has = is_new(s, i);
    pthread_mutex_unlock(&s->lock);
    return has;
}

/* Under the lock. NULL: out of memory. */
static rd_kafka_topic_partition_list_t *list_done(struct kafka_source *s, uint64_t n)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)s->n_partitions + 1);
    if (!list)
        return NULL;
    kafka_offsets_place(s->offsets, n, s->places);
    for (size_t i = 0; i < s->n_partitions; i++) {
        s->parts[i].placed = KAFKA_OFFSET_NONE;
        if (!is_new(s, i))
            continue;
        rd_kafka_topic_partition_t *p =
            rd_kafka_topic_partition_list_add(list, s->cfg.url->topic, (int32_t)i);
        if (p)
            p->offset = s->parts[i].placed = s->places[i];
    }
    return list;
}

/* Not where the partition has gone to others, or back, meanwhile: see set_held() and begin_again(). Under the lock. */
static void note_committed(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_part *p = &s->parts[list->elems[i].partition];
        int64_t offset = list->elems[i].offset;
        if (p->is_held && p->placed == offset && p->committed < offset)
            p->committed = offset;
    }
}

/* Who the member is comes first: should it lose a partition meanwhile, the cluster refuses what a former one commits. */
static enum rc write_place(struct kafka_source *s, uint64_t item,
                           const rd_kafka_consumer_group_metadata_t *member, struct buf *out,
                           struct err *e)
{
    pthread_mutex_lock(&s->lock);
    enum rc rc = s->failed;
    if (rc != RC_OK)
        *e = s->why;
    rd_kafka_topic_partition_list_t *list = list_done(s, kafka_offsets_extend(s->offsets, item));
    pthread_mutex_unlock(&s->lock);
    if (!list)
        return err_nomem(e);
    if (rc == RC_OK && list->cnt && kafka_place_write(out, member, list) != RC_OK)
        rc =
            err_set(e, RC_IO, "%s: cannot say which member of the group this is", s->cfg.url->name);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

enum rc kafka_source_place(struct kafka_source *s, uint64_t item, struct buf *out, struct err *e)
{
    rd_kafka_consumer_group_metadata_t *member = rd_kafka_consumer_group_metadata(s->client.handle);
    if (!member)
        return err_nomem(e);
    enum rc rc = write_place(s, item, member, out, e);
    rd_kafka_consumer_group_metadata_destroy(member);
    return rc;
}

/* Repeats that were settled since kafka_source_place() are done, too, but not committed. */
void kafka_source_placed(struct kafka_source *s, uint64_t item)
{
    pthread_mutex_lock(&s->lock);
    kafka_offsets_settle_to(s->offsets, item);
    for (size_t i = 0; i < s->n_partitions; i++) {
        struct kafka_part *p = &s->parts[i];
        if (p->is_held && p->committed < p->placed)
            p->committed = p->placed;
        p->placed = KAFKA_OFFSET_NONE;
    }
    (void)pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static enum rc commit_done(struct kafka_source *s, struct err *e)
{
    /* The member's thread writes into the client why brokers cannot be talked to. */
    struct kafka_client client = {
        .cfg = s->client.cfg, .handle = s->client.handle, .is_served = true};
    pthread_mutex_lock(&s->lock);
    enum rc rc = s->failed;
    if (rc != RC_OK)
        *e = s->why;
    rd_kafka_topic_partition_list_t *list = list_done(s, kafka_offsets_done(s->offsets));
    pthread_mutex_unlock(&s->lock);
    if (!list)
        return err_nomem(e);
    if (rc == RC_OK)
        rc = kafka_client_commit(&client, list, s->cfg.retry_max_ms, e);
    pthread_mutex_lock(&s->lock);
    if (rc == RC_OK)
        note_committed(s, list);
    pthread_mutex_unlock(&s->lock);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* Under the lock. NULL: out of memory. */
static rd_kafka_topic_partition_list_t *list_taken_up(const struct kafka_source *s)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)s->n_partitions + 1);
    for (size_t i = 0; list && i < s->n_partitions; i++) {
        const struct kafka_part *p = &s->parts[i];
        rd_kafka_topic_partition_t *one =
            p->is_held && p->taken_up != KAFKA_OFFSET_NONE
                ? rd_kafka_topic_partition_list_add(list, s->cfg.url->topic, (int32_t)i)
                : NULL;
        if (one)
            one->offset = p->taken_up;
    }
    return list;
}

/* Under the lock. */
static void note_taken_up(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_part *p = &s->parts[list->elems[i].partition];
        if (!p->is_held || p->taken_up != list->elems[i].offset)
            continue;
        p->taken_up = KAFKA_OFFSET_NONE;
        if (p->committed < list->elems[i].offset)
            p->committed = list->elems[i].offset;
    }
}

enum rc kafka_source_commit_taken_up(struct kafka_source *s, int64_t wait_ms, struct err *e)
{
    struct kafka_client client = {
        .cfg = s->client.cfg, .handle = s->client.handle, .is_served = true};
    pthread_mutex_lock(&s->committing);
    pthread_mutex_lock(&s->lock);
    rd_kafka_topic_partition_list_t *list = list_taken_up(s);
    pthread_mutex_unlock(&s->lock);
    if (!list) {
        pthread_mutex_unlock(&s->committing);
        return err_nomem(e);
    }
    enum rc rc = kafka_client_commit(&client, list, wait_ms, e);
    pthread_mutex_lock(&s->lock);
    if (rc == RC_OK)
        note_taken_up(s, list);
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&s->committing);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* One at a time: what is sent again after an error must not undo what another thread has committed meanwhile. */
enum rc kafka_source_commit(struct kafka_source *s, struct err *e)
{
    pthread_mutex_lock(&s->committing);
    enum rc rc = commit_done(s, e);
    pthread_mutex_unlock(&s->committing);
    return rc;
}
