/* The summary of a run, and its errors as messages. */
#ifndef LEADPIPE_CMD_SUMMARY_H
#define LEADPIPE_CMD_SUMMARY_H

#include "core/run/run.h"
#include "cmd/messages.h"

/* Writes messages: why the run stopped, and what failed. */
void summary_errors(struct messages *m, const struct run_cfg *cfg, const struct run_result *r);

/* Append the summary as lines of text, or as one JSON line. Errors stick in `out`. */
void summary_text(struct buf *out, const struct run_cfg *cfg, const struct run_result *r);
void summary_json(struct buf *out, const struct run_cfg *cfg, const struct run_result *r);

/* Appends the JSON line of a run that did not begin because of `error`. */
void summary_json_refused(struct buf *out, const struct messages *m, int exit_status,
                          const char *error);

/* "512 bytes", "1.5 KiB", "23.4 MiB". */
void summary_bytes(char *out, size_t size, uint64_t bytes);

#endif
