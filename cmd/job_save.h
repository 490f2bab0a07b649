/* `leadpipe export ... --save-job FILE`: writes a job file that does the same as a command line. */
#ifndef LEADPIPE_CMD_JOB_SAVE_H
#define LEADPIPE_CMD_JOB_SAVE_H

#include "cmd/options.h"

/* Writes the options, without --save-job, to the file `o->save_job` ("-": standard output); relative paths become absolute.
 * The file appears when it is complete; an existing one is not replaced. RC_USAGE: it exists, or the options contain a
 * secret or something else that a job file cannot have; RC_IO, RC_NOMEM. */
enum rc job_save(const struct export_options *o, struct err *e);

#endif
