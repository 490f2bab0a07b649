/* Advisory locks: of a run, of tables that are merged into, and of shards. */
#ifndef LEADPIPE_SINKS_POSTGRES_LOCKS_H
#define LEADPIPE_SINKS_POSTGRES_LOCKS_H

#include "sinks/postgres/link.h"
#include "sinks/postgres/place.h"

/* Whoever has this lock is the run's process: a second one waits until the server has ended what the
 * first one's connection did. */
enum rc pg_lock_run(const struct pg_place *p, struct pg_link *l, struct err *e);

/* The number of a lock that all sinks of the run share from pg_lock_run() on, by which their sessions are known. */
enum rc pg_sinks_number(const struct pg_place *p, char out[24], struct err *e);

/* For the rest of the session, under the lock of the run: no other sink of the run writes the same tables,
 * whatever it calls the database. RC_USAGE: another one does. */
enum rc pg_claim_tables(const struct pg_place *p, struct pg_link *l, struct err *e);

/* For the rest of a transaction: no other run merges into the same tables. Says whom it waits for. */
enum rc pg_lock_merge(const struct pg_place *p, struct pg_link *l, struct err *e);

/* The lock of a run, if nobody has it; for the rest of the session, or until pg_unlock_run(). */
enum rc pg_try_lock_run(struct pg_link *l, const char *token, bool *got, struct err *e);
enum rc pg_unlock_run(struct pg_link *l, const char *token, struct err *e);

/* For the rest of a transaction: no other shard of the group is loaded, merged or given up. */
enum rc pg_lock_shards(struct pg_link *l, const char *group, struct err *e);
enum rc pg_try_lock_shards(struct pg_link *l, const char *group, bool *got, struct err *e);

/* The number of a lock, in decimal. RC_NOMEM. */
enum rc pg_lock_number(const char *what, struct str name, char out[24], struct err *e);

#endif
