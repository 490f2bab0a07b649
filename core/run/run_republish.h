/* Finishes an earlier run that was cut off while publishing: makes visible what is not, and fetches nothing.
 * Private to core/run. */
#ifndef LEADPIPE_RUN_REPUBLISH_H
#define LEADPIPE_RUN_REPUBLISH_H

#include <stdatomic.h>

#include "core/run/resume.h"

/* The texts that a state has for the end of a run: one for each sink, in the order of the command, and then
 * these. The text of an output that is not wanted, or goes to a stream, is empty. */
enum { RUN_TEXT_LISTS, RUN_TEXT_REPORTS, RUN_TEXTS_MORE };
#define RUN_TEXTS_MAX (RUN_SINKS_MAX + RUN_TEXTS_MORE)

/* The order in which sinks are committed or recovered: first those that write no regular file, of which there
 * are *n_without_files. `order` has room for all sinks. */
enum rc run_commit_order(const struct run_cfg *cfg, size_t order[], size_t *n_without_files,
                         struct err *e);

/* Checks all texts, and changes nothing. RC_USAGE: the state is damaged, or its outputs are not this
 * command's. */
enum rc run_republish_check(const struct resume_plan *p, struct err *e);
/* Publishes. The result's texts are in `arena`, its sinks in `sinks`, which has room for RUN_SINKS_MAX.
 * `*signal_number`: the signal that stopped the run; 0: none. */
void run_republish(const struct resume_plan *p, const atomic_int *signal_number,
                   struct arena *arena, struct sink_result *sinks, struct run_result *out);

#endif
