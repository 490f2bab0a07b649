/* From a lead to the messages that it becomes. One thread. */
#ifndef LEADPIPE_SINKS_KAFKA_MESSAGES_H
#define LEADPIPE_SINKS_KAFKA_MESSAGES_H

#include "core/base/buf.h"
#include "sinks/kafka/kafka_config.h"

struct kafka_message {
    size_t topic; /* index of the configuration's */
    size_t at, len;
};

struct kafka_messages {
    const struct profile *profile;
    struct record_writer *writer;
    enum record_layout layout;
    struct buf body; /* of all of them */
    struct kafka_message *list;
    size_t n, cap;
    char content_id[FINGERPRINT_BYTES * 2 + 1]; /* of the lead */
};

/* A zeroed one may be closed. */
enum rc kafka_messages_open(struct kafka_messages *m, const struct profile *profile,
                            enum record_layout layout, struct err *e);
void kafka_messages_close(struct kafka_messages *m);

/* Replaces what was there. RC_LIMIT: a lead is larger than any message may be; RC_NOMEM. */
enum rc kafka_messages_make(struct kafka_messages *m, const struct lead *lead);

/* The longest of them. */
size_t kafka_messages_longest(const struct kafka_messages *m);

#endif
