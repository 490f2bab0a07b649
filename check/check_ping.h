/* Can the service that is pinged be reached? */
#ifndef LEADPIPE_CHECK_PING_H
#define LEADPIPE_CHECK_PING_H

#include "core/base/findings.h"
#include "core/run/run.h"

/* Connects, and sends no request. Of `cfg`: how servers are reached; `proxy` is that for the URL. */
void check_ping(const char *url, const char *proxy, const struct run_cfg *cfg,
                const struct findings *f);

#endif
