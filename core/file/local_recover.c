#include "core/file/local_recover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/grow.h"
#include "core/file/folder.h"
#include "core/file/part.h"
#include "core/file/renames.h"

#define FORGET_IT "to discard that run and start over, add --fresh"

/* One of the paths, and what the text says of it. */
struct output {
    struct target target, wide;       /* their unfinished names differ */
    bool renamed, from_wide, removed; /* `removed`: the narrow one, as from_wide takes its place */
    struct file_signature print;      /* of the complete file */
};

struct outputs {
    const struct outfile_recovery *cfg;
    struct output *items;
    size_t n, cap;
};

static void outputs_free(struct outputs *o)
{
    for (size_t i = 0; i < o->n; i++) {
        target_free(&o->items[i].target);
        target_free(&o->items[i].wide);
    }
    free(o->items);
}

/* ---- which files there must be ---------------------------------------------------------------- */

static enum rc add_output(struct outputs *o, const char *path, struct err *e)
{
    struct output *items = list_grow(o->items, o->n, &o->cap, sizeof *items);
    if (!items)
        return err_nomem(e);
    o->items = items;
    struct output *output = &o->items[o->n];
    *output = (struct output){0};
    enum rc rc = target_find(&output->target, o->cfg->places, path, OUTFILE_PART, e);
    if (rc == RC_OK)
        rc = target_find(&output->wide, o->cfg->places, path, OUTFILE_WIDE, e);
    if (rc != RC_OK) {
        target_free(&output->target);
        return rc;
    }
    o->n++;
    return output->target.part ? RC_OK
                               : err_set(e, RC_USAGE, "%s: is no longer a regular file", path);
}

static enum rc add_all(struct outputs *o, struct err *e)
{
    struct str paths = o->cfg->paths;
    enum rc rc = RC_OK;
    for (size_t at = 0; rc == RC_OK && at < paths.len; at += strlen(paths.ptr + at) + 1)
        rc = add_output(o, paths.ptr + at, e);
    return rc;
}

/* ---- what the text says of them --------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool stat_folder(const char *path, struct stat *st)
{
    size_t n = (size_t)(base_name(path) - path);
    char *folder = n > 0 ? strndup(path, n) : strdup(".");
    bool known = folder && stat(folder, st) == 0;
    free(folder);
    return known;
}

/* The same name in the same folder, however the paths to it are written. */
static bool same_place(const char *a, const char *b)
{
    struct stat folder_a;
    struct stat folder_b;
    return strcmp(base_name(a), base_name(b)) == 0 && stat_folder(a, &folder_a) &&
           stat_folder(b, &folder_b) && folder_a.st_dev == folder_b.st_dev &&
           folder_a.st_ino == folder_b.st_ino;
}

/* True: it is this output's, and that is noted. */
static bool take_rename(struct output *output, const struct file_rename *r)
{
    if (output->renamed || !same_place(r->to.ptr, output->target.final))
        return false;
    output->from_wide = same_place(r->from.ptr, output->wide.part);
    output->renamed = output->from_wide || same_place(r->from.ptr, output->target.part);
    output->print = r->print;
    return output->renamed;
}

/* What was written first goes away when it was written once more. */
static bool take_removal(struct output *output, const struct file_rename *r)
{
    if (!output->from_wide || output->removed || !same_place(r->from.ptr, output->target.part))
        return false;
    output->removed = true;
    return true;
}

static enum rc match(struct outputs *o, const struct file_rename *r, struct err *e)
{
    bool is_removal = r->to.len == 0;
    for (size_t i = 0; i < o->n; i++) {
        struct output *output = &o->items[i];
        if (is_removal ? take_removal(output, r) : take_rename(output, r))
            return RC_OK;
    }
    return err_set(
        e, RC_USAGE,
        "%s: the unfinished run was to publish %s, which this command does not write; %s",
        o->cfg->subject, is_removal ? r->from.ptr : r->to.ptr, o->cfg->advice);
}

static enum rc match_all(struct outputs *o, struct err *e)
{
    struct str rest = o->cfg->text;
    struct file_rename r;
    enum rc rc;
    while ((rc = renames_take(&rest, &r)) == RC_OK) {
        rc = match(o, &r, e);
        if (rc != RC_OK)
            return rc;
    }
    if (rc != RC_END)
        return err_set(e, rc, "%s: what the state says of its files is damaged", o->cfg->subject);
    for (size_t i = 0; i < o->n; i++) {
        if (!o->items[i].renamed)
            return err_set(e, RC_USAGE, "%s: the unfinished run did not write %s; %s",
                           o->cfg->subject, o->items[i].target.final, o->cfg->advice);
    }
    return RC_OK;
}

/* ---- before any name changes ------------------------------------------------------------------ */

static const char *part_of(const struct output *o)
{
    return o->from_wide ? o->wide.part : o->target.part;
}

/* Is it the file that the run completed? */
static enum rc compare(const char *path, struct file_signature now, const struct output *o,
                       struct err *e)
{
    if (file_signature_equal(now, o->print))
        return RC_OK;
    return err_set(e, RC_USAGE, "%s: is not the file that the unfinished run completed; %s", path,
                   FORGET_IT);
}

static enum rc check_by_name(const char *path, const struct output *o, struct err *e)
{
    struct file_signature now = {0};
    enum rc rc = file_signature(path, &now, e);
    return rc == RC_OK ? compare(path, now, o, e) : rc;
}

/* What has its final name already was renamed before the run was cut off. */
static enum rc check_output(const struct output *o, struct err *e)
{
    enum rc rc = check_by_name(part_of(o), o, e);
    if (rc == RC_END)
        rc = check_by_name(o->target.final, o, e);
    if (rc != RC_END)
        return rc;
    return err_set(e, RC_USAGE, "%s: was completed by the unfinished run, but is gone; %s",
                   o->target.final, FORGET_IT);
}

/* ---- the names -------------------------------------------------------------------------------- */

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

static enum rc rename_held(int fd, const struct output *o, struct err *e)
{
    struct file_signature now = {0};
    enum rc rc = file_signature_open(fd, part_of(o), &now, e);
    if (rc == RC_OK)
        rc = compare(part_of(o), now, o, e);
    if (rc == RC_OK && rename(part_of(o), o->target.final) != 0)
        rc = err_sys(e, RC_IO, errno, "%s", o->target.final);
    return rc;
}

static enum rc redo_rename(const struct output *o, struct err *e)
{
    int fd = -1;
    enum rc rc = hold_part(part_of(o), &fd, e);
    if (rc == RC_OK)
        rc = rename_held(fd, o, e);
    if (fd >= 0)
        (void)close(fd);
    if (rc == RC_END)
        rc = check_by_name(o->target.final, o, e);
    return rc == RC_OK ? folder_sync(o->target.folder, e) : rc;
}

static enum rc redo_removal(const char *part, struct err *e)
{
    int fd = -1;
    enum rc rc = hold_part(part, &fd, e);
    if (rc == RC_OK && unlink(part) != 0 && errno != ENOENT)
        rc = err_sys(e, RC_IO, errno, "%s", part);
    if (fd >= 0)
        (void)close(fd);
    /* gone already, or somebody else's by now */
    return rc == RC_END || rc == RC_BUSY || rc == RC_USAGE ? RC_OK : rc;
}

static enum rc redo(const struct output *o, bool takes_back, struct err *e)
{
    enum rc rc = takes_back ? redo_removal(part_of(o), e) : redo_rename(o, e);
    return rc == RC_OK && o->removed ? redo_removal(o->target.part, e) : rc;
}

enum rc local_recover(const struct outfile_recovery *r, struct err *e)
{
    struct outputs o = {.cfg = r};
    enum rc rc = add_all(&o, e);
    if (rc == RC_OK)
        rc = match_all(&o, e);
    for (size_t i = 0; rc == RC_OK && !r->takes_back && i < o.n; i++)
        rc = check_output(&o.items[i], e);
    for (size_t i = 0; rc == RC_OK && !r->only_check && i < o.n; i++)
        rc = redo(&o.items[i], r->takes_back, e);
    outputs_free(&o);
    return rc;
}
