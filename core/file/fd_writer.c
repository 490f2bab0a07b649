#include "core/file/fd_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TERMINAL_BYTES 256 /* there is room for so many when a terminal can be written to (Linux) */

static int open_anew(int fd)
{
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void fd_writer_init(struct fd_writer *w, int fd, bool is_ours, const struct stop_timer *stop)
{
    struct stat st;
    *w = (struct fd_writer){.fd = fd, .reopened = -1, .way = FD_WRITER_PLAIN, .stop = stop};
    if (fstat(fd, &st) != 0)
        return; /* shows at the first write */
    if (S_ISSOCK(st.st_mode)) {
        w->way = FD_WRITER_SOCKET;
        return;
    }
    if (!S_ISFIFO(st.st_mode) && !isatty(fd))
        return;
    int flags = is_ours ? fcntl(fd, F_GETFL) : -1;
    if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        w->way = FD_WRITER_NONBLOCKING;
    else if ((w->reopened = open_anew(fd)) >= 0)
        w->way = FD_WRITER_NONBLOCKING;
    else
        w->way = FD_WRITER_PIECES;
}

void fd_writer_end(struct fd_writer *w)
{
    if (w->reopened >= 0)
        (void)close(w->reopened);
    w->reopened = -1;
}

static ssize_t write_some(const struct fd_writer *w, const char *p, size_t n)
{
    int fd = w->reopened >= 0 ? w->reopened : w->fd;
    if (w->way == FD_WRITER_SOCKET)
        return send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (w->way == FD_WRITER_PIECES) {
        size_t most = isatty(fd) ? TERMINAL_BYTES : PIPE_BUF;
        n = n < most ? n : most;
    }
    return write(fd, p, n);
}

int fd_writer_write(struct fd_writer *w, const char *p, size_t n)
{
    int fd = w->reopened >= 0 ? w->reopened : w->fd;
    while (n > 0) {
        if (w->way == FD_WRITER_PIECES && !stop_timer_wait_writable(w->stop, fd, -1))
            return ECANCELED;
        ssize_t wrote = write_some(w, p, n);
        if (wrote >= 0) {
            p += wrote;
            n -= (size_t)wrote;
        } else if (errno == EAGAIN) { /* also where somebody else made it non-blocking */
            if (!stop_timer_wait_writable(w->stop, fd, -1))
                return ECANCELED;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}
