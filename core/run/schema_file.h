/* The file of --schema: columns, types and keys of every table of a run, as JSON, in the order of its
 * files. Private to core/run. */
#ifndef LEADPIPE_SCHEMA_FILE_H
#define LEADPIPE_SCHEMA_FILE_H

#include "core/flatten/schema.h"
#include "core/run/run.h"

struct outfile;

/* Makes it complete and durable; the caller publishes it. After prepare() of all sinks. As
 * outfile_open(). */
enum rc schema_file_write(struct outfile **out, const struct run_cfg *cfg,
                          const struct run_result *result, const struct schema *schema,
                          struct err *e);

#endif
