#include "core/file/file_signature.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define END_BYTES 65536

enum rc file_signature_open(int fd, const char *path, struct file_signature *out, struct err *e)
{
    char block[4096];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_sys(e, RC_IO, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, RC_IO, "%s: is not a regular file", path);
    off_t at = st.st_size > END_BYTES ? st.st_size - END_BYTES : 0;
    uLong crc = crc32(0, NULL, 0);
    while (at < st.st_size) {
        ssize_t n = pread(fd, block, sizeof block, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, RC_IO, errno, "%s", path);
        if (n == 0)
            break; /* it got shorter: then it is another print, too */
        crc = crc32(crc, (const unsigned char *)block, (uInt)n);
        at += n;
    }
    *out = (struct file_signature){(uint64_t)st.st_size, (uint32_t)crc};
    return RC_OK;
}

enum rc file_signature(const char *path, struct file_signature *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, errno == ENOENT ? RC_END : RC_IO, errno, "%s", path);
    enum rc rc = file_signature_open(fd, path, out, e);
    (void)close(fd); /* nothing was written */
    return rc;
}
