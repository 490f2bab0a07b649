/* What the disk would hold, kept beside the folder in $FAULTFS_JOURNAL (made by powercut.py, on the
 * same file system) while the program runs:
 *
 *   log          what happened to names, one a line, in order; "S" is a folder's fsync
 *   ino/N        a symbolic link from an inode's number to the name by which it is kept here
 *   disk/NAME    its content as of its last fsync; absent: never synced
 *   grave/NAME   another link to it, when it was removed or replaced
 *
 * After a kill, powercut.py makes of this and of what is in the folder what a disk would hold.
 *
 * Files are known by their inodes, so that nothing must be remembered for a descriptor. A file that
 * was not seen before (written by an earlier process, or through stdio, whose calls cannot be
 * replaced) is copied as a whole by its next fsync; later ones copy what was written since. */
#ifndef FAULTFS_SHADOW_H
#define FAULTFS_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

#include "scope.h"

bool shadow_is_on(void);

/* All but one after the call has succeeded. `fd` is open on a regular file in the folder. */
void shadow_created(int fd, const struct rel *name);
void shadow_wrote(int fd, const struct stat *st, off_t at, size_t n);
void shadow_changed(int fd, const struct stat *st); /* anywhere */
void shadow_mapped(int fd, const struct stat *st);  /* from now on anything, any time */
void shadow_synced(int fd, const struct stat *st);
/* After a sync that failed: as in Linux, a later one says that all is well and writes nothing of it. */
void shadow_lost(int fd, const struct stat *st);
void shadow_folder_synced(const struct rel *folder);
void shadow_renamed(const struct rel *from, const struct rel *to); /* NULL: outside */
void shadow_linked(const struct rel *name);
void shadow_unlinked(const struct rel *name);
void shadow_folder_made(const struct rel *name);
void shadow_folder_removed(const struct rel *name);

/* Before the call: what the name leads to stays reachable. */
void shadow_bury(const struct rel *name);

#endif
