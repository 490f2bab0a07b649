/* Turns a lead into the messages to send for it. One thread. */
#ifndef LEADPIPE_SINKS_KAFKA_MESSAGES_H
#define LEADPIPE_SINKS_KAFKA_MESSAGES_H

#include "core/base/buf.h"
#include "sinks/kafka/kafka_config.h"

struct kafka_message {
    size_t topic;   /* index into the configuration's topics */
    size_t at, len; /* where it is in `body` */
};

struct kafka_messages {
    const struct profile *profile;
    struct record_writer *writer;
    enum record_layout layout;
    struct buf body; /* the text of all messages */
    struct kafka_message *list;
    size_t n, cap;
    char content_id[FINGERPRINT_BYTES * 2 + 1]; /* of the lead */
};

enum rc kafka_messages_open(struct kafka_messages *m, const struct profile *profile,
                            enum record_layout layout, struct err *e);
void kafka_messages_close(struct kafka_messages *m); /* may be all zero */

/* Replaces the messages of the lead before. RC_LIMIT: the lead is larger than any message may be; RC_NOMEM. */
enum rc kafka_messages_make(struct kafka_messages *m, const struct lead *lead);

/* Bytes of the longest message. */
size_t kafka_messages_longest(const struct kafka_messages *m);

#endif
