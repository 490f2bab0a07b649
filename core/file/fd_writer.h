/* Writes to pipes, sockets, terminals and devices, so that waiting for a reader can be ended.
 *
 * Whether a descriptor is non-blocking is a property of the open file, which other processes share:
 * it is not changed for what was inherited. Pipes and terminals are opened anew instead, through
 * /proc; where that is not allowed, small pieces are written when there is room. One thread at a
 * time. */
#ifndef LEADPIPE_FD_WRITER_H
#define LEADPIPE_FD_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/stop_timer.h"

enum fd_writer_way {
    FD_WRITER_PLAIN, /* a file, or a device that does not wait for anybody */
    FD_WRITER_NONBLOCKING,
    FD_WRITER_SOCKET,
    FD_WRITER_PIECES,
};

struct fd_writer {
    int fd;
    int reopened; /* owned, or -1: what is written to instead of `fd` */
    enum fd_writer_way way;
    const struct stop_timer *stop; /* NULL: waits for ever */
};

/* `is_ours`: `fd` was opened by us, and is shared with nobody. `fd` stays the caller's. */
void fd_writer_init(struct fd_writer *w, int fd, bool is_ours, const struct stop_timer *stop);
void fd_writer_end(struct fd_writer *w);

/* 0, or an errno; ECANCELED: the stop's time is over and the reader takes nothing. */
int fd_writer_write(struct fd_writer *w, const char *p, size_t n);

#endif
