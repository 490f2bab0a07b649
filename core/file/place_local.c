#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/fd_io.h"
#include "core/file/folder.h"
#include "core/file/local_check.h"
#include "core/file/local_recover.h"
#include "core/file/part.h"
#include "core/file/place.h"
#include "core/file/renames.h"

#define WRITEBACK_BYTES ((size_t)4 << 20)

struct local {
    struct place place; /* first */
    int fd;             /* the unfinished file; -1 once it was removed */
    size_t unsent;      /* bytes that the system has and was not asked to write to disk */
    mode_t mode;        /* that it is to have; 0: see take_mode() */
    bool handed_over;   /* a text says how to finish it */
    bool folder_synced; /* of who calls sync() */
    /* The system reports once, to whoever syncs first, that it could not write: so all must know. */
    pthread_mutex_t sync_lock;
    int sync_errno;              /* under the lock: of the first sync that failed; 0: none */
    struct file_signature print; /* once it is complete */
};

static struct local *local_of(struct place *p)
{
    return (struct local *)p;
}

/* ---- targets -------------------------------------------------------------------------------- */

static enum rc local_unfinished(const struct target *t, struct buf *out, struct err *e)
{
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < OUTFILE_SUFFIXES; i++) {
        char *part = part_name(t->final, (enum outfile_suffix)i);
        if (part)
            buf_add(out, part, strlen(part) + 1);
        rc = part && buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
        free(part);
    }
    return rc;
}

static void local_clear(const struct target *t)
{
    part_clear(t->part);
}

static void local_discard(const struct target *t)
{
    for (int i = 0; i < OUTFILE_SUFFIXES; i++) {
        char *part = part_name(t->final, (enum outfile_suffix)i);
        if (part)
            part_clear(part);
        free(part);
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Where none was asked for, that of the file that it takes the place of, if there is one. */
static bool take_mode(const struct local *f, mode_t more)
{
    const struct target *t = &f->place.target;
    struct stat st;
    mode_t mode = (f->mode ? f->mode : t->mode) | more;
    return (!f->mode && !t->exists) ||
           (fstat(f->fd, &st) == 0 && ((st.st_mode & 0777) == mode || fchmod(f->fd, mode) == 0));
}

/* Cuts the unfinished file to what is kept and stands at its end. */
static enum rc cut_back(const struct local *f, uint64_t keep_bytes, struct err *e)
{
    const char *part = f->place.target.part;
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return err_sys(e, RC_IO, errno, "%s", part);
    if ((uint64_t)st.st_size < keep_bytes)
        return err_set(e, RC_USAGE,
                       "%s: data of the unfinished run is missing (%llu bytes were written, %llu "
                       "are there); restore it, or start over with --fresh",
                       part, (unsigned long long)keep_bytes, (unsigned long long)st.st_size);
    /* a later run may have to resume it, or to begin it anew */
    if (!take_mode(f, S_IRUSR | S_IWUSR))
        return err_sys(e, RC_IO, errno, "%s", part);
    if (ftruncate(f->fd, (off_t)keep_bytes) != 0 || lseek(f->fd, (off_t)keep_bytes, SEEK_SET) < 0)
        return err_sys(e, RC_IO, errno, "%s", part);
    return RC_OK;
}

static enum rc open_part(struct local *f, uint64_t keep_bytes, struct err *e)
{
    enum rc rc = part_open_locked(&f->place.target, &f->fd, e);
    if (rc != RC_OK)
        return rc;
    rc = cut_back(f, keep_bytes, e);
    struct stat st;
    if (rc != RC_OK && fstat(f->fd, &st) == 0 && st.st_size == 0)
        (void)unlink(f->place.target.part); /* it was made just now, or holds nothing */
    return rc;
}

static void local_free(struct local *f)
{
    if (f->fd >= 0)
        (void)close(f->fd); /* what matters was synced before */
    pthread_mutex_destroy(&f->sync_lock);
    free(f);
}

static enum rc local_open(struct place **out, const struct target *t, const struct outfile_cfg *cfg,
                          struct err *e)
{
    struct local *f = calloc(1, sizeof *f);
    if (!f || pthread_mutex_init(&f->sync_lock, NULL)) {
        free(f);
        return err_nomem(e);
    }
    f->fd = -1;
    f->mode = (mode_t)cfg->mode;
    f->place = (struct place){.ops = &place_local, .target = *t, .label = t->path};
    enum rc rc = open_part(f, cfg->keep_bytes, e);
    if (rc != RC_OK) {
        local_free(f);
        return rc;
    }
    f->place.back_fd = f->fd;
    *out = &f->place;
    return RC_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* The disk begins to write while the run continues: else all of it would wait for the sync at the
 * end. Nothing is waited for here and nothing relied on: what went wrong is reported by that sync. */
static void begin_writeback(struct local *f, size_t n)
{
    f->unsent += n;
    if (f->unsent < WRITEBACK_BYTES)
        return;
    f->unsent = 0;
#ifdef SYNC_FILE_RANGE_WRITE
    (void)sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* 0, 0: all that is not yet sent */
#endif
}

static enum rc local_write(struct place *p, const char *data, size_t n, struct err *e)
{
    struct local *f = local_of(p);
    int errnum = fd_write_all(f->fd, data, n);
    if (errnum)
        return err_sys(e, RC_IO, errnum, "%s", p->label);
    begin_writeback(f, n);
    return RC_OK;
}

static uint64_t local_copy(struct place *p, int from_fd, uint64_t at, uint64_t n)
{
    return fd_copy(from_fd, at, local_of(p)->fd, n);
}

/* 0, or the errno of this sync or an earlier one. Any thread. */
static int sync_data(struct local *f, int (*sync)(int fd))
{
    pthread_mutex_lock(&f->sync_lock);
    if (f->sync_errno == 0 && sync(f->fd) != 0)
        f->sync_errno = errno;
    int errnum = f->sync_errno;
    pthread_mutex_unlock(&f->sync_lock);
    return errnum;
}

static enum rc local_sync(struct place *p, struct err *e)
{
    struct local *f = local_of(p);
    int errnum = sync_data(f, fdatasync);
    if (errnum)
        return err_sys(e, RC_IO, errnum, "%s", p->label);
    enum rc rc = f->folder_synced ? RC_OK : folder_sync(p->target.folder, e);
    f->folder_synced = rc == RC_OK;
    return rc;
}

/* ---- ending --------------------------------------------------------------------------------- */

/* Seen now, it keeps all outputs from becoming visible, and not only those behind it. */
static enum rc check_name(const struct local *f, struct err *e)
{
    bool is_regular = false;
    if (part_is_still_there(f->fd, f->place.target.part, &is_regular))
        return RC_OK;
    return err_set(e, RC_IO,
                   "%s: its unfinished file %s was removed, renamed or replaced while it was "
                   "being written",
                   f->place.label, f->place.target.part);
}

static enum rc local_complete(struct place *p, struct err *e)
{
    struct local *f = local_of(p);
    if (!take_mode(f, 0))
        return err_sys(e, RC_IO, errno, "%s", p->label);
    int errnum = sync_data(f, fsync); /* not fdatasync: the mode must be there, too */
    if (errnum)
        return err_sys(e, RC_IO, errnum, "%s", p->label);
    enum rc rc = check_name(f, e);
    return rc == RC_OK ? file_signature_open(f->fd, p->target.part, &f->print, e) : rc;
}

static enum rc local_prepare(struct place *p, struct buf *text, struct err *e)
{
    struct local *f = local_of(p);
    enum rc rc = folder_sync(p->target.folder, e);
    if (rc != RC_OK)
        return rc;
    f->handed_over = true;
    renames_put(text, p->target.part, p->target.final, f->print);
    return RC_OK;
}

static void local_prepare_removal(const struct place *p, struct buf *text)
{
    renames_put_removal(text, p->target.part);
}

static enum rc local_commit(struct place *p, struct err *e)
{
    if (rename(p->target.part, p->target.final) != 0)
        return err_sys(e, RC_IO, errno, "%s", p->label);
    p->published = true;
    return folder_sync(p->target.folder, e);
}

/* Removed while it is still locked: afterwards it may be another run's. */
static bool remove_part(const struct local *f)
{
    bool is_regular = false;
    return !part_is_still_there(f->fd, f->place.target.part, &is_regular) ||
           unlink(f->place.target.part) == 0;
}

static enum rc local_abort(struct place *p, struct err *e)
{
    struct local *f = local_of(p);
    if (f->fd < 0)
        return RC_OK;
    if (!remove_part(f))
        return err_sys(e, RC_IO, errno, "%s", p->target.part);
    (void)close(f->fd); /* its space is free only then */
    f->fd = p->back_fd = -1;
    return RC_OK;
}

static void local_close(struct place *p, bool keep)
{
    struct local *f = local_of(p);
    if (!p->published && !keep && !f->handed_over)
        (void)remove_part(f);
    local_free(f);
}

const struct place_ops place_local = {
    .is_replaced = true,
    .check = local_check,
    .unfinished = local_unfinished,
    .clear = local_clear,
    .discard = local_discard,
    .open = local_open,
    .write = local_write,
    .copy = local_copy,
    .sync = local_sync,
    .complete = local_complete,
    .prepare = local_prepare,
    .prepare_removal = local_prepare_removal,
    .commit = local_commit,
    .abort = local_abort,
    .close = local_close,
    .recover = local_recover,
};
