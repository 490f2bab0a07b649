/* A small file with a key, token or secrets in it. */
#ifndef LEADPIPE_CREDENTIAL_FILE_H
#define LEADPIPE_CREDENTIAL_FILE_H

#include <stddef.h>

#include "core/base/err.h"

#define CREDENTIAL_FILE_BYTES_MAX ((size_t)64 << 10)

/* *out: its text, with a NUL behind it; for credential_file_free(). RC_USAGE: *fault says what is wrong with it ("is
 * not a regular file"), or is NULL, and errno says why it cannot be read; RC_NOMEM. */
enum rc credential_file_read(const char *path, char **out, size_t *len, const char **fault);

/* Overwrites it first. May be NULL. */
void credential_file_free(char *text);

#endif
