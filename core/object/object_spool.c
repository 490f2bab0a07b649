#include "core/object/object_spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/fd_io.h"
#include "core/file/folder.h"
#include "core/file/part.h"

/* ---- names ---------------------------------------------------------------------------------- */

/* malloc'd; NULL: out of memory. */
static char *make_name(const struct object_store *s, const char *url, enum outfile_suffix suffix)
{
    static const char *const words[] = {[OUTFILE_PART] = "spool",
                                        [OUTFILE_WIDE] = "wide",
                                        [OUTFILE_ROWS_A] = "row1",
                                        [OUTFILE_ROWS_B] = "row2"};
    const struct object_store_cfg *cfg = object_store_cfg(s);
    unsigned long long where = str_hash(str_c(cfg->endpoint), 0);
    char *name;
    if (asprintf(&name, "%s/leadpipe-%016llx%016llx.%s", cfg->spool_dir,
                 (unsigned long long)str_hash(str_c(url), where),
                 (unsigned long long)str_hash(str_c(url), ~where), words[suffix]) < 0)
        return NULL;
    return name;
}

enum rc object_spool_names(const struct target *t, struct buf *out, struct err *e)
{
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < OUTFILE_SUFFIXES; i++) {
        char *name = make_name(t->ctx, t->final, (enum outfile_suffix)i);
        if (name)
            buf_add(out, name, strlen(name) + 1);
        rc = name && buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
        free(name);
    }
    return rc;
}

void object_spool_clear(const struct object_store *s, const char *url, enum outfile_suffix suffix)
{
    char *name = make_name(s, url, suffix);
    if (name)
        part_clear(name);
    free(name);
}

/* ---- one that is open ------------------------------------------------------------------------- */

static enum rc cut_back(const struct object_spool *spool, const char *url, uint64_t keep_bytes,
                        struct err *e)
{
    const char *name = spool->target.part;
    struct stat st;
    if (fstat(spool->fd, &st) != 0 || fchmod(spool->fd, S_IRUSR | S_IWUSR) != 0)
        return err_sys(e, RC_IO, errno, "%s", name);
    if ((uint64_t)st.st_size < keep_bytes)
        return err_set(e, RC_USAGE,
                       "%s: data of the unfinished run for %s is missing (%llu bytes were written, "
                       "%llu are there); restore it, or start over with --fresh",
                       name, url, (unsigned long long)keep_bytes, (unsigned long long)st.st_size);
    if (ftruncate(spool->fd, (off_t)keep_bytes) != 0 ||
        lseek(spool->fd, (off_t)keep_bytes, SEEK_SET) < 0)
        return err_sys(e, RC_IO, errno, "%s", name);
    return RC_OK;
}

enum rc object_spool_open(struct object_spool *spool, const struct target *t, uint64_t keep_bytes,
                          struct err *e)
{
    *spool = (struct object_spool){.fd = -1, .target = {.place = t->place, .fd = -1}};
    spool->target.part = make_name(t->ctx, t->final, t->suffix);
    spool->target.final = strdup(t->final);
    spool->target.folder = strdup(object_store_cfg(t->ctx)->spool_dir);
    if (!spool->target.part || !spool->target.final || !spool->target.folder)
        return err_nomem(e);
    enum rc rc = part_open_locked(&spool->target, &spool->fd, e);
    return rc == RC_OK ? cut_back(spool, t->path, keep_bytes, e) : rc;
}

enum rc object_spool_write(struct object_spool *spool, const char *data, size_t n, struct err *e)
{
    int errnum = fd_write_all(spool->fd, data, n);
    return errnum ? err_sys(e, RC_IO, errnum, "%s", spool->target.part) : RC_OK;
}

enum rc object_spool_sync(struct object_spool *spool, struct err *e)
{
    if (fdatasync(spool->fd) != 0)
        return err_sys(e, RC_IO, errno, "%s", spool->target.part);
    enum rc rc = spool->folder_synced ? RC_OK : folder_sync(spool->target.folder, e);
    spool->folder_synced = rc == RC_OK;
    return rc;
}

void object_spool_close(struct object_spool *spool, bool keep)
{
    bool is_regular = false;
    /* Removed while it is still locked: afterwards it may be another run's. */
    if (spool->fd >= 0 && !keep && part_is_still_there(spool->fd, spool->target.part, &is_regular))
        (void)unlink(spool->target.part);
    if (spool->fd >= 0)
        (void)close(spool->fd);
    target_free(&spool->target);
    *spool = (struct object_spool){.fd = -1, .target = {.fd = -1}};
}
