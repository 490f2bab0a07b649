/* What is reported when `leadpipe export` ends, however it ends: messages, the summary, metrics and report. */
#ifndef LEADPIPE_CMD_EXPORT_END_H
#define LEADPIPE_CMD_EXPORT_END_H

#include "cmd/export.h"

struct export_ended {
    int exit_status;
    int64_t started_wall_ms, ended_wall_ms;
    const char *error;               /* why the run did not begin; NULL: it did */
    struct str below;                /* lines to print below `error`; may be empty */
    const struct run_cfg *cfg;       /* run_config(); NULL: it did not begin */
    const struct run_result *result; /* NULL with `cfg` */
};

/* Writes the files about the run: --metrics, --report and --summary-file. Returns the exit status, which is not 0 if one
 * of them could not be written. */
int export_end_files(struct export *x, const struct export_ended *ended);

/* --job-name, or its default. */
const char *export_job_name(const struct export *x);

/* Appends the summary as a line of JSON. Errors stick in `out`. */
void export_end_json(struct buf *out, const struct export *x, const struct export_ended *ended);

/* Writes the errors, and the summary, unless that is in a file or not wanted, to standard error. */
void export_end_messages(struct export *x, const struct export_ended *ended);

#endif
