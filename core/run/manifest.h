/* The manifest: what a run did and wrote, as JSON. */
#ifndef LEADPIPE_MANIFEST_H
#define LEADPIPE_MANIFEST_H

#include "core/run/run.h"

struct outfile;

/* Writes it, complete and durable, but not visible: the caller publishes *out. Errors as from outfile_open(). */
enum rc manifest_write(struct outfile **out, const struct run_cfg *cfg,
                       const struct run_result *result, struct err *e);

#endif
