/* The end of an earlier run, that was cut off after all was complete: what has not got its name yet gets
 * it, and nothing is fetched. Private to core/run. */
#ifndef LEADPIPE_RUN_REPUBLISH_H
#define LEADPIPE_RUN_REPUBLISH_H

#include <stdatomic.h>

#include "core/run/resume.h"

/* Could it be done? Changes nothing. RC_USAGE: the state is damaged, or its outputs are not this
 * command's. */
enum rc run_republish_check(const struct resume_plan *p, struct err *e);
/* Does it. Texts of the result lie in `arena`, its sinks are `sinks` (RUN_SINKS_MAX of them).
 * `signal_number`: of the signal that stopped it; 0: none. */
void run_republish(const struct resume_plan *p, const atomic_int *signal_number,
                   struct arena *arena, struct sink_result *sinks, struct run_result *out);

#endif
