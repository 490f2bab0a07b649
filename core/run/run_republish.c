#include "core/run/run_republish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/file/outfile.h"
#include "core/file/outfile_place.h"
#include "core/run/ledger.h"
#include "core/run/run_record.h"
#include "core/run/run_renames.h"

#define RECORD_ARENA_BYTES_MAX ((size_t)256 << 20)

#define FORGET_IT "to discard that run and start over, add --fresh"

/* Is it the file that the run completed? */
static enum rc compare(const char *path, struct file_print now, const struct due_rename *done,
                       struct err *e)
{
    if (file_print_equal(now, done->print))
        return RC_OK;
    return err_set(e, RC_USAGE, "%s: is not the file that the unfinished run completed; %s", path,
                   FORGET_IT);
}

static enum rc check_by_name(const char *path, const struct due_rename *done, struct err *e)
{
    struct file_print now = {0};
    enum rc rc = file_print(path, &now, e);
    return rc == RC_OK ? compare(path, now, done, e) : rc;
}

/* ---- before any name changes ----------------------------------------------------------------- */

/* What has its final name already was renamed before the run was cut off. */
static enum rc check_rename(const struct due_rename *done, struct err *e)
{
    if (!done->to)
        return RC_OK;
    enum rc rc = check_by_name(done->from, done, e);
    if (rc == RC_END)
        rc = check_by_name(done->to, done, e);
    if (rc != RC_END)
        return rc;
    return err_set(e, RC_USAGE, "%s: was completed by the unfinished run, but is gone; %s",
                   done->to, FORGET_IT);
}

/* ---- the names ------------------------------------------------------------------------------- */

static enum rc lock_part(int fd, const char *path, struct err *e)
{
    bool is_regular = false;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? err_set(e, RC_BUSY, "%s: another run is writing it", path)
                                    : err_sys(e, RC_IO, errno, "%s: cannot lock it", path);
    return part_is_still_there(fd, path, &is_regular)
               ? RC_OK
               : err_set(e, RC_BUSY, "%s: another run has just renamed or removed it", path);
}

/* The unfinished file, locked as those who write it do. RC_END: it is not there; RC_USAGE: it is not
 * ours any more, though it was when the run began; RC_BUSY: another run has it. */
static enum rc hold_part(const char *path, int *out_fd, struct err *e)
{
    struct stat st;
    int fd = part_open(path);
    if (fd < 0)
        return err_sys(e, errno == ENOENT ? RC_END : RC_IO, errno, "%s", path);
    enum rc rc =
        fstat(fd, &st) == 0 ? part_check(path, &st, e) : err_sys(e, RC_IO, errno, "%s", path);
    if (rc == RC_OK)
        rc = lock_part(fd, path, e);
    if (rc == RC_OK)
        *out_fd = fd;
    else
        (void)close(fd);
    return rc;
}

static enum rc rename_held(int fd, const struct due_rename *done, struct err *e)
{
    struct file_print now = {0};
    enum rc rc = file_print_open(fd, done->from, &now, e);
    if (rc == RC_OK)
        rc = compare(done->from, now, done, e);
    if (rc == RC_OK && rename(done->from, done->to) != 0)
        rc = err_sys(e, RC_IO, errno, "%s", done->to);
    return rc;
}

static enum rc remove_held(const char *path, struct err *e)
{
    return unlink(path) == 0 || errno == ENOENT ? RC_OK : err_sys(e, RC_IO, errno, "%s", path);
}

static enum rc redo_rename(const struct due_rename *done, struct err *e)
{
    int fd = -1;
    bool is_removal = !done->to;
    enum rc rc = hold_part(done->from, &fd, e);
    if (rc == RC_OK)
        rc = is_removal ? remove_held(done->from, e) : rename_held(fd, done, e);
    if (fd >= 0)
        (void)close(fd);
    if (is_removal && (rc == RC_END || rc == RC_BUSY || rc == RC_USAGE))
        return RC_OK; /* gone already, or somebody else's by now */
    if (rc == RC_END)
        rc = check_by_name(done->to, done, e);
    return rc == RC_OK && !is_removal ? outfile_sync_folder(done->to, e) : rc;
}

static enum rc check_all(const struct resume_plan *p, const struct run_result *result,
                         struct due_renames *due, struct err *e)
{
    enum rc rc = due_renames_load(due, p->cfg, p->state, result->withheld != WITHHELD_NOT, e);
    for (size_t i = 0; rc == RC_OK && i < due->n; i++)
        rc = check_rename(&due->items[i], e);
    return rc;
}

enum rc run_republish_check(const struct resume_plan *p, struct err *e)
{
    struct run_result result = {.exit_status = 0};
    struct sink_result sinks[RUN_SINKS_MAX];
    struct due_renames due = {0};
    struct arena arena;
    arena_init(&arena, RECORD_ARENA_BYTES_MAX);
    enum rc rc = run_record_read(p->cfg, p->run.record, &arena, sinks, &result, e);
    if (rc == RC_OK)
        rc = check_all(p, &result, &due, e);
    due_renames_free(&due);
    arena_free(&arena);
    return rc;
}

/* ---- what has no name ------------------------------------------------------------------------ */

static const char *if_stream(const char *path)
{
    return path && !outfile_is_file(path) ? path : NULL;
}

/* Nobody knows how much of them the earlier run got out, so all of it is told. */
static enum rc tell_lists(const struct resume_plan *p, struct err *e)
{
    const struct ledger_cfg cfg = {
        .profile = p->cfg->profile,
        .failed_path = if_stream(p->cfg->failed_path),
        .missing_path = if_stream(p->cfg->missing_path),
        .state = p->state,
        .clock = p->cfg->clock,
        .stop = p->cfg->stop,
    };
    struct ledger *lists = NULL;
    enum rc rc = ledger_new(&lists, &cfg, e);
    if (rc == RC_OK)
        rc = ledger_complete(lists, e);
    if (rc == RC_OK)
        rc = ledger_publish(lists, true, e);
    ledger_free(lists);
    return rc;
}

/* Digests, statuses and latencies are in no state. */
static void tell_no_manifest(const struct run_cfg *cfg)
{
    const char *path = if_stream(cfg->manifest_path);
    if (path)
        log_msg(cfg->log, LOG_LEVEL_WARN_ALWAYS, descriptor_label(descriptor_written(path), path),
                "there is no manifest of this run, because it was interrupted while publishing its "
                "outputs");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum rc republish(const struct resume_plan *p, struct arena *arena,
                         struct sink_result *sinks, struct run_result *out, struct err *e)
{
    struct due_renames due = {0};
    enum rc rc = run_record_read(p->cfg, p->run.record, arena, sinks, out, e);
    if (rc == RC_OK)
        rc = check_all(p, out, &due, e);
    for (size_t i = 0; rc == RC_OK && i < due.n; i++)
        rc = redo_rename(&due.items[i], e);
    due_renames_free(&due);
    return rc == RC_OK ? tell_lists(p, e) : rc;
}

void run_republish(const struct resume_plan *p, const atomic_int *signal_number,
                   struct arena *arena, struct sink_result *sinks, struct run_result *out)
{
    struct err e;
    out->done_before = 0;
    arena_init(arena, RECORD_ARENA_BYTES_MAX);
    enum rc rc = republish(p, arena, sinks, out, &e);
    out->published = rc == RC_OK && out->withheld == WITHHELD_NOT;
    if (rc == RC_OK)
        rc = state_finish(p->state, out->withheld == WITHHELD_NOT, &e);
    if (rc == RC_OK) {
        tell_no_manifest(p->cfg);
        return;
    }
    memset(sinks, 0, RUN_SINKS_MAX * sizeof *sinks); /* a part of the record may have been read */
    out->error = e;
    if (rc == RC_STOPPED) /* the signal came while a reader was waited for */
        out->signal = atomic_load(signal_number);
    /* RC_BUSY as well: some names may have changed, and the same command goes on. */
    out->exit_status = rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    if (out->signal)
        out->exit_status = EXIT_STATUS_SIGNAL + out->signal;
}
