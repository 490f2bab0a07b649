/* The path of a file as seen from a folder. */
#ifndef LEADPIPE_RELATIVE_H
#define LEADPIPE_RELATIVE_H

#include "core/base/buf.h"
#include "core/base/err.h"

/* Appends the path from `folder` to `path`: "x/a" seen from "x" is "a", seen from "y" it is "../x/a". Both are taken as
 * they are written, from the working directory; links are not followed. RC_IO: there is no working directory;
 * RC_NOMEM. */
enum rc relative_path(const char *path, const char *folder, struct buf *out, struct err *e);

#endif
