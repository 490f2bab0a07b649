/* The end of an earlier run, that was cut off after all was complete: what has not got its name yet
 * gets it, and nothing is fetched. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "outfile.h"
#include "run_internal.h"

/* Is it, under that name, the file that the run completed? RC_END: there is none. */
static enum rc check_print(const char *path, const struct state_rename *done, struct err *e)
{
    struct file_print now = {0};
    enum rc rc = file_print(path, &now, e);
    if (rc == RC_OK && !file_print_equal(now, done->print))
        rc = err_set(e, RC_IO,
                     "%s: it is not the file that the unfinished run completed; the same command "
                     "with --fresh forgets that run and begins a new one",
                     path);
    return rc;
}

/* What has its final name already was renamed before the run was cut off. */
static enum rc redo_rename(void *ctx, const struct state_rename *done, struct err *e)
{
    (void)ctx;
    const char *from = done->from.ptr;
    const char *to = done->to.ptr;
    if (done->to.len == 0)
        return unlink(from) == 0 || errno == ENOENT ? RC_OK : err_sys(e, RC_IO, errno, "%s", from);
    enum rc rc = check_print(from, done, e);
    if (rc == RC_OK && rename(from, to) != 0)
        rc = err_sys(e, RC_IO, errno, "%s", to);
    else if (rc == RC_END)
        rc = check_print(to, done, e);
    if (rc == RC_END)
        return err_set(e, RC_IO,
                       "%s: the unfinished run completed it, and it is gone; the same command with "
                       "--fresh forgets that run and begins a new one",
                       to);
    return rc == RC_OK ? outfile_sync_folder(to, e) : rc;
}

void run_republish(struct run *r, struct run_result *out)
{
    struct err e;
    out->done_before = 0;
    enum rc rc = run_record_read(r, r->resume.run.record, &r->record_arena, out, &e);
    if (rc == RC_OK)
        rc = state_each_rename(r->state, redo_rename, NULL, &e);
    out->published = rc == RC_OK;
    if (rc == RC_OK)
        rc = state_finish(r->state, &e);
    if (rc == RC_OK)
        return;
    out->error = e;
    out->exit_status = EXIT_STATUS_STOPPED;
}
