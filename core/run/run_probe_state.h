/* Checks whether a run could use its state. Private to core/run. */
#ifndef LEADPIPE_RUN_PROBE_STATE_H
#define LEADPIPE_RUN_PROBE_STATE_H

#include "core/base/findings.h"
#include "core/run/run_status.h"

/* Reports on the state of `cfg`, which must have one: whether it can be used, whether another run is using it, and what
 * would become of an unfinished run in it. Takes no lock and writes nothing. True: *out has its content; free it with
 * run_status_free(). */
bool run_probe_state(const struct run_cfg *cfg, struct run_status *out, const struct findings *f);

#endif
