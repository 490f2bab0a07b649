/* Messages of a Kafka topic as IDs, as a member of a consumer group (core/source.h).
 *
 * The end of each partition is looked up when the source is opened: there it ends, whatever is written meanwhile. It
 * has come to its end when all partitions that it holds were read up to there; and, where offsets are committed during
 * the run, when the other members have committed theirs, since a member that dies leaves its partitions to this one.
 *
 * A thread of its own talks to the cluster, so that the group does not lose a member whose run has to wait for a slow
 * server. When the group takes a partition away, what was read from it is done and committed first. */
#ifndef LEADPIPE_KAFKA_SOURCE_H
#define LEADPIPE_KAFKA_SOURCE_H

#include "core/kafka/kafka_client.h"
#include "core/kafka/kafka_url.h"
#include "core/source/ids.h"

struct kafka_source_cfg {
    const struct kafka_url *url; /* kept by the caller, as all that is pointed to */
    const struct ids_cfg *ids;   /* the column, the profile and the defaults */
    int64_t retry_max_ms;        /* how long brokers that do not answer are waited for */
    struct secrets *secrets;
    const struct log_hook *log;
    const struct clock *clock;
    const struct stop_timer *stop;
    enum source_commits commits;
};

/* Joins the group. RC_USAGE: there is no such topic, or a wrong property or --param; others as kafka_client.h. */
enum rc kafka_source_open(struct id_source **out, const struct kafka_source_cfg *cfg,
                          const struct source_wait *wait, struct err *e);

/* Do the brokers answer, and is there such a topic? Joins no group. Errors as above. */
enum rc kafka_source_check(const struct kafka_source_cfg *cfg, int64_t wait_ms, struct err *e);

#endif
