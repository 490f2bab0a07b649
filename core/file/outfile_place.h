/* Where an outfile goes: its final path, its unfinished one, and the folder of both. */
#ifndef LEADPIPE_OUTFILE_PLACE_H
#define LEADPIPE_OUTFILE_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include <sys/stat.h>

#include "core/base/err.h"
#include "core/file/outfile.h"

struct place {
    int fd;         /* the open descriptor that the path is a name of, or -1 */
    bool is_stream; /* a descriptor, or what exists and is no regular file */
    bool exists;    /* a regular file is there, with `mode` */
    mode_t mode;
    char *final;  /* through symbolic links; NULL for a descriptor */
    char *part;   /* the unfinished file; NULL for a stream */
    char *folder; /* NULL for a stream */
};

/* RC_USAGE: no file can be there, and why; RC_NOMEM. */
enum rc place_find(struct place *out, const char *path, enum outfile_suffix suffix, struct err *e);
void place_free(struct place *p);

/* The unfinished file for a final path, malloc'd: ".NAME.leadpipe-SUFFIX" beside it. Of a name that
 * would become too long for some file systems there is only the beginning, and a hash of the whole:
 * the same every time. NULL: out of memory. */
char *place_part(const char *final, enum outfile_suffix suffix);

/* May an unfinished file that is there be written on? Only a regular file of ours that has no other
 * name: else another user would own what is published, or what the other name leads to would be
 * overwritten. RC_USAGE. */
enum rc part_check(const char *part, const struct stat *st, struct err *e);

/* Opens and locks the unfinished file, made where it is not there. RC_BUSY: another run has it. */
enum rc place_open_part(const struct place *p, int *out_fd, struct err *e);

/* Opens one that is there, for writing where its mode lets that be; -1 and errno. */
int part_open(const char *path);

/* Is what `fd` is open on still what the name leads to, and a regular file? Between opening and locking
 * the run that held the lock may have renamed or removed it. */
bool part_is_still_there(int fd, const char *path, bool *is_regular);

/* Opens what is no regular file, for writing. *out_fd is -1 for a named pipe that nobody reads yet. */
enum rc place_open_stream(const struct place *p, int *out_fd, struct err *e);

/* A file without a name, that goes away by itself; in $TMPDIR, else /var/tmp. */
enum rc temporary_open(int *out_fd, struct err *e);

/* The code for a failed open(): RC_USAGE where the path is to blame, RC_IO where the system is. */
enum rc place_open_rc(int errnum);

/* "folder/name" becomes "folder" ("." without a slash, "/" for the root), malloc'd. */
char *folder_of(const char *path);

/* RC_USAGE: no file can be made in it; `path` is that file. Touches nothing. */
enum rc folder_check(const char *path, const char *folder, struct err *e);

/* Makes names in a folder durable. */
enum rc folder_sync(const char *folder, struct err *e);

#endif
