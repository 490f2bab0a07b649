/* Which files the library looks after: those below one folder. */
#ifndef FAULTFS_SCOPE_H
#define FAULTFS_SCOPE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

/* A path relative to the folder; "" is the folder itself. */
struct rel {
    char text[PATH_MAX];
};

/* $FAULTFS_FOLDER; false: the library does nothing. */
bool scope_is_on(void);
const char *scope_folder(void);

/* Is that name in the folder (or one below it)? The name itself need not exist, its folder must. */
bool scope_name(int at, const char *path, struct rel *out);

/* Is what `fd` is open on in the folder, and a regular file or a folder? *st is always filled. */
bool scope_fd(int fd, struct rel *out, struct stat *st);

/* Ends the program with a message: what it does cannot be checked by this library. */
_Noreturn void scope_give_up(const char *what, const char *about);

#endif
