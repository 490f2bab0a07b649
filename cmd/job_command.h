/* For commands that take a job file and the options of export (run, check): combines both into the command line of
 * export. */
#ifndef LEADPIPE_CMD_JOB_COMMAND_H
#define LEADPIPE_CMD_JOB_COMMAND_H

#include "cmd/job_file.h"
#include "cmd/options.h"

struct job_command {
    /* Set by the caller. */
    const struct option_spec *own; /* the command's options besides those of export */
    void *values;                  /* filled by both, zeroed; begins with a struct export_options */

    struct arena memory;
    struct option_reader given;
    struct text_list arguments;
    struct job_file job;
    char **argv; /* for export; ends with NULL */
    int argc;
};

/* Parses the command line. Call job_command_free() even after a failure. RC_USAGE, RC_NOMEM. */
enum rc job_command_read(struct job_command *c, int argc, char *argv[], struct err *e);

/* Makes `argv` from the job file at `path` and the options on the command line, which take precedence. `path` NULL: there
 * is no job file, and the arguments are files of IDs. RC_USAGE: the file cannot be read, or is not a job file. Then
 * job_text_put_caret() shows the place, if it is known, and `argv` has the options for options_parse_reporting(), or is
 * NULL. RC_NOMEM. */
enum rc job_command_make(struct job_command *c, const char *path, struct err *e);

/* The job's default name, from its file: "nightly" for /etc/leadpipe/nightly.yaml. NULL: out of memory. */
const char *job_command_name(struct job_command *c, const char *path);

void job_command_free(struct job_command *c);

#endif
