/* The profiles in core/provider/profiles/, as bytes; made by cmake/embed.cmake. Private to core/provider. */
#ifndef LEADPIPE_PROFILE_BUILTINS_H
#define LEADPIPE_PROFILE_BUILTINS_H

#include "core/provider/profile.h"

extern const struct builtin profile_builtins[]; /* by name; ends with a NULL name */

#endif
