/* A client of a Kafka cluster: a thin layer over a handle of librdkafka. Its messages go to the log of the run, its
 * errors become texts in plain words, and secrets are in neither.
 *
 * Errors: RC_NET: the cluster was not reached in time; RC_AUTH: it refuses the credentials, or an operation; RC_TLS;
 * RC_STOPPED: the run was stopped meanwhile; RC_USAGE: a property is wrong; RC_NOMEM; RC_IO: any other error of the
 * cluster. One thread at a time. */
#ifndef LEADPIPE_KAFKA_CLIENT_H
#define LEADPIPE_KAFKA_CLIENT_H

/* Calls of librdkafka that are macros with a variable number of arguments are not used. */
#include <librdkafka/rdkafka.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/secrets.h"
#include "core/base/stop_timer.h"
#include "core/kafka/kafka_property.h"

struct kafka_client_cfg {
    const char *
        subject; /* for messages; kept by the caller, as all that is pointed to from here to `stop` */
    const struct log_hook *log;
    struct secrets *secrets;
    const struct clock *clock;
    const struct stop_timer *stop; /* of the run, or NULL */
    const char *brokers;
    /* The user's properties, then those of the caller, which go before them. Copied by librdkafka. */
    const struct kafka_property *properties;
    size_t n_properties;
    const struct kafka_property *own;
    size_t n_own;
    bool is_consumer;
    /* Of a producer: what became of a message; in kafka_client_serve() and calls that wait. */
    void (*delivered)(void *ctx, const rd_kafka_message_t *m);
    /* Of a consumer: partitions are given or taken, as rd_kafka_conf_set_rebalance_cb() says; within
     * rd_kafka_consumer_poll() and rd_kafka_consumer_close(). NULL: it is no member of a group. */
    void (*rebalance)(void *ctx, rd_kafka_t *handle, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list);
    void *ctx;
};

struct kafka_client {
    struct kafka_client_cfg cfg;
    rd_kafka_t *handle;
    rd_kafka_resp_err_t last; /* why a broker could not be talked to, as far as is known */
    char last_text[512];
    bool is_served; /* by another thread, as a member of a group is: calls that wait only wait */
};

enum rc kafka_client_open(struct kafka_client *c, const struct kafka_client_cfg *cfg,
                          struct err *e);
void kafka_client_close(struct kafka_client *c); /* a zeroed one, too */

/* Serves reports and errors; waits for one at most `ms`. */
void kafka_client_serve(struct kafka_client *c, int ms);

/* Writes the text of an error of librdkafka, with what was to be done ("cannot commit"), and returns its code. */
enum rc kafka_client_error(const struct kafka_client *c, rd_kafka_resp_err_t code, const char *text,
                           const char *what, struct err *e);

/* The property's value as librdkafka has it, where the user may have set it; `otherwise` where it is no number. */
int64_t kafka_client_number(const struct kafka_property *properties, size_t n, const char *name,
                            int64_t otherwise);

/* ---- what is in the cluster ------------------------------------------------------------------- */

struct kafka_topic_facts {
    bool exists;
    int n_partitions;
    int64_t message_bytes_max; /* max.message.bytes of the topic; 0: it is not known */
};

/* Asks until there is an answer, at most `wait_ms`. A topic that does not exist is not made, if the client is a
 * consumer. */
enum rc kafka_client_topic(struct kafka_client *c, const char *topic, int64_t wait_ms,
                           struct kafka_topic_facts *out, struct err *e);

/* The first offset of a partition and the one behind its last message, as a reader sees them now. */
enum rc kafka_client_ends(struct kafka_client *c, const char *topic, int32_t partition,
                          int64_t wait_ms, int64_t *first, int64_t *end, struct err *e);

/* Of a member of a group: commits the offsets of `list`, which may be empty. RC_BUSY: the group has given a partition to
 * another member meanwhile. */
enum rc kafka_client_commit(struct kafka_client *c, rd_kafka_topic_partition_list_t *list,
                            int64_t wait_ms, struct err *e);

/* Of a consumer: the offset that its group has committed in partition 0 of a topic; -1: none. */
enum rc kafka_client_committed(struct kafka_client *c, const char *topic, int64_t wait_ms,
                               int64_t *out, struct err *e);

#endif
