/* A file's fingerprint: which one is it? A length and a checksum of its end, cheap for files of any
 * size: enough to distinguish an output that a run completed from what else may have come to bear its name.
 * Unlike inodes and times it stays the same when a file is copied or restored. */
#ifndef LEADPIPE_FILE_SIGNATURE_H
#define LEADPIPE_FILE_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

struct file_signature {
    uint64_t bytes;
    uint32_t crc; /* CRC-32 of the last 64 KiB */
};

static inline bool file_signature_equal(struct file_signature a, struct file_signature b)
{
    return a.bytes == b.bytes && a.crc == b.crc;
}

/* RC_END: there is no such file (the text says so). RC_IO: it is no regular file, or cannot be
 * read. */
enum rc file_signature(const char *path, struct file_signature *out, struct err *e);
/* Of one that is open for reading; `path` is for messages. */
enum rc file_signature_open(int fd, const char *path, struct file_signature *out, struct err *e);

#endif
