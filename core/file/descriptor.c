#include "core/file/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel */

/* "0" or a number without leading zeros, as they stand in /proc; -1: it is none. */
static long number_of(const char *text, size_t n)
{
    char copy[16];
    if (n == 0 || n > 9 || (n > 1 && *text == '0') || strspn(text, "0123456789") < n)
        return -1;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return strtol(copy, NULL, 10);
}

/* By the name alone, as shells know them: also where there is no /proc. */
static int well_known(const char *path)
{
    static const struct {
        const char *name;
        int fd;
    } names[] = {{"/dev/stdin", STDIN_FILENO},
                 {"/dev/stdout", STDOUT_FILENO},
                 {"/dev/stderr", STDERR_FILENO}};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(path, names[i].name) == 0)
            return names[i].fd;
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t n = strlen(folders[i]);
        if (strncmp(path, folders[i], n) == 0)
            return (int)number_of(path + n, strlen(path + n));
    }
    return DESCRIPTOR_NONE;
}

static bool is_proc(const char *folder)
{
    struct statfs fs;
    return statfs(folder, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* False: it is longer than a path can be. */
static bool copy_path(char to[PATH_MAX], const char *path)
{
    size_t n = strlen(path) + 1;
    if (n > PATH_MAX)
        return false;
    memcpy(to, path, n);
    return true;
}

/* Takes the last component off; NULL: there is none. */
static const char *take_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return slash + 1;
}

/* `folder` is a real path: that of ".../PID/fd" or ".../PID/task/TID/fd" in a /proc, wherever that is
 * mounted. *own: PID is this process as that /proc numbers it. */
static bool is_fd_folder(const char *folder, bool *own)
{
    char rest[PATH_MAX], self[PATH_MAX + 8], target[32];
    if (!is_proc(folder) || !copy_path(rest, folder))
        return false;
    const char *last = take_last(rest);
    if (!last || strcmp(last, "fd") != 0)
        return false;
    const char *pid = take_last(rest);
    if (!pid || number_of(pid, strlen(pid)) < 0)
        return false;
    const char *above = strrchr(rest, '/');
    if (above && strcmp(above, "/task") == 0) {
        (void)take_last(rest);
        pid = take_last(rest);
    }
    (void)snprintf(self, sizeof self, "%s/self", rest);
    ssize_t n = readlink(self, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    *own = pid && strcmp(target, pid) == 0;
    return true;
}

/* The descriptor that the name `base` in `folder`, a real path, stands for. */
static int in_folder(const char *folder, const char *base)
{
    bool own = false;
    long fd = number_of(base, strlen(base));
    if (fd < 0 || !is_fd_folder(folder, &own))
        return DESCRIPTOR_NONE;
    return own ? (int)fd : DESCRIPTOR_FOREIGN;
}

/* One symbolic link further. False: `path` is none, or leads nowhere. */
static bool follow(char path[PATH_MAX], const char *folder, const char *base)
{
    char target[PATH_MAX], full[2 * PATH_MAX];
    (void)snprintf(full, sizeof full, "%s/%s", folder, base);
    ssize_t n = readlink(full, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    int len = *target == '/' ? snprintf(full, sizeof full, "%s", target)
                             : snprintf(full, sizeof full, "%s/%s", folder, target);
    if (len < 0 || len >= PATH_MAX)
        return false;
    memcpy(path, full, (size_t)len + 1);
    return true;
}

int descriptor_named(const char *path)
{
    char at[PATH_MAX], folder[PATH_MAX], above[PATH_MAX] = "";
    if (!copy_path(at, path))
        return DESCRIPTOR_NONE;
    for (int links = 0; links < LINKS_MAX; links++) {
        int fd = well_known(at);
        if (fd >= 0)
            return fd;
        (void)copy_path(above, at);
        const char *base = take_last(above);
        const char *parent = base ? above : ".";
        if (base && !*above)
            parent = "/";
        if (!realpath(parent, folder))
            return DESCRIPTOR_NONE;
        fd = in_folder(folder, base ? base : at);
        if (fd != DESCRIPTOR_NONE)
            return fd;
        if (!follow(at, folder, base ? base : at))
            return DESCRIPTOR_NONE;
    }
    return DESCRIPTOR_NONE;
}

int descriptor_written(const char *path)
{
    return strcmp(path, "-") == 0 ? STDOUT_FILENO : descriptor_named(path);
}

int descriptor_read(const char *path)
{
    return strcmp(path, "-") == 0 ? STDIN_FILENO : descriptor_named(path);
}

const char *descriptor_label(int fd, const char *path)
{
    switch (fd) {
    case STDIN_FILENO:
        return "standard input";
    case STDOUT_FILENO:
        return "standard output";
    case STDERR_FILENO:
        return "standard error";
    default:
        return path;
    }
}

enum rc descriptor_check(int fd, bool for_writing, const char *name, struct err *e)
{
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC))
        return err_set(e, RC_USAGE, "%s is closed", name);
    int status = fcntl(fd, F_GETFL);
    int mode = status & O_ACCMODE;
    if (status < 0 || (status & O_PATH))
        return err_set(e, RC_USAGE, "%s is not open for reading or writing", name);
    if (for_writing && mode == O_RDONLY)
        return err_set(e, RC_USAGE, "%s is open for reading only", name);
    if (!for_writing && mode == O_WRONLY)
        return err_set(e, RC_USAGE, "%s is open for writing only", name);
    return RC_OK;
}

enum rc descriptor_dup(int fd, const char *name, int *out, struct err *e)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (copy < 0)
        return err_sys(e, RC_IO, errno, "%s", name);
    *out = copy;
    return RC_OK;
}
