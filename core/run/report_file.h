/* A text about a run as a file: the manifest, the schema. Private to core/run. */
#ifndef LEADPIPE_REPORT_FILE_H
#define LEADPIPE_REPORT_FILE_H

#include "core/base/buf.h"
#include "core/file/outfile.h"
#include "core/run/run.h"

/* Makes the file complete and durable, once its text is; the caller publishes it. As outfile_open(); also
 * an error of `text`. */
enum rc report_file_write(struct outfile **out, const struct run_cfg *run, const char *path,
                          const struct buf *text, struct err *e);

#endif
