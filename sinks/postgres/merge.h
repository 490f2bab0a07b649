/* From the staging tables to the tables that others read: one transaction, which knows nothing but what
 * the database has, so that a later run can do it as well. */
#ifndef LEADPIPE_SINKS_POSTGRES_MERGE_H
#define LEADPIPE_SINKS_POSTGRES_MERGE_H

#include "sinks/postgres/catalog.h"
#include "sinks/postgres/runs.h"

/* What becomes of a table of the place: the columns it gets and has, in what order. Checks also that a
 * table of the user's can be used. */

/* How the column of a source is staged, given what the table has: as its own type, as text, or as json
 * where the table's type is another one. RC_USAGE: it cannot be used at all. */
enum rc pg_staged_type(const struct pg_place *p, const struct sql_relation *r, size_t column,
                       const struct pg_column *has, const char *spec, enum column_type *out,
                       struct err *e);

/* Can a table that is there be written to by these keys? RC_USAGE says why not. */
enum rc pg_check_table(const struct pg_place *p, const struct sql_relation *r, struct pg_table *t,
                       struct pg_link *l, struct err *e);

/* Begins a transaction and does all of it but for the commit; where the run is done already it says so
 * in *done, and the transaction has nothing in it. `part`: what must be staged; 0: what _leadpipe_runs
 * says. RC_USAGE: the staged rows are not all there. */
enum rc pg_merge(const struct pg_place *p, struct pg_link *l, struct pg_outcome *out, bool *done,
                 struct err *e);

#endif
