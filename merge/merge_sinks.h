/* The sinks of a merge: which of the shards' sinks each is of, and the rows of all leads into it. Private to merge. */
#ifndef LEADPIPE_MERGE_SINKS_H
#define LEADPIPE_MERGE_SINKS_H

#include "merge/column_union.h"
#include "merge/merge.h"

/* Which sink of the shards has what the specification asks for; RC_USAGE: none has. `taken`: those that are another's
 * already, of RUN_SINKS_MAX; sets its own. */
enum rc merge_find_sink(const struct shard_set *set, const struct sink_spec *spec, bool taken[],
                        size_t *out, struct err *e);

/* In all shards it has so many files. RC_USAGE: not in all. */
enum rc merge_check_files(const struct shard_set *set, size_t sink, size_t n_files, struct err *e);

/* Puts all rows of the shards' sink `from` into `to`, which is open. Their files are opened, read to their ends, and
 * compared with the manifests. `in` is set, and must live until `to` is closed. RC_STOPPED; RC_SYNTAX, RC_USAGE: of a
 * file; RC_IO, RC_NOMEM. */
enum rc merge_copy(struct sink *to, size_t from, const struct column_union *columns,
                   struct sink_merge *in, const atomic_int *signal, struct err *e);

#endif
