/* What runs have read of a queue, in their rows of _leadpipe_runs: `source` (which queue), `offsets` (what was read of it, an
 * opaque text) and `offsets_committed` (and the queue knows it). Written in the same transaction as the leads. */
#ifndef LEADPIPE_SINKS_POSTGRES_RECORDS_H
#define LEADPIPE_SINKS_POSTGRES_RECORDS_H

#include "sinks/postgres/link.h"
#include "sinks/postgres/place.h"

#define PG_RECORD_COLUMNS "source text, offsets text, offsets_committed boolean"

/* Adds the columns to a table that an earlier version has made. */
enum rc pg_records_make(const struct pg_place *p, struct pg_link *l, struct err *e);

/* As `recorded` of struct sink_ops. Notes in the place which ones there are; their tokens live in `memory`. */
enum rc pg_records_recall(struct pg_place *p, struct pg_link *l, struct arena *memory,
                          sink_recall_fn *recall, void *ctx, struct err *e);

/* In the merge's transaction, in which other runs of the queue that write to the same tables are locked out: has one of
 * them recorded messages of this run since? RC_IO: it has. */
enum rc pg_records_compare(const struct pg_place *p, struct pg_link *l, struct err *e);

/* Append statements; nothing where nothing is to be recorded. */
void pg_put_record(struct buf *b, const struct pg_place *p);
void pg_put_record_confirmed(struct buf *b, const struct pg_place *p);

#endif
