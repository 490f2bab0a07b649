/* Reading from a descriptor until there is as much as was asked for. */
#ifndef LEADPIPE_READ_FULL_H
#define LEADPIPE_READ_FULL_H

#include <stddef.h>
#include <sys/types.h>

/* `n` bytes, fewer only at the end; -1 and errno when they cannot be read. Calls that a signal interrupts
 * are repeated. `n` is at most SSIZE_MAX. */
ssize_t read_full(int fd, void *p, size_t n);

/* The same from offset `at`, for what has one. The descriptor's own position stays. */
ssize_t pread_full(int fd, void *p, size_t n, off_t at);

#endif
