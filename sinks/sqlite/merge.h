/* From the staging database into the tables, in one transaction. */
#ifndef LEADPIPE_SINKS_SQLITE_MERGE_H
#define LEADPIPE_SINKS_SQLITE_MERGE_H

#include "sinks/sql/gone.h"
#include "sinks/sqlite/stage.h"

/* Begins the transaction and writes everything in it; the caller commits it, or rolls it back after an
 * error. *done: it was committed before, and nothing is written. More leads are gone than may be: nothing
 * is written, and out->gone says so. */
enum rc sqlite_merge(struct sqlite_stage *s, struct sql_outcome *out, bool *done, struct err *e);

#endif
