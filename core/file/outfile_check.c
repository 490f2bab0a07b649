/* Checks of outputs that touch nothing: what would fail when everything has been fetched is found before
 * the first request. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/file/outfile.h"
#include "core/file/outfile_place.h"

/* Reading is what folder_sync() needs. */
static enum rc folder_check_read(const char *path, const char *folder, struct err *e)
{
    if (access(folder, R_OK) != 0)
        return err_sys(
            e, RC_USAGE, errno,
            "%s: cannot read the directory %s, which is needed to write the names of new "
            "files to disk safely",
            path, folder);
    return RC_OK;
}

enum rc folder_check(const char *path, const char *folder, struct err *e)
{
    struct stat st;
    if (stat(folder, &st) != 0 && errno == ENOENT)
        return err_set(e, RC_USAGE, "%s: the directory %s does not exist", path, folder);
    if (access(folder, W_OK | X_OK) != 0)
        return err_sys(e, RC_USAGE, errno, "%s: cannot write to the directory %s", path, folder);
    return folder_check_read(path, folder, e);
}

/* ---- can it be renamed? ---------------------------------------------------------------------- */

/* Of statx(2), where the file system says so. */
static bool has_attribute(const char *path, uint64_t attribute)
{
    struct statx st;
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0 &&
           (st.stx_attributes & st.stx_attributes_mask & attribute);
}

/* Kernels before 5.8 do not tell: there it is one if it is on another device than its folder. Only
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

static enum rc cannot_replace(const struct place *p, const char *why, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s: cannot be replaced, because %s; remove or rename it, or write to another "
                   "directory",
                   p->final, why);
}

static enum rc replace_check(const struct place *p, struct err *e)
{
    struct stat st, folder;
    if (stat(p->folder, &folder) != 0)
        return err_sys(e, RC_USAGE, errno, "%s", p->folder);
    if (has_attribute(p->folder, STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE))
        return err_set(e, RC_USAGE,
                       "%s: nothing can be renamed in the directory %s (chattr +a or "
                       "+i)",
                       p->final, p->folder);
    if (lstat(p->final, &st) != 0)
        return errno == ENOENT ? RC_OK : err_sys(e, RC_USAGE, errno, "%s", p->final);
    if (has_attribute(p->final, STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
        return cannot_replace(p, "it is immutable or append-only (chattr +i or +a)", e);
    if (is_mount_point(p->final, &st, &folder))
        return cannot_replace(p, "it is a mount point", e);
    if ((folder.st_mode & S_ISVTX) && folder.st_uid != geteuid() && !acts_as_owner(p->final, &st))
        return cannot_replace(
            p, "it belongs to another user in a directory with the sticky bit, such as /tmp", e);
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
        char *part = place_part(final, (enum outfile_suffix)i);
        rc = part ? part_check_name(path, part, e) : err_nomem(e);
        free(part);
    }
    return rc;
}

enum rc outfile_unfinished(const char *path, struct buf *out, struct err *e)
{
    struct place p;
    enum rc rc = place_find(&p, path, OUTFILE_PART, e);
    if (rc != RC_OK)
        return rc;
    for (int i = 0; rc == RC_OK && !p.is_stream && i < OUTFILE_SUFFIXES; i++) {
        char *part = place_part(p.final, (enum outfile_suffix)i);
        if (part)
            buf_add(out, part, strlen(part) + 1);
        rc = part && buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
        free(part);
    }
    place_free(&p);
    return rc;
}

/* ---- a place --------------------------------------------------------------------------------- */

static enum rc place_check(const struct place *p, const char *path, struct err *e)
{
    if (p->fd >= 0)
        return descriptor_check(p->fd, true, descriptor_label(p->fd, path), e);
    if (p->is_stream)
        return access(p->final, W_OK) != 0 ? err_sys(e, RC_USAGE, errno, "%s", path) : RC_OK;
    enum rc rc = folder_check(path, p->folder, e);
    if (rc == RC_OK)
        rc = parts_check(path, p->final, e);
    return rc == RC_OK ? replace_check(p, e) : rc;
}

enum rc outfile_check(const char *path, struct err *e)
{
    struct place p;
    enum rc rc = place_find(&p, path, OUTFILE_PART, e);
    if (rc != RC_OK)
        return rc;
    rc = place_check(&p, path, e);
    place_free(&p);
    return rc;
}

bool outfile_is_file(const char *path)
{
    struct stat st;
    return descriptor_written(path) < 0 && (stat(path, &st) != 0 || S_ISREG(st.st_mode));
}

/* ---- folders --------------------------------------------------------------------------------- */

/* One up, in place: "a/b//" is "a/b" is "a" is ".". False: there is nothing above. */
static bool folder_up(char **at)
{
    size_t n = strlen(*at);
    while (n > 1 && (*at)[n - 1] == '/')
        (*at)[--n] = '\0';
    if (strcmp(*at, ".") == 0 || strcmp(*at, "/") == 0)
        return false;
    char *up = folder_of(*at);
    free(*at);
    *at = up;
    return up != NULL;
}

enum rc outfile_check_dirs(const char *path, struct err *e)
{
    char *at = strdup(path);
    struct stat st;
    bool found = false;
    if (outfile_is_url(path)) {
        free(at);
        return err_set(e, RC_USAGE,
                       "%s: is a URL, but only local files and directories can be written; for a "
                       "directory of that name write ./%s",
                       path, path);
    }
    while (at && !(found = stat(at, &st) == 0)) {
        if (errno != ENOENT || lstat(at, &st) == 0 || !folder_up(&at))
            break;
    }
    enum rc rc = RC_OK;
    if (!at)
        rc = err_nomem(e);
    else if (!found)
        rc = err_sys(e, RC_USAGE, errno, "%s", at);
    else if (!S_ISDIR(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s: is not a directory", at);
    else if (access(at, W_OK | X_OK) != 0)
        rc = err_sys(e, RC_USAGE, errno, "%s: cannot write to the directory %s", path, at);
    else
        rc = folder_check_read(path, at, e);
    free(at);
    return rc;
}
