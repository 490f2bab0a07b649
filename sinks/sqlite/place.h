/* Where a run's rows go: the database, the files beside it, the tables. */
#ifndef LEADPIPE_SINKS_SQLITE_PLACE_H
#define LEADPIPE_SINKS_SQLITE_PLACE_H

#include "core/sink.h"
#include "sinks/sql/load_options.h"
#include "sinks/sql/relation.h"
#include "sinks/typed_rows.h"

#define SQLITE_TIME_BYTES 80 /* seven numbers of any length */
/* Of every table: "_misfits", "_exported_at", "_run_id", "_deleted_at", and some of the user's. */
#define SQLITE_OTHER_COLUMNS 16

struct sqlite_opts {
    int mode, deletes, types; /* enum sql_mode, enum sql_deletes, enum typed_types */
};

struct sqlite_place {
    struct arena memory; /* of all texts */
    const struct sql_dialect *dialect;
    struct sql_relations relations;
    const char *spec;
    const struct log_hook *log;
    const char *path;    /* of the database: absolute, without links */
    const char *staging; /* beside it: the rows of a run that has not come to its end */
    const char *fresh;   /* beside it: a database that is complete and has not got its name */
    const char *
        other_fresh; /* ... that of a run with shards, if this one has none, and the other way round */
    const struct sink_shard *shard; /* NULL: the run does all leads */
    /* Of shards: the lock, and what names of files begin with (shard_files.h). */
    const char *lock, *loading, *loaded;
    enum sql_mode mode;
    enum sql_deletes deletes;
    bool all_text;
    const struct portion *max_gone; /* NULL: the end of the run is decided */
    const char *run_id, *token;     /* the token is of the run and the sink */
    char started_at[SQLITE_TIME_BYTES];
    const char *queue; /* records.h; NULL: nothing is recorded */
    struct str record; /* of this run; empty: nothing */
};

/* All but the run. RC_USAGE: the options do not fit each other, or the target is no file. */
enum rc sqlite_place_make(struct sqlite_place *p, const struct sink_cfg *cfg, struct err *e);
enum rc sqlite_place_set_run(struct sqlite_place *p, const struct sink_cfg *cfg, struct str run_id,
                             int64_t started_ms, struct err *e);
void sqlite_place_free(struct sqlite_place *p);

/* Appends the names, with a NUL behind each, of the files that SQLite makes beside a database. RC_USAGE: it
 * cannot, as they would be too long. */
enum rc sqlite_place_beside(const struct sqlite_place *p, struct buf *out, struct err *e);

/* "2026-11-29T02:00:00.000000Z": microseconds always, so that texts sort as times do. */
void sqlite_time_text(int64_t us, char out[SQLITE_TIME_BYTES]);

/* In one connection the staging database is "main", and the one that is written "out". */
void sqlite_put_table(struct buf *b, const struct sqlite_place *p, struct str table);

#endif
