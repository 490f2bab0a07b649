/* Column names: any JSON member name becomes a snake_case identifier.
 *
 * An underscore goes between a lower-case letter or digit and an upper-case letter, and before the
 * last capital of a run of capitals that a lower-case letter follows; ASCII upper case becomes
 * lower; any other ASCII byte that is not a-z0-9 becomes an underscore; runs of underscores
 * collapse; leading and trailing ones go; bytes from 0x80 stay; an empty name is "field"; a leading
 * digit gets an underscore before it. */
#ifndef LEADPIPE_NAME_H
#define LEADPIPE_NAME_H

#include "core/base/buf.h"
#include "core/base/str.h"

/* Appends the name of `raw` to `b`. */
void name_snake(struct buf *b, struct str raw);

#endif
