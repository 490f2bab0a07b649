/* Is there as much memory as the run may take? */
#ifndef LEADPIPE_CHECK_LIMITS_H
#define LEADPIPE_CHECK_LIMITS_H

#include <stdint.h>

#include "core/base/findings.h"

/* By the machine, the control group and the process: one point, on the least of them. `max_memory`: bytes. */
void check_memory(uint64_t max_memory, const struct findings *f);

#endif
