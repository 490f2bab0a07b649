/* The API key: from a file or from the profile's environment variable. */
#ifndef LEADPIPE_CMD_CREDENTIAL_H
#define LEADPIPE_CMD_CREDENTIAL_H

#include "core/base/buf.h"
#include "core/provider/profile.h"
#include "core/base/secrets.h"

#define CREDENTIAL_BYTES_MAX 8192

/* Reads the key into `out` (initialised here; secret: free it with credential_free()), and registers it as a
 * secret. `file` NULL: from the environment. A byte order mark, blanks and line ends around it are removed
 * (credential_text.h). The variable is removed from the environment in both cases. Empty for a provider that
 * needs no key. RC_USAGE: there is no key, or it is not valid; the message names the file or variable, and never
 * contains the key. */
enum rc credential_load(struct buf *out, const struct profile *p, const char *file,
                        struct secrets *s, struct err *e);
/* Has systemd put that file there? It does for as long as the service runs (systemd.exec(5), "Credentials"). */
bool credential_is_of_systemd(const char *file);
void credential_free(struct buf *credential);

#endif
