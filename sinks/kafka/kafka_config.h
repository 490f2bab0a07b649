/* The configuration of a sink "kafka": its options and its target, checked. */
#ifndef LEADPIPE_SINKS_KAFKA_CONFIG_H
#define LEADPIPE_SINKS_KAFKA_CONFIG_H

#include "core/base/arena.h"
#include "core/base/option.h"
#include "core/kafka/kafka_client.h"
#include "core/sink.h"
#include "sinks/record/record.h"

struct kafka_opts {
    int layout; /* enum record_layout, or OPTION_AUTO */
    int key;    /* enum kafka_key */
    bool topic_per_table;
    int compression;              /* index in KAFKA_COMPRESSIONS */
    const char *missing, *failed; /* topics; NULL: not given */
    struct text_list properties, property_envs;
};

enum kafka_key { KAFKA_KEY_LEAD_ID, KAFKA_KEY_NONE };

#define KAFKA_COMPRESSIONS "none|gzip|snappy|lz4|zstd"

extern const struct option_spec kafka_options[];

struct kafka_config {
    struct arena arena; /* owns what the other members point to */
    const char *brokers;
    const char **topics; /* one, or one for each table */
    size_t n_topics;
    /* Of IDs that come from a topic of the same brokers, else NULL: where missing and failed leads go. Then the offsets of
     * that topic are committed together with the messages. */
    const char *missing, *failed;
    enum record_layout layout;
    bool has_key;
    struct kafka_property *properties; /* our defaults, then the user's, which override them */
    size_t n_properties;
    int64_t message_max; /* the user's message.max.bytes; 0: not set */
    size_t queue_bytes;  /* for messages that have not been delivered yet */
    int64_t retry_max_ms;
};

/* Also registers the secrets in it. RC_USAGE, RC_NOMEM. */
enum rc kafka_config_make(struct kafka_config *out, const struct sink_cfg *cfg, struct err *e);
void kafka_config_free(struct kafka_config *c); /* may be all zero */

/* Do the IDs come from a topic of the same brokers? They have one in common, by its name. */
bool kafka_config_is_queue(const struct sink_cfg *cfg);

enum record_layout kafka_config_layout(const struct kafka_opts *opts);

/* Bytes of messages that may await delivery. For a configuration that check() has accepted. */
size_t kafka_config_queue_bytes(const struct sink_cfg *cfg);

/* A client's configuration, as far as all clients of the sink share it. */
struct kafka_client_cfg kafka_config_client(const struct kafka_config *c,
                                            const struct sink_cfg *cfg);

#endif
