#include "core/file/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/permission.h"
#include "core/file/fd_io.h"

char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

enum rc folder_sync(const char *folder, struct err *e)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, RC_IO, errno, "%s", folder);
    enum rc rc = RC_OK;
    /* EINVAL: a file system that has nothing to sync there. */
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = err_sys(e, RC_IO, errno, "%s", folder);
    (void)close(fd);
    return rc;
}

/* ---- checks -------------------------------------------------------------------------------- */

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

static enum rc folder_missing(const char *path, const char *folder, struct err *e)
{
    (void)err_set(e, RC_USAGE, "%s: the directory %s does not exist", path, folder);
    permission_explain_missing(e, folder);
    return RC_USAGE;
}

static enum rc folder_refused(const char *path, const char *folder, struct err *e)
{
    int errnum = errno;
    (void)err_sys(e, RC_USAGE, errnum, "%s: cannot write to the directory %s", path, folder);
    permission_explain(e, errnum, folder, PERMISSION_FOLDER);
    return RC_USAGE;
}

enum rc folder_check(const char *path, const char *folder, struct err *e)
{
    struct stat st;
    if (stat(folder, &st) != 0 && errno == ENOENT)
        return folder_missing(path, folder, e);
    if (access(folder, W_OK | X_OK) != 0)
        return folder_refused(path, folder, e);
    return folder_check_read(path, folder, e);
}

/* errno: why nothing can be made in `above`, which is `path`, or the directory above it that is there. */
static enum rc folder_cannot_make(const char *path, const char *above, struct err *e)
{
    int errnum = errno;
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    errno = errnum;
    if (is_there)
        return folder_refused(path, above, e);
    (void)err_sys(e, RC_USAGE, errnum, "%s: cannot write to the directory %s", path, above);
    permission_explain_missing(e, path);
    return RC_USAGE;
}

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

enum rc folder_check_make(const char *path, struct err *e)
{
    char *at = strdup(path);
    struct stat st;
    bool found = false;
    while (at && !(found = stat(at, &st) == 0)) {
        if (errno != ENOENT)
            break;
        if (lstat(at, &st) == 0) {
            if (!S_ISLNK(st.st_mode)) /* another run has made it meanwhile */
                continue;
            errno = ENOENT;
            break;
        }
        if (!folder_up(&at))
            break;
    }
    enum rc rc = RC_OK;
    if (!at)
        rc = err_nomem(e);
    else if (!found)
        rc = permission_failed(e, RC_USAGE, errno, at, PERMISSION_FOLDER);
    else if (!S_ISDIR(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s: is not a directory", at);
    else if (access(at, W_OK | X_OK) != 0)
        rc = folder_cannot_make(path, at, e);
    else
        rc = folder_check_read(path, at, e);
    free(at);
    return rc;
}
/* ---- making -------------------------------------------------------------------------------- */

/* Makes one folder in one that is there. */
static enum rc make_one(const char *path, struct err *e)
{
    if (mkdir(path, 0777) != 0) {
        if (errno != EEXIST)
            return err_sys(e, fd_open_rc(errno), errno, "%s: cannot create the directory", path);
        return RC_OK;
    }
    char *parent = folder_of(path);
    if (!parent)
        return err_nomem(e);
    enum rc rc = folder_sync(parent, e);
    free(parent);
    return rc;
}

enum rc folder_make(const char *path, struct err *e)
{
    char *copy = strdup(path);
    if (!copy)
        return err_nomem(e);
    enum rc rc = RC_OK;
    size_t n = strlen(copy);
    for (size_t i = 1; rc == RC_OK && i <= n; i++) {
        if ((i < n && copy[i] != '/') || copy[i - 1] == '/')
            continue;
        char kept = copy[i];
        copy[i] = '\0';
        rc = make_one(copy, e);
        copy[i] = kept;
    }
    struct stat st;
    if (rc == RC_OK && stat(path, &st) != 0)
        rc = err_sys(e, fd_open_rc(errno), errno, "%s", path);
    else if (rc == RC_OK && !S_ISDIR(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s: is not a directory", path);
    free(copy);
    return rc;
}
