/* The API key: from a file or from the profile's environment variable. */
#ifndef LEADPIPE_CMD_CREDENTIAL_H
#define LEADPIPE_CMD_CREDENTIAL_H

#include "core/buf.h"
#include "core/profile.h"

#define CREDENTIAL_BYTES_MAX 8192

/* Reads the key into `out` (initialised here, secret: free it with credential_free()). `file` NULL:
 * from the environment. One line end at its end is cut off. In both cases the variable is
 * overwritten and taken out of the environment. For a provider that wants no key it is empty.
 * RC_USAGE: there is none, or it cannot be one; no text ever holds it. */
enum rc credential_load(struct buf *out, const struct profile *p, const char *file, struct err *e);
void credential_free(struct buf *credential);

#endif
