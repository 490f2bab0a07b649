/* All shards of one run: checks that none is missing, given twice, or of another run. */
#ifndef LEADPIPE_SHARD_SET_H
#define LEADPIPE_SHARD_SET_H

#include "merge/shard_manifest.h"
#include "sinks/rows/rows_format.h"
#include "sinks/shard_file.h"

struct shard_set {
    struct shard_manifest *shards; /* in the order of their numbers */
    size_t n;
    size_t n_read; /* how many manifests have been read */
    struct rows_header
        header; /* that of the first shard; the others' have been found to be the same */
    struct profile *profile;
    struct arena memory;
    const atomic_int
        *signal; /* of struct shard_file_cfg: whoever reads a file of the set stops then */
};

/* Reads the manifests, and the headers of the companions. RC_USAGE: they cannot be merged; the message names the manifest.
 * RC_STOPPED, RC_IO, RC_NOMEM. Call shard_set_free() even after a failure. */
enum rc shard_set_read(struct shard_set *s, const char *const *paths, size_t n,
                       const atomic_int *signal, struct err *e);
void shard_set_free(struct shard_set *s);

/* The value of a setting; absent: the shards do not have it. For settings that occur once. */
struct str shard_set_setting(const struct shard_set *s, const char *name);

#endif
