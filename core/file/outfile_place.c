#include "core/file/outfile_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/base/str.h"

#define LOCK_TRIES 100

/* The shortest limit that is in use: that of eCryptfs. */
#define PART_NAME_BYTES_MAX 143

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

char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* How many bytes of a name can stand before `room` bytes are full, without cutting a character. */
static size_t whole_characters(const char *name, size_t room)
{
    size_t n = strlen(name);
    if (n <= room)
        return n;
    n = room;
    while (n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80)
        n--;
    return n;
}

char *place_part(const char *final, enum outfile_suffix suffix)
{
    static const char *const words[] = {[OUTFILE_PART] = "part", [OUTFILE_WIDE] = "wide"};
    const char *slash = strrchr(final, '/');
    const char *name = slash ? slash + 1 : final;
    int before = (int)(name - final);
    size_t room = PART_NAME_BYTES_MAX - strlen("..leadpipe-part");
    char *part = NULL;
    int n;
    if (strlen(name) <= room) {
        n = asprintf(&part, "%.*s.%s.leadpipe-%s", before, final, name, words[suffix]);
    } else {
        unsigned long long hash = str_hash(str_c(name), 0);
        int beginning = (int)whole_characters(name, room - strlen("-0123456789abcdef"));
        n = asprintf(&part, "%.*s.%.*s-%016llx.leadpipe-%s", before, final, beginning, name, hash,
                     words[suffix]);
    }
    return n < 0 ? NULL : part;
}

static bool names_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return *name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool outfile_is_url(const char *path)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "0123456789+-.";
    size_t n = strspn(path, letters);
    while (n > 0 && path[n] && (strchr(letters, path[n]) || strchr(others, path[n])))
        n++;
    return n > 0 && strncmp(path + n, "://", 3) == 0;
}

/* A path that leads to something: where it really is, and what. */
static enum rc place_take_existing(struct place *p, const char *path, const struct stat *st,
                                   struct err *e)
{
    if (S_ISDIR(st->st_mode))
        return err_set(e, RC_USAGE, "%s: is a directory", path);
    if (S_ISSOCK(st->st_mode))
        return err_set(e, RC_USAGE, "%s: is a socket, which cannot be opened by name", path);
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
        return err_set(e, RC_USAGE, "the file name is empty");
    if (outfile_is_url(path))
        return err_set(e, RC_USAGE,
                       "%s: is a URL, but only local files and directories can be written; for a "
                       "file of that name write ./%s",
                       path, path);
    if (names_folder(path))
        return err_set(e, RC_USAGE, "%s: is a directory", path);
    struct stat st;
    if (stat(path, &st) == 0)
        return place_take_existing(p, path, &st, e);
    if (errno != ENOENT)
        return err_sys(e, place_open_rc(errno), errno, "%s", path);
    /* The rename would put a file in the link's place, which nobody asked for. */
    if (lstat(path, &st) == 0)
        return err_set(e, RC_USAGE, "%s: is a dangling symbolic link", path);
    p->final = strdup(path);
    return p->final ? RC_OK : err_nomem(e);
}

enum rc place_find(struct place *out, const char *path, enum outfile_suffix suffix, struct err *e)
{
    struct place p = {.fd = descriptor_written(path)};
    if (p.fd >= 0) {
        p.is_stream = true;
        p.final = strdup(path);
        if (!p.final)
            return err_nomem(e);
        *out = p;
        return RC_OK;
    }
    bool is_foreign = p.fd == DESCRIPTOR_FOREIGN;
    enum rc rc = place_take(&p, path, e);
    if (rc == RC_OK && is_foreign && !p.is_stream)
        rc = err_set(e, RC_USAGE, "%s: is a file that another process has open; give its real name",
                     path);
    if (rc == RC_OK && p.final && !p.is_stream) {
        p.folder = folder_of(p.final);
        p.part = place_part(p.final, suffix);
        if (!p.folder || !p.part) {
            (void)err_nomem(e);
            rc = RC_NOMEM;
        }
    }
    if (rc != RC_OK) {
        place_free(&p);
        return rc;
    }
    p.fd = DESCRIPTOR_NONE;
    *out = p;
    return RC_OK;
}

void place_free(struct place *p)
{
    free(p->final);
    free(p->part);
    free(p->folder);
    *p = (struct place){.fd = DESCRIPTOR_NONE};
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

enum rc part_check(const char *part, const struct stat *st, struct err *e)
{
    if (!S_ISREG(st->st_mode))
        return err_set(e, RC_USAGE, "%s: is in the way and no regular file", part);
    if (st->st_uid != geteuid())
        return err_set(
            e, RC_USAGE,
            "%s: is in the way: it belongs to another user (%lu); remove it, or choose another "
            "name or directory for the output",
            part, (unsigned long)st->st_uid);
    if (st->st_nlink > 1)
        return err_set(e, RC_USAGE, "%s: is in the way: it has other hard links; remove it", part);
    return RC_OK;
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
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return err_sys(e, place_open_rc(EACCES), EACCES, "%s", p->part);
    }
    bool locked = false;
    enum rc rc = part_check(p->part, &st, e);
    if (rc == RC_OK)
        rc = part_lock(p, fd, &locked, e);
    if (rc == RC_OK && locked && fchmod(fd, (st.st_mode & 0777) | S_IRUSR | S_IWUSR) != 0)
        rc = err_sys(e, place_open_rc(errno), errno, "%s", p->part);
    (void)close(fd);
    return rc;
}

/* Opens the one that is there. *out_fd is -1 when it is gone, or can now be opened: to be tried
 * again. */
static enum rc part_take_over(const struct place *p, int *out_fd, bool *made_writable,
                              struct err *e)
{
    struct stat st;
    *out_fd = -1;
    if (lstat(p->part, &st) != 0)
        return errno == ENOENT ? RC_OK : err_sys(e, place_open_rc(errno), errno, "%s", p->part);
    enum rc rc = part_check(p->part, &st, e); /* says more than the error of open() */
    if (rc != RC_OK)
        return rc;
    int fd = open(p->part, O_RDWR | PART_FLAGS);
    if (fd < 0 && errno == EACCES && !*made_writable) {
        *made_writable = true;
        return part_make_writable(p, e);
    }
    if (fd < 0)
        return errno == ENOENT ? RC_OK : err_sys(e, place_open_rc(errno), errno, "%s", p->part);
    rc =
        fstat(fd, &st) == 0 ? part_check(p->part, &st, e) : err_sys(e, RC_IO, errno, "%s", p->part);
    if (rc == RC_OK)
        *out_fd = fd;
    else
        (void)close(fd);
    return rc;
}

/* Opens and locks the unfinished file. */
enum rc place_open_part(const struct place *p, int *out_fd, struct err *e)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | PART_FLAGS;
    /* Never more open than the file that it will replace, not even for a moment. */
    mode_t mode = p->exists ? p->mode & 0666 : 0666;
    bool made_writable = false;
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        enum rc rc = RC_OK;
        int fd = open(p->part, flags, mode);
        if (fd < 0 && errno != EEXIST)
            return err_sys(e, place_open_rc(errno), errno, "%s", p->part);
        if (fd < 0)
            rc = part_take_over(p, &fd, &made_writable, e);
        if (rc != RC_OK)
            return rc;
        if (fd < 0)
            continue;
        bool locked = false;
        rc = part_lock(p, fd, &locked, e);
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

static enum rc descriptor_open(const struct place *p, int *out_fd, struct err *e)
{
    const char *label = descriptor_label(p->fd, p->final);
    enum rc rc = descriptor_check(p->fd, true, label, e);
    return rc == RC_OK ? descriptor_dup(p->fd, label, out_fd, e) : rc;
}

enum rc place_open_stream(const struct place *p, int *out_fd, struct err *e)
{
    if (p->fd >= 0)
        return descriptor_open(p, out_fd, e);
    struct stat st;
    bool is_fifo = stat(p->final, &st) == 0 && S_ISFIFO(st.st_mode);
    /* Else open() waits for a reader of the pipe, where nothing could end that. */
    int fd = open(p->final, O_WRONLY | O_NOCTTY | O_CLOEXEC | (is_fifo ? O_NONBLOCK : 0));
    if (fd < 0 && !(is_fifo && errno == ENXIO))
        return err_sys(e, place_open_rc(errno), errno, "%s", p->final);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(e, RC_USAGE, "%s: has become a regular file in the meantime", p->final);
    }
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
        return err_sys(e, place_open_rc(errno), errno, "%s: cannot create a temporary file", dir);
    *out_fd = fd;
    return RC_OK;
}

void outfile_clear(const char *path, enum outfile_suffix suffix)
{
    struct place p = {.fd = DESCRIPTOR_NONE};
    bool is_regular = false;
    struct stat st;
    struct err e;
    if (place_find(&p, path, suffix, &e) != RC_OK)
        return;
    int fd = p.part ? part_open(p.part) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && part_check(p.part, &st, &e) == RC_OK &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && part_is_still_there(fd, p.part, &is_regular))
        (void)unlink(p.part);
    if (fd >= 0)
        (void)close(fd);
    place_free(&p);
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

/* Makes one folder in one that is there. */
static enum rc folder_make(const char *path, struct err *e)
{
    if (mkdir(path, 0777) != 0) {
        if (errno != EEXIST)
            return err_sys(e, place_open_rc(errno), errno, "%s: cannot create the directory", path);
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
