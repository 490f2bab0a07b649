/* The figures of a run for Prometheus: a file in its text format 0.0.4 ("Exposition formats" in its manual), as
 * the textfile collector of node_exporter reads it. Every family is a gauge of the last run, or its summary of
 * latencies; all have the label `job`. */
#ifndef LEADPIPE_METRICS_H
#define LEADPIPE_METRICS_H

#include "core/base/buf.h"
#include "core/run/run.h"

/* What every such file begins with. */
#define METRICS_BEGIN "# HELP leadpipe_"

struct metrics {
    const char *job; /* any text */
    int64_t started_wall_ms, ended_wall_ms;
    int64_t last_success_wall_ms; /* of this run, if it is one; 0: there was none */
    int exit_status;
    const struct run_cfg *cfg;       /* NULL: the run did not begin */
    const struct run_result *result; /* NULL with `cfg` */
};

/* Appends the whole text. Errors stick in `out`. */
void metrics_put(struct buf *out, const struct metrics *m);

/* When the last success was, by the file of an earlier run, which may have been changed by anybody. *out_ms is
 * 0 where there is no file, or an empty one. RC_SYNTAX: it is damaged, or of another job; RC_IO, RC_NOMEM. The
 * text names the file. */
enum rc metrics_last_success(const char *path, const char *job, int64_t now_wall_ms,
                             int64_t *out_ms, struct err *e);

#endif
