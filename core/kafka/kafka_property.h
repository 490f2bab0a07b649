/* Properties of librdkafka as users give them ("NAME=VALUE", or "NAME=VARIABLE" for a value in an environment
 * variable), and which of them a user may set. Stateless: any thread. */
#ifndef LEADPIPE_KAFKA_PROPERTY_H
#define LEADPIPE_KAFKA_PROPERTY_H

#include "core/base/str.h"

struct kafka_property {
    const char *name, *value;
};

/* Splits at the first '='. False: there is none, the name is empty, or it has characters that no property name has. */
bool kafka_property_split(struct str text, struct str *name, struct str *value);

/* Why a user cannot set the property, as a clause: "is set by the option compression". NULL: it can be set. */
const char *kafka_property_refusal(struct str name);

/* Is its value a secret, which must not be on a command line? */
bool kafka_property_is_secret(struct str name);

/* ---- names ---------------------------------------------------------------------------------- */

#define KAFKA_TOPIC_BYTES_MAX 249

/* Kafka's rule: letters, digits and . _ -, at most KAFKA_TOPIC_BYTES_MAX; not "." or "..". */
bool kafka_topic_is_valid(struct str name);

/* Splits "BROKERS/TOPIC", where BROKERS are HOST[:PORT] separated by commas. Returns NULL, or what is wrong: a clause
 * that also says what is allowed. */
const char *kafka_target_split(struct str target, struct str *brokers, struct str *topic);

#endif
