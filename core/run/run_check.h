/* Configurations that cannot work are refused before anything is touched. Private to core/run. */
#ifndef LEADPIPE_RUN_CHECK_H
#define LEADPIPE_RUN_CHECK_H

#include "core/run/run.h"

/* RC_USAGE, RC_NOMEM, or as state_check() and outfile_check(). */
enum rc run_check(const struct run_cfg *cfg, struct err *e);

/* Bytes that the sinks keep from one lead to the next (struct sink_ops's keeps()), if the ceiling were
 * `max_memory`. After run_check() there is more than that. */
size_t run_kept_bytes(const struct run_cfg *cfg, size_t max_memory);

#endif
