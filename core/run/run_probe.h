/* For leadpipe check: finds out what would go wrong in a run, as far as state, sinks and files are concerned. */
#ifndef LEADPIPE_RUN_PROBE_H
#define LEADPIPE_RUN_PROBE_H

#include "core/base/findings.h"
#include "core/run/run.h"

/* Reports on the state, each sink, each file that an option names, the disk space for them, and what run_new() would
 * refuse. Leaves nothing behind, and reads no IDs. Blocks while it waits for servers. */
void run_probe(const struct run_cfg *cfg, const struct findings *f);

#endif
