/* What sinks that send HTTP requests get of the run's options, and no other sink uses. */
#ifndef LEADPIPE_SINK_HTTP_H
#define LEADPIPE_SINK_HTTP_H

#include <stdbool.h>

#include "core/http/http.h"

/* Of the run; lives as long as it. */
struct sink_http_cfg {
    const char *cacert, *user_agent;
    const char *proxy; /* NULL: the environment's; "": none */
    enum http_version_policy version;
    bool allow_http;
    const struct http_retry_cfg *retry; /* where the sink has no settings of its own */
};

#endif
