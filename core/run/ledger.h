/* Every ID gets exactly one outcome: the counts, and the lists of failed and of missing leads.
 *
 * Any thread may count; counting takes no lock. Listing a failed or missing lead does. */
#ifndef LEADPIPE_LEDGER_H
#define LEADPIPE_LEDGER_H

#include "core/base/clock.h"
#include "core/run/run_lead.h"
#include "core/provider/profile.h"
#include "core/sink.h"

struct ledger;
struct run_figures;
struct state;
struct stop_timer;

struct ledger_counts {
    uint64_t exported, unchanged, missing, failed, pending;
    uint64_t failed_by_sink; /* of `failed`: the provider has them, and a sink did not take them */
};

struct ledger_cfg {
    const struct profile *profile;
    const struct places *places;            /* of the lists: see outfile.h */
    const char *failed_path, *missing_path; /* of the NDJSON lists; NULL: not wanted */
    bool is_shard; /* the lists say which places in the list of all leads have, and need digests */
    struct state *state;         /* or NULL */
    struct run_figures *figures; /* which are told of failed leads; or NULL */
    const struct clock *clock;
    const struct stop_timer *stop; /* of who reads the lists: see outfile.h */
};

/* The lists are made at once and appear under their names at ledger_publish(). With a state what
 * they hold is put there, and ledger_complete() writes them, in the order of the IDs. RC_NOMEM, or
 * as outfile_open(). */
enum rc ledger_new(struct ledger **out, const struct ledger_cfg *cfg, struct err *e);

/* An earlier part of the run had these; before anything is counted. */
void ledger_resume(struct ledger *l, const struct ledger_counts *before, const char *first_failure);

/* Puts into its list a lead that failed (lead->run->failure says why) or is missing; once a lead, before
 * ledger_count_lead(). RC_IO: the list or the state cannot be written. */
enum rc ledger_list_lead(struct ledger *l, const struct lead *lead, struct err *e);

/* Counts by lead->run->outcome; PENDING counts nothing (pending is what remains of the unique IDs). */
void ledger_count_lead(struct ledger *l, const struct lead *lead);

/* With `unique` IDs read: the counts, pending being the rest. */
struct ledger_counts ledger_counts(struct ledger *l, uint64_t unique);

/* The first lead that failed, as "ID: why"; "" when none did. After all threads have ended. */
const char *ledger_first_failure(const struct ledger *l);

/* The lists are complete and on disk. RC_OK where none is wanted. Else the first error, and the other
 * list may be complete all the same. Once: later calls do nothing. */
enum rc ledger_complete(struct ledger *l, struct err *e);
/* After ledger_complete(), what the manifest of a shard says of the failed list, or the missing one. False: it is
 * not wanted. */
bool ledger_list_file(const struct ledger *l, bool missing, struct sink_file *out);
/* After ledger_complete(): how to finish what ledger_publish() does, as outfile_prepare(). */
enum rc ledger_prepare(struct ledger *l, struct buf *text, struct err *e);
/* Lists that are complete get their names; without `all` only those that have rows: nobody knows yet
 * that there will be none, and the earlier list stays. The first error. */
enum rc ledger_publish(struct ledger *l, bool all, struct err *e);
void ledger_free(struct ledger *l);

#endif
