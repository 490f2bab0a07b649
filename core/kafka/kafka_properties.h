/* A list of properties of librdkafka as a user gives them, checked: which may be set, and where secrets may be. */
#ifndef LEADPIPE_KAFKA_PROPERTIES_H
#define LEADPIPE_KAFKA_PROPERTIES_H

#include "core/base/arena.h"
#include "core/base/secrets.h"
#include "core/kafka/kafka_property.h"

struct kafka_properties {
    struct arena *arena; /* of all texts, and of the list */
    struct secrets *secrets;
    struct kafka_property *list; /* with room for `cap` */
    size_t n, cap;
};

/* RC_NOMEM. */
enum rc kafka_properties_init(struct kafka_properties *p, struct arena *arena,
                              struct secrets *secrets, size_t cap);

/* "NAME=VALUE"; `who` is what gives it, for messages. What cannot be used is registered as a secret where it may be one,
 * so that no text shows it. RC_USAGE, RC_NOMEM. */
enum rc kafka_properties_add(struct kafka_properties *p, const char *who, const char *text,
                             struct err *e);

/* "NAME=VARIABLE", where the value is in the environment, and a secret. */
enum rc kafka_properties_add_from_env(struct kafka_properties *p, const char *who, const char *text,
                                      struct err *e);

#endif
