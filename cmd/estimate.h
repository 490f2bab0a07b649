/* Estimates the number of IDs for the progress line; the run itself only knows it at the end. */
#ifndef LEADPIPE_CMD_ESTIMATE_H
#define LEADPIPE_CMD_ESTIMATE_H

#include "cmd/options.h"

/* --expect, or the number of lines in the input files; for a large file extrapolated from its beginning. 0: not
 * known (pipes, compressed files). */
uint64_t estimate_ids(const struct export_options *o);

#endif
