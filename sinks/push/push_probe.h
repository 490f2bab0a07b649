/* Can a CRM be reached, and is a token given? Private to sinks/push. */
#ifndef LEADPIPE_PUSH_PROBE_H
#define LEADPIPE_PUSH_PROBE_H

#include "core/sink.h"

/* As probe() of struct sink_ops. The only request is the one for an access token, where the destination has OAuth 2.0;
 * it goes to the token's server. */
void push_probe(const struct sink_cfg *cfg, const struct findings *f);

#endif
