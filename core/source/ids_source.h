/* The bytes of one ID input: a file, a pipe or standard input, plain or gzip (by the suffix, or as
 * its first bytes say).
 * Private to core/source. */
#ifndef LEADPIPE_IDS_SOURCE_H
#define LEADPIPE_IDS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#include "core/base/err.h"
#include "core/source/ids.h"

struct ids_source {
    const char *name; /* for messages; the caller's */
    int fd;
    struct source_wait wait;
    bool waits; /* reading may block */
    bool ended; /* of the bytes as stored */
    bool begun; /* it has been seen whether the first bytes are gzip's */
    bool is_gzip, in_member, any_member;
    z_stream z;
    unsigned char *packed; /* owned: gzip bytes not yet decompressed */
};

/* `path` "-" is standard input; a name of an open descriptor is that one (descriptor.h), not its file
 * from the beginning. RC_IO, RC_NOMEM; RC_USAGE: the descriptor cannot be read. */
enum rc ids_source_open(struct ids_source *s, const char *path, const struct source_wait *wait,
                        struct err *e);
void ids_source_close(struct ids_source *s);

/* 1 to `room` bytes; the first time `room` must be 3 at least. RC_END; RC_STOPPED: the wait's cancel_fd
 * became readable; RC_IO, also for gzip data that are damaged or cut short; RC_NOMEM. */
enum rc ids_source_read(struct ids_source *s, char *into, size_t room, size_t *n, struct err *e);

#endif
