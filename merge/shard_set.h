/* All shards of one run: their manifests, of which none is missing, there twice, or another run's. */
#ifndef LEADPIPE_SHARD_SET_H
#define LEADPIPE_SHARD_SET_H

#include "merge/shard_manifest.h"
#include "sinks/rows/rows_format.h"

struct shard_set {
    struct shard_manifest *shards; /* in the order of their numbers */
    size_t n;
    size_t n_read; /* of the manifests that were given */
    struct rows_header
        header; /* of the first; of the others all but the profile's text is the same */
    struct profile *profile;
    struct arena memory;
};

/* Reads the manifests, and the beginning of the files that they name for merge. RC_USAGE: what is wrong, with the
 * manifest's path; RC_IO, RC_NOMEM. shard_set_free() is due after a failure, too. */
enum rc shard_set_read(struct shard_set *s, const char *const *paths, size_t n, struct err *e);
void shard_set_free(struct shard_set *s);

/* The value of a setting that is there once; absent: it is not. */
struct str shard_set_setting(const struct shard_set *s, const char *name);

#endif
