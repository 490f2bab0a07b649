/* The API key: from a file or from the profile's environment variable. */
#ifndef LEADPIPE_CMD_CREDENTIAL_H
#define LEADPIPE_CMD_CREDENTIAL_H

#include "core/base/buf.h"
#include "core/provider/profile.h"
#include "core/base/secrets.h"

#define CREDENTIAL_BYTES_MAX 8192

/* Reads the key into `out` (initialised here, secret: free it with credential_free()) and registers
 * it. `file` NULL: from the environment. A byte order mark, blanks and line ends around it are cut
 * off (credential_text.h). In both cases the variable is taken out of the environment. For a provider
 * that wants no key it is empty. RC_USAGE: there is none, or it cannot be one; the text names the file
 * or variable, and never holds the key. */
enum rc credential_load(struct buf *out, const struct profile *p, const char *file,
                        struct secrets *s, struct err *e);
void credential_free(struct buf *credential);

#endif
