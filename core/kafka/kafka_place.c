#include "core/kafka/kafka_place.h"

#include <stdlib.h>

struct offset {
    int32_t partition;
    int64_t offset;
};

static void add_piece(struct buf *out, const void *bytes, size_t n)
{
    uint32_t len = (uint32_t)n;
    buf_add(out, &len, sizeof len);
    buf_add(out, bytes, n);
}

static bool take(struct str *rest, void *out, size_t n)
{
    if (rest->len < n)
        return false;
    memcpy(out, rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    return true;
}

static bool take_piece(struct str *rest, struct str *out)
{
    uint32_t len;
    if (!take(rest, &len, sizeof len) || rest->len < len)
        return false;
    *out = (struct str){rest->ptr, len};
    rest->ptr += len;
    rest->len -= len;
    return true;
}

enum rc kafka_place_write(struct buf *out, const rd_kafka_consumer_group_metadata_t *member,
                          const rd_kafka_topic_partition_list_t *offsets)
{
    void *bytes = NULL;
    size_t n = 0;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(member, &bytes, &n);
    if (error) {
        rd_kafka_error_destroy(error);
        return RC_IO;
    }
    add_piece(out, bytes, n);
    for (int i = 0; i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &offsets->elems[i];
        const struct offset o = {p->partition, p->offset};
        add_piece(out, p->topic, strlen(p->topic) + 1);
        buf_add(out, &o, sizeof o);
    }
    free(bytes);
    return RC_OK;
}

static enum rc take_offset(struct str *rest, rd_kafka_topic_partition_list_t *list)
{
    struct str topic;
    struct offset o;
    if (!take_piece(rest, &topic) || !topic.len || topic.ptr[topic.len - 1] ||
        !take(rest, &o, sizeof o))
        return RC_INTERNAL;
    rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, topic.ptr, o.partition);
    if (!p)
        return RC_NOMEM;
    p->offset = o.offset;
    return RC_OK;
}

enum rc kafka_place_read(struct str place, rd_kafka_consumer_group_metadata_t **member,
                         rd_kafka_topic_partition_list_t **offsets)
{
    struct str bytes;
    rd_kafka_consumer_group_metadata_t *m = NULL;
    if (!take_piece(&place, &bytes))
        return RC_INTERNAL;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_read(&m, bytes.ptr, bytes.len);
    if (error) {
        rd_kafka_error_destroy(error);
        return RC_INTERNAL;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    enum rc rc = list ? RC_OK : RC_NOMEM;
    while (rc == RC_OK && place.len)
        rc = take_offset(&place, list);
    if (rc != RC_OK) {
        if (list)
            rd_kafka_topic_partition_list_destroy(list);
        rd_kafka_consumer_group_metadata_destroy(m);
        return rc;
    }
    *member = m;
    *offsets = list;
    return RC_OK;
}
