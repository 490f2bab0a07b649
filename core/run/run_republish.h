/* The end of an earlier run, that was cut off after all was complete: what has not got its name yet gets
 * it, and nothing is fetched. Private to core/run. */
#ifndef LEADPIPE_RUN_REPUBLISH_H
#define LEADPIPE_RUN_REPUBLISH_H

#include <stdatomic.h>

#include "core/run/resume.h"

/* What a state holds of the end of a run: a text for each sink, in the order of the command, and these
 * behind them. One that is not wanted, or goes to a stream, has an empty text. */
enum { RUN_TEXT_LISTS, RUN_TEXT_REPORTS, RUN_TEXTS_MORE };
#define RUN_TEXTS_MAX (RUN_SINKS_MAX + RUN_TEXTS_MORE)

/* In which order sinks are committed or recovered: first, *n_without_files of them, those that write
 * no regular file. `order` has room for all sinks. */
enum rc run_commit_order(const struct run_cfg *cfg, size_t order[], size_t *n_without_files,
                         struct err *e);

/* Could it be done? Changes nothing. RC_USAGE: the state is damaged, or its outputs are not this
 * command's. */
enum rc run_republish_check(const struct resume_plan *p, struct err *e);
/* Does it. Texts of the result lie in `arena`, its sinks are `sinks` (RUN_SINKS_MAX of them).
 * `signal_number`: of the signal that stopped it; 0: none. */
void run_republish(const struct resume_plan *p, const atomic_int *signal_number,
                   struct arena *arena, struct sink_result *sinks, struct run_result *out);

#endif
