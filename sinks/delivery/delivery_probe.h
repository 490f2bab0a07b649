/* Can a receiver be reached? */
#ifndef LEADPIPE_DELIVERY_PROBE_H
#define LEADPIPE_DELIVERY_PROBE_H

#include "core/base/findings.h"
#include "core/http/http.h"
#include "core/sink.h"

/* Connects to the server of `url`, with TLS where that says so, and sends no request: reports that it was reached, or
 * why it was not, and then returns false. Blocks, for as long as delivery_probe_hurry() leaves. */
bool delivery_probe(const struct sink_cfg *cfg, const char *url, struct http_retry_cfg limits,
                    const char *subject, const struct findings *f);

/* Whoever asks before a run does not wait as long as a run does. */
void delivery_probe_hurry(struct http_retry_cfg *limits);

#endif
