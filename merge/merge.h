/* leadpipe merge: combines the outputs of all shards into those that one run would have written. Blocks; one thread. */
#ifndef LEADPIPE_MERGE_H
#define LEADPIPE_MERGE_H

#include <stdatomic.h>

#include "core/run/run.h"
#include "sinks/registry.h"

struct merge;

struct merge_cfg {                /* copied; what it points to must outlive the merge */
    const char *const *manifests; /* paths */
    size_t n_manifests;
    const struct sink_spec *specs; /* the outputs to write */
    size_t n_specs;
    const char *failed_path, *missing_path, *manifest_path; /* NULL: not wanted */
    const char *version;
    const char *const *arguments; /* for the manifest */
    size_t n_arguments;
    const struct clock *clock;
    const struct stop_timer *stop;
    const struct log_hook *log;
    struct secrets *secrets;
    const atomic_int *signal; /* not 0: stop; ignored once outputs begin to become visible */
};

/* Reads the manifests and companions, and checks that the shards can be merged into these outputs. Writes nothing.
 * RC_USAGE: they cannot; RC_STOPPED, RC_IO, RC_NOMEM. */
enum rc merge_new(struct merge **out, const struct merge_cfg *cfg, struct err *e);
void merge_free(struct merge *m); /* may be NULL */

/* Writes and publishes the outputs, all or none of them. Call it once. RC_USAGE: a file of a shard is not the one that its
 * manifest describes, or has changed; RC_STOPPED; RC_IO, RC_NOMEM. */
enum rc merge_run(struct merge *m, struct err *e);

/* The outputs, and the counts of all shards together; after merge_run(). Owned by the merge. */
const struct run_result *merge_result(const struct merge *m);
const struct run_cfg *merge_run_cfg(const struct merge *m);

#endif
