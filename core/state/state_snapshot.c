#include "core/state/state_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/grow.h"
#include "core/base/read_full.h"
#include "core/state/state_internal.h"

/* SQLite's file format: section 1.3, the header of a database; section 4.1, the -wal file. */
#define DB_HEADER_BYTES 100
#define DB_PAGE_SIZE 16
#define DB_WRITE_VERSION 18
#define DB_READ_VERSION 19
#define VERSION_ROLLBACK 1
#define WAL_HEADER_BYTES 32
#define WAL_FRAME_BYTES 24
#define WAL_MAGIC 0x377f0682u /* and one more where checksums are over big-endian words */
#define WAL_FORMAT 3007000u
#define PAGE_SIZE_MIN 512u
#define PAGE_SIZE_MAX 65536u

/* File systems note the time of a change by a clock that ticks up to 10 ms apart. */
#define TICK_NS INT64_C(20000000)

/* A page of the -wal file: the last of its number holds. */
struct frame {
    uint32_t page, index;
};

struct state_snapshot {
    sqlite3_vfs vfs; /* the system's, but for what touches files */
    const char *path;
    int fd, wal_fd; /* wal_fd -1: there is none */
    bool is_blank;
    struct stat st; /* of the file, before anything was read */
    struct timespec opened;
    uint32_t page_size;
    unsigned char wal_header[WAL_HEADER_BYTES];
    struct frame *frames; /* those of commits, sorted by page, without repetition */
    size_t n_frames, cap_frames;
    sqlite3_int64 bytes; /* of the database */
};

struct snapshot_file {
    sqlite3_file base;
    const struct state_snapshot *of;
};

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little_endian(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* ---- the -wal file ---------------------------------------------------------------------------- */

struct wal_sum {
    uint32_t a, b;
    bool is_big;
};

static void wal_add(struct wal_sum *sum, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        sum->a += (sum->is_big ? big_endian(p + i) : little_endian(p + i)) + sum->b;
        sum->b += (sum->is_big ? big_endian(p + i + 4) : little_endian(p + i + 4)) + sum->a;
    }
}

static bool is_page_size(uint32_t n)
{
    return n >= PAGE_SIZE_MIN && n <= PAGE_SIZE_MAX && (n & (n - 1)) == 0;
}

/* As SQLite: a header that is not whole means that nothing counts. */
static bool take_wal_header(const unsigned char *h, struct wal_sum *sum)
{
    uint32_t magic = big_endian(h);
    if ((magic & ~1u) != WAL_MAGIC || big_endian(h + 4) != WAL_FORMAT ||
        !is_page_size(big_endian(h + 8)))
        return false;
    sum->is_big = magic & 1;
    wal_add(sum, h, WAL_HEADER_BYTES - 8);
    return sum->a == big_endian(h + 24) && sum->b == big_endian(h + 28);
}

static int compare_frames(const void *a, const void *b)
{
    const struct frame *x = a;
    const struct frame *y = b;
    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return (x->index < y->index) - (x->index > y->index); /* the last one first */
}

static void sort_frames(struct state_snapshot *s)
{
    size_t n = 0;
    if (s->n_frames > 0)
        qsort(s->frames, s->n_frames, sizeof *s->frames, compare_frames);
    for (size_t i = 0; i < s->n_frames; i++) {
        if (n == 0 || s->frames[i].page != s->frames[n - 1].page)
            s->frames[n++] = s->frames[i];
    }
    s->n_frames = n;
}

static enum rc add_frame(struct state_snapshot *s, uint32_t page, uint32_t index, struct err *e)
{
    struct frame *frames = list_grow(s->frames, s->n_frames, &s->cap_frames, sizeof *frames);
    if (!frames)
        return err_nomem(e);
    s->frames = frames;
    s->frames[s->n_frames++] = (struct frame){page, index};
    return RC_OK;
}

/* Frames up to the first that does not belong there count, if a commit is behind them. */
static enum rc read_frames(struct state_snapshot *s, struct wal_sum sum, unsigned char *frame,
                           struct err *e)
{
    const size_t size = WAL_FRAME_BYTES + s->page_size;
    size_t committed = 0;
    for (uint32_t i = 0; i < UINT32_MAX; i++) {
        ssize_t got = pread_full(s->wal_fd, frame, size, WAL_HEADER_BYTES + (off_t)i * (off_t)size);
        if (got < 0)
            return err_sys(e, RC_IO, errno, "%s-wal", s->path);
        uint32_t page = big_endian(frame);
        if ((size_t)got < size || page == 0 || memcmp(frame + 8, s->wal_header + 16, 8) != 0)
            break;
        wal_add(&sum, frame, 8);
        wal_add(&sum, frame + WAL_FRAME_BYTES, s->page_size);
        if (sum.a != big_endian(frame + 16) || sum.b != big_endian(frame + 20))
            break;
        enum rc rc = add_frame(s, page, i, e);
        if (rc != RC_OK)
            return rc;
        uint32_t pages = big_endian(frame + 4); /* of the database, where this is a commit */
        if (pages > 0) {
            committed = s->n_frames;
            s->bytes = (sqlite3_int64)pages * s->page_size;
        }
    }
    s->n_frames = committed;
    sort_frames(s);
    return RC_OK;
}

static enum rc read_wal(struct state_snapshot *s, struct err *e)
{
    struct wal_sum sum = {0};
    ssize_t got = s->wal_fd < 0 ? 0 : pread_full(s->wal_fd, s->wal_header, WAL_HEADER_BYTES, 0);
    if (got < 0)
        return err_sys(e, RC_IO, errno, "%s-wal", s->path);
    if (got < WAL_HEADER_BYTES || !take_wal_header(s->wal_header, &sum))
        return RC_OK;
    if (big_endian(s->wal_header + 8) != s->page_size)
        return err_set(e, RC_USAGE, "%s: is damaged: %s-wal belongs to another file", s->path,
                       s->path);
    unsigned char *frame = malloc(WAL_FRAME_BYTES + s->page_size);
    if (!frame)
        return err_nomem(e);
    enum rc rc = read_frames(s, sum, frame, e);
    free(frame);
    return rc;
}

/* ---- the VFS ---------------------------------------------------------------------------------- */

/* Where a page begins, and in which file. */
static off_t locate(const struct state_snapshot *s, uint32_t page, int *fd)
{
    const struct frame wanted = {page, 0};
    size_t low = 0;
    size_t high = s->n_frames;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->frames[middle].page < wanted.page)
            low = middle + 1;
        else
            high = middle;
    }
    bool in_wal = low < s->n_frames && s->frames[low].page == page;
    *fd = in_wal ? s->wal_fd : s->fd;
    if (!in_wal)
        return (off_t)(page - 1) * (off_t)s->page_size;
    return WAL_HEADER_BYTES + WAL_FRAME_BYTES +
           (off_t)s->frames[low].index * (off_t)(WAL_FRAME_BYTES + s->page_size);
}

/* Within one page. The first one says that there is no write-ahead log: SQLite would look for it. */
static bool read_part(const struct state_snapshot *s, unsigned char *p, size_t n, sqlite3_int64 at)
{
    int fd;
    off_t inside = (off_t)(at % s->page_size);
    off_t from = locate(s, (uint32_t)(at / s->page_size) + 1, &fd);
    if (pread_full(fd, p, n, from + inside) != (ssize_t)n)
        return false;
    for (sqlite3_int64 i = DB_WRITE_VERSION; i <= DB_READ_VERSION; i++) {
        if (i >= at && i < at + (sqlite3_int64)n)
            p[i - at] = VERSION_ROLLBACK;
    }
    return true;
}

static int file_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    const struct state_snapshot *s = ((struct snapshot_file *)file)->of;
    unsigned char *p = out;
    while (n > 0) {
        sqlite3_int64 left = s->page_size - at % s->page_size;
        int part = left < n ? (int)left : n;
        if (at + part > s->bytes || !read_part(s, p, (size_t)part, at)) {
            memset(p, 0, (size_t)n);
            return SQLITE_IOERR_SHORT_READ;
        }
        p += part;
        n -= part;
        at += part;
    }
    return SQLITE_OK;
}

static int file_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    (void)file, (void)p, (void)n, (void)at;
    return SQLITE_READONLY;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    (void)file, (void)bytes;
    return SQLITE_READONLY;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    *out = ((struct snapshot_file *)file)->of->bytes;
    return SQLITE_OK;
}

static int file_nothing(sqlite3_file *file, int how)
{
    (void)file, (void)how;
    return SQLITE_OK;
}

static int file_not_reserved(sqlite3_file *file, int *out)
{
    (void)file;
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    (void)file, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
    (void)file;
    return (int)PAGE_SIZE_MIN;
}

/* So SQLite takes no locks and looks for no journal. */
static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_IMMUTABLE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_nothing,
    .xFileSize = file_size,
    .xLock = file_nothing,
    .xUnlock = file_nothing,
    .xCheckReservedLock = file_not_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
};

/* Nothing but the database: temporary files are kept in memory. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct snapshot_file *f = (struct snapshot_file *)file;
    (void)name;
    f->base.pMethods = NULL;
    if (!(flags & SQLITE_OPEN_MAIN_DB))
        return SQLITE_CANTOPEN;
    f->of = vfs->pAppData;
    f->base.pMethods = &methods;
    if (out)
        *out = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int syncs)
{
    (void)vfs, (void)name, (void)syncs;
    return SQLITE_READONLY;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs, (void)name, (void)flags;
    *out = 0;
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    (void)snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

int state_snapshot_database(struct state_snapshot *s, sqlite3 **db)
{
    return sqlite3_open_v2("state", db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, s->vfs.zName);
}

static enum rc make_vfs(struct state_snapshot *s, struct err *e)
{
    const sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    if (!system)
        return err_set(e, RC_INTERNAL, "SQLite has no file system");
    s->vfs = *system;
    s->vfs.pNext = NULL;
    s->vfs.zName = "leadpipe-snapshot";
    s->vfs.szOsFile = (int)sizeof(struct snapshot_file);
    s->vfs.pAppData = s;
    s->vfs.xOpen = vfs_open;
    s->vfs.xDelete = vfs_delete;
    s->vfs.xAccess = vfs_access;
    s->vfs.xFullPathname = vfs_full_name;
    return sqlite3_vfs_register(&s->vfs, 0) == SQLITE_OK ? RC_OK : err_nomem(e);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* Of what is beside the file: -1 where nothing is. */
static enum rc open_beside(const char *real, const char *suffix, int *fd, struct err *e)
{
    char *name = NULL;
    struct stat st;
    if (asprintf(&name, "%s%s", real, suffix) < 0)
        return err_nomem(e);
    enum rc rc = RC_OK;
    *fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd < 0 && errno != ENOENT && errno != ENAMETOOLONG)
        rc = err_sys(e, RC_USAGE, errno, "%s", name);
    else if (*fd >= 0 && (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)))
        rc = err_set(e, RC_USAGE, "%s: is not a regular file", name);
    free(name);
    return rc;
}

/* What another program had not finished writing cannot be read without writing. */
static enum rc check_journal(const struct state_snapshot *s, const char *real, struct err *e)
{
    int fd = -1;
    unsigned char first = 0;
    enum rc rc = open_beside(real, "-journal", &fd, e);
    if (rc == RC_OK && fd >= 0 && pread_full(fd, &first, 1, 0) > 0 && first)
        rc = err_set(e, RC_USAGE,
                     "%s: another program was changing it and did not finish: %s-journal exists",
                     s->path, s->path);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static enum rc take_beginning(struct state_snapshot *s, struct err *e)
{
    unsigned char page[STATE_PAGE_BYTES + 1];
    ssize_t n = pread_full(s->fd, page, sizeof page, 0);
    if (n < 0)
        return err_sys(e, RC_IO, errno, "%s", s->path);
    s->is_blank = state_file_is_blank(page, (size_t)n);
    if (s->is_blank)
        return RC_OK;
    enum rc rc = state_file_check_header(s->path, page, (size_t)n, "", e);
    if (rc != RC_OK)
        return rc;
    s->page_size = (uint32_t)page[DB_PAGE_SIZE] << 8 | page[DB_PAGE_SIZE + 1];
    if (s->page_size == 1)
        s->page_size = PAGE_SIZE_MAX;
    if (!is_page_size(s->page_size))
        return err_set(e, RC_USAGE, "%s: is damaged: its pages have no valid size", s->path);
    s->bytes = s->st.st_size;
    return RC_OK;
}

static enum rc open_files(struct state_snapshot *s, struct err *e)
{
    s->fd = open(s->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (s->fd < 0)
        return err_sys(e, RC_USAGE, errno, "%s", s->path);
    if (clock_gettime(CLOCK_REALTIME, &s->opened) != 0 || fstat(s->fd, &s->st) != 0)
        return err_sys(e, RC_IO, errno, "%s", s->path);
    if (!S_ISREG(s->st.st_mode))
        return err_set(e, RC_USAGE, "%s: is not a regular file, as a state file must be", s->path);
    char *real = realpath(s->path, NULL);
    if (!real)
        return errno == ENOMEM ? err_nomem(e) : err_sys(e, RC_USAGE, errno, "%s", s->path);
    enum rc rc = open_beside(real, "-wal", &s->wal_fd, e);
    if (rc == RC_OK)
        rc = check_journal(s, real, e);
    free(real);
    return rc;
}

enum rc state_snapshot_open(struct state_snapshot **out, const char *path, struct err *e)
{
    struct state_snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->path = path;
    s->fd = s->wal_fd = -1;
    enum rc rc = open_files(s, e);
    if (rc == RC_OK)
        rc = take_beginning(s, e);
    if (rc == RC_OK && !s->is_blank)
        rc = read_wal(s, e);
    if (rc == RC_OK)
        rc = make_vfs(s, e);
    if (rc == RC_OK)
        *out = s;
    else
        state_snapshot_close(s);
    return rc;
}

void state_snapshot_close(struct state_snapshot *s)
{
    if (!s)
        return;
    if (s->vfs.zName)
        (void)sqlite3_vfs_unregister(&s->vfs);
    if (s->fd >= 0)
        (void)close(s->fd);
    if (s->wal_fd >= 0)
        (void)close(s->wal_fd);
    free(s->frames);
    free(s);
}

bool state_snapshot_is_blank(const struct state_snapshot *s)
{
    return s->is_blank;
}

pid_t state_snapshot_holder(const struct state_snapshot *s)
{
    return state_file_holder(s->fd);
}

/* ---- afterwards ------------------------------------------------------------------------------- */

static int64_t ns_between(const struct timespec *from, const struct timespec *to)
{
    return ((int64_t)to->tv_sec - from->tv_sec) * 1000000000 + (to->tv_nsec - from->tv_nsec);
}

/* The file changes only when pages are brought into it from the -wal file; frames of that, only when it
 * begins anew, with other numbers in its header. */
bool state_snapshot_holds(const struct state_snapshot *s)
{
    struct stat now;
    unsigned char header[WAL_HEADER_BYTES] = {0};
    if (fstat(s->fd, &now) != 0 || now.st_size != s->st.st_size ||
        now.st_mtim.tv_sec != s->st.st_mtim.tv_sec || now.st_mtim.tv_nsec != s->st.st_mtim.tv_nsec)
        return false;
    /* Changed so shortly before that another change may have the same time. */
    int64_t age = ns_between(&s->st.st_mtim, &s->opened);
    if (age < TICK_NS && age > -TICK_NS)
        return false;
    if (s->wal_fd >= 0 && pread_full(s->wal_fd, header, sizeof header, 0) < 0)
        return false;
    return s->n_frames == 0 || memcmp(header, s->wal_header, sizeof header) == 0;
}
