/* The shards of one run in _leadpipe_runs: shard, shards, shard_run (the name of the run, or null), shard_group and shard_set
 * (sinks/sql/shards.h), loaded_at; and `loaded` as the status of a shard whose rows are staged and wait for the others. */
#ifndef LEADPIPE_SINKS_POSTGRES_SHARDS_H
#define LEADPIPE_SINKS_POSTGRES_SHARDS_H

#include "sinks/postgres/runs.h"

#define PG_SHARD_COLUMNS                                                                           \
    "shard integer, shards integer, shard_run text, shard_group text, shard_set text, "            \
    "loaded_at timestamptz"

struct pg_loaded_shard {
    uint32_t index;
    char token[PG_TOKEN_BYTES];
    uint64_t part, leads;
};

/* The shards of a set that are loaded, this run's included. */
struct pg_set {
    struct pg_loaded_shard *items; /* owned; by number, each number once */
    size_t n;
    struct sql_shards_seen loaded;
    struct sql_shards_seen
        whole;      /* those of them whose rows are still there, as this one would load them */
    uint64_t leads; /* of all of them */
    bool was_done;  /* a shard of this number was done in a set of this name */
};

/* What becomes of a shard at its end. */
struct pg_set_outcome {
    struct sink_result shown; /* `due`, `merged`, `waits_for`, `none_found` */
    char lost
        [SINK_WAITS_FOR_BYTES]; /* the shards to run again because their rows are lost; "": none */
};

/* When the sink is opened: adds the columns to a table that an earlier version has made; p->group. */
enum rc pg_shards_open(struct pg_place *p, struct pg_link *l, struct err *e);

/* Gives up, in a transaction of its own, what sets of another night have loaded; and what an earlier run of this shard has,
 * if `afresh`; p->discarded. */
enum rc pg_shards_begin(struct pg_place *p, struct pg_link *l, bool afresh, struct err *e);

/* At the end, before the merge: sets p->set, and writes it to the run's row, for a later process. */
enum rc pg_shards_note(struct pg_place *p, struct pg_link *l, struct err *e);
/* In that process: sets p->group and p->set. RC_USAGE: the row does not say. */
enum rc pg_shards_recall(struct pg_place *p, struct pg_link *l, struct err *e);

/* In the merge's transaction, under pg_lock_shards(): gives up what other runs of this shard have loaded for the set, and then
 * reads who is loaded. pg_set_free() is due in any case. */
enum rc pg_set_read(struct pg_set *s, const struct pg_place *p, struct pg_link *l,
                    const struct pg_run *own, struct err *e);
void pg_set_free(struct pg_set *s);
/* Finds out s->whole. */
enum rc pg_set_check(struct pg_set *s, const struct pg_place *p, struct pg_link *l, struct err *e);

/* Is the list of all shards empty? */
bool pg_set_is_of_nothing(const struct pg_place *p);

/* Append statements: this shard is loaded; has nothing to do; the others are done, as this one is. */
void pg_put_shard_loaded(struct buf *b, const struct pg_place *p);
void pg_put_shard_done_before(struct buf *b, const struct pg_place *p);
void pg_put_shards_done(struct buf *b, const struct pg_place *p, const struct pg_set *s);

/* Gives up what nobody has completed for a week. */
enum rc pg_shards_sweep(const struct pg_place *p, struct pg_link *l, struct err *e);

#endif
