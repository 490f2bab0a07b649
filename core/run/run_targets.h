/* The configuration of a run as its stages see it, with the placeholders in the outputs' targets replaced: {date} by
 * the day on which the run began (UTC, "2026-01-30"), and {run_id} by its id, both those of the first part if the run
 * is resumed; {shard} by the number of its shard. Private to core/run. */
#ifndef LEADPIPE_RUN_TARGETS_H
#define LEADPIPE_RUN_TARGETS_H

#include "core/base/arena.h"
#include "core/run/run.h"

/* Zero it first. */
struct run_targets {
    const struct run_cfg *given;
    struct run_cfg cfg;
    struct run_sink_cfg sinks[RUN_SINKS_MAX];
    struct run_file *files; /* malloc'd */
    struct arena memory;    /* has the texts; those of an earlier call stay valid */
};

/* Makes `t->cfg` from `given`, whose sinks must have their profile. May be called again. RC_NOMEM. */
enum rc run_targets_fill(struct run_targets *t, const struct run_cfg *given, const char *run_id,
                         int64_t started_wall_ms, struct err *e);

/* Makes the folders whose names depend on the run: nobody else can. */
enum rc run_targets_make_folders(const struct run_targets *t, struct err *e);

/* Removes the unfinished files of run `then` at targets that `now` does not have. */
void run_targets_discard(const struct run_targets *then, const struct run_targets *now);

void run_targets_free(struct run_targets *t);

#endif
