/* Shards of one run that write to one database: which of them belong together, and which are still due.
 *
 * Each loads its rows into staging tables, and says in its row of _leadpipe_runs that it has (`loaded`); the tables change
 * with the last one. Those in which `set` is the same are one run. `group` is what is known of the set before the list has
 * been read: under its lock shards are loaded, merged and given up. */
#ifndef LEADPIPE_SINKS_SQL_SHARDS_H
#define LEADPIPE_SINKS_SQL_SHARDS_H

#include "core/base/log.h"
#include "core/sink.h"
#include "sinks/sql/load_options.h"
#include "sinks/sql/relation.h"

/* A set without a name in which no shard has been loaded for so long when a run starts is of another night. */
#define SQL_SHARDS_OLD_HOURS 12
/* One with a name. */
#define SQL_SHARDS_OLD_DAYS 7

#define SQL_SHARDS_DIGEST_CHARS 64

/* What else than the shard decides what gets into the tables. */
struct sql_shards_place {
    struct str schema;
    const struct sql_relations *relations;
    enum sql_mode mode;
    enum sql_deletes deletes;
    bool all_text;
};

/* Digests in hexadecimal. RC_NOMEM. */
enum rc sql_shards_group(const struct sink_shard *shard, const struct sql_shards_place *place,
                         char out[SQL_SHARDS_DIGEST_CHARS + 1], struct err *e);
enum rc sql_shards_set(const char *group, const struct sink_list *list,
                       char out[SQL_SHARDS_DIGEST_CHARS + 1], struct err *e);

/* Which shards of a set have been seen. */
struct sql_shards_seen {
    unsigned char *is; /* one for each; owned */
    uint32_t of;
    uint32_t n; /* how many have been */
};

enum rc sql_shards_seen_init(struct sql_shards_seen *s, uint32_t of, struct err *e);
void sql_shards_seen_free(struct sql_shards_seen *s);
/* A number from outside: false where it is none of a shard's. One that was seen already stays so. */
bool sql_shards_see(struct sql_shards_seen *s, uint64_t index);

/* The numbers of those that have been seen, or have not: "3 and 15 of 16", "0, 2, 4 and 9 others of 16". At most
 * SINK_WAITS_FOR_BYTES with the NUL. */
void sql_shards_names(const struct sql_shards_seen *s, bool seen, char out[SINK_WAITS_FOR_BYTES]);

/* Warns if what an earlier run of this shard had loaded, and was discarded when this one began (`discarded`: its set, "": nothing),
 * was of another list. */
void sql_shards_warn_of_list(const char *discarded, const char *set, const struct log_hook *log,
                             const char *spec);

/* Sets what the result of a sink says of a shard that is loaded. */
void sql_shards_due(const struct sql_shards_seen *loaded, struct sink_result *out);

/* The same for a message: "loaded; the tables change when shards 3 and 15 of 16 are done". Nothing if none is due. */
void sql_shards_tell(const struct sink_result *r, const struct log_hook *log, const char *spec);

#endif
