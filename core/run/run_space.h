/* Is there room for a run's files where they are written? Private to core/run. */
#ifndef LEADPIPE_RUN_SPACE_H
#define LEADPIPE_RUN_SPACE_H

#include <stdint.h>
#include <sys/types.h>

#include "core/base/findings.h"

#define RUN_SPACE_FILE_SYSTEMS_MAX 16

struct run_space_item {
    dev_t device;
    char folder[256]; /* the first that is written to there, cut where it is longer */
    uint64_t bytes_then, bytes_free, files_free;
    int counts_files; /* `files_free` is known */
};

/* Zero it first. A file system beyond the maximum is left out. */
struct run_space {
    struct run_space_item items[RUN_SPACE_FILE_SYSTEMS_MAX];
    size_t n;
};

/* A file that will be written at `path`, beside what is there: as large as that, as far as anybody knows. The bytes
 * of what is there. URLs and streams are passed over. */
uint64_t run_space_add(struct run_space *s, const char *path);

/* So many bytes more than what is there, of what will be written to the file system of `path`. */
void run_space_add_bytes(struct run_space *s, const char *path, uint64_t bytes);

/* One point for each file system. */
void run_space_report(const struct run_space *s, const struct findings *f);

#endif
