/* leadpipe merge: the outputs of all shards become those that one run would have written. */
#ifndef LEADPIPE_MERGE_H
#define LEADPIPE_MERGE_H

#include <stdatomic.h>

#include "core/run/run.h"
#include "sinks/registry.h"

struct merge;

struct merge_cfg { /* lives as long as the merge */
    const char *const *manifests;
    size_t n_manifests;
    const struct sink_spec *specs; /* where what goes */
    size_t n_specs;
    const char *failed_path, *missing_path, *manifest_path; /* NULL: not wanted */
    const char *version;
    const char *const *arguments; /* for the manifest */
    size_t n_arguments;
    const struct clock *clock;
    const struct stop_timer *stop;
    const struct log_hook *log;
    struct secrets *secrets;
    const atomic_int
        *signal; /* not 0: stop; once outputs become visible it is not asked any more */
};

/* Reads and checks the set. RC_USAGE: it cannot be merged, or not to there, and nothing was touched; RC_IO, RC_NOMEM. */
enum rc merge_new(struct merge **out, const struct merge_cfg *cfg, struct err *e);
void merge_free(struct merge *m); /* may be NULL */

/* Writes and publishes the outputs, all or none of them. RC_USAGE: a file of a shard is not what its manifest says, or
 * changed meanwhile; RC_STOPPED; RC_IO, RC_NOMEM. Once. */
enum rc merge_run(struct merge *m, struct err *e);

/* What the outputs are, and how the whole run went; after merge_run(). */
const struct run_result *merge_result(const struct merge *m);
const struct run_cfg *merge_run_cfg(const struct merge *m);

#endif
