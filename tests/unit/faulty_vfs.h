/* A file system for SQLite that fails, or ends the process, at the n-th change of a file. Include
 * once in a test program; mostly in a forked child, as it stays until the process ends.
 *
 * What a power cut may take back is remembered: every change since the last sync of its file. */
#ifndef LEADPIPE_TESTS_FAULTY_VFS_H
#define LEADPIPE_TESTS_FAULTY_VFS_H

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAULTY_EXIT 77

enum fault {
    FAULT_NONE,
    FAULT_KILL,      /* the process is killed before the change */
    FAULT_POWER_CUT, /* and what was not synced is lost */
    FAULT_PARTS_CUT, /* about half of that is, by chance */
    FAULT_IO,        /* this change and all after it fail: I/O error */
    FAULT_FULL,      /* likewise: no space left, except for what makes a file no larger */
};

struct faulty_undo {
    struct faulty_undo *older;
    char path[512];
    off_t at, size_before;
    size_t n;
    char bytes[]; /* what was there */
};

static struct {
    sqlite3_vfs vfs, *real;
    enum fault fault;
    long left; /* changes before it */
    uint64_t chance;
    struct faulty_undo *undo;
    bool happened;
} faulty;

struct faulty_file {
    sqlite3_file base;
    char path[512];
    sqlite3_file *real; /* in the memory behind this */
};

static inline off_t faulty_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static inline void faulty_remember(const struct faulty_file *f, off_t at, size_t n)
{
    if (faulty.fault != FAULT_POWER_CUT && faulty.fault != FAULT_PARTS_CUT)
        return;
    struct faulty_undo *u = calloc(1, sizeof *u + n);
    int fd = open(f->path, O_RDONLY);
    if (!u || fd < 0)
        abort();
    memcpy(u->path, f->path, sizeof u->path);
    u->at = at;
    u->size_before = faulty_size(f->path);
    ssize_t got = pread(fd, u->bytes, n, at);
    u->n = got > 0 ? (size_t)got : 0;
    (void)close(fd);
    u->older = faulty.undo;
    faulty.undo = u;
}

static inline void faulty_synced(const char *path)
{
    for (struct faulty_undo **at = &faulty.undo; *at;) {
        struct faulty_undo *u = *at;
        if (strcmp(u->path, path) != 0) {
            at = &u->older;
            continue;
        }
        *at = u->older;
        free(u);
    }
}

static inline void faulty_take_back(void)
{
    for (struct faulty_undo *u = faulty.undo; u; u = u->older) {
        faulty.chance = faulty.chance * UINT64_C(6364136223846793005) + 1442695040888963407;
        if (faulty.fault == FAULT_PARTS_CUT && faulty.chance >> 63)
            continue;
        int fd = open(u->path, O_WRONLY);
        if (fd < 0)
            continue;
        if (pwrite(fd, u->bytes, u->n, u->at) != (ssize_t)u->n ||
            ftruncate(fd, u->size_before) != 0)
            abort();
        (void)close(fd);
    }
}

/* SQLITE_OK: the change may be made. */
static inline int faulty_change(bool grows)
{
    if (faulty.fault == FAULT_NONE || faulty.left-- > 0)
        return SQLITE_OK;
    faulty.happened = true;
    switch (faulty.fault) {
    case FAULT_IO:
        return SQLITE_IOERR_WRITE;
    case FAULT_FULL:
        return grows ? SQLITE_FULL : SQLITE_OK;
    case FAULT_POWER_CUT:
    case FAULT_PARTS_CUT:
        faulty_take_back();
        break;
    default:
        break;
    }
    _exit(FAULTY_EXIT);
}

#define REAL(file) (((struct faulty_file *)(file))->real)

static inline int faulty_close(sqlite3_file *file)
{
    return REAL(file)->pMethods->xClose(REAL(file));
}

static inline int faulty_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    return REAL(file)->pMethods->xRead(REAL(file), p, n, at);
}

static inline int faulty_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    const struct faulty_file *f = (struct faulty_file *)file;
    int rc = faulty_change(at + n > faulty_size(f->path));
    if (rc != SQLITE_OK)
        return rc;
    faulty_remember(f, at, (size_t)n);
    return REAL(file)->pMethods->xWrite(REAL(file), p, n, at);
}

static inline int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    const struct faulty_file *f = (struct faulty_file *)file;
    int rc = faulty_change(false);
    if (rc != SQLITE_OK)
        return rc;
    off_t before = faulty_size(f->path);
    faulty_remember(f, size, before > size ? (size_t)(before - size) : 0);
    return REAL(file)->pMethods->xTruncate(REAL(file), size);
}

/* Nothing is really synced: no power is cut. */
static inline int faulty_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    int rc = faulty_change(false);
    if (rc == SQLITE_OK)
        faulty_synced(((struct faulty_file *)file)->path);
    return rc;
}

static inline int faulty_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), size);
}

static inline int faulty_lock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xLock(REAL(file), lock);
}

static inline int faulty_unlock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), lock);
}

static inline int faulty_reserved(sqlite3_file *file, int *out)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), out);
}

static inline int faulty_control(sqlite3_file *file, int op, void *arg)
{
    if (op == SQLITE_FCNTL_LAST_ERRNO && faulty.happened) {
        *(int *)arg = EIO;
        return SQLITE_OK;
    }
    return REAL(file)->pMethods->xFileControl(REAL(file), op, arg);
}

static inline int faulty_sector_size(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}

static inline int faulty_characteristics(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static inline int faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file,
                              int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 1, /* no shared memory: the state needs none */
        .xClose = faulty_close,
        .xRead = faulty_read,
        .xWrite = faulty_write,
        .xTruncate = faulty_truncate,
        .xSync = faulty_sync,
        .xFileSize = faulty_file_size,
        .xLock = faulty_lock,
        .xUnlock = faulty_unlock,
        .xCheckReservedLock = faulty_reserved,
        .xFileControl = faulty_control,
        .xSectorSize = faulty_sector_size,
        .xDeviceCharacteristics = faulty_characteristics,
    };
    (void)vfs;
    struct faulty_file *f = (struct faulty_file *)file;
    memset(f, 0, sizeof *f);
    if (name)
        strncpy(f->path, name, sizeof f->path - 1);
    f->real = (sqlite3_file *)(f + 1);
    int rc = faulty.real->xOpen(faulty.real, name, f->real, flags, out_flags);
    if (rc == SQLITE_OK)
        f->base.pMethods = &methods;
    return rc;
}

static inline int faulty_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    int rc = faulty_change(false);
    if (rc != SQLITE_OK)
        return rc;
    faulty_synced(path);
    return faulty.real->xDelete(faulty.real, path, sync_folder);
}

/* From now on, for all databases that are opened. A real power cut would find nothing synced. */
static inline void faulty_begin(enum fault fault, long after_changes)
{
    if (!faulty.real) {
        faulty.real = sqlite3_vfs_find(NULL);
        faulty.vfs = *faulty.real;
        faulty.vfs.zName = "faulty";
        faulty.vfs.szOsFile += (int)sizeof(struct faulty_file);
        faulty.vfs.xOpen = faulty_open;
        faulty.vfs.xDelete = faulty_delete;
        if (sqlite3_vfs_register(&faulty.vfs, 1) != SQLITE_OK)
            abort();
    }
    faulty.fault = fault;
    faulty.left = after_changes;
    faulty.chance = (uint64_t)after_changes;
    faulty.happened = false;
}

#endif
