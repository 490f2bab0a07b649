/* Names that are about to change, as one text: how to finish files that are complete (outfile_prepare(),
 * outfile_recover()). Three texts a rename, each with a NUL behind it: from, to, and the file's length
 * and checksum (file_signature.h); the last two are empty for a removal. */
#ifndef LEADPIPE_RENAMES_H
#define LEADPIPE_RENAMES_H

#include "core/base/buf.h"
#include "core/file/file_signature.h"
#include "core/base/str.h"

struct file_rename {
    struct str from, to;         /* `to` empty: it is only to be removed */
    struct file_signature print; /* of the complete file; 0 for a removal */
};

/* Paths become absolute, so that they hold wherever the next run stands. */
void renames_put(struct buf *out, const char *from, const char *to, struct file_signature print);
/* A file that is only to be removed: its `to` is empty. */
void renames_put_removal(struct buf *out, const char *path);

/* The next one, whose texts are those of the list. RC_END: there is none; RC_SYNTAX: renames_put() did
 * not write that, or a path is none that a file can have. */
enum rc renames_take(struct str *list, struct file_rename *out);

#endif
