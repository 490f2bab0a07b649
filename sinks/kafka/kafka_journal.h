/* What the state records of a sink's transactions. Before a transaction is committed, its leads are recorded here. The
 * transaction also commits its number, the marker, to the cluster, which shows later whether it was committed. So a
 * resumed run can find out which leads are in the topic although no checkpoint covers them.
 *
 * Transactions are numbered from 1; the marker 0 means that the run has begun. One thread. */
#ifndef LEADPIPE_SINKS_KAFKA_JOURNAL_H
#define LEADPIPE_SINKS_KAFKA_JOURNAL_H

#include "core/base/buf.h"
#include "core/sink.h"
#include "core/state/state.h"

/* A lead that was in a transaction. */
struct kafka_journal_lead {
    uint64_t seq;
    unsigned char key[LEAD_KEY_BYTES];     /* of its ID and parameters */
    unsigned char content[LEAD_KEY_BYTES]; /* the first bytes of its fingerprint */
};

struct kafka_journal {
    const char *subject;
    struct state *state;
    unsigned index;
    uint64_t number;    /* of the last transaction that was committed */
    uint64_t delivered; /* messages, up to and including that transaction */
    uint64_t failed;    /* leads that were refused, up to the mark */
    /* The records in the state, until kafka_journal_resolve(): */
    struct kafka_journal_batch *batches;
    size_t n_batches, cap_batches;
    bool began;   /* this run has had a transaction, or may have */
    bool is_open; /* only the marker can show whether a recorded transaction was committed */
    /* Leads that are in the topic already, sorted by key: they are not sent again. */
    struct kafka_journal_lead *leads;
    size_t n_leads, cap_leads;
    struct buf text;
};

/* Reads the mark (absent: none) and the records. RC_USAGE: they are damaged; RC_IO; RC_NOMEM. */
enum rc kafka_journal_open(struct kafka_journal *j, const struct sink_cfg *cfg, struct str mark,
                           struct err *e);
void kafka_journal_close(struct kafka_journal *j); /* may be all zero */

/* Finds out which recorded transactions were committed. `marker`: the number of the last transaction that the cluster
 * knows; -1: none. RC_USAGE: it is impossible to say which leads were delivered. */
enum rc kafka_journal_resolve(struct kafka_journal *j, int64_t marker, struct err *e);

/* The record of the lead if it is in the topic already, or NULL. */
const struct kafka_journal_lead *kafka_journal_find(const struct kafka_journal *j,
                                                    const struct lead *lead);

/* ---- a transaction --------------------------------------------------------------------------- */

/* Begins the record of the next transaction, which has `messages` messages. */
void kafka_journal_begin(struct kafka_journal *j, uint64_t number, uint64_t messages);
void kafka_journal_add(struct kafka_journal *j, const struct lead *lead,
                       const unsigned char content[LEAD_KEY_BYTES]);
/* Writes the record to the state and waits until it is durable. `last_seq`: the highest sequence number of its leads.
 * *row: for kafka_journal_committed(). */
enum rc kafka_journal_record(struct kafka_journal *j, uint64_t last_seq, int64_t *row,
                             struct err *e);
/* The transaction was committed: kafka_journal_resolve() will not have to find that out. */
enum rc kafka_journal_committed(struct kafka_journal *j, int64_t row, uint64_t number,
                                uint64_t messages, struct err *e);

/* Writes the mark into j->text. RC_NOMEM. */
enum rc kafka_journal_mark(struct kafka_journal *j, uint64_t failed, struct err *e);

#endif
