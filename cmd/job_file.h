/* A job file: the options of an export, as YAML. It is converted to a list of arguments, which is then parsed like a command
 * line. */
#ifndef LEADPIPE_CMD_JOB_FILE_H
#define LEADPIPE_CMD_JOB_FILE_H

#include "cmd/job_text.h"
#include "core/base/option.h"

struct job_argument {
    const struct option_spec *option; /* NULL: a file of IDs */
    const char *value;                /* NULL: the option takes none */
};

struct job_file {
    struct job_text text;
    struct arena memory;
    struct job_argument *arguments;
    size_t n;
    const char *folder; /* absolute; relative paths in the file are relative to it */
    /* Replaces references to secrets in the environment by \1NAME\2 instead of their values: for texts that are shown. */
    bool keeps_references;
};

/* `j` must be zero, except for `keeps_references`. Call job_file_free() even after a failure. RC_USAGE: from job_fail(), or
 * the file cannot be read; `arguments` are then only the options that say how a run is reported (OPTION_REPORTING), as
 * far as they can be read. RC_NOMEM. */
enum rc job_file_read(struct job_file *j, const char *path, struct err *e);
/* The same for a text in memory; `folder` as above. */
enum rc job_file_read_text(struct job_file *j, const char *path, struct str text,
                           const char *folder, struct err *e);
void job_file_free(struct job_file *j);

/* Is the value a path, so that a relative one must be made absolute? */
bool job_is_path(const struct option_spec *o, const char *value);
/* The same for a sink's target; `names`: option_spec.names of its table. */
bool job_is_target_path(unsigned names, const char *target);
/* The same for a file of IDs. */
bool job_is_ids_path(const char *value);
/* Is it an option of export that a job file cannot have? */
bool job_leaves_out(const struct option_spec *o);

#endif
