/* Labels in Prometheus's text format. Private to monitor. */
#ifndef LEADPIPE_METRICS_LABEL_H
#define LEADPIPE_METRICS_LABEL_H

#include "core/base/buf.h"

#define METRICS_LAST_SUCCESS "last_success_timestamp_seconds"

/* Of a value before it is escaped, which makes it at most ten times as long. */
#define METRICS_LABEL_BYTES_MAX ((size_t)1 << 20)

/* Appends name="value". A value that cannot be seen in part (but for line feeds), or is not UTF-8,
 * has there the escapes that messages show. */
void metrics_label_put(struct buf *out, const char *name, const char *value);

#endif
