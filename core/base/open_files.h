/* How many files and connections this process may have open (RLIMIT_NOFILE). */
#ifndef LEADPIPE_OPEN_FILES_H
#define LEADPIPE_OPEN_FILES_H

#include <stdint.h>

#include "core/base/err.h"

/* Raises the limit as far as it goes. RC_USAGE where fewer than `needed` are allowed even so; `who` needs them, in the
 * plural: "3 shards". */
enum rc open_files_allow(uint64_t needed, const char *who, struct err *e);

#endif
