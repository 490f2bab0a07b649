/* Descriptions in JSON (profiles, destinations): those that come with the program, and those in files. */
#ifndef LEADPIPE_BUILTIN_H
#define LEADPIPE_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"

/* A file that was compiled in (cmake/embed.cmake). A list of them is in order of name and ends with a NULL name. */
struct builtin {
    const char *name; /* of the file, without its ending */
    const unsigned char *text;
    size_t len;
};

/* NULL: there is none of this name; beyond the last. */
const struct builtin *builtin_find(const struct builtin *list, const char *name);
const struct builtin *builtin_at(const struct builtin *list, size_t i);

/* Is the name of no built-in one a file's: does it contain "/", end in ".json", or exist? */
bool description_is_file(const char *name);

/* Appends a file's text, but no more than about `max` bytes: more than that shows that it is too large, and `b` must
 * have room for 2 * BUFSIZ beyond it. RC_USAGE: names the file; RC_NOMEM. */
enum rc description_read(struct buf *b, const char *path, size_t max, struct err *e);

#endif
