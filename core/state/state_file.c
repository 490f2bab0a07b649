#include "core/state/state_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/permission.h"
#include "core/base/read_full.h"
#include "core/file/fd_io.h"
#include "core/file/folder.h"
#include "core/file/target.h"

/* SQLite's file format, section 1.3, and what its way of locking files is by (os_unix.c). */
#define HEADER_BYTES 100
#define HEADER_MAGIC "SQLite format 3" /* and its NUL */
#define HEADER_READ_VERSION 19
#define HEADER_USER_VERSION 60
#define HEADER_APPLICATION_ID 68
#define READ_VERSION_WAL 2
#define PAGE_BYTES STATE_PAGE_BYTES
#define LOCK_RANGE .l_start = 0x40000000, .l_len = 512

static uint32_t big_endian_32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t state_file_wal_bytes(const char *real)
{
    char *wal = NULL;
    if (asprintf(&wal, "%s-wal", real) < 0)
        return UINT64_MAX; /* then there may be some */
    struct stat st;
    uint64_t bytes = stat(wal, &st) == 0 ? (uint64_t)st.st_size : 0;
    free(wal);
    return bytes;
}

enum rc state_file_check_header(const char *path, const unsigned char *header, size_t n,
                                const char *advice, struct err *e)
{
    if (n < sizeof HEADER_MAGIC || memcmp(header, HEADER_MAGIC, sizeof HEADER_MAGIC) != 0)
        return err_set(e, RC_USAGE, "%s: is not a leadpipe state file%s", path, advice);
    if (n < HEADER_BYTES)
        return err_set(e, RC_USAGE,
                       "%s: is damaged: it is truncated; restore it, or remove it to start over",
                       path);
    uint32_t id = big_endian_32(header + HEADER_APPLICATION_ID);
    if (id == SQLITE_APPLICATION_ID)
        return err_set(
            e, RC_USAGE,
            "%s: is a database with rows of leads, which the sink sqlite has written, and not a state; "
            "the state is the file of --state%s",
            path, advice);
    if (id != STATE_APPLICATION_ID)
        return err_set(e, RC_USAGE, "%s: is a database of another program%s", path, advice);
    if (big_endian_32(header + HEADER_USER_VERSION) > STATE_VERSION)
        return err_set(e, RC_USAGE, "%s: was written by a later version of leadpipe", path);
    return RC_OK;
}

/* What is there of the first `size` bytes. */
static enum rc read_beginning(const char *path, int fd, unsigned char *p, size_t size, size_t *n,
                              struct err *e)
{
    ssize_t got = pread_full(fd, p, size, 0);
    *n = got < 0 ? 0 : (size_t)got;
    return got < 0 ? err_sys(e, RC_IO, errno, "%s", path) : RC_OK;
}

/* Nothing was ever written: it is empty, or the power went off when of its first page the length was
 * on disk, and not yet the content. */
bool state_file_is_blank(const unsigned char *p, size_t n)
{
    if (n != 0 && n != PAGE_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

static enum rc check_owner(const char *path, int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_sys(e, RC_IO, errno, "%s", path);
    return state_owner_check(path, &st, e);
}

/* SQLite is not asked: it would take another's file for its own, or write to repair it. `wal_bytes`: of the -wal
 * file before this. */
static enum rc check_content(const char *path, struct state_file *file, uint64_t wal_bytes,
                             struct err *e)
{
    int fd = open(file->real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, fd_open_rc(errno), errno, "%s", path);
    unsigned char beginning[PAGE_BYTES + 1];
    size_t n = 0;
    enum rc rc = check_owner(path, fd, e);
    if (rc == RC_OK)
        rc = read_beginning(path, fd, beginning, sizeof beginning, &n, e);
    /* Closing ends all locks that this process has on the file: it has none. */
    (void)close(fd);
    if (rc != RC_OK)
        return rc;
    file->is_new = state_file_is_blank(beginning, n);
    if (!file->is_new)
        rc = state_file_check_header(path, beginning, n, "; give --state another name", e);
    else if (wal_bytes > 0)
        rc = err_set(e, RC_USAGE,
                     "%s: is damaged: it is empty, but %s-wal exists; restore it, or remove both "
                     "to start over",
                     path, file->real);
    return rc;
}

static enum rc check_target(const char *path, const struct target *t, struct state_file *file,
                            struct err *e)
{
    if (!t->folder)
        return err_set(e, RC_USAGE, "%s: is not a regular file, as a state file must be", path);
    enum rc rc = folder_check(path, t->folder, e); /* SQLite makes a second file beside it */
    if (rc == RC_OK)
        rc = state_owner_check_names(path, t->final, t->folder, e);
    if (rc != RC_OK)
        return rc;
    file->is_new = true;
    /* First the -wal file, then the state: another run may be making them, in the other order. */
    uint64_t wal_bytes = state_file_wal_bytes(t->final);
    if (!t->exists && wal_bytes == 0)
        return RC_OK;
    if (!t->exists && access(t->final, F_OK) != 0)
        return err_set(
            e, RC_USAGE,
            "%s: does not exist, but %s-wal does; restore the first or remove the second", path,
            t->final);
    if (access(t->final, R_OK | W_OK) != 0)
        return permission_failed(e, RC_USAGE, errno, path, PERMISSION_DATABASE);
    file->real = strdup(t->final);
    return file->real ? check_content(path, file, wal_bytes, e) : err_nomem(e);
}

pid_t state_file_holder(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, LOCK_RANGE};
    if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid > 0 ? lock.l_pid : -1; /* over some networks, and between containers */
}

enum rc state_file_busy(const char *path, const char *real, struct err *e)
{
    int fd = open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    pid_t holder = fd >= 0 ? state_file_holder(fd) : 0;
    if (fd >= 0)
        (void)close(fd);
    if (holder <= 0)
        return err_set(
            e, RC_BUSY,
            "%s: in use by another process (another run of leadpipe): wait for it, or stop it",
            path);
    return err_set(e, RC_BUSY,
                   "%s: in use by process %ld (another run of leadpipe): wait for it, or stop it",
                   path, (long)holder);
}

/* The one page of an empty database in WAL mode that can give pages back, with our mark. SQLite
 * would make it in several steps, and a process that is killed between two of them would leave what
 * looks like another program's. */
static void fill_first_page(unsigned char page[PAGE_BYTES])
{
    static const struct {
        unsigned char at, bytes[4];
    } numbers[] = {
        {16, {PAGE_BYTES >> 8, PAGE_BYTES & 0xff, READ_VERSION_WAL, READ_VERSION_WAL}},
        {20, {0, 64, 32, 32}}, /* always so */
        {24, {0, 0, 0, 1}},    /* changes so far */
        {28, {0, 0, 0, 1}},    /* pages */
        {52, {0, 0, 0, 1}},    /* the highest root: there are pointers from pages to their users */
        {56, {0, 0, 0, 1}},    /* UTF-8 */
        {64, {0, 0, 0, 1}},    /* pages are given back when asked for */
        {HEADER_APPLICATION_ID,
         {STATE_APPLICATION_ID >> 24, STATE_APPLICATION_ID >> 16 & 0xff,
          STATE_APPLICATION_ID >> 8 & 0xff, STATE_APPLICATION_ID & 0xff}},
        {92, {0, 0, 0, 1}}, /* the number of pages is as of change 1 */
        {96,
         {0, SQLITE_VERSION_NUMBER >> 16 & 0xff, /* made by */
          SQLITE_VERSION_NUMBER >> 8 & 0xff, SQLITE_VERSION_NUMBER & 0xff}},
        {HEADER_BYTES, {0x0d, 0, 0, 0}}, /* a leaf of a table, without cells */
        {HEADER_BYTES + 4, {0, PAGE_BYTES >> 8, PAGE_BYTES & 0xff, 0}}, /* they end at the page's */
    };
    memset(page, 0, PAGE_BYTES);
    memcpy(page, HEADER_MAGIC, sizeof HEADER_MAGIC);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        memcpy(page + numbers[i].at, numbers[i].bytes, sizeof numbers[i].bytes);
}

static enum rc write_first_page(const char *path, int fd, struct err *e)
{
    unsigned char page[PAGE_BYTES];
    fill_first_page(page);
    ssize_t wrote;
    do {
        errno = ENOSPC; /* for a short write */
        wrote = pwrite(fd, page, sizeof page, 0);
    } while (wrote < 0 && errno == EINTR);
    if (wrote == (ssize_t)sizeof page && fsync(fd) == 0)
        return RC_OK;
    enum rc rc = err_sys(e, RC_IO, errno, "%s", path);
    if (ftruncate(fd, 0) != 0) {
        /* Then the beginning of a page stays, which is refused until it is removed. */
    }
    return rc;
}

/* Under SQLite's own lock, as another process may be about to do the same, or has done it. */
static enum rc begin_file(const char *path, const char *real, int fd, struct err *e)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, LOCK_RANGE};
    unsigned char beginning[PAGE_BYTES + 1];
    size_t n;
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        if (errno == EACCES || errno == EAGAIN)
            return state_file_busy(path, real, e);
        return err_sys(e, RC_IO, errno, "%s: cannot lock it", path);
    }
    enum rc rc = read_beginning(path, fd, beginning, sizeof beginning, &n, e);
    return rc == RC_OK && state_file_is_blank(beginning, n) ? write_first_page(path, fd, e) : rc;
}

static enum rc make_file(const char *path, const struct target *t, struct state_file *file,
                         struct err *e)
{
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = open(t->final, flags, 0600);
    if (fd < 0)
        return err_sys(e, fd_open_rc(errno), errno, "%s", path);
    enum rc rc = check_owner(path, fd, e);
    if (rc == RC_OK)
        rc = begin_file(path, t->final, fd, e);
    (void)close(fd);
    if (rc == RC_OK)
        rc = folder_sync(t->folder, e);
    if (rc != RC_OK || file->real)
        return rc;
    file->real = realpath(t->final, NULL);
    if (!file->real)
        return errno == ENOMEM ? err_nomem(e) : err_sys(e, RC_IO, errno, "%s", path);
    return RC_OK;
}

/* Refuses what must not be touched. Takes no lock, and makes nothing but what `make` allows. */
static enum rc find_file(const char *path, bool make, struct state_file *out, struct err *e)
{
    struct target target;
    enum rc rc = target_find(&target, NULL, path, OUTFILE_PART, e);
    if (rc != RC_OK)
        return rc;
    struct state_file file = {0};
    rc = check_target(path, &target, &file, e);
    if (rc == RC_OK && make && file.is_new)
        rc = make_file(path, &target, &file, e);
    target_free(&target);
    if (rc != RC_OK) {
        free(file.real);
        return rc;
    }
    *out = file;
    return RC_OK;
}

enum rc state_file_make(const char *path, struct state_file *out, struct err *e)
{
    return find_file(path, true, out, e);
}

enum rc state_check(const char *path, struct err *e)
{
    struct state_file file;
    enum rc rc = find_file(path, false, &file, e);
    if (rc == RC_OK)
        free(file.real);
    return rc;
}

/* sqlite.org/tempfiles.html */
enum rc state_file_names(const char *path, struct buf *out, struct err *e)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    struct target target;
    enum rc rc = target_find(&target, NULL, path, OUTFILE_PART, e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; rc == RC_OK && target.folder && i < sizeof suffixes / sizeof *suffixes;
         i++) {
        struct stat st;
        size_t at = out->len;
        buf_adds(out, target.final);
        buf_add(out, suffixes[i], strlen(suffixes[i]) + 1);
        if (buf_rc(out) != RC_OK)
            rc = err_nomem(e);
        else if (lstat(out->data + at, &st) == 0 || errno != ENAMETOOLONG)
            continue;
        else if (strcmp(suffixes[i], "-journal") == 0)
            out->len = at; /* it is not needed in WAL mode, and nobody can have made it */
        else
            rc = err_set(e, RC_USAGE,
                         "the name is too long for a database, because the files beside it have "
                         "names %zu bytes longer: %s",
                         strlen(suffixes[i]), path);
    }
    target_free(&target);
    return rc;
}
