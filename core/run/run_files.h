/* All files of a run: what it reads, what it writes, what it makes beside that, and what its standard
 * descriptors are open on. One list, so that no two of them can be the same file unseen: not under
 * another path, nor through a symbolic link, a hard link or an open descriptor. */
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
    int fd;       /* the descriptor that it is, or negative */
    char *who;    /* owned: what writes it, for messages ("csv:out/", "--failed"); or NULL */
    char *name;   /* owned: as given; of what is read, what it is; of what is derived, what for */
    size_t owner; /* of what is derived: the number of what is written */
    char *path;   /* owned: real, as far as its folders exist; NULL for a descriptor */
    bool is_url;  /* `path` is an object's, and nothing on this machine */
    mode_t mode;  /* 0: not there yet */
    dev_t device, rdev;
    ino_t inode;
};

struct run_files {
    struct run_file_entry *items;
    size_t n, cap;
};

/* Standard input, output and error. First. */
enum rc run_files_add_standard(struct run_files *l, struct err *e);

/* Each of these is compared with all that are in the list. RC_USAGE: they are one file, and one of
 * them would be lost or mixed with the other; or a file and a folder of one name. RC_NOMEM.
 *
 * What is read is called "WHAT OF" in messages: "the input ids.txt", "the file of --cacert". */
enum rc run_files_add_read(struct run_files *l, const char *path, const char *what, const char *of,
                           struct err *e);
enum rc run_files_add_written(struct run_files *l, const char *path, const char *who,
                              struct err *e);
/* One that is made beside the last that was added as written; for `purpose`, such as "its unfinished
 * file". */
enum rc run_files_add_derived(struct run_files *l, const char *path, const char *purpose,
                              struct err *e);

/* *makes: the folder of `path` is not there yet, and is made for a file in the list that is written to it. RC_NOMEM. */
enum rc run_files_make_folder(const struct run_files *l, const char *path, bool *makes,
                              struct err *e);

void run_files_free(struct run_files *l);

#endif
