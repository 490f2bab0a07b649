/* Instead of run.c and job*.c, in a build without LEADPIPE_YAML. */
#include "cmd/commands.h"
#include "cmd/job_file.h"
#include "cmd/job_save.h"

#define NO_JOB_FILES "this build has no job files: rebuild with -DLEADPIPE_YAML=ON"

const struct option_spec run_option_specs[] = {{.name = NULL}};

int command_run(struct messages *m, int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    return messages_usage(m, "run: " NO_JOB_FILES);
}

enum rc job_save(const struct export_options *o, struct err *e)
{
    (void)o;
    return err_set(e, RC_USAGE, "--save-job: " NO_JOB_FILES);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): it reads into it where there are job files */
enum rc job_file_read(struct job_file *j, const char *path, struct err *e)
{
    (void)j;
    return err_set(e, RC_USAGE, "%s: " NO_JOB_FILES, path);
}

void job_file_free(struct job_file *j)
{
    *j = (struct job_file){0};
}
