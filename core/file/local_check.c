#include "core/file/local_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/folder.h"
#include "core/file/part.h"

/* ---- can it be renamed? ---------------------------------------------------------------------- */

/* Of statx(2), where the file system says so. */
static bool has_attribute(const char *path, uint64_t attribute)
{
    struct statx st;
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0 &&
           (st.stx_attributes & st.stx_attributes_mask & attribute);
}

/* Kernels before 5.8 do not say: there it is one if it is on another device than its folder. Only
 * there, as on an overlay of several file systems all files may be. */
static bool is_mount_point(const char *path, const struct stat *file, const struct stat *folder)
{
    struct statx st;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0 &&
        (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
        return st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
    return file->st_dev != folder->st_dev;
}

/* May we do what only its owner may? O_NOATIME asks the kernel just that (open(2)), user namespaces
 * and capabilities included, and changes nothing. */
static bool acts_as_owner(const char *path, const struct stat *st)
{
    if (st->st_uid == geteuid())
        return true;
    int fd = open(path, O_RDONLY | O_NOATIME | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static enum rc cannot_replace(const struct target *t, const char *why, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s: cannot be replaced, because %s; remove or rename it, or write to another "
                   "directory",
                   t->final, why);
}

static enum rc replace_check(const struct target *t, struct err *e)
{
    struct stat st, folder;
    if (stat(t->folder, &folder) != 0)
        return err_sys(e, RC_USAGE, errno, "%s", t->folder);
    if (has_attribute(t->folder, STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE))
        return err_set(e, RC_USAGE,
                       "%s: nothing can be renamed in the directory %s (chattr +a or "
                       "+i)",
                       t->final, t->folder);
    if (lstat(t->final, &st) != 0)
        return errno == ENOENT ? RC_OK : err_sys(e, RC_USAGE, errno, "%s", t->final);
    if (has_attribute(t->final, STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
        return cannot_replace(t, "it is immutable or append-only (chattr +i or +a)", e);
    if (is_mount_point(t->final, &st, &folder))
        return cannot_replace(t, "it is a mount point", e);
    if ((folder.st_mode & S_ISVTX) && folder.st_uid != geteuid() && !acts_as_owner(t->final, &st))
        return cannot_replace(
            t, "it belongs to another user in a directory with the sticky bit, such as /tmp", e);
    return RC_OK;
}

/* ---- the unfinished files -------------------------------------------------------------------- */

static enum rc part_check_name(const char *path, const char *part, struct err *e)
{
    struct stat st;
    if (lstat(part, &st) == 0)
        return part_check(part, &st, e);
    if (errno == ENOENT)
        return RC_OK;
    if (errno == ENAMETOOLONG)
        return err_set(e, RC_USAGE,
                       "%s: the path is too long: that of the unfinished file beside it would have "
                       "%zu bytes",
                       path, strlen(part));
    return err_sys(e, RC_USAGE, errno, "%s", part);
}

/* Every one that may be made for a final path. */
static enum rc parts_check(const char *path, const char *final, struct err *e)
{
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < OUTFILE_SUFFIXES; i++) {
        char *part = part_name(final, (enum outfile_suffix)i);
        rc = part ? part_check_name(path, part, e) : err_nomem(e);
        free(part);
    }
    return rc;
}

enum rc local_check(const struct target *t, struct err *e)
{
    enum rc rc = folder_check(t->path, t->folder, e);
    if (rc == RC_OK)
        rc = parts_check(t->path, t->final, e);
    return rc == RC_OK ? replace_check(t, e) : rc;
}
