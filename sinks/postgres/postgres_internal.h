/* What the files of the sink share. Private to postgres.c and end.c. */
#ifndef LEADPIPE_SINKS_POSTGRES_POSTGRES_INTERNAL_H
#define LEADPIPE_SINKS_POSTGRES_POSTGRES_INTERNAL_H

#include "sinks/postgres/merge.h"
#include "sinks/postgres/options.h"

#define PG_TRIES 5 /* of a merge that lost against other transactions, or its connection */

struct postgres {
    struct sink sink; /* first */
    struct sink_cfg cfg;
    struct arena memory;
    struct pg_place place;
    struct pg_link link;
    struct pg_load load;
    struct stop_timer stop;
    struct sql_outcome outcome;
    struct pg_set_outcome set; /* of a shard */
    struct buf mark;
    struct pg_misfits misfits;
    bool was_there; /* the server: a connection that is lost is made again */
    bool keeps;     /* a mark or a text needs the staging tables */
    bool created;   /* there are staging tables */
    bool committed; /* and now there are not */
    bool done;      /* the merge has found that the run is done */
};

static inline struct postgres *pg_of(struct sink *s)
{
    return (struct postgres *)s;
}

/* postgres.c */

/* RC_USAGE: a wrong target. pg_release() is due in any case. */
enum rc pg_init(struct postgres *s, const struct sink_cfg *cfg, const char *run_id,
                int64_t started_ms, struct err *e);
void pg_release(struct postgres *s);
/* A server that is not there at first is a mistake of the user's, for all we know; one that was there is
 * waited for. */
enum rc pg_connect(struct postgres *s, struct err *e);

/* end.c; as in struct sink_ops */
enum rc pg_prepare(struct sink *sink, struct buf *text, struct err *e);
enum rc pg_commit(struct sink *sink, struct err *e);
enum rc pg_abort(struct sink *sink, struct err *e);
enum rc pg_recover(const struct sink_cfg *cfg, const struct sink_recovery *r, struct err *e);

/* Drops what was staged, unless it is the other shards' by now. The run is over, and its time perhaps, too: the server is not
 * waited for any longer than a few seconds. */
enum rc pg_drop(struct postgres *s, struct err *e);

#endif
