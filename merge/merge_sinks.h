/* The sinks of a merge: finds the shards' sink that each one combines, and copies the rows. Private to merge. */
#ifndef LEADPIPE_MERGE_SINKS_H
#define LEADPIPE_MERGE_SINKS_H

#include "merge/column_union.h"
#include "merge/merge.h"

/* *out: the index of the shards' sink that has the same kind and options as `spec`. RC_USAGE: there is none. `taken`
 * (RUN_SINKS_MAX of them): which of the shards' sinks are in use; the one found is added. */
enum rc merge_find_sink(const struct shard_set *set, const struct sink_spec *spec, bool taken[],
                        size_t *out, struct err *e);

/* Checks that the sink has `n_files` files in every shard. RC_USAGE: it has not. */
enum rc merge_check_files(const struct shard_set *set, size_t sink, size_t n_files, struct err *e);

/* Puts all rows of the shards' sink `from` into `to`, which is open. Reads their files to the end and compares them with
 * the manifests. Fills `in`, which must live until `to` is closed. RC_STOPPED; RC_SYNTAX, RC_USAGE: about a file; RC_IO,
 * RC_NOMEM. */
enum rc merge_copy(struct sink *to, size_t from, const struct column_union *columns,
                   struct sink_merge *in, const atomic_int *signal, struct err *e);

#endif
