/* The rows of a shard that is loaded come to the staging tables of the last one, which then has those of all. */
#ifndef LEADPIPE_SINKS_SQLITE_TAKE_IN_H
#define LEADPIPE_SINKS_SQLITE_TAKE_IN_H

#include "sinks/sqlite/shard_files.h"

/* Before the first: the staging tables get back to what the run has staged itself, as its record says. They also get columns
 * for the run that each row is of (`run_id`, `started_at`: null in its own rows), and `extras` for the shard that has a
 * source first, in the order of the shards (`shard`, and there `at` and `wanted`: number and name). */
enum rc sqlite_take_in_begin(struct sqlite_stage *s, struct err *e);

/* Takes in what `l` has, in one transaction; in the order of the shards. Undocumented columns are those of the same source,
 * whatever each run has called them. RC_SYNTAX: they are not the rows that its record says. */
enum rc sqlite_take_in(struct sqlite_stage *s, struct sqlite_loaded *l, struct err *e);

/* What a run that was killed had taken in goes: another shard is the last one now, and would take it in twice. */
enum rc sqlite_take_in_undo(struct sqlite_stage *s, struct err *e);

#endif
