/* A job file: the options of an export, as YAML. It becomes a list of arguments, which the one table of
 * options reads as if they had been typed. */
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
    const char *folder; /* what relative paths are relative to: absolute */
    /* Secrets that are in the environment stay references, as \1NAME\2: for what is shown. */
    bool keeps_references;
};

/* Zeroed, or with `keeps_references`. Free it in any case. RC_USAGE: as job_fail(), or what is wrong with the
 * file; `arguments` are then those of its options that say how a run is reported (option_is_reporting()), as far as
 * they can be read. RC_NOMEM. */
enum rc job_file_read(struct job_file *j, const char *path, struct err *e);
/* The same of a text in memory, whose folder is given. */
enum rc job_file_read_text(struct job_file *j, const char *path, struct str text,
                           const char *folder, struct err *e);
void job_file_free(struct job_file *j);

/* Does the value name a file or a folder that a relative path may lead to? */
bool job_is_path(const struct option_spec *o, const char *value);
/* The same of a sink's target; `names` of its table. */
bool job_is_target_path(unsigned names, const char *target);
/* The same of a file of IDs. */
bool job_is_ids_path(const char *value);
/* An option of export that a job file cannot have. */
bool job_leaves_out(const struct option_spec *o);

#endif
