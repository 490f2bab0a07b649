#include "core/base/credential_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/read_full.h"

#define SIZE (CREDENTIAL_FILE_BYTES_MAX + 2) /* what is too large shows, and a NUL */

static enum rc read_open(int fd, char *text, size_t *len, const char **fault)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return RC_USAGE;
    if (!S_ISREG(st.st_mode)) {
        *fault = "is not a regular file";
        return RC_USAGE;
    }
    ssize_t n = read_full(fd, text, CREDENTIAL_FILE_BYTES_MAX + 1);
    if (n < 0)
        return RC_USAGE;
    if ((size_t)n > CREDENTIAL_FILE_BYTES_MAX) {
        *fault = "is larger than 64 KiB";
        return RC_USAGE;
    }
    *len = (size_t)n;
    return RC_OK;
}

enum rc credential_file_read(const char *path, char **out, size_t *len, const char **fault)
{
    *fault = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make this wait */
    if (fd < 0)
        return RC_USAGE;
    char *text = calloc(1, SIZE);
    enum rc rc = text ? read_open(fd, text, len, fault) : RC_NOMEM;
    int why = errno;
    (void)close(fd); /* nothing was written */
    if (rc == RC_OK)
        *out = text;
    else
        credential_file_free(text);
    errno = why;
    return rc;
}

void credential_file_free(char *text)
{
    if (text)
        explicit_bzero(text, SIZE);
    free(text);
}
