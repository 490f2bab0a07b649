/* The unfinished file beside its final place, which only one run writes. */
#ifndef LEADPIPE_PART_H
#define LEADPIPE_PART_H

#include <stdbool.h>
#include <sys/stat.h>

#include "core/base/err.h"
#include "core/file/target.h"

/* Its name for a final path, malloc'd: ".NAME.leadpipe-SUFFIX" beside it. Of a name that would become
 * too long for some file systems there is only the beginning, and a hash of the whole: the same every
 * time. NULL: out of memory. */
char *part_name(const char *final, enum outfile_suffix suffix);

/* May an unfinished file that is there be written on? Only a regular file of ours that has no other
 * name: else another user would own what is published, or what the other name leads to would be
 * overwritten. RC_USAGE. */
enum rc part_check(const char *part, const struct stat *st, struct err *e);

/* Opens and locks that of a local target, made where it is not there. RC_BUSY: another run has it. */
enum rc part_open_locked(const struct target *t, int *out_fd, struct err *e);

/* Opens one that is there, for writing where its mode lets that be; -1 and errno. */
int part_open(const char *path);

/* Is what `fd` is open on still what the name leads to, and a regular file? Between opening and locking
 * the run that held the lock may have renamed or removed it. */
bool part_is_still_there(int fd, const char *path, bool *is_regular);

/* Removes one that a run that was killed left, unless another run is writing it. */
void part_clear(const char *path);

#endif
