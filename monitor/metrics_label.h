/* Labels in Prometheus's text format. Private to monitor. */
#ifndef LEADPIPE_METRICS_LABEL_H
#define LEADPIPE_METRICS_LABEL_H

#include "core/base/buf.h"

#define METRICS_LAST_SUCCESS "last_success_timestamp_seconds"

/* Maximum length of a value before escaping, which makes it at most ten times as long. */
#define METRICS_LABEL_BYTES_MAX ((size_t)1 << 20)

/* Appends name="value". Invisible characters (except for line feeds) and invalid UTF-8 in the value are escaped as in
 * messages. */
void metrics_label_put(struct buf *out, const char *name, const char *value);

#endif
