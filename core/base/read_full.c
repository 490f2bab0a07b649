#include "core/base/read_full.h"

#include <errno.h>
#include <unistd.h>

#define FROM_POSITION ((off_t)-1) /* of the descriptor */

static ssize_t read_once(int fd, void *p, size_t n, off_t at)
{
    ssize_t got;
    do {
        got = at == FROM_POSITION ? read(fd, p, n) : pread(fd, p, n, at);
    } while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t read_until(int fd, void *p, size_t n, off_t at)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got =
            read_once(fd, (char *)p + done, n - done, at == FROM_POSITION ? at : at + (off_t)done);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

ssize_t read_full(int fd, void *p, size_t n)
{
    return read_until(fd, p, n, FROM_POSITION);
}

ssize_t pread_full(int fd, void *p, size_t n, off_t at)
{
    return read_until(fd, p, n, at);
}
