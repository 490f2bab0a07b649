#include "scope.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define EXIT_GIVEN_UP 99 /* leadpipe has no such exit status */

/* Globals, because a preloaded library has no other place; written once, before anything else. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char folder[PATH_MAX];
static size_t folder_len;
static dev_t device;

void scope_give_up(const char *what, const char *about)
{
    char text[PATH_MAX + 128];
    int n = snprintf(text, sizeof text, "faultfs: %s: %s (errno %d)\n", what, about, errno);
    if (n > 0)
        (void)kernel_write(STDERR_FILENO, text, strlen(text));
    _exit(EXIT_GIVEN_UP);
}

static void scope_init(void)
{
    const char *given = getenv("FAULTFS_FOLDER");
    if (!given || *given == '\0')
        return;
    struct stat st;
    if (!realpath(given, folder) || stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        scope_give_up("FAULTFS_FOLDER is no folder", given);
    device = st.st_dev;
    folder_len = strlen(folder);
}

bool scope_is_on(void)
{
    (void)pthread_once(&once, scope_init);
    return folder_len > 0;
}

const char *scope_folder(void)
{
    return folder;
}

static bool scope_strip(const char *path, struct rel *out)
{
    if (strncmp(path, folder, folder_len) != 0)
        return false;
    const char *rest = path + folder_len;
    if (*rest != '\0' && *rest != '/')
        return false;
    (void)snprintf(out->text, sizeof out->text, "%s", *rest == '/' ? rest + 1 : rest);
    return true;
}

/* What an open descriptor leads to; a file that was removed has " (deleted)" behind its name. */
static bool path_of_fd(int fd, char out[PATH_MAX])
{
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

/* Makes `path` absolute, links in it not yet resolved. */
static bool path_absolute(int at, const char *path, char out[2 * PATH_MAX])
{
    char base[PATH_MAX] = "";
    if (*path != '/' && at == AT_FDCWD && !getcwd(base, sizeof base))
        return false;
    if (*path != '/' && at != AT_FDCWD && !path_of_fd(at, base))
        return false;
    int n = snprintf(out, (size_t)2 * PATH_MAX, "%s%s%s", base, *path == '/' ? "" : "/", path);
    return n > 0 && n < 2 * PATH_MAX;
}

bool scope_name(int at, const char *path, struct rel *out)
{
    char absolute[2 * PATH_MAX];
    char real[PATH_MAX];
    if (!scope_is_on() || *path == '\0' || !path_absolute(at, path, absolute))
        return false;
    size_t n = strlen(absolute);
    while (n > 1 && absolute[n - 1] == '/')
        absolute[--n] = '\0';
    char *slash = strrchr(absolute, '/');
    *slash = '\0';
    int errnum = errno;
    char *found = realpath(*absolute == '\0' ? "/" : absolute, real);
    errno = errnum;
    if (!found || strlen(real) + strlen(slash + 1) + 2 > PATH_MAX)
        return false;
    (void)snprintf(absolute, sizeof absolute, "%s/%s", real, slash + 1);
    return scope_strip(absolute, out);
}

bool scope_fd(int fd, struct rel *out, struct stat *st)
{
    char path[PATH_MAX];
    int errnum = errno;
    bool known = fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) &&
                 st->st_dev == device && path_of_fd(fd, path);
    errno = errnum;
    return known && scope_strip(path, out);
}
