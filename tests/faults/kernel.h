/* The system calls themselves, past the C library whose functions are replaced here. */
#ifndef FAULTFS_KERNEL_H
#define FAULTFS_KERNEL_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static inline int kernel_open(int at, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

static inline ssize_t kernel_write(int fd, const void *p, size_t n)
{
    return syscall(SYS_write, fd, p, n);
}

static inline ssize_t kernel_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return syscall(SYS_pwrite64, fd, p, n, at);
}

static inline int kernel_truncate_fd(int fd, off_t size)
{
    return (int)syscall(SYS_ftruncate, fd, size);
}

static inline int kernel_link(int from_at, const char *from, int to_at, const char *to, int flags)
{
    return (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
}

static inline int kernel_unlink(int at, const char *path, int flags)
{
    return (int)syscall(SYS_unlinkat, at, path, flags);
}

static inline int kernel_rename(int from_at, const char *from, int to_at, const char *to,
                                unsigned flags)
{
    return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
}

#endif
