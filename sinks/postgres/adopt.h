/* On a first run, staging tables become the tables: nothing is copied.
 *
 * The rows of a staging table were committed part by part, so that a transaction whose snapshot is older than the last part
 * would see some of them, once they have the table's name. So tables are adopted only if there is a moment, after the last part,
 * in which nobody else has a transaction; else the rows are copied, as into tables that exist. */
#ifndef LEADPIPE_SINKS_POSTGRES_ADOPT_H
#define LEADPIPE_SINKS_POSTGRES_ADOPT_H

#include "sinks/postgres/remember.h"

/* Before the first part: may the staging tables become the tables at the end? Then they must survive a crash of the server and
 * be replicated, as the tables, and not be unlogged. No, if one of the tables exists, or somebody else reads what the server logs, or
 * the role may not see whether somebody does. */
enum rc pg_adopt_is_likely(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e);

/* In the merge's transaction, before the first table: is it still so, and has nobody an older snapshot? Waits up to a second for
 * the end of other transactions. */
enum rc pg_adopt_may(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e);

/* The staging table becomes the table of the plan, without its key. Adds its rows to *rows. */
enum rc pg_adopt(struct pg_plan *m, struct pg_remember *remember, uint64_t *rows, struct err *e);

#endif
