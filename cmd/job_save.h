/* `leadpipe export ... --save-job FILE`: a job file of a command line. */
#ifndef LEADPIPE_CMD_JOB_SAVE_H
#define LEADPIPE_CMD_JOB_SAVE_H

#include "cmd/options.h"

/* Writes the options to the file `o->save_job` ("-": standard output), relative paths made absolute, without
 * the option itself. The file appears when it is complete; one that exists is not replaced. RC_USAGE: it exists,
 * or there is a secret, or anything else that a job file cannot have; RC_IO, RC_NOMEM. */
enum rc job_save(const struct export_options *o, struct err *e);

#endif
