/* From the staging tables to the tables that others read: one transaction, which knows nothing but what
 * the database has, so that a later run can do it as well. */
#ifndef LEADPIPE_SINKS_POSTGRES_MERGE_H
#define LEADPIPE_SINKS_POSTGRES_MERGE_H

#include "sinks/postgres/catalog.h"
#include "sinks/postgres/misfits.h"
#include "sinks/postgres/shards.h"
#include "sinks/sql/gone.h"

/* Begins a transaction and does all of it but for the commit; where the run is done already it says so
 * in *done, and the transaction has nothing in it. Of a shard it does so only if all others are loaded and their rows are
 * there; `set` says what became of it. If no shard has found a lead, or more leads are gone than may be, nothing is
 * written, and set->shown.none_found or out->gone says so. Adds to `misfits` what does not fit the types of the user's. RC_CLOSED: the staged rows
 * are not all there; RC_END: leads that were not loaded again are in the tables no longer; RC_USAGE: a table cannot be used. */
enum rc pg_merge(const struct pg_place *p, struct pg_link *l, struct sql_outcome *out,
                 struct pg_set_outcome *set, struct pg_misfits *misfits, bool *done, struct err *e);

#endif
