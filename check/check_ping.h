/* Checks whether the service of --ping can be reached. */
#ifndef LEADPIPE_CHECK_PING_H
#define LEADPIPE_CHECK_PING_H

#include "core/base/findings.h"
#include "core/run/run.h"

/* Connects, but sends no request. Blocks. `cfg` says how servers are reached, except that `proxy` is the one for this
 * URL. */
void check_ping(const char *url, const char *proxy, const struct run_cfg *cfg,
                const struct findings *f);

#endif
