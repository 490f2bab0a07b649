/* Where a member of a group is, as text that one room makes and another one commits: the offsets of partitions, and who
 * the member is, so that the cluster refuses what is no longer its own. */
#ifndef LEADPIPE_KAFKA_PLACE_H
#define LEADPIPE_KAFKA_PLACE_H

#include <librdkafka/rdkafka.h>

#include "core/base/buf.h"

/* Appends. Errors stick in `out`; RC_IO: librdkafka cannot say who the member is. */
enum rc kafka_place_write(struct buf *out, const rd_kafka_consumer_group_metadata_t *member,
                          const rd_kafka_topic_partition_list_t *offsets);

/* Both are the caller's to destroy. RC_INTERNAL: it is none; RC_NOMEM. */
enum rc kafka_place_read(struct str place, rd_kafka_consumer_group_metadata_t **member,
                         rd_kafka_topic_partition_list_t **offsets);

#endif
