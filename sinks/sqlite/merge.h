/* From the staging database into the tables, in one transaction. */
#ifndef LEADPIPE_SINKS_SQLITE_MERGE_H
#define LEADPIPE_SINKS_SQLITE_MERGE_H

#include "sinks/sqlite/stage.h"

struct sqlite_outcome {
    uint64_t inserted, updated, deleted; /* rows */
    uint64_t held, gone, gone_allowed;   /* leads, as in struct sink_result */
};

/* How many leads the tables hold, and how many of them are gone. Sets the last three. */
enum rc sqlite_count_gone(struct sqlite_stage *s, const struct portion *max_gone,
                          struct sqlite_outcome *out, struct err *e);

/* Begins the transaction and writes everything in it; the caller commits it, or rolls it back after an
 * error. *done: it was committed before, and nothing is written. Sets the first three. */
enum rc sqlite_merge(struct sqlite_stage *s, struct sqlite_outcome *out, bool *done, struct err *e);

#endif
