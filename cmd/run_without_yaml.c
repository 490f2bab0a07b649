/* Instead of run.c and job*.c, in a build without LEADPIPE_YAML. */
#include "cmd/commands.h"
#include "cmd/job_save.h"

const struct option_spec run_option_specs[] = {{.name = NULL}};

int command_run(struct messages *m, int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    return messages_usage(m, "run: this build has no job files: rebuild with -DLEADPIPE_YAML=ON");
}

enum rc job_save(const struct export_options *o, struct err *e)
{
    (void)o;
    return err_set(e, RC_USAGE,
                   "--save-job: this build has no job files: rebuild with -DLEADPIPE_YAML=ON");
}
