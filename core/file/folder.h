/* Folders that files are written to. */
#ifndef LEADPIPE_FOLDER_H
#define LEADPIPE_FOLDER_H

#include "core/base/err.h"

/* "folder/name" becomes "folder" ("." without a slash, "/" for the root), malloc'd. */
char *folder_of(const char *path);

/* RC_USAGE: no file can be made in it; `path` is that file. Touches nothing. */
enum rc folder_check(const char *path, const char *folder, struct err *e);

/* Makes names in a folder durable. */
enum rc folder_sync(const char *folder, struct err *e);

/* Could folder_make() make it, and files be made in it? Touches nothing. RC_USAGE. */
enum rc folder_check_make(const char *path, struct err *e);

/* Makes a folder and its missing parents (mode 0777 less umask). */
enum rc folder_make(const char *path, struct err *e);

#endif
