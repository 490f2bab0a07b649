#include "outfile_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outfile.h"

#define SUFFIX_DEFAULT "part"
#define LOCK_TRIES 100

enum rc place_open_rc(int errnum)
{
    switch (errnum) {
    case EACCES:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
    case EPERM:
    case EROFS:
    case ETXTBSY:
        return RC_USAGE;
    default:
        return RC_IO;
    }
}

/* "folder/name" becomes "folder" ("." without a slash, "/" for the root). */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* "folder/name" becomes "folder/.name.leadpipe-suffix". */
static char *part_of(const char *path, const char *suffix)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *part = NULL;
    if (asprintf(&part, "%.*s.%s.leadpipe-%s", (int)(name - path), path, name,
                 suffix ? suffix : SUFFIX_DEFAULT) < 0)
        return NULL;
    return part;
}

static bool names_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return *name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A path that leads to something: where it really is, and what. */
static enum rc place_take_existing(struct place *p, const char *path, const struct stat *st,
                                   struct err *e)
{
    if (S_ISDIR(st->st_mode))
        return err_set(e, RC_USAGE, "%s: is a directory", path);
    if (!S_ISREG(st->st_mode)) {
        p->is_stream = true;
        p->final = strdup(path);
        return p->final ? RC_OK : err_nomem(e);
    }
    p->exists = true;
    p->mode = st->st_mode & 0777;
    p->final = realpath(path, NULL);
    if (!p->final)
        return errno == ENOMEM ? err_nomem(e) : err_sys(e, RC_USAGE, errno, "%s", path);
    return RC_OK;
}

static enum rc place_take(struct place *p, const char *path, struct err *e)
{
    if (*path == '\0')
        return err_set(e, RC_USAGE, "the name of a file is empty");
    if (names_folder(path))
        return err_set(e, RC_USAGE, "%s: is a directory", path);
    struct stat st;
    if (stat(path, &st) == 0)
        return place_take_existing(p, path, &st, e);
    if (errno != ENOENT)
        return err_sys(e, place_open_rc(errno), errno, "%s", path);
    /* The rename would put a file in the link's place, which nobody asked for. */
    if (lstat(path, &st) == 0)
        return err_set(e, RC_USAGE, "%s: is a symbolic link that leads nowhere", path);
    p->final = strdup(path);
    return p->final ? RC_OK : err_nomem(e);
}

enum rc place_find(struct place *out, const char *path, const char *suffix, struct err *e)
{
    struct place p = {.is_stdout = strcmp(path, "-") == 0};
    if (p.is_stdout) {
        p.is_stream = true;
        *out = p;
        return RC_OK;
    }
    enum rc rc = place_take(&p, path, e);
    if (rc == RC_OK && p.final && !p.is_stream) {
        p.folder = folder_of(p.final);
        p.part = part_of(p.final, suffix);
        if (!p.folder || !p.part) {
            (void)err_nomem(e);
            rc = RC_NOMEM;
        }
    }
    if (rc != RC_OK) {
        place_free(&p);
        return rc;
    }
    *out = p;
    return RC_OK;
}

void place_free(struct place *p)
{
    free(p->final);
    free(p->part);
    free(p->folder);
    *p = (struct place){0};
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

/* ---- opening -------------------------------------------------------------------------------- */

bool part_is_still_there(int fd, const char *path, bool *is_regular)
{
    struct stat by_fd;
    struct stat by_name;
    if (fstat(fd, &by_fd) != 0 || lstat(path, &by_name) != 0)
        return false;
    *is_regular = S_ISREG(by_fd.st_mode);
    return by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino;
}

#define PART_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

int part_open(const char *path)
{
    int fd = open(path, O_RDWR | PART_FLAGS); /* for writing: else NFS has no lock, see flock(2) */
    if (fd < 0 && errno == EACCES)
        fd = open(path, O_RDONLY | PART_FLAGS); /* complete, and as read-only as its target */
    return fd;
}

static enum rc part_lock(const struct place *p, int fd, bool *locked, struct err *e)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return err_set(e, RC_BUSY, "%s: another run is writing it (%s is locked)", p->final,
                           p->part);
        return err_sys(e, RC_IO, errno, "%s: cannot lock it", p->part);
    }
    bool is_regular = true;
    *locked = part_is_still_there(fd, p->part, &is_regular);
    if (!is_regular)
        return err_set(e, RC_USAGE, "%s: is in the way and no regular file", p->part);
    return RC_OK;
}

/* A run that was cut off behind outfile_complete() left it with the mode of the file that it was to
 * replace. Not while another run has it: for that one the mode is right. */
static enum rc part_make_writable(const struct place *p, struct err *e)
{
    int fd = part_open(p->part);
    if (fd < 0)
        return err_sys(e, place_open_rc(EACCES), EACCES, "%s", p->part);
    bool locked = false;
    enum rc rc = part_lock(p, fd, &locked, e);
    struct stat st;
    if (rc == RC_OK && locked &&
        (fstat(fd, &st) != 0 || fchmod(fd, (st.st_mode & 0777) | S_IRUSR | S_IWUSR) != 0))
        rc = err_sys(e, place_open_rc(errno), errno, "%s", p->part);
    (void)close(fd);
    return rc;
}

/* Opens and locks the unfinished file. */
enum rc place_open_part(const struct place *p, int *out_fd, struct err *e)
{
    const int flags = O_RDWR | O_CREAT | PART_FLAGS;
    /* Never more open than the file that it will replace, not even for a moment. */
    mode_t mode = p->exists ? p->mode & 0666 : 0666;
    bool mended = false;
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        int fd = open(p->part, flags, mode);
        if (fd < 0 && errno == EACCES && !mended) {
            enum rc rc = part_make_writable(p, e);
            if (rc != RC_OK)
                return rc;
            mended = true;
            continue;
        }
        if (fd < 0)
            return err_sys(e, place_open_rc(errno), errno, "%s", p->part);
        bool locked = false;
        enum rc rc = part_lock(p, fd, &locked, e);
        if (rc == RC_OK && locked) {
            *out_fd = fd;
            return RC_OK;
        }
        (void)close(fd);
        if (rc != RC_OK)
            return rc;
    }
    return err_set(e, RC_BUSY, "%s: other runs are writing it", p->final);
}

enum rc place_open_stream(const struct place *p, int *out_fd, struct err *e)
{
    int fd = p->is_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                          : open(p->final, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno == EBADF ? RC_USAGE : place_open_rc(errno), errno, "%s",
                       p->is_stdout ? "standard output" : p->final);
    *out_fd = fd;
    return RC_OK;
}

enum rc temporary_open(int *out_fd, struct err *e)
{
    const char *dir = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    if (!dir || *dir == '\0')
        dir = "/var/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* an older file system */
        char *path = NULL;
        if (asprintf(&path, "%s/leadpipe-XXXXXX", dir) < 0)
            return err_nomem(e);
        fd = mkostemp(path, O_CLOEXEC);
        int errnum = errno;
        if (fd >= 0)
            (void)unlink(path);
        free(path);
        errno = errnum;
    }
    if (fd < 0)
        return err_sys(e, place_open_rc(errno), errno, "%s: cannot make a temporary file", dir);
    *out_fd = fd;
    return RC_OK;
}

void outfile_clear(const char *path, const char *suffix)
{
    struct place p;
    struct err e;
    if (place_find(&p, path, suffix, &e) != RC_OK)
        return;
    int fd = p.part ? part_open(p.part) : -1;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlink(p.part);
    if (fd >= 0)
        (void)close(fd);
    place_free(&p);
}

/* ---- checks that touch nothing -------------------------------------------------------------- */

enum rc folder_check(const char *path, const char *folder, struct err *e)
{
    struct stat st;
    if (stat(folder, &st) != 0 && errno == ENOENT)
        return err_set(e, RC_USAGE, "%s: the folder %s does not exist", path, folder);
    if (access(folder, W_OK | X_OK) != 0)
        return err_sys(e, RC_USAGE, errno, "%s: cannot write in the folder %s", path, folder);
    return RC_OK;
}

static enum rc place_check(const struct place *p, const char *path, struct err *e)
{
    if (p->is_stdout) {
        int flags = fcntl(STDOUT_FILENO, F_GETFL);
        bool is_open = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
        return is_open ? RC_OK : err_set(e, RC_USAGE, "standard output is closed");
    }
    if (p->is_stream)
        return access(p->final, W_OK) != 0 ? err_sys(e, RC_USAGE, errno, "%s", path) : RC_OK;
    if (!p->folder || !p->part)
        return RC_NOMEM; /* never: place_find() made them */
    enum rc rc = folder_check(path, p->folder, e);
    struct stat st;
    if (rc != RC_OK)
        return rc;
    if (lstat(p->part, &st) != 0)
        return errno == ENOENT ? RC_OK : err_sys(e, RC_USAGE, errno, "%s", p->part);
    if (!S_ISREG(st.st_mode))
        return err_set(e, RC_USAGE, "%s: is in the way and no regular file", p->part);
    return RC_OK;
}

enum rc outfile_check(const char *path, struct err *e)
{
    struct place p;
    enum rc rc = place_find(&p, path, NULL, e);
    if (rc != RC_OK)
        return rc;
    rc = place_check(&p, path, e);
    place_free(&p);
    return rc;
}

bool outfile_is_file(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && (stat(path, &st) != 0 || S_ISREG(st.st_mode));
}

/* ---- folders -------------------------------------------------------------------------------- */

enum rc outfile_sync_folder(const char *path, struct err *e)
{
    char *folder = folder_of(path);
    if (!folder)
        return err_nomem(e);
    enum rc rc = folder_sync(folder, e);
    free(folder);
    return rc;
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

enum rc outfile_check_dirs(const char *path, struct err *e)
{
    char *at = strdup(path);
    struct stat st;
    bool found = false;
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
        rc = err_sys(e, RC_USAGE, errno, "%s: cannot write in the folder %s", path, at);
    free(at);
    return rc;
}

/* Makes one folder in one that is there. */
static enum rc folder_make(const char *path, struct err *e)
{
    if (mkdir(path, 0777) != 0) {
        if (errno != EEXIST)
            return err_sys(e, place_open_rc(errno), errno, "%s: cannot make the folder", path);
        return RC_OK;
    }
    char *parent = folder_of(path);
    if (!parent)
        return err_nomem(e);
    enum rc rc = folder_sync(parent, e);
    free(parent);
    return rc;
}

enum rc outfile_make_dirs(const char *path, struct err *e)
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
        rc = folder_make(copy, e);
        copy[i] = kept;
    }
    struct stat st;
    if (rc == RC_OK && stat(path, &st) != 0)
        rc = err_sys(e, place_open_rc(errno), errno, "%s", path);
    else if (rc == RC_OK && !S_ISDIR(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s: is not a directory", path);
    free(copy);
    return rc;
}
