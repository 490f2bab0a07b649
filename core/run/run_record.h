/* A result as a text, so that a run whose end was cut off can be reported by the next one. Private to
 * core/run. */
#ifndef LEADPIPE_RUN_RECORD_H
#define LEADPIPE_RUN_RECORD_H

#include "core/run/run.h"

/* Errors stick in `out`. */
void run_record_write(struct buf *out, const struct run_cfg *cfg, const struct run_result *result);
/* Texts of the result that comes back lie in `arena`; its sinks are `sinks`, RUN_SINKS_MAX of them.
 * RC_USAGE: it is damaged. RC_NOMEM. */
enum rc run_record_read(const struct run_cfg *cfg, struct str record, struct arena *arena,
                        struct sink_result *sinks, struct run_result *out, struct err *e);
/* The same without a configuration, to be shown: the paths of files are those of the record, any bytes, and there
 * are no misfits. `path`: of the state, for the text of an error. */
enum rc run_record_show(const char *path, struct str record, struct arena *arena,
                        struct sink_result *sinks, size_t *n_sinks, struct run_result *out,
                        struct err *e);

#endif
