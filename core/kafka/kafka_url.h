/* kafka://BROKERS/TOPIC?group=GROUP[&property=NAME=VALUE][&property-env=NAME=VARIABLE][&instance=NAME]
 * [&rate-of=group|worker]: names a topic, and the
 * consumer group whose members share its messages. Values may be percent-encoded. */
#ifndef LEADPIPE_KAFKA_URL_H
#define LEADPIPE_KAFKA_URL_H

#include "core/kafka/kafka_properties.h"

#define KAFKA_URL_SCHEME "kafka://"
#define KAFKA_GROUP_BYTES_MAX 249

struct kafka_url {
    struct arena arena; /* owns what the other members point to */
    const char *name;   /* for messages: "kafka://BROKERS/TOPIC" */
    const char *brokers, *topic, *group;
    const char
        *identity; /* topic and group, whatever the brokers are called: "kafka:TOPIC?group=GROUP" */
    const char *instance; /* NULL: not given */
    const char *rate_of;  /* "group", "worker", or NULL: not given */
    struct kafka_property *properties;
    size_t n_properties;
};

bool kafka_url_is(const char *text);

/* RC_USAGE: the message says what is allowed. Registers secrets, also those of a text that is refused. RC_NOMEM. An all-zero
 * struct may be freed. */
enum rc kafka_url_parse(struct kafka_url *out, const char *text, struct secrets *secrets,
                        struct err *e);
void kafka_url_free(struct kafka_url *u);

#endif
