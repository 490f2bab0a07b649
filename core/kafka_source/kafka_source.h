/* A source of IDs (core/source.h) that reads messages of a Kafka topic, as a member of a consumer group.
 *
 * Unless it has no end, the end of each partition is looked up when the source is opened, and the source stops there,
 * whatever is written meanwhile. It has ended when all partitions that it holds have been read up to their ends; and, if offsets are committed
 * during the run, when the other members have committed theirs, because a member that dies leaves its partitions to this
 * one.
 *
 * A thread of its own talks to the cluster, so that the group does not remove a member whose run has to wait for a slow
 * server. Before the group takes a partition away, what was read from it is finished and committed. */
#ifndef LEADPIPE_KAFKA_SOURCE_H
#define LEADPIPE_KAFKA_SOURCE_H

#include "core/kafka/kafka_client.h"
#include "core/kafka/kafka_url.h"
#include "core/source/ids.h"

struct kafka_source_cfg {
    const struct kafka_url *url; /* the caller keeps this and all other pointers alive */
    const struct ids_cfg *ids;   /* the column, the profile and the defaults */
    int64_t retry_max_ms;        /* how long to wait for brokers that do not answer */
    struct secrets *secrets;
    const struct log_hook *log;
    const struct clock *clock;
    const struct stop_timer *stop;
    enum source_commits commits; /* not at the end, if it has no end */
    bool
        is_recorded; /* the group is not joined before recall() and begin() of struct id_source_ops; commits at the end */
    bool has_no_end; /* it goes on reading until it is closed */
    /* url->instance is the host's name, not one that the user has given: the member leaves the group when it ends, so that
     * its partitions need not wait for it until the session times out. */
    bool has_host_name;
};

/* Joins the group. RC_USAGE: the topic does not exist, or a property or --param is wrong; other errors as in
 * kafka_client.h. */
enum rc kafka_source_open(struct id_source **out, const struct kafka_source_cfg *cfg,
                          const struct source_wait *wait, struct err *e);

/* Checks that the brokers answer and the topic exists, for at most `wait_ms` milliseconds. Does not join the group. Errors as
 * above. */
enum rc kafka_source_check(const struct kafka_source_cfg *cfg, int64_t wait_ms, struct err *e);

#endif
