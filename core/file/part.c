#include "core/file/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/str.h"
#include "core/file/fd_io.h"
#include "core/file/folder.h"

#define LOCK_TRIES 100

/* The shortest limit that is in use: that of eCryptfs. */
#define PART_NAME_BYTES_MAX 143

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

char *part_name(const char *final, enum outfile_suffix suffix)
{
    static const char *const words[] = {[OUTFILE_PART] = "part",
                                        [OUTFILE_WIDE] = "wide",
                                        [OUTFILE_ROWS_A] = "row1",
                                        [OUTFILE_ROWS_B] = "row2"};
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
        return err_set(e, RC_USAGE, "%s: is in the way, and is not a regular file", part);
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

static enum rc part_lock(const struct target *t, int fd, bool *locked, struct err *e)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return err_set(e, RC_BUSY, "%s: another run is writing it (%s is locked)", t->final,
                           t->part);
        return err_sys(e, RC_IO, errno, "%s: cannot lock it", t->part);
    }
    bool is_regular = true;
    *locked = part_is_still_there(fd, t->part, &is_regular);
    if (!is_regular)
        return err_set(e, RC_USAGE, "%s: is in the way, and is not a regular file", t->part);
    return RC_OK;
}

/* A run that was cut off behind outfile_complete() left it with the mode of the file that it was to
 * replace. Not while another run has it: for that one the mode is right. */
static enum rc part_make_writable(const struct target *t, struct err *e)
{
    int fd = part_open(t->part);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return err_sys(e, fd_open_rc(EACCES), EACCES, "%s", t->part);
    }
    bool locked = false;
    enum rc rc = part_check(t->part, &st, e);
    if (rc == RC_OK)
        rc = part_lock(t, fd, &locked, e);
    if (rc == RC_OK && locked && fchmod(fd, (st.st_mode & 0777) | S_IRUSR | S_IWUSR) != 0)
        rc = err_sys(e, fd_open_rc(errno), errno, "%s", t->part);
    (void)close(fd);
    return rc;
}

/* Opens the one that is there. *out_fd is -1 when it is gone, or can now be opened: to be tried
 * again. */
static enum rc part_take_over(const struct target *t, int *out_fd, bool *made_writable,
                              struct err *e)
{
    struct stat st;
    *out_fd = -1;
    if (lstat(t->part, &st) != 0)
        return errno == ENOENT ? RC_OK : err_sys(e, fd_open_rc(errno), errno, "%s", t->part);
    enum rc rc = part_check(t->part, &st, e); /* says more than the error of open() */
    if (rc != RC_OK)
        return rc;
    int fd = open(t->part, O_RDWR | PART_FLAGS);
    if (fd < 0 && errno == EACCES && !*made_writable) {
        *made_writable = true;
        return part_make_writable(t, e);
    }
    if (fd < 0)
        return errno == ENOENT ? RC_OK : err_sys(e, fd_open_rc(errno), errno, "%s", t->part);
    rc =
        fstat(fd, &st) == 0 ? part_check(t->part, &st, e) : err_sys(e, RC_IO, errno, "%s", t->part);
    if (rc == RC_OK)
        *out_fd = fd;
    else
        (void)close(fd);
    return rc;
}

/* The name of the unfinished file says nothing to whoever does not know how files are written here. */
static enum rc part_cannot_make(const struct target *t, int errnum, struct err *e)
{
    enum rc rc = fd_open_rc(errnum);
    bool is_folder = errnum == EACCES || errnum == EROFS || errnum == ENOENT;
    if (!is_folder || folder_check(t->path, t->folder, e) != RC_USAGE)
        return err_sys(e, rc, errnum, "%s", t->part);
    if (e)
        e->rc = rc;
    return rc;
}

enum rc part_open_locked(const struct target *t, int *out_fd, struct err *e)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | PART_FLAGS;
    /* Never more open than the file that it will replace, not even for a moment. */
    mode_t mode = t->exists ? t->mode & 0666 : 0666;
    bool made_writable = false;
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        enum rc rc = RC_OK;
        int fd = open(t->part, flags, mode);
        if (fd < 0 && errno != EEXIST)
            return part_cannot_make(t, errno, e);
        if (fd < 0)
            rc = part_take_over(t, &fd, &made_writable, e);
        if (rc != RC_OK)
            return rc;
        if (fd < 0)
            continue;
        bool locked = false;
        rc = part_lock(t, fd, &locked, e);
        if (rc == RC_OK && locked) {
            *out_fd = fd;
            return RC_OK;
        }
        (void)close(fd);
        if (rc != RC_OK)
            return rc;
    }
    return err_set(e, RC_BUSY, "%s: other runs are writing it", t->final);
}

void part_clear(const char *path)
{
    bool is_regular = false;
    struct stat st;
    struct err e;
    int fd = part_open(path);
    if (fd >= 0 && fstat(fd, &st) == 0 && part_check(path, &st, &e) == RC_OK &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && part_is_still_there(fd, path, &is_regular))
        (void)unlink(path);
    if (fd >= 0)
        (void)close(fd);
}
