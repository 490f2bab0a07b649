/* The manifest of a shard, as leadpipe merge needs it. What is read may be anything. */
#ifndef LEADPIPE_SHARD_MANIFEST_H
#define LEADPIPE_SHARD_MANIFEST_H

#include "core/run/run.h"

#define SHARD_MANIFEST_BYTES_MAX ((size_t)256 << 20)

/* Its texts live as long as the manifest. */
struct named_file {
    const char *path; /* as seen from the working directory; NULL: there is none */
    uint64_t rows, bytes;
    const char *sha256;
};

struct shard_sink {
    struct named_file *files;
    size_t n_files;
    struct sink_misfits *misfits;
    size_t n_misfits;
};

struct shard_manifest {
    const char *path; /* the caller's */
    struct shard shard;
    const char *list; /* digest of the list of IDs */
    struct named_file leads, failed, missing;
    struct shard_sink *sinks;
    size_t n_sinks;
    struct run_result counts; /* ids, ledger, http, beyond, times, exit_status, run_id */
    const char *server;       /* NULL: not known */
    struct arena memory;
};

/* RC_USAGE: it cannot be read, is no manifest of a shard that was published, or says something that is not possible;
 * the text names it. RC_NOMEM. shard_manifest_free() is due after a failure, too. */
enum rc shard_manifest_read(struct shard_manifest *m, const char *path, struct err *e);
void shard_manifest_free(struct shard_manifest *m);

#endif
