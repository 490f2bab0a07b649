/* A client of a Kafka cluster: a thin layer over a librdkafka handle. librdkafka's log goes to the run's log, and its
 * errors become messages in plain words; neither contains secrets.
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
        subject; /* for messages; the caller keeps this and all other pointers down to `stop` alive */
    const struct log_hook *log;
    struct secrets *secrets;
    const struct clock *clock;
    const struct stop_timer *stop; /* of the run, or NULL */
    const char *brokers;
    /* The user's properties, then the caller's own, which override them. librdkafka copies both. */
    const struct kafka_property *properties;
    size_t n_properties;
    const struct kafka_property *own;
    size_t n_own;
    const char *
        fenced; /* why the cluster fences off this client, for messages; NULL: its run was resumed */
    bool is_consumer;
    /* Producers only: a message was delivered, or failed. Called within kafka_client_serve() and calls that wait. */
    void (*delivered)(void *ctx, const rd_kafka_message_t *m);
    /* Consumers only: partitions are assigned or revoked, as rd_kafka_conf_set_rebalance_cb() says. Called within
     * rd_kafka_consumer_poll() and rd_kafka_consumer_close(). NULL: it is not a member of a group. */
    void (*rebalance)(void *ctx, rd_kafka_t *handle, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list);
    void *ctx;
};

struct kafka_client {
    struct kafka_client_cfg cfg;
    rd_kafka_t *handle;
    rd_kafka_resp_err_t last; /* the last connection error that librdkafka has reported; 0: none */
    char last_text[512];
    bool is_served; /* another thread serves it (members of groups), so calls that wait only wait */
    bool
        is_left; /* kafka_client_close() leaves the handle as it is; this struct has to stay, too */
};

enum rc kafka_client_open(struct kafka_client *c, const struct kafka_client_cfg *cfg,
                          struct err *e);
void kafka_client_close(struct kafka_client *c); /* may be all zero */

/* A member of a group that was closed without having got an assignment must not be destroyed: librdkafka before 2.3 may
 * call abort() then (a state of the cooperative-sticky assignor is not there yet). Notes this, where it is so, in is_left:
 * the handle and its threads then end with the process. */
void kafka_client_leave(struct kafka_client *c);

/* Runs the callbacks for delivery reports and errors; waits at most `ms` milliseconds for the first one. */
void kafka_client_serve(struct kafka_client *c, int ms);

/* Converts an error of librdkafka: writes a message that begins with `what` failed ("cannot commit"), and returns the rc.
 * `text` NULL: librdkafka's own text for the code. */
enum rc kafka_client_error(const struct kafka_client *c, rd_kafka_resp_err_t code, const char *text,
                           const char *what, struct err *e);

/* The value of an integer property, as librdkafka parses it: the user's, or librdkafka's default. `otherwise` if it is
 * not a number. */
int64_t kafka_client_number(const struct kafka_property *properties, size_t n, const char *name,
                            int64_t otherwise);

/* ---- what is in the cluster ------------------------------------------------------------------- */

struct kafka_topic_facts {
    bool exists;
    int n_partitions;
    int64_t message_bytes_max; /* max.message.bytes of the topic; 0: not known */
};

/* Asks the cluster about a topic, and retries for at most `wait_ms` milliseconds. A consumer never creates the topic. */
enum rc kafka_client_topic(struct kafka_client *c, const char *topic, int64_t wait_ms,
                           struct kafka_topic_facts *out, struct err *e);

/* The cluster's id, which stays the same whatever its brokers are called; to be freed with rd_kafka_mem_free(). NULL: it says
 * none, has not been asked for anything yet, or says what is no id. Does not block. */
char *kafka_client_cluster(const struct kafka_client *c);

/* The first offset of a partition, and the one after its last message, as a reader sees them now. */
enum rc kafka_client_ends(struct kafka_client *c, const char *topic, int32_t partition,
                          int64_t wait_ms, int64_t *first, int64_t *end, struct err *e);

/* Does the group refuse what this member commits, because it has not heard of it for too long, or gives partitions to
 * others? */
bool kafka_client_is_out(rd_kafka_resp_err_t code);

/* Members of groups only: commits the offsets of `list`, which may be empty. RC_BUSY: the group has assigned a partition to
 * another member meanwhile. */
enum rc kafka_client_commit(struct kafka_client *c, rd_kafka_topic_partition_list_t *list,
                            int64_t wait_ms, struct err *e);

/* Consumers only: the offsets that the group has committed for the first `n` partitions of a topic; -1: none. */
enum rc kafka_client_committed(struct kafka_client *c, const char *topic, size_t n, int64_t wait_ms,
                               int64_t out[], struct err *e);

#endif
