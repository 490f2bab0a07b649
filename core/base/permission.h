/* What to do where the system says "Permission denied": whose the file or directory is, who this process is, and which
 * command helps. */
#ifndef LEADPIPE_PERMISSION_H
#define LEADPIPE_PERMISSION_H

#include "core/base/err.h"

enum permission_use {
    PERMISSION_READ,     /* a file */
    PERMISSION_DATABASE, /* a file that is read and written, with those beside it */
    PERMISSION_FOLDER,   /* a directory in which files are made */
};

/* `e` says that `path` was refused with `errnum`. Appends the owner of `path`, or of the directory above it that must
 * not be entered, and what to do. Appends nothing if the reason is not EACCES, or if this is root. Changes no file;
 * `e` may be NULL. */
void permission_explain(struct err *e, int errnum, const char *path, enum permission_use use);

/* Sets `e` to "PATH: Permission denied", or whatever errnum is, with that explanation. Returns `rc`. */
enum rc permission_failed(struct err *e, enum rc rc, int errnum, const char *path,
                          enum permission_use use);

/* `e` says that a directory does not exist, or cannot be created. Appends how to create it: as this user, or, where
 * that is not permitted, as root, with the owner of the directory above it. */
void permission_explain_missing(struct err *e, const char *folder);

#endif
