/* For leadpipe check: is there enough disk space for a run's files? Private to core/run. */
#ifndef LEADPIPE_RUN_SPACE_H
#define LEADPIPE_RUN_SPACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/findings.h"

#define RUN_SPACE_FILE_SYSTEMS_MAX 16

struct run_space_item {
    dev_t device;
    char folder[256]; /* the first folder on it that is written to; truncated if it is longer */
    uint64_t bytes_then, bytes_free,
        files_free;   /* bytes that will be needed; free bytes and inodes */
    int counts_files; /* `files_free` is known */
};

/* Zero it first. File systems beyond the maximum are ignored. */
struct run_space {
    struct run_space_item items[RUN_SPACE_FILE_SYSTEMS_MAX];
    size_t n;
    bool has_last_run; /* the files that are there are known to be its */
};

/* Adds a new file that will be written beside the one at `path`, and is expected to be as large as that. Returns the size
 * of the existing file. URLs and streams are ignored. */
uint64_t run_space_add(struct run_space *s, const char *path);

/* Adds `bytes` to what will be written to the file system of `path`. */
void run_space_add_bytes(struct run_space *s, const char *path, uint64_t bytes);

/* Reports one point for each file system. */
void run_space_report(const struct run_space *s, const struct findings *f);

#endif
