/* The producer: sends leads to Kafka, in transactions if there is a state, and gives every lead that it has taken exactly
 * one verdict.
 *
 * Without transactions, a lead is accepted once all of its messages have been delivered; with them, once its transaction
 * has been committed.
 *
 * One thread, except for kafka_out_stop() and kafka_out_is_stopping(). */
#ifndef LEADPIPE_SINKS_KAFKA_OUT_H
#define LEADPIPE_SINKS_KAFKA_OUT_H

#include <stdatomic.h>

#include "sinks/kafka/kafka_messages.h"

/* A lead without a verdict. */
struct kafka_out_lead {
    struct kafka_out_lead *next, *older; /* in the order of kafka_out_put() */
    const struct lead *lead;
    unsigned char content[LEAD_KEY_BYTES]; /* the first bytes of its fingerprint */
    size_t n_waiting; /* messages without a delivery report; 1 more during kafka_out_put() */
    rd_kafka_resp_err_t refusal; /* why one of its messages was refused; 0: none was */
    bool is_cut_off;             /* some of its messages were not sent, or it is not known */
};

struct kafka_out {
    const struct kafka_config *config;
    const struct clock *clock;
    const char *subject, *run_id;
    const struct profile *profile;
    struct str provider;
    const char *transactions; /* the transactional.id; NULL: no transactions */
    const char *marker_topic; /* its partition 0 has the offset that is the marker */
    struct sink *sink;
    struct sink_host host;
    struct kafka_client client;
    rd_kafka_topic_t *
        *topics; /* in the order of the configuration's; then, if there are any, the next two */
    size_t missing, failed;
    size_t n_topics;
    size_t message_max; /* bytes of a message, headers included */
    bool in_transaction;
    bool must_abort;                     /* the transaction can only be aborted */
    struct kafka_out_lead *first, *last; /* leads without a verdict */
    size_t n_unreported;                 /* messages without a delivery report */
    uint64_t n_messages; /* delivered: in the open transaction, or without transactions in all */
    uint64_t n_failed;   /* leads that were refused */
    enum rc broken;      /* the sink has failed, because of `why`; RC_OK: it has not */
    struct err why;
    _Atomic int64_t stop_us; /* monotonic time at which waiting ends; 0: not stopped */
};

struct kafka_out_cfg {
    const struct kafka_config *config; /* the caller keeps it alive */
    const struct sink_cfg *sink_cfg;
    struct sink *sink;
    const char *transactions;  /* as above; the caller keeps it alive */
    int64_t topic_message_max; /* bytes of a message that all topics accept; 0: not known */
};

/* The topics must exist. Asks for their metadata, so that the first message need not wait for it. RC_USAGE, RC_NOMEM. */
enum rc kafka_out_open(struct kafka_out *o, const struct kafka_out_cfg *cfg, struct err *e);
/* Aborts a transaction that is open. `o` may be all zero. */
void kafka_out_close(struct kafka_out *o);

/* Fences off any earlier process with the same transactional id. On return, the transaction that it had begun is
 * committed or aborted. Errors as in kafka_client.h. */
enum rc kafka_out_begin(struct kafka_out *o, struct err *e);

/* Takes a lead in and sends `messages`, which were made of it; waits while the queue is full. A lead that is too large
 * fails. After an error only kafka_out_abandon() and kafka_out_close() may follow. */
enum rc kafka_out_put(struct kafka_out *o, const struct lead *lead,
                      const struct kafka_messages *messages, struct err *e);

/* Sends what became of a lead that is none of the topic's, with its transaction: to o->missing or o->failed. */
enum rc kafka_out_put_row(struct kafka_out *o, size_t topic, const struct lead *lead,
                          struct str row, struct err *e);

/* As a row of o->failed, a lead that is not sent for the reason that the verdict gives. */
enum rc kafka_out_put_refused(struct kafka_out *o, const struct lead *lead, const struct verdict *v,
                              struct err *e);

/* Waits for all delivery reports. If the run is stopped, at most until its grace period ends; `patient`: but at least
 * KAFKA_PATIENCE_US. RC_STOPPED, or the error that broke the sink. */
enum rc kafka_out_wait(struct kafka_out *o, bool patient, struct err *e);

/* Commits the transaction, and with it `number` as that of the last transaction; all delivery reports must have come. If
 * no transaction is open, begins one first. After an error it is not known whether it was committed. */
enum rc kafka_out_commit(struct kafka_out *o, uint64_t number, struct err *e);

/* Likewise, with the place of the source instead of a number (kafka_place.h). */
enum rc kafka_out_commit_place(struct kafka_out *o, struct str place, struct err *e);

/* The verdict on all leads that have none: accepted. Then n_messages is 0. */
void kafka_out_accept(struct kafka_out *o);

/* Gives up: aborts an open transaction, and leads without a verdict become pending. */
void kafka_out_abandon(struct kafka_out *o);

/* Any thread. The run is stopped: waiting ends after `grace_ms` milliseconds. */
void kafka_out_stop(struct kafka_out *o, int64_t grace_ms);
bool kafka_out_is_stopping(const struct kafka_out *o);

#endif
