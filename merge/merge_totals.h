/* The result of all shards together, from the results in their manifests. Private to merge. */
#ifndef LEADPIPE_MERGE_TOTALS_H
#define LEADPIPE_MERGE_TOTALS_H

#include "merge/shard_set.h"

/* Sets all of `out` except for the results of sinks. Its run_id is a digest of those of the shards. RC_USAGE: the counts
 * are too large; RC_NOMEM, RC_INTERNAL. */
enum rc merge_totals(const struct shard_set *set, struct run_result *out, struct err *e);

/* The misfits of the files in `result`: the sums over the shards' sink `sink`. The caller frees *list. RC_USAGE: they are
 * too many; RC_NOMEM. */
enum rc merge_misfits(const struct shard_set *set, size_t sink, const struct sink_result *result,
                      struct sink_misfits **list, size_t *n, struct err *e);

#endif
