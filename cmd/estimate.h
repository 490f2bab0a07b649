/* How many IDs there may be, for the progress line: the run itself only knows at the end. */
#ifndef LEADPIPE_CMD_ESTIMATE_H
#define LEADPIPE_CMD_ESTIMATE_H

#include "cmd/options.h"

/* --expect, or the lines of the input files; of a large file, as many as its beginning promises. 0
 * where that is not known: pipes, compressed files. */
uint64_t estimate_ids(const struct export_options *o);

#endif
