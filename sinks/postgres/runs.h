/* What the sink has in a database besides its staging tables: _leadpipe_columns, and _leadpipe_runs with a
 * row for each run and sink, which is written in the same transactions as the rows themselves. */
#ifndef LEADPIPE_SINKS_POSTGRES_RUNS_H
#define LEADPIPE_SINKS_POSTGRES_RUNS_H

#include "sinks/postgres/locks.h"
#include "sinks/postgres/place.h"
#include "sinks/sql/merge.h"

/* PG_RUN_LOADED: a shard has ended, and the tables change when the others have, too. */
enum pg_status { PG_RUN_NONE, PG_RUN_LOADING, PG_RUN_LOADED, PG_RUN_DONE, PG_RUN_ABANDONED };

struct pg_run {
    enum pg_status status;
    uint64_t part; /* parts that were loaded, as the durable tables have it */
    uint64_t leads, rows;
};

/* Sets place->schema: `wanted`, or that of the connection where it is NULL; makes it where it is not
 * there. The schema's text lives in `memory`. RC_USAGE: there is none. */
enum rc pg_find_schema(struct pg_place *p, struct pg_link *l, const char *wanted,
                       struct arena *memory, struct err *e);

/* Does _leadpipe_runs have these columns ("one, another")? One of a build before may not. */
enum rc pg_runs_have(const struct pg_place *p, struct pg_link *l, const char *columns, bool *out,
                     struct err *e);

/* Makes these two, and _leadpipe_loaded (remembered.h), where they are not there. */
enum rc pg_make_own_tables(const struct pg_place *p, struct pg_link *l, struct err *e);

enum rc pg_run_read(const struct pg_place *p, struct pg_link *l, struct pg_run *out, struct err *e);
enum rc pg_run_begin(const struct pg_place *p, struct pg_link *l, struct err *e);
/* Append statements. */
void pg_put_run_progress(struct buf *b, const struct pg_place *p, const struct pg_run *run,
                         bool resumable);
void pg_put_run_done(struct buf *b, const struct pg_place *p, const struct sql_outcome *outcome);
void pg_put_run_abandoned(struct buf *b, const struct pg_place *p);

/* Appends statements that drop all staging tables of a run. */
enum rc pg_put_drops(struct buf *b, const struct pg_place *p, struct pg_link *l, const char *token,
                     struct err *e);

/* Which part is the last one that lies in the staging tables. !*exists: there are none, or a crash of the
 * server has emptied them. */
enum rc pg_staged_part(const struct pg_place *p, struct pg_link *l, bool *exists, uint64_t *part,
                       struct err *e);

/* Drops what runs left that were killed, and that cannot be resumed, were not for a week, or are the one that
 * the user has discarded ("": none). Never fails: what cannot be dropped stays. RC_NET, RC_STOPPED. */
enum rc pg_sweep(const struct pg_place *p, struct pg_link *l, const char *discarded_run_id,
                 struct err *e);

#endif
