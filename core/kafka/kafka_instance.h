/* The name of a static member, if the user gives none: the host's. The cluster fences off a member if another one joins
 * with its name, so a name must not be tried. Whether a process of this host has it is decided on this host: whoever may
 * use the name has bound a socket. The kernel frees it when the process ends, even if it is killed. */
#ifndef LEADPIPE_KAFKA_INSTANCE_H
#define LEADPIPE_KAFKA_INSTANCE_H

#include "core/kafka/kafka_property.h"

#define KAFKA_INSTANCE_BYTES (KAFKA_TOPIC_BYTES_MAX + 1)

/* The name for a host: its own, as far as Kafka allows the characters. False: it does not identify a host (localhost).
 * Pure. */
bool kafka_instance_of_host(const char *host, char out[KAFKA_INSTANCE_BYTES]);

struct kafka_instance {
    int fd; /* -1: the name is not claimed */
    char name[KAFKA_INSTANCE_BYTES];
};

/* Claims the host's name in a group, whatever the cluster, for as long as the process runs or until it is released. False:
 * it cannot be used; `why` says it, and is static. */
bool kafka_instance_claim(struct kafka_instance *out, const char *group, const char **why);
void kafka_instance_release(struct kafka_instance *i); /* also if it was not claimed */

#endif
