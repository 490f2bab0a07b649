/* The file of --schema: columns, types and keys of every table of a run, as JSON, with the columns in the order of the
 * run's files. Private to core/run. */
#ifndef LEADPIPE_SCHEMA_FILE_H
#define LEADPIPE_SCHEMA_FILE_H

#include "core/flatten/schema.h"
#include "core/run/run.h"

struct outfile;

/* Writes it, complete and durable, but not visible: the caller publishes *out. Call it after prepare() of all sinks.
 * Errors as from outfile_open(). */
enum rc schema_file_write(struct outfile **out, const struct run_cfg *cfg,
                          const struct run_result *result, const struct schema *schema,
                          struct err *e);

#endif
