/* A run's result as a text in the state, so that a run that was cut off while publishing can be reported by
 * the next one. Private to core/run. */
#ifndef LEADPIPE_RUN_RECORD_H
#define LEADPIPE_RUN_RECORD_H

#include "core/run/run.h"

/* Appends the text. Errors stick in `out`. */
void run_record_write(struct buf *out, const struct run_cfg *cfg, const struct run_result *result);
/* Parses the text. The result's texts are in `arena`, its sinks in `sinks`, which has room for RUN_SINKS_MAX.
 * RC_USAGE: it is damaged. RC_NOMEM. */
enum rc run_record_read(const struct run_cfg *cfg, struct str record, struct arena *arena,
                        struct sink_result *sinks, struct run_result *out, struct err *e);
/* The same without a configuration, for leadpipe status: paths of files are taken from the record and may be any bytes;
 * there are no misfits. `path`: of the state, for error messages. */
enum rc run_record_show(const char *path, struct str record, struct arena *arena,
                        struct sink_result *sinks, size_t *n_sinks, struct run_result *out,
                        struct err *e);

#endif
