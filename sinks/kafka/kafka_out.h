/* Leads on their way into Kafka: which of them have been delivered, and, with a state, the transaction that they are
 * in. Gives every lead that it takes exactly one verdict.
 *
 * Without transactions a lead is accepted once all of its messages have been delivered. With them none is before the
 * transaction has been committed.
 *
 * One thread, but for kafka_out_stop(). */
#ifndef LEADPIPE_SINKS_KAFKA_OUT_H
#define LEADPIPE_SINKS_KAFKA_OUT_H

#include <stdatomic.h>

#include "sinks/kafka/kafka_messages.h"

/* A lead without a verdict. */
struct kafka_out_lead {
    struct kafka_out_lead *next, *older; /* of all of them, in the order in which they were put */
    const struct lead *lead;
    unsigned char content[LEAD_KEY_BYTES]; /* the beginning of its fingerprint */
    size_t n_waiting;                      /* messages without a report; 1 more while it is put */
    rd_kafka_resp_err_t refusal;           /* of one of its messages; 0: none */
    bool is_cut_off;                       /* not all of it was sent, or not for certain */
};

struct kafka_out {
    const struct kafka_config *config;
    const struct clock *clock;
    const char *subject, *run_id;
    struct str provider;
    const char *transactions; /* the transactional.id; NULL: without them */
    const char *marker_topic; /* in whose partition 0 the number of the last transaction is noted */
    struct sink *sink;
    struct sink_host host;
    struct kafka_client client;
    rd_kafka_topic_t **topics; /* as the configuration's */
    size_t n_topics;
    size_t message_max; /* bytes of a message, headers and all */
    bool in_transaction;
    bool must_abort;                     /* the transaction cannot be committed any more */
    struct kafka_out_lead *first, *last; /* without a verdict */
    size_t n_unreported;                 /* messages */
    uint64_t n_messages;                 /* delivered; in a transaction those in it */
    uint64_t n_failed;                   /* leads that were refused */
    enum rc broken;                      /* the sink is dead, because of `why`; RC_OK: it is not */
    struct err why;
    _Atomic int64_t stop_us; /* when waiting ends; 0: the run is not stopped */
};

struct kafka_out_cfg {
    const struct kafka_config *config; /* kept by the caller */
    const struct sink_cfg *sink_cfg;
    struct sink *sink;
    const char *transactions;  /* as above; kept by the caller */
    int64_t topic_message_max; /* what the topics take; 0: not known */
};

/* Asks for the topics, which are known to exist, so that the first message is not kept waiting; what is answered does
 * not matter. RC_USAGE, RC_NOMEM. A zeroed one may be closed. */
enum rc kafka_out_open(struct kafka_out *o, const struct kafka_out_cfg *cfg, struct err *e);
/* Aborts a transaction that is open. */
void kafka_out_close(struct kafka_out *o);

/* Takes over from whoever had the transactional id before: what that had begun is committed or aborted when this
 * returns. Errors as kafka_client.h. */
enum rc kafka_out_begin(struct kafka_out *o, struct err *e);

/* Takes a lead in and sends its messages, which are those that were made of it; waits while too much is on its way. A
 * lead that is too large fails. An error is the sink's end: see kafka_out_abandon(). */
enum rc kafka_out_put(struct kafka_out *o, const struct lead *lead,
                      const struct kafka_messages *messages, struct err *e);

/* Waits for all reports. When the run is stopped, no longer than it may; `patient`: some seconds in any case. */
enum rc kafka_out_wait(struct kafka_out *o, bool patient, struct err *e);

/* Commits the transaction, of which all reports have come, and `number` with it, as the last one; begins it first where
 * none is open. After an error nobody knows whether it was committed. */
enum rc kafka_out_commit(struct kafka_out *o, uint64_t number, struct err *e);

/* The verdict on all leads that have none: accepted. Then n_messages is 0. */
void kafka_out_accept(struct kafka_out *o);

/* No lead is waited for any more: an open transaction is aborted, and leads without a verdict are pending. */
void kafka_out_abandon(struct kafka_out *o);

/* Any thread. */
void kafka_out_stop(struct kafka_out *o, int64_t grace_ms);
bool kafka_out_is_stopping(const struct kafka_out *o);

#endif
