/* Configurations that cannot work are refused before anything is touched. Private to core/run. */
#ifndef LEADPIPE_RUN_CHECK_H
#define LEADPIPE_RUN_CHECK_H

#include "core/run/run.h"

/* RC_USAGE, RC_NOMEM, or as state_check() and outfile_check(). */
enum rc run_check(const struct run_cfg *cfg, struct err *e);

#endif
