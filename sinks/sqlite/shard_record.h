/* Whose rows a staging database has when the run of a shard has come to its end: in two tables of it, `shard` with one row
 * and `parts` with one for each staging table. The rows of other shards, which the last one takes in, are not counted:
 * they come behind its own. */
#ifndef LEADPIPE_SINKS_SQLITE_SHARD_RECORD_H
#define LEADPIPE_SINKS_SQLITE_SHARD_RECORD_H

#include "sinks/sqlite/stage.h"

/* Its texts belong to whoever made it. */
struct sqlite_shard_record {
    uint32_t index, of;
    struct str token, run_id, started_at; /* of the run that has fetched them */
    struct str group;                     /* sinks/sql/shards.h, as is the set */
    struct str set;
    struct str name; /* of the run that the shards are parts of (--shard-run); empty: it has none */
    int64_t loaded_ms;    /* when: by the wall clock */
    uint64_t leads, gone; /* that are staged */
    bool list_is_empty;   /* of all shards */
};

/* Writes it into "main", in a transaction of its own, after which all that is staged is on disk. */
enum rc sqlite_shard_record_write(struct sqlite_stage *s, const struct sqlite_shard_record *r,
                                  struct err *e);

/* Reads that of `schema`, "main" or another one that is attached; the texts come to `memory`. RC_SYNTAX: it is none. */
enum rc sqlite_shard_record_read(const struct sqlite_db *d, const char *schema,
                                 struct arena *memory, struct sqlite_shard_record *out,
                                 struct err *e);

#endif
