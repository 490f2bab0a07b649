/* The companion sink of a shard's manifest: writes MANIFEST.rows.gz (rows_format.h). No -t names it. */
#ifndef LEADPIPE_ROWS_H
#define LEADPIPE_ROWS_H

#include "core/sink.h"
#include "sinks/rows/rows_format.h"

#define ROWS_SUFFIX ".rows.gz" /* behind the name of the manifest */
#define ROWS_LABEL "rows:"     /* before the file, in the place of a specification */

/* The target is the file; cfg->opts a struct rows_opts, which outlives the sink. */
struct rows_opts {
    struct rows_header header; /* without its profile */
};

extern const struct sink_ops sink_rows;

#endif
