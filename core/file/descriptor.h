/* Paths that are names of open descriptors: /dev/stdout, /dev/fd/N, /proc/self/fd/N (proc(5)), and
 * symbolic links to them. Opening such a path again would open the file behind it anew: at its
 * beginning, truncated, or replaced by a rename. So whoever reads or writes it uses the descriptor.
 *
 * Descriptors that a user can name were inherited, so they cannot have the close-on-exec flag; all
 * that the program and its libraries open do. That distinguishes them at any time. */
#ifndef LEADPIPE_DESCRIPTOR_H
#define LEADPIPE_DESCRIPTOR_H

#include <stdbool.h>

#include "core/base/err.h"

#define DESCRIPTOR_NONE (-1)
#define DESCRIPTOR_FOREIGN (-2)

/* The descriptor that `path` is a name of; DESCRIPTOR_NONE; or DESCRIPTOR_FOREIGN: one of another
 * process. "-" is not known here. Any thread. */
int descriptor_named(const char *path);

/* As descriptor_named(), but "-" is standard output. */
int descriptor_written(const char *path);
/* As descriptor_named(), but "-" is standard input. */
int descriptor_read(const char *path);

/* RC_USAGE: it is closed, or not open for reading or writing; the text says so of `name`. */
enum rc descriptor_check(int fd, bool for_writing, const char *name, struct err *e);

/* A copy for ourselves, after descriptor_check(). The same open file: its offset is shared. */
enum rc descriptor_dup(int fd, const char *name, int *out, struct err *e);

/* "standard output" and so on for the first three, else `path`. */
const char *descriptor_label(int fd, const char *path);

#endif
