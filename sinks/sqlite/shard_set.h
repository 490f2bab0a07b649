/* The run of one shard into a database that several shards of a run write to: which others belong to it, whether it is the
 * last one, and what becomes of what it has staged. The rules are those of sinks/sql/shards.h. One thread at a time. */
#ifndef LEADPIPE_SINKS_SQLITE_SHARD_SET_H
#define LEADPIPE_SINKS_SQLITE_SHARD_SET_H

#include "sinks/sql/shards.h"
#include "sinks/sqlite/shard_files.h"

struct sqlite_shard_set {
    const struct sink_cfg *cfg;
    struct sqlite_stage *stage;
    int64_t started_ms; /* of the run */
    struct sqlite_shard_files files;
    struct sqlite_shard_record own;
    char group[SQL_SHARDS_DIGEST_CHARS + 1];
    char set[SQL_SHARDS_DIGEST_CHARS + 1];
    char discarded[SQL_SHARDS_DIGEST_CHARS +
                   1];           /* a set of which this shard was, until this run began */
    struct sql_shards_seen seen; /* shards of the set that are loaded, this one included */
    bool none_found;             /* this is the last one, and none of them has found a lead */
};

/* `s` is opened later, or never. */
enum rc sqlite_shard_set_init(struct sqlite_shard_set *t, const struct sink_cfg *cfg,
                              int64_t started_ms, const struct sqlite_place *p,
                              struct sqlite_stage *s, struct err *e);
/* Unlocks where it is locked. Of one that is zeroed: nothing. */
void sqlite_shard_set_free(struct sqlite_shard_set *t);

/* The following need the lock of t->files, and the staging database open, without a transaction; the database is attached
 * where there is one. */

/* A run begins anew: what this shard has loaded before no longer counts. */
enum rc sqlite_shard_set_begin(struct sqlite_shard_set *t, struct err *e);

/* The run is at its end: records what is staged. */
enum rc sqlite_shard_set_record(struct sqlite_shard_set *t, struct err *e);
/* Or it was: reads what it has recorded. RC_SYNTAX: there is no record. */
enum rc sqlite_shard_set_recall(struct sqlite_shard_set *t, struct err *e);

/* Is that run loaded? Then its record is what this one has recorded. */
enum rc sqlite_shard_set_is_loaded(struct sqlite_shard_set *t, struct str token, bool *out,
                                   struct err *e);

/* Is the set in the database already, with an earlier run of this shard? Only a name says that it is the same one, and not
 * that of another night. */
enum rc sqlite_shard_set_was_done(const struct sqlite_shard_set *t, bool *out, struct err *e);

/* After either: finds the others that are loaded. RC_IO: the rows of some are damaged, and have been removed. */
enum rc sqlite_shard_set_find(struct sqlite_shard_set *t, struct err *e);
static inline bool sqlite_shard_set_is_last(const struct sqlite_shard_set *t)
{
    return t->seen.n == t->seen.of;
}
/* The last one takes in the rows of the others. */
enum rc sqlite_shard_set_take_in(struct sqlite_shard_set *t, struct err *e);

/* Any other one stays as it is, for the last one. Closes the staging database. */
enum rc sqlite_shard_set_keep(struct sqlite_shard_set *t, struct err *e);
/* Their rows are in the database. */
enum rc sqlite_shard_set_remove_taken(struct sqlite_shard_set *t, struct err *e);

#endif
