/* Names that nobody can guess and no two of which are the same: of runs, of uploads. */
#ifndef LEADPIPE_RANDOM_HEX_H
#define LEADPIPE_RANDOM_HEX_H

#include <stddef.h>

#include "core/base/err.h"

#define RANDOM_HEX_CHARS 32 /* 128 bits, as in a UUID */

/* RANDOM_HEX_CHARS hexadecimal digits and a NUL, from the system (getrandom(2)). RC_IO: it has none; a name
 * that is not random is never made in its place. Any thread. */
enum rc random_hex(char out[RANDOM_HEX_CHARS + 1], struct err *e);

#endif
