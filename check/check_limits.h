/* Checks whether there is as much memory as the run may take. */
#ifndef LEADPIPE_CHECK_LIMITS_H
#define LEADPIPE_CHECK_LIMITS_H

#include <stdint.h>

#include "core/base/findings.h"

/* Reports one point, on the lowest of the limits of machine, control group and process. `max_memory`: --max-memory in
 * bytes. */
void check_memory(uint64_t max_memory, const struct findings *f);

#endif
