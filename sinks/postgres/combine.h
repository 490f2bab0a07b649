/* What several shards have staged, as if one run had. */
#ifndef LEADPIPE_SINKS_POSTGRES_COMBINE_H
#define LEADPIPE_SINKS_POSTGRES_COMBINE_H

#include "sinks/postgres/shards.h"

/* In the merge's transaction: makes staging tables with the rows of all shards of the set, and *all, where they are. An
 * undocumented column is that of a source, whatever its number in a shard; the sources of the first shard come first. */
enum rc pg_combine(struct pg_place *all, const struct pg_place *p, struct pg_link *l,
                   const struct pg_set *s, struct err *e);

#endif
