/* Every ID gets exactly one outcome: the counts, and the list of what failed.
 *
 * Any thread may record; recording takes the ledger's lock only for leads that failed. */
#ifndef LEADPIPE_LEDGER_H
#define LEADPIPE_LEDGER_H

#include "clock.h"
#include "lead.h"
#include "profile.h"

struct ledger;

struct ledger_counts {
    uint64_t exported, unchanged, missing, failed, pending;
};

/* `failed_path`: where the NDJSON list of failed leads goes, or NULL. The list is made at once and
 * appears under its name at ledger_publish(). */
enum rc ledger_new(struct ledger **out, const struct profile *profile, const char *failed_path,
                   const struct clock *clock, struct err *e);

/* By lead->outcome; PENDING counts nothing (pending is what remains of the unique IDs). RC_IO:
 * the list could not be written; the outcome is counted all the same. */
enum rc ledger_record(struct ledger *l, const struct lead *lead, struct err *e);

/* With `unique` IDs read: the counts, pending being the rest. */
struct ledger_counts ledger_counts(struct ledger *l, uint64_t unique);

/* The first lead that failed, as "ID: why"; "" when none did. After all threads have ended. */
const char *ledger_first_failure(const struct ledger *l);

/* The list is complete and on disk, then under its name. RC_OK where none is wanted. */
enum rc ledger_complete(struct ledger *l, struct err *e);
enum rc ledger_publish(struct ledger *l, struct err *e);
void ledger_free(struct ledger *l);

#endif
