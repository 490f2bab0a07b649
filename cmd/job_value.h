/* A value of a job file as the text that a command line would have. */
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

/* Variables replaced, and a path made absolute. The text is the arena's. RC_USAGE: a secret, a variable that
 * is missing, a control character: as job_fail(); RC_NOMEM. */
enum rc job_value_make(const struct job_value *v, const struct job_node *node, const char **out,
                       struct err *e);

#endif
