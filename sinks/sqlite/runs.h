/* The tables of the sink's own in the database, and the rows of _leadpipe_runs. The database is "out" in the connection. */
#ifndef LEADPIPE_SINKS_SQLITE_RUNS_H
#define LEADPIPE_SINKS_SQLITE_RUNS_H

#include "sinks/sql/merge.h"
#include "sinks/sqlite/stage.h"

enum rc sqlite_runs_make_tables(const struct sqlite_db *d, struct err *e);

/* In the merge's transaction: a row for the run; with shards, one for the run of each. What came of the merge is in the row
 * of the run that did it. */
enum rc sqlite_runs_write(struct sqlite_stage *s, const struct sql_outcome *out, struct err *e);

/* Is a run of that shard of that set done? */
enum rc sqlite_runs_have_shard(const struct sqlite_db *d, const struct sqlite_shard_record *r,
                               bool *out, struct err *e);

#endif
