/* Every ID gets exactly one outcome: the counts, and the list of what failed.
 *
 * Any thread may record; recording takes the ledger's lock only for leads that failed. */
#ifndef LEADPIPE_LEDGER_H
#define LEADPIPE_LEDGER_H

#include "clock.h"
#include "lead.h"
#include "profile.h"

struct ledger;
struct state;

struct ledger_counts {
    uint64_t exported, unchanged, missing, failed, pending;
};

/* `failed_path`: where the NDJSON list of failed leads goes, or NULL. The list is made at once and
 * appears under its name at ledger_publish(). With a `state` (or NULL) what failed is noted there,
 * and the list is written in the order of the IDs by ledger_complete(). */
enum rc ledger_new(struct ledger **out, const struct profile *profile, const char *failed_path,
                   struct state *state, const struct clock *clock, struct err *e);

/* An earlier part of the run had these; before anything is recorded. */
void ledger_go_on(struct ledger *l, const struct ledger_counts *before, const char *first_failure);

/* Writes down why a lead failed (lead->failure); once a lead, before ledger_record(). RC_IO: the
 * list or the state cannot be written. */
enum rc ledger_note(struct ledger *l, const struct lead *lead, struct err *e);

/* Counts by lead->outcome; PENDING counts nothing (pending is what remains of the unique IDs). */
void ledger_record(struct ledger *l, const struct lead *lead);

/* With `unique` IDs read: the counts, pending being the rest. */
struct ledger_counts ledger_counts(struct ledger *l, uint64_t unique);

/* The first lead that failed, as "ID: why"; "" when none did. After all threads have ended. */
const char *ledger_first_failure(const struct ledger *l);

/* The list is complete and on disk, then under its name. RC_OK where none is wanted. */
enum rc ledger_complete(struct ledger *l, struct err *e);
/* What ledger_publish() will rename: as outfile_renames(). */
void ledger_renames(struct ledger *l, struct buf *out);
enum rc ledger_publish(struct ledger *l, struct err *e);
void ledger_free(struct ledger *l);

#endif
