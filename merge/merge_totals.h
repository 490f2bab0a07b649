/* How the whole run went, from how each shard did. Private to merge. */
#ifndef LEADPIPE_MERGE_TOTALS_H
#define LEADPIPE_MERGE_TOTALS_H

#include "merge/shard_set.h"

/* Sets all of `out` but the results of sinks; its run_id is made from those of the shards. RC_USAGE: counts that are too
 * large; RC_INTERNAL. */
enum rc merge_totals(const struct shard_set *set, struct run_result *out, struct err *e);

/* The misfits of the files in `result`, added up from the shards' sink; *list is malloc'd. RC_NOMEM. */
enum rc merge_misfits(const struct shard_set *set, size_t sink, const struct sink_result *result,
                      struct sink_misfits **list, size_t *n, struct err *e);

#endif
