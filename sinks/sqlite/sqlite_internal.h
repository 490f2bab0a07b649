/* The instance of the sink, and what a run that finishes another one's work does with it, too. Private to sqlite.c and
 * recover.c. */
#ifndef LEADPIPE_SINKS_SQLITE_SQLITE_INTERNAL_H
#define LEADPIPE_SINKS_SQLITE_SQLITE_INTERNAL_H

#include "sinks/sql/merge.h"
#include "sinks/sqlite/shard_set.h"

#define SQLITE_TEXT_VERSION "1" /* of prepare()'s text: "1 RUN_ID STARTED_MS\n" */

struct sqlite {
    struct sink sink; /* first */
    struct sink_cfg cfg;
    struct sqlite_place place;
    struct sqlite_stage stage;
    struct sqlite_shard_set shards; /* with cfg.shard */
    struct stop_timer stop;
    struct sql_outcome outcome;
    struct buf mark;
    struct sink_file file, *files;
    struct sink_misfits *misfits;
    size_t n_misfits;
    bool keeps;    /* a mark or a text needs the staging database */
    bool is_fresh; /* the database is complete under another name */
    bool is_open;  /* the merge's transaction */
    bool waits;    /* for other shards: what is staged is to be kept */
    bool is_done;  /* committed, or taken back */
};

/* *out is to be freed also after an error, where it is not NULL. */
enum rc sqlite_sink_new(struct sqlite **out, const struct sink_cfg *cfg, struct str run_id,
                        int64_t started_ms, struct err *e);
void sqlite_sink_free(struct sqlite *s, bool remove);

/* Opens the database where it is there. */
enum rc sqlite_sink_attach(struct sqlite *s, struct err *e);
/* Locks other shards out; nothing without shards. */
enum rc sqlite_sink_lock(struct sqlite *s, struct err *e);

/* The staged rows come to the tables; *done: they are there. */
enum rc sqlite_sink_merge(struct sqlite *s, bool *done, struct err *e);
/* What a shard has staged, and has recorded, is merged with what the others have, or waits for them. */
enum rc sqlite_sink_merge_set(struct sqlite *s, bool *done, struct err *e);
enum rc sqlite_sink_commit(struct sink *sink, struct err *e);
void sqlite_sink_result(const struct sink *sink, struct sink_result *out);

enum rc sqlite_sink_recover(const struct sink_cfg *cfg, const struct sink_recovery *r,
                            struct err *e);

#endif
