/* All files of a run: those that it reads, writes, or makes beside its outputs, and those that its standard
 * descriptors are open on. They are in one list so that no file is used for two purposes, even if it has
 * another path, a symbolic link, a hard link or an open descriptor. */
#ifndef LEADPIPE_RUN_FILES_H
#define LEADPIPE_RUN_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/err.h"

enum run_file_role {
    RUN_FILE_READ,
    RUN_FILE_WRITTEN,
    RUN_FILE_DERIVED,  /* made beside one that is written */
    RUN_FILE_STANDARD, /* standard input, output, error, as they are when the run begins */
};

struct run_file_entry {
    enum run_file_role role;
    int fd;       /* if it is a descriptor, that; else negative */
    char *who;    /* owned: what writes it, for messages ("csv:out/", "--failed"); or NULL */
    char *name;   /* owned: the path as given; RUN_FILE_READ: what it is; DERIVED: its purpose */
    size_t owner; /* RUN_FILE_DERIVED: index of the file that is written */
    char *path;   /* owned: the real path, as far as its folders exist; NULL for a descriptor */
    bool is_url;  /* `path` is an object in a bucket, not on this machine */
    mode_t mode;  /* 0: it does not exist yet */
    dev_t device, rdev;
    ino_t inode;
};

struct run_files {
    struct run_file_entry *items;
    size_t n, cap;
};

/* Adds standard input, output and error. Call it first. */
enum rc run_files_add_standard(struct run_files *l, struct err *e);

/* Each of these compares the file with all in the list, and adds it. RC_USAGE: two of them are the same
 * file, so that one would be lost or mixed with the other; or a file and a folder have the same name.
 * RC_NOMEM.
 *
 * A file that is read is called "WHAT OF" in messages: "the input ids.txt", "the file of --cacert". */
enum rc run_files_add_read(struct run_files *l, const char *path, const char *what, const char *of,
                           struct err *e);
enum rc run_files_add_written(struct run_files *l, const char *path, const char *who,
                              struct err *e);
/* A file that is made beside the last written one; `purpose`: such as "its unfinished file". */
enum rc run_files_add_derived(struct run_files *l, const char *path, const char *purpose,
                              struct err *e);

/* *makes: the folder of `path` does not exist yet, but will be made for a written file in the list. RC_NOMEM. */
enum rc run_files_make_folder(const struct run_files *l, const char *path, bool *makes,
                              struct err *e);

void run_files_free(struct run_files *l);

#endif
