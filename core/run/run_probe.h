/* What would keep a run from its outputs, found out before it begins. */
#ifndef LEADPIPE_RUN_PROBE_H
#define LEADPIPE_RUN_PROBE_H

#include "core/base/findings.h"
#include "core/run/run.h"

/* Reports on each sink, each file that an option names, the space that is left for them, and what run_new() would
 * refuse. Leaves nothing behind that lasts, and takes nothing from the IDs. Blocks while servers are asked. */
void run_probe(const struct run_cfg *cfg, const struct findings *f);

#endif
