#include "core/file/fd_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/read_full.h"

enum rc fd_open_rc(int errnum)
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

int fd_write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, p, n);
        if (wrote >= 0) {
            p += wrote;
            n -= (size_t)wrote;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

enum rc fd_read_at(int fd, const char *label, uint64_t at, void *p, size_t n, size_t *got,
                   struct err *e)
{
    ssize_t read_now = pread_full(fd, p, n, (off_t)at);
    if (read_now < 0)
        return err_sys(e, RC_IO, errno, "%s", label);
    *got = (size_t)read_now;
    return RC_OK;
}

uint64_t fd_copy(int from, uint64_t at, int to, uint64_t n)
{
    off_t offset = (off_t)at;
    uint64_t left = n;
    while (left > 0) {
        size_t most = left < (1U << 30) ? (size_t)left : (size_t)1 << 30;
        ssize_t r = copy_file_range(from, &offset, to, NULL, most, 0);
        if (r > 0)
            left -= (uint64_t)r;
        else if (r == 0 || errno != EINTR)
            break;
    }
    return n - left;
}

#define TMPDIR_TEXT "TMPDIR names the directory"

static const char *temporary_dir(void)
{
    const char *dir = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    return dir && *dir ? dir : "/var/tmp";
}

enum rc fd_temporary_failed(struct err *e, int errnum, const char *what)
{
    return err_sys(e, RC_IO, errnum, "%s: a temporary file in %s (" TMPDIR_TEXT ")", what,
                   temporary_dir());
}

enum rc fd_open_temporary(int *out_fd, struct err *e)
{
    const char *dir = temporary_dir();
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
        return err_sys(e, fd_open_rc(errno), errno,
                       "%s: cannot create a temporary file (" TMPDIR_TEXT ")", dir);
    *out_fd = fd;
    return RC_OK;
}
