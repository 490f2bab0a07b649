/* Counts outcomes, of which every ID gets exactly one, and writes the lists of failed and of missing leads.
 *
 * Any thread may count, which takes no lock. Listing a failed or missing lead takes one. */
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
    uint64_t failed_by_sink; /* part of `failed`: found, but not accepted by a sink */
};

/* Leads that a sink refused were found. */
static inline bool ledger_any_found(const struct ledger_counts *c)
{
    return c->exported || c->unchanged || c->failed_by_sink;
}

struct ledger_cfg {
    const struct profile *profile;
    const struct places *places;            /* of the lists: see outfile.h */
    const char *failed_path, *missing_path; /* of the NDJSON lists; NULL: not wanted */
    bool is_shard; /* lines get each lead's number in the list of all leads; files get digests */
    struct state *state;         /* or NULL */
    struct run_figures *figures; /* failed leads are added to them; or NULL */
    const struct clock *clock;
    const struct stop_timer *stop; /* ends waiting for a reader of the lists: see outfile.h */
};

/* Opens the lists, which appear under their names at ledger_publish(). With a state, their lines are
 * stored there first, and ledger_complete() writes them to the files, in the order of the IDs. RC_NOMEM,
 * or as from outfile_open(). */
enum rc ledger_new(struct ledger **out, const struct ledger_cfg *cfg, struct err *e);

/* Starts from the counts of an earlier part of the run. Before anything is counted. */
void ledger_resume(struct ledger *l, const struct ledger_counts *before, const char *first_failure);

/* Adds a lead that failed (lead->run->failure says why) or is missing to its list. Once for each lead, before
 * ledger_count_lead(). RC_IO: the list or the state cannot be written. */
enum rc ledger_list_lead(struct ledger *l, const struct lead *lead, struct err *e);

/* Counts the lead by lead->run->outcome. PENDING is not counted: see ledger_counts(). */
void ledger_count_lead(struct ledger *l, const struct lead *lead);

/* The counts; `pending` is what remains of the `unique` IDs that were read. */
struct ledger_counts ledger_counts(struct ledger *l, uint64_t unique);

/* The first lead that failed, as "ID: why"; "" if none did. After all threads have ended. */
const char *ledger_first_failure(const struct ledger *l);

/* Makes the lists complete and durable. RC_OK if none is wanted. Otherwise the first error; the other list may be
 * complete nevertheless. Later calls do nothing. */
enum rc ledger_complete(struct ledger *l, struct err *e);
/* After ledger_complete(): the failed list, or the missing one, as described in the manifest of a shard. False: it is
 * not wanted. */
bool ledger_list_file(const struct ledger *l, bool missing, struct sink_file *out);
/* After ledger_complete(): appends the text from which a later process can do what ledger_publish() does, as
 * outfile_prepare(). */
enum rc ledger_prepare(struct ledger *l, struct buf *text, struct err *e);
/* Gives complete lists their names; without `all` only those that have rows: a run that stopped early does not know
 * that there are none, so the earlier list stays. Returns the first error. */
enum rc ledger_publish(struct ledger *l, bool all, struct err *e);
/* Is that list wanted, and has not got its name? */
bool ledger_lacks(const struct ledger *l, bool missing);
void ledger_free(struct ledger *l);

/* A failed lead as its list has it. Errors stick in `out`. */
void ledger_write_row(const struct ledger *l, const struct lead *lead, struct buf *out);

#endif
