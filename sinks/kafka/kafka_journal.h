/* What the state knows of a sink's transactions: before one is committed, the leads in it are recorded. Whether it was
 * committed is known by its number, which the cluster keeps with it. So a run that is resumed can tell which leads are in
 * the topic although no checkpoint says so.
 *
 * Transactions are numbered from 1; the marker of number 0 says that the run has begun. One thread. */
#ifndef LEADPIPE_SINKS_KAFKA_JOURNAL_H
#define LEADPIPE_SINKS_KAFKA_JOURNAL_H

#include "core/base/buf.h"
#include "core/sink.h"
#include "core/state/state.h"

/* A lead that was in a transaction. */
struct kafka_journal_lead {
    uint64_t seq;
    unsigned char key[LEAD_KEY_BYTES];     /* of its ID and parameters */
    unsigned char content[LEAD_KEY_BYTES]; /* the beginning of its fingerprint */
};

struct kafka_journal {
    const char *subject;
    struct state *state;
    unsigned index;
    uint64_t number;    /* of the last transaction that was committed */
    uint64_t delivered; /* messages, up to and with it */
    uint64_t failed;    /* leads that were refused, up to the mark */
    /* What is recorded, until kafka_journal_resolve(): */
    struct kafka_journal_batch *batches;
    size_t n_batches, cap_batches;
    bool began;   /* this run has had a transaction, or may have */
    bool is_open; /* a batch's end is not known: the marker is needed */
    /* Those of its leads that are in the topic, by key: where they come again, nothing is sent. */
    struct kafka_journal_lead *leads;
    size_t n_leads, cap_leads;
    struct buf text;
};

/* Reads the mark (absent: none) and what is recorded. RC_USAGE: it is damaged; RC_IO; RC_NOMEM. A zeroed one may be
 * closed. */
enum rc kafka_journal_open(struct kafka_journal *j, const struct sink_cfg *cfg, struct str mark,
                           struct err *e);
void kafka_journal_close(struct kafka_journal *j);

/* `marker`: the number of the last transaction that the cluster has; -1: it knows of none. RC_USAGE: it cannot be told
 * which leads were delivered. */
enum rc kafka_journal_resolve(struct kafka_journal *j, int64_t marker, struct err *e);

/* The lead that is in the topic already, or NULL. */
const struct kafka_journal_lead *kafka_journal_find(const struct kafka_journal *j,
                                                    const struct lead *lead);

/* ---- a transaction --------------------------------------------------------------------------- */

/* Begins the record of the next transaction, which is to have `messages`. */
void kafka_journal_begin(struct kafka_journal *j, uint64_t number, uint64_t messages);
void kafka_journal_add(struct kafka_journal *j, const struct lead *lead,
                       const unsigned char content[LEAD_KEY_BYTES]);
/* Waits until it is durable. `last_seq`: the highest of its leads'. *row: for kafka_journal_committed(). */
enum rc kafka_journal_record(struct kafka_journal *j, uint64_t last_seq, int64_t *row,
                             struct err *e);
/* It was committed: nothing is to be found out about it any more. */
enum rc kafka_journal_committed(struct kafka_journal *j, int64_t row, uint64_t number,
                                uint64_t messages, struct err *e);

/* The mark, into j->text. RC_NOMEM. */
enum rc kafka_journal_mark(struct kafka_journal *j, uint64_t failed, struct err *e);

#endif
