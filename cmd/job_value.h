/* Converts a value of a job file to the text that it would have on a command line. */
#ifndef LEADPIPE_CMD_JOB_VALUE_H
#define LEADPIPE_CMD_JOB_VALUE_H

#include "cmd/job_yaml.h"
#include "core/base/option.h"

struct job_value {
    struct job_text *text;
    struct arena *memory;
    const char *folder;
    bool keeps_references;
    const struct option_spec *option;
};

/* Replaces references to variables, and makes a path absolute. The text is in the arena. RC_USAGE, from job_fail(): a
 * secret, a variable that is not set, or a control character; RC_NOMEM. */
enum rc job_value_make(const struct job_value *v, const struct job_node *node, const char **out,
                       struct err *e);

#endif
