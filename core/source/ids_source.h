/* The bytes of one ID input: a file, a pipe or standard input, plain or gzip (recognized by the suffix or the first
 * bytes). Private to core/source. */
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
    bool ended; /* the end of the file has been read */
    bool begun; /* the first bytes have been checked for gzip */
    bool is_gzip, in_member, any_member;
    z_stream z;
    unsigned char *packed; /* owned: gzip bytes not yet decompressed */
};

/* `path` "-" is standard input. The name of an open descriptor (descriptor.h) means that descriptor at its current
 * position. RC_IO, RC_NOMEM; RC_USAGE: the descriptor cannot be read. */
enum rc ids_source_open(struct ids_source *s, const char *path, const struct source_wait *wait,
                        struct err *e);
void ids_source_close(struct ids_source *s);

/* Reads 1 to `room` bytes; at the first call `room` must be at least 3. RC_END; RC_STOPPED: the wait's cancel_fd has become
 * readable; RC_IO, also for damaged or truncated gzip data; RC_NOMEM. */
enum rc ids_source_read(struct ids_source *s, char *into, size_t room, size_t *n, struct err *e);

#endif
