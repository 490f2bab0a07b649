/* What runs have read of a queue, in their rows of _leadpipe_runs: `source` (which queue), `offsets` (what was read of it, an
 * opaque text) and `offsets_committed` (and the queue knows it: 0 or 1). Written in the same transaction as the leads. The
 * database is "out" in the connection. */
#ifndef LEADPIPE_SINKS_SQLITE_RECORDS_H
#define LEADPIPE_SINKS_SQLITE_RECORDS_H

#include "sinks/sqlite/db.h"
#include "sinks/sqlite/place.h"

/* As `recorded` of struct sink_ops. */
enum rc sqlite_records_recall(const struct sqlite_place *p, const struct sqlite_db *d,
                              sink_recall_fn *recall, void *ctx, struct err *e);

/* In the merge's transaction: into the row of this run, which is there. Nothing where nothing is to be recorded. Only one run
 * at a time writes to a database, so no other can have recorded anything since. */
enum rc sqlite_record_write(const struct sqlite_place *p, const struct sqlite_db *d, struct err *e);
enum rc sqlite_record_confirm(const struct sqlite_place *p, const struct sqlite_db *d,
                              struct err *e);

#endif
