/* The C library's calls that change files, replaced: in the folder they are checked against the rules
 * (rules.h) and reported to the shadow (shadow.h), elsewhere they are what they always were.
 *
 * Not replaced: stdio's own writes, which do not go through these names; a file written so is seen
 * at its fsync or rename only, and no rule meets its writes. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel.h"
#include "rules.h"
#include "scope.h"
#include "shadow.h"

#define PUBLIC __attribute__((visibility("default")))
#define ALSO_CALLED(name) __attribute__((visibility("default"), alias(#name)))

/* A regular file of ours? */
static bool looks_after(int fd, struct rel *name, struct stat *st)
{
    return scope_is_on() && scope_fd(fd, name, st) && S_ISREG(st->st_mode);
}

/* 0, or -1 with errno: the call must not be made. */
static int apply_rules(struct verdict *v, enum op op, const char *path, size_t bytes)
{
    *v = rules_apply(op, path, bytes);
    if (v->errnum == 0)
        return 0;
    errno = v->errnum;
    return -1;
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool is_there(int at, const char *path)
{
    struct stat st;
    int errnum = errno;
    bool there = fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    errno = errnum;
    return there;
}

static void refuse_sync_flags(int flags, const char *path)
{
    if (flags & O_DSYNC)
        scope_give_up("O_SYNC and O_DSYNC are not known to this library", path);
}

static int open_known(int at, const char *path, int flags, mode_t mode, const struct rel *name)
{
    struct verdict v = {0};
    bool creates = (flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE && !is_there(at, path);
    refuse_sync_flags(flags, path);
    if (creates && apply_rules(&v, OP_CREATE, name->text, 0) != 0)
        return -1;
    int fd = kernel_open(at, path, flags, mode);
    struct stat st;
    struct rel again;
    if (fd >= 0 && shadow_is_on() && creates)
        shadow_created(fd, name);
    else if (fd >= 0 && shadow_is_on() && flags & O_TRUNC && looks_after(fd, &again, &st))
        shadow_changed(fd, &st);
    rules_after(&v);
    return fd;
}

static int open_any(int at, const char *path, int flags, mode_t mode)
{
    struct rel name;
    if (!scope_name(at, path, &name))
        return kernel_open(at, path, flags, mode);
    return open_known(at, path, flags, mode, &name);
}

static bool takes_mode(int flags)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

PUBLIC int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = takes_mode(flags) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_any(AT_FDCWD, path, flags, mode);
}

PUBLIC int openat(int at, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = takes_mode(flags) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_any(at, path, flags, mode);
}

PUBLIC int creat(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int open64(const char *path, int flags, ...) ALSO_CALLED(open);
int openat64(int at, const char *path, int flags, ...) ALSO_CALLED(openat);
int creat64(const char *path, mode_t mode) ALSO_CALLED(creat);

/* ---- writing -------------------------------------------------------------------------------- */

static void report_write(int fd, const struct stat *st, off_t at, ssize_t n,
                         const struct verdict *v)
{
    if (n > 0 && shadow_is_on())
        shadow_wrote(fd, st, at, (size_t)n);
    rules_after(v);
}

PUBLIC ssize_t write(int fd, const void *p, size_t n)
{
    struct rel name;
    struct stat st;
    struct verdict v;
    if (!looks_after(fd, &name, &st))
        return kernel_write(fd, p, n);
    if (apply_rules(&v, OP_WRITE, name.text, n) != 0)
        return -1;
    ssize_t wrote = kernel_write(fd, p, v.bytes);
    /* Behind what was written, also with O_APPEND. */
    off_t end = wrote > 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    report_write(fd, &st, end - (wrote > 0 ? wrote : 0), wrote, &v);
    return wrote;
}

PUBLIC ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    struct rel name;
    struct stat st;
    struct verdict v;
    if (!looks_after(fd, &name, &st))
        return kernel_pwrite(fd, p, n, at);
    if (apply_rules(&v, OP_WRITE, name.text, n) != 0)
        return -1;
    ssize_t wrote = kernel_pwrite(fd, p, v.bytes, at);
    report_write(fd, &st, at, wrote, &v);
    return wrote;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) ALSO_CALLED(pwrite);

/* To a file of ours the parts go one by one. */
static ssize_t write_parts(int fd, const struct iovec *parts, int n, off_t at)
{
    ssize_t total = 0;
    for (int i = 0; i < n; i++) {
        ssize_t wrote = at < 0 ? write(fd, parts[i].iov_base, parts[i].iov_len)
                               : pwrite(fd, parts[i].iov_base, parts[i].iov_len, at + total);
        if (wrote < 0)
            return total > 0 ? total : -1;
        total += wrote;
        if ((size_t)wrote < parts[i].iov_len)
            break;
    }
    return total;
}

PUBLIC ssize_t writev(int fd, const struct iovec *parts, int n)
{
    struct rel name;
    struct stat st;
    if (!looks_after(fd, &name, &st))
        return syscall(SYS_writev, fd, parts, n);
    return write_parts(fd, parts, n, -1);
}

PUBLIC ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    struct rel name;
    struct stat st;
    if (!looks_after(fd, &name, &st))
        return syscall(SYS_pwritev, fd, parts, n, at, 0L);
    return write_parts(fd, parts, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off_t at) ALSO_CALLED(pwritev);

PUBLIC ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t n,
                               unsigned flags)
{
    struct rel name;
    struct stat st;
    struct verdict v;
    if (!looks_after(to, &name, &st))
        return syscall(SYS_copy_file_range, from, from_at, to, to_at, n, flags);
    if (apply_rules(&v, OP_WRITE, name.text, n) != 0)
        return -1;
    ssize_t done = syscall(SYS_copy_file_range, from, from_at, to, to_at, v.bytes, flags);
    off_t end = done <= 0 ? 0 : to_at ? *to_at : lseek(to, 0, SEEK_CUR);
    report_write(to, &st, end - (done > 0 ? done : 0), done, &v);
    return done;
}

/* ---- sizes and maps ------------------------------------------------------------------------- */

PUBLIC int ftruncate(int fd, off_t size)
{
    struct rel name;
    struct stat st;
    struct verdict v;
    if (!looks_after(fd, &name, &st))
        return kernel_truncate_fd(fd, size);
    if (apply_rules(&v, OP_TRUNCATE, name.text, 0) != 0)
        return -1;
    int done = kernel_truncate_fd(fd, size);
    if (done == 0 && shadow_is_on())
        shadow_changed(fd, &st);
    rules_after(&v);
    return done;
}

PUBLIC int fallocate(int fd, int mode, off_t at, off_t n)
{
    struct rel name;
    struct stat st;
    struct verdict v;
    if (!looks_after(fd, &name, &st))
        return (int)syscall(SYS_fallocate, fd, mode, at, n);
    if (apply_rules(&v, OP_WRITE, name.text, (size_t)n) != 0)
        return -1;
    int done = (int)syscall(SYS_fallocate, fd, mode, at, n);
    if (done == 0 && shadow_is_on())
        shadow_changed(fd, &st);
    rules_after(&v);
    return done;
}

PUBLIC int posix_fallocate(int fd, off_t at, off_t n)
{
    int errnum = errno;
    int answer = fallocate(fd, 0, at, n) == 0 ? 0 : errno;
    errno = errnum;
    return answer;
}

PUBLIC void *mmap(void *where, size_t n, int protection, int flags, int fd, off_t at)
{
    struct rel name;
    struct stat st;
    if (flags & MAP_SHARED && protection & PROT_WRITE && fd >= 0 && looks_after(fd, &name, &st) &&
        shadow_is_on())
        shadow_mapped(fd, &st);
    /* The system call's number is for an address, which is no pointer to the compiler. */
    uintptr_t got = (uintptr_t)syscall(SYS_mmap, where, n, protection, flags, fd, at);
    return (void *)got;
}

int ftruncate64(int fd, off_t size) ALSO_CALLED(ftruncate);
int fallocate64(int fd, int mode, off_t at, off_t n) ALSO_CALLED(fallocate);
int posix_fallocate64(int fd, off_t at, off_t n) ALSO_CALLED(posix_fallocate);
void *mmap64(void *where, size_t n, int protection, int flags, int fd, off_t at) ALSO_CALLED(mmap);

/* ---- syncing -------------------------------------------------------------------------------- */

/* With a shadow nothing needs to reach a disk. */
static int sync_fd(int fd, long number)
{
    struct rel name;
    struct stat st;
    struct verdict v;
    if (!scope_is_on() || !scope_fd(fd, &name, &st))
        return (int)syscall(number, fd);
    if (apply_rules(&v, OP_SYNC, *name.text ? name.text : ".", 0) != 0) {
        if (shadow_is_on() && S_ISREG(st.st_mode))
            shadow_lost(fd, &st);
        return -1;
    }
    int done = 0;
    if (!shadow_is_on())
        done = (int)syscall(number, fd);
    else if (S_ISDIR(st.st_mode))
        shadow_folder_synced(&name);
    else
        shadow_synced(fd, &st);
    rules_after(&v);
    return done;
}

PUBLIC int fsync(int fd)
{
    return sync_fd(fd, SYS_fsync);
}

PUBLIC int fdatasync(int fd)
{
    return sync_fd(fd, SYS_fdatasync);
}

/* ---- names ---------------------------------------------------------------------------------- */

static int rename_any(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    struct rel old;
    struct rel new;
    struct verdict v;
    bool from_here = scope_name(from_at, from, &old);
    bool to_here = scope_name(to_at, to, &new);
    if (!from_here && !to_here)
        return kernel_rename(from_at, from, to_at, to, flags);
    if (apply_rules(&v, OP_RENAME, to_here ? new.text : old.text, 0) != 0)
        return -1;
    if (shadow_is_on() && from_here)
        shadow_bury(&old); /* it may leave the folder; and it becomes known */
    if (shadow_is_on() && to_here)
        shadow_bury(&new);
    int done = kernel_rename(from_at, from, to_at, to, flags);
    if (done == 0 && shadow_is_on())
        shadow_renamed(from_here ? &old : NULL, to_here ? &new : NULL);
    rules_after(&v);
    return done;
}

PUBLIC int rename(const char *from, const char *to)
{
    return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}

PUBLIC int renameat(int from_at, const char *from, int to_at, const char *to)
{
    return rename_any(from_at, from, to_at, to, 0);
}

PUBLIC int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    return rename_any(from_at, from, to_at, to, flags);
}

static int link_any(int from_at, const char *from, int to_at, const char *to, int flags)
{
    struct rel name;
    struct verdict v;
    if (!scope_name(to_at, to, &name))
        return kernel_link(from_at, from, to_at, to, flags);
    if (apply_rules(&v, OP_CREATE, name.text, 0) != 0)
        return -1;
    int done = kernel_link(from_at, from, to_at, to, flags);
    if (done == 0 && shadow_is_on())
        shadow_linked(&name);
    rules_after(&v);
    return done;
}

PUBLIC int link(const char *from, const char *to)
{
    return link_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}

PUBLIC int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    return link_any(from_at, from, to_at, to, flags);
}

static int unlink_any(int at, const char *path, int flags)
{
    struct rel name;
    struct verdict v;
    if (!scope_name(at, path, &name))
        return kernel_unlink(at, path, flags);
    if (apply_rules(&v, OP_UNLINK, name.text, 0) != 0)
        return -1;
    if (shadow_is_on())
        shadow_bury(&name);
    int done = kernel_unlink(at, path, flags);
    if (done == 0 && shadow_is_on() && flags & AT_REMOVEDIR)
        shadow_folder_removed(&name);
    else if (done == 0 && shadow_is_on())
        shadow_unlinked(&name);
    rules_after(&v);
    return done;
}

PUBLIC int unlink(const char *path)
{
    return unlink_any(AT_FDCWD, path, 0);
}

PUBLIC int unlinkat(int at, const char *path, int flags)
{
    return unlink_any(at, path, flags);
}

PUBLIC int rmdir(const char *path)
{
    return unlink_any(AT_FDCWD, path, AT_REMOVEDIR);
}

static int mkdir_any(int at, const char *path, mode_t mode)
{
    struct rel name;
    struct verdict v;
    if (!scope_name(at, path, &name) || is_there(at, path))
        return (int)syscall(SYS_mkdirat, at, path, mode);
    if (apply_rules(&v, OP_CREATE, name.text, 0) != 0)
        return -1;
    int done = (int)syscall(SYS_mkdirat, at, path, mode);
    if (done == 0 && shadow_is_on())
        shadow_folder_made(&name);
    rules_after(&v);
    return done;
}

PUBLIC int mkdir(const char *path, mode_t mode)
{
    return mkdir_any(AT_FDCWD, path, mode);
}

PUBLIC int mkdirat(int at, const char *path, mode_t mode)
{
    return mkdir_any(at, path, mode);
}
