/* Writes a text about a run to a file: the manifest, or the schema. Private to core/run. */
#ifndef LEADPIPE_REPORT_FILE_H
#define LEADPIPE_REPORT_FILE_H

#include "core/base/buf.h"
#include "core/file/outfile.h"
#include "core/run/run.h"

/* Makes the file complete and durable, but not visible: the caller publishes *out. Errors as from outfile_open(), or the
 * sticky error of `text`. */
enum rc report_file_write(struct outfile **out, const struct run_cfg *run, const char *path,
                          const struct buf *text, struct err *e);

#endif
