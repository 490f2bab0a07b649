/* Where a sink writes in a database, and the names of what it has there. */
#ifndef LEADPIPE_SINKS_POSTGRES_PLACE_H
#define LEADPIPE_SINKS_POSTGRES_PLACE_H

#include "core/sink.h"
#include "sinks/sql/load_options.h"
#include "sinks/sql/relation.h"
#include "sinks/sql/shards.h"

#define PG_TOKEN_BYTES 17 /* 16 hexadecimal digits and a NUL */

/* Could it be one of ours? */
bool pg_is_token(const char *text);

struct pg_place {
    const struct sql_dialect *dialect;
    struct sql_relations relations;
    struct str schema; /* as the server has it */
    struct str provider;
    const struct portion *max_gone; /* NULL: the end of the run is decided */
    enum sql_mode mode;
    enum sql_deletes deletes;
    bool all_text;
    char token[PG_TOKEN_BYTES]; /* of the run and the sink: what its staging tables are named by */
    char run_id[33];
    int64_t started_us; /* of the run, since 1970-01-01T00:00:00Z */
    /* For remembered.h. */
    char loaded
        [PG_TOKEN_BYTES]; /* of the set of tables: what the table of fingerprints is named by */
    bool begins_anew;     /* what is remembered is not so any more */
    bool
        was_checked; /* the run has come to its end: leads that it has not loaded again were in the tables then */
    /* For shards.h. */
    const struct sink_shard *shard; /* NULL: the run does all leads */
    bool is_committing; /* other sinks may hold locks by now: none is waited for without limit */
    char group[SQL_SHARDS_DIGEST_CHARS + 1], set[SQL_SHARDS_DIGEST_CHARS + 1];
    char discarded[SQL_SHARDS_DIGEST_CHARS +
                   1]; /* a set of which this shard was, until this run began */
    /* For records.h. */
    const struct sink_host *host;
    const char *queue;  /* NULL: nothing is recorded */
    struct str record;  /* of this run; empty: nothing */
    const char **known; /* tokens of the records of other runs that this one has recalled */
    size_t n_known;
};

/* Append names as SQL, quoted and with the schema. */
void pg_put_name(struct buf *b, const struct pg_place *p, struct str name);
/* Of a column, without a schema. */
void pg_put_column(struct buf *b, const struct pg_place *p, struct str name);
/* Of the staging table of the table with that index; and of the ones that say which parts were loaded,
 * what the staged columns are, and which leads are gone. */
void pg_put_staged(struct buf *b, const struct pg_place *p, size_t table);
/* In the merge: which of its rows are new or differ, and which rows of the table are deleted. */
void pg_put_changed(struct buf *b, const struct pg_place *p, size_t table);
void pg_put_surplus(struct buf *b, const struct pg_place *p, size_t table);
void pg_put_parts(struct buf *b, const struct pg_place *p);
void pg_put_described(struct buf *b, const struct pg_place *p);
void pg_put_gone(struct buf *b, const struct pg_place *p);
/* Which fingerprints the leads of the run have, and which of them were not loaded again. */
void pg_put_fingerprints(struct buf *b, const struct pg_place *p);
void pg_put_same(struct buf *b, const struct pg_place *p);
/* Of all leads that are loaded: remembered.h. */
void pg_put_loaded(struct buf *b, const struct pg_place *p);
/* In the merge of several shards: what the staged columns of each are. */
void pg_put_origins(struct buf *b, const struct pg_place *p);

#define PG_TABLE_LOADED "_leadpipe_loaded"

/* The name of a staged column: of the relation, and undocumented ones. */
#define PG_STAGED_COLUMN "c%zu"
#define PG_STAGED_EXTRA "e%zu"
#define PG_STAGED_MISFITS "misfits"
#define PG_STAGED_PART "part"

/* The type of a column in PostgreSQL. */
const char *pg_type(const struct pg_place *p, enum column_type type);

#endif
