/* Checks properties of librdkafka as users give them (which may be set, and where secrets are allowed), and collects them. */
#ifndef LEADPIPE_KAFKA_PROPERTIES_H
#define LEADPIPE_KAFKA_PROPERTIES_H

#include "core/base/arena.h"
#include "core/base/secrets.h"
#include "core/kafka/kafka_property.h"

struct kafka_properties {
    struct arena *arena; /* owns all texts, and the list */
    struct secrets *secrets;
    struct kafka_property *list; /* with room for `cap` */
    size_t n, cap;
};

/* RC_NOMEM. */
enum rc kafka_properties_init(struct kafka_properties *p, struct arena *arena,
                              struct secrets *secrets, size_t cap);

/* Adds "NAME=VALUE". `who`: what the property was given to, for messages. A text that is refused is registered as a secret if
 * it may be one, so that no message shows it. RC_USAGE, RC_NOMEM. */
enum rc kafka_properties_add(struct kafka_properties *p, const char *who, const char *text,
                             struct err *e);

/* The same for "NAME=VARIABLE": the value is in an environment variable, and is a secret. */
enum rc kafka_properties_add_from_env(struct kafka_properties *p, const char *who, const char *text,
                                      struct err *e);

#endif
