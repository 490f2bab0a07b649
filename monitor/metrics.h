/* The metrics of a run for Prometheus: a file in its text format 0.0.4 ("Exposition formats" in its manual), for the
 * textfile collector of node_exporter. Every family is a gauge about the last run, except for the summary of its request
 * latencies. All samples have the label `job`. */
#ifndef LEADPIPE_METRICS_H
#define LEADPIPE_METRICS_H

#include "core/base/buf.h"
#include "core/run/run.h"

/* Every such file begins with this. */
#define METRICS_BEGIN "# HELP leadpipe_"

struct metrics {
    const char *job; /* any text */
    int64_t started_wall_ms, ended_wall_ms;
    int64_t last_success_wall_ms; /* end of the last successful run, maybe this one; 0: none */
    int exit_status;
    const struct run_cfg *cfg;       /* NULL: the run did not begin */
    const struct run_result *result; /* NULL with `cfg` */
};

/* Appends the whole text. Errors stick in `out`. */
void metrics_put(struct buf *out, const struct metrics *m);

/* Reads the time of the last success from the file of an earlier run. The file is not trusted: anybody may have changed
 * it. *out_ms (Unix time) is 0 if there is no file or an empty one. RC_SYNTAX: it is damaged, or of another job; RC_IO,
 * RC_NOMEM. Messages name the file. */
enum rc metrics_last_success(const char *path, const char *job, int64_t now_wall_ms,
                             int64_t *out_ms, struct err *e);

#endif
