/* The parts of a shard's manifest that leadpipe merge needs. The file may contain anything: all of it is checked. */
#ifndef LEADPIPE_SHARD_MANIFEST_H
#define LEADPIPE_SHARD_MANIFEST_H

#include "core/run/run.h"

#define SHARD_MANIFEST_BYTES_MAX ((size_t)256 << 20)

/* Its texts live as long as the manifest. */
struct named_file {
    const char *path; /* relative to the working directory, or absolute; NULL: there is no file */
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
    const char *path; /* of the manifest; the caller's */
    struct shard shard;
    const char *list; /* digest of the list of IDs */
    struct named_file leads, failed, missing;
    struct shard_sink *sinks;
    size_t n_sinks;
    struct run_result counts; /* ids, ledger, http, beyond, times, exit_status, run_id */
    const char *server;       /* NULL: not known */
    struct arena memory;
};

/* RC_USAGE, with a message that names the file: it cannot be read, is not the manifest of a shard that was published, or
 * a value in it is impossible. RC_IO, RC_NOMEM. Call shard_manifest_free() even after a failure. */
enum rc shard_manifest_read(struct shard_manifest *m, const char *path, struct err *e);
void shard_manifest_free(struct shard_manifest *m);

#endif
