/* The command line of a command that takes a job file and the options of export, and what both together say as
 * the command line of export. */
#ifndef LEADPIPE_CMD_JOB_COMMAND_H
#define LEADPIPE_CMD_JOB_COMMAND_H

#include "cmd/job_file.h"
#include "cmd/options.h"

struct job_command {
    /* Given. */
    const struct option_spec *own; /* what the command has besides the options of export */
    void *values;                  /* what both fill, zeroed: begins with a struct export_options */

    struct arena memory;
    struct option_reader given;
    struct text_list arguments;
    struct job_file job;
    char **argv; /* of export; ends with NULL */
    int argc;
};

/* Frees nothing: job_command_free() must follow in any case. RC_USAGE, RC_NOMEM. */
enum rc job_command_read(struct job_command *c, int argc, char *argv[], struct err *e);

/* Makes `argv` of the job file at `path` and the options of the command line, which beat it; NULL: there is no
 * job file, and the arguments are files of IDs. RC_USAGE: the file cannot be read, or is no job file; where that is
 * at one place in it, job_text_put_caret() shows it, and `argv` has what there is for options_parse_reporting(), or is
 * NULL. RC_NOMEM. */
enum rc job_command_make(struct job_command *c, const char *path, struct err *e);

/* What the job is called: as its file, "nightly" for /etc/leadpipe/nightly.yaml. NULL: out of memory. */
const char *job_command_name(struct job_command *c, const char *path);

void job_command_free(struct job_command *c);

#endif
