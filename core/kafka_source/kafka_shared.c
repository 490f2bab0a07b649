/* What the files of the source share. */
#include <poll.h>

#include "core/kafka_source/kafka_source_internal.h"

int64_t kafka_source_now(const struct kafka_source *s)
{
    return clock_mono_us(s->cfg.clock);
}

void kafka_source_break(struct kafka_source *s, const struct err *e)
{
    pthread_mutex_lock(&s->lock);
    kafka_source_fail(s, e);
    pthread_mutex_unlock(&s->lock);
}

bool kafka_source_is_over(struct kafka_source *s)
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

void kafka_source_push(struct kafka_source *s, const struct kafka_entry *entry)
{
    s->queue[(s->at + s->n++) % KAFKA_QUEUE_MESSAGES] = *entry;
    if (entry->message)
        s->n_bytes += entry->message->len + entry->message->key_len;
    (void)pthread_cond_broadcast(&s->changed);
}

size_t kafka_source_count(const struct kafka_source *s, bool (*has)(const struct kafka_part *p))
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_partitions; i++)
        n += has(&s->parts[i]);
    return n;
}

struct kafka_part *kafka_source_part(struct kafka_source *s, const rd_kafka_topic_partition_t *p)
{
    bool is_ours = strcmp(p->topic, s->cfg.url->topic) == 0 && p->partition >= 0 &&
                   (size_t)p->partition < s->n_partitions;
    return is_ours ? &s->parts[p->partition] : NULL;
}
