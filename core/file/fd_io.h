/* Reading and writing descriptors of files, whole. */
#ifndef LEADPIPE_FD_IO_H
#define LEADPIPE_FD_IO_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define FD_COPY_BYTES ((size_t)256 * 1024) /* a piece of what is copied through memory */

/* The code for a failed open(): RC_USAGE where the path is to blame, RC_IO where the system is. */
enum rc fd_open_rc(int errnum);

/* 0 or an errno. */
int fd_write_all(int fd, const char *p, size_t n);

/* Up to `n` bytes at `at`; *got is fewer than `n` only at the end. `label`: of messages. */
enum rc fd_read_at(int fd, const char *label, uint64_t at, void *p, size_t n, size_t *got,
                   struct err *e);

/* Appends to `to` without passing the bytes through memory. Returns how many it copied: all of them, or
 * fewer where the system cannot or meets an error, which then shows when they are read and written. */
uint64_t fd_copy(int from, uint64_t at, int to, uint64_t n);

/* A file without a name, that goes away by itself; in $TMPDIR, else /var/tmp. */
enum rc fd_open_temporary(int *out_fd, struct err *e);
/* RC_IO: such a file of `what` could not be written. */
enum rc fd_temporary_failed(struct err *e, int errnum, const char *what);

#endif
