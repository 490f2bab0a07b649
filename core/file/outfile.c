#include "core/file/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/file/fd_writer.h"
#include "core/file/outfile_place.h"
#include "core/file/renames.h"

#define READER_WAIT_MS 20     /* for the reader of a named pipe, between two tries */
#define BUFFER_BYTES_MIN 4096 /* many files are tiny */
#define BUFFER_BYTES_MAX 65536
#define COPY_BYTES ((size_t)256 * 1024)
#define WRITEBACK_BYTES ((size_t)4 << 20)

struct outfile {
    char *path; /* as given */
    struct place place;
    int fd;                  /* what is written to; -1: a pipe without a reader yet */
    bool spooled;            /* `fd` is a temporary file, and goes to ... */
    int stream_fd;           /* ... this in the end; -1: not open yet */
    struct fd_writer writer; /* of a stream, once it is open */
    const struct stop_timer *stop;
    char *data; /* not yet written */
    size_t len, cap;
    uint64_t bytes;
    size_t unsent; /* bytes that the system has and was not told to write to disk */
    bool completed, published;
    bool handed_over;   /* a text says how to finish it */
    bool folder_synced; /* of who calls outfile_sync() */
    /* The system tells once, to whoever syncs first, that it could not write: so all must know. */
    pthread_mutex_t sync_lock;
    int sync_errno;     /* under the lock: of the first sync that failed; 0: none */
    EVP_MD_CTX *sha256; /* NULL: not wanted */
    char digest[65];
    struct file_signature print; /* once it is complete */
    struct err err;              /* the first error; rc RC_OK when there was none */
};

static const char *outfile_name(const struct outfile *f)
{
    return descriptor_label(f->place.fd, f->path);
}

static bool outfile_is_regular(const struct outfile *f)
{
    return !f->place.is_stream || f->spooled;
}

bool outfile_is_stream(const struct outfile *f)
{
    return f->place.is_stream;
}

static void outfile_fail(struct outfile *f, int errnum)
{
    if (f->err.rc != RC_OK)
        return;
    if (errnum == ECANCELED)
        (void)err_set(&f->err, RC_STOPPED,
                      "%s: its reader stopped reading, and the run was "
                      "stopped",
                      outfile_name(f));
    else if (errnum == EPIPE && f->place.fd >= 0)
        (void)err_set(&f->err, RC_IO, "%s was closed", outfile_name(f));
    else if (errnum == EPIPE)
        (void)err_set(&f->err, RC_IO, "%s: was closed by its reader", f->path);
    else
        (void)err_sys(&f->err, RC_IO, errnum, "%s", outfile_name(f));
}

enum rc outfile_rc(const struct outfile *f, struct err *e)
{
    return f->err.rc == RC_OK ? RC_OK : err_set(e, f->err.rc, "%s", f->err.msg);
}

uint64_t outfile_bytes(const struct outfile *f)
{
    return f->bytes;
}

const char *outfile_sha256(const struct outfile *f)
{
    return f->digest;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* To a file. 0 or an errno. */
static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, p, n);
        if (wrote >= 0) {
            p += wrote;
            n -= (size_t)wrote;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/* Opens a pipe that had no reader, as soon as it has one. 0 or an errno. */
static int stream_wait(struct outfile *f, int *fd)
{
    struct err e;
    while (*fd < 0) {
        if (place_open_stream(&f->place, fd, &e) != RC_OK)
            return EIO; /* it could be opened, but for the reader */
        if (*fd < 0 && !stop_timer_wait_writable(f->stop, -1, READER_WAIT_MS))
            return ECANCELED;
    }
    if (f->writer.fd < 0)
        fd_writer_init(&f->writer, *fd, f->place.fd < 0, f->stop);
    return 0;
}

static int stream_write(struct outfile *f, const char *p, size_t n)
{
    int errnum = stream_wait(f, &f->fd);
    return errnum ? errnum : fd_writer_write(&f->writer, p, n);
}

static void outfile_digest(struct outfile *f, const void *p, size_t n)
{
    if (f->sha256 && EVP_DigestUpdate(f->sha256, p, n) != 1 && f->err.rc == RC_OK)
        (void)err_set(&f->err, RC_INTERNAL, "%s: SHA-256 failed", outfile_name(f));
}

/* The disk begins to write while the run goes on: else all of it would wait for the sync at the
 * end. Nothing is waited for here and nothing relied on: what went wrong is told by that sync. */
static void begin_writeback(struct outfile *f, size_t n)
{
    f->unsent += n;
    if (f->unsent < WRITEBACK_BYTES || f->place.is_stream)
        return;
    f->unsent = 0;
#ifdef SYNC_FILE_RANGE_WRITE
    (void)sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* 0, 0: all that is not yet sent */
#endif
}

static void outfile_put(struct outfile *f, const char *p, size_t n)
{
    if (n == 0 || f->err.rc != RC_OK)
        return;
    int errnum = outfile_is_regular(f) ? write_all(f->fd, p, n) : stream_write(f, p, n);
    if (errnum) {
        outfile_fail(f, errnum);
        return;
    }
    outfile_digest(f, p, n);
    begin_writeback(f, n);
}

static void flush_buffer(struct outfile *f)
{
    outfile_put(f, f->data, f->len);
    f->len = 0;
}

/* Room for `n` bytes (fewer than BUFFER_BYTES_MAX) at data + len. */
static bool outfile_reserve(struct outfile *f, size_t n)
{
    if (n > BUFFER_BYTES_MAX - f->len)
        flush_buffer(f);
    if (n <= f->cap - f->len)
        return true;
    size_t cap = f->cap ? f->cap : BUFFER_BYTES_MIN;
    while (cap < f->len + n)
        cap *= 2;
    char *data = realloc(f->data, cap);
    if (!data) {
        if (f->err.rc == RC_OK)
            (void)err_nomem(&f->err);
        return false;
    }
    f->data = data;
    f->cap = cap;
    return true;
}

void outfile_write(struct outfile *f, const void *p, size_t n)
{
    if (f->err.rc != RC_OK || n == 0)
        return;
    f->bytes += n;
    if (n >= BUFFER_BYTES_MAX) {
        flush_buffer(f);
        outfile_put(f, p, n);
    } else if (outfile_reserve(f, n)) {
        memcpy(f->data + f->len, p, n);
        f->len += n;
    }
}

/* ---- reading back, copying ------------------------------------------------------------------ */

static enum rc read_at(struct outfile *f, uint64_t at, void *p, size_t n, size_t *got,
                       struct err *e)
{
    size_t done = 0;
    while (done < n) {
        ssize_t r = pread(f->fd, (char *)p + done, n - done, (off_t)(at + done));
        if (r == 0)
            break;
        if (r > 0)
            done += (size_t)r;
        else if (errno != EINTR)
            return err_sys(e, RC_IO, errno, "%s", outfile_name(f));
    }
    *got = done;
    return RC_OK;
}

enum rc outfile_read(struct outfile *f, uint64_t at, void *p, size_t n, size_t *got, struct err *e)
{
    if (!outfile_is_regular(f))
        return err_set(e, RC_INTERNAL, "%s: cannot be read back", outfile_name(f));
    flush_buffer(f);
    enum rc rc = outfile_rc(f, e);
    return rc == RC_OK ? read_at(f, at, p, n, got, e) : rc;
}

/* Through memory: to a pipe, for a digest, or where the system cannot. */
static void copy_by_hand(struct outfile *f, struct outfile *from, uint64_t at, uint64_t n)
{
    char *block = malloc(COPY_BYTES);
    if (!block) {
        (void)err_nomem(&f->err);
        return;
    }
    while (n > 0 && f->err.rc == RC_OK) {
        size_t want = n < COPY_BYTES ? (size_t)n : COPY_BYTES;
        size_t got = 0;
        enum rc rc = read_at(from, at, block, want, &got, &f->err);
        if (rc == RC_OK && got == 0)
            (void)err_set(&f->err, RC_IO, "%s: is shorter than what was written to it",
                          outfile_name(from));
        outfile_put(f, block, got);
        at += got;
        n -= got;
    }
    free(block);
}

/* Returns how many bytes it copied: all of them, or fewer where the system cannot or meets an
 * error, which then shows when they are copied by hand. */
static uint64_t copy_in_kernel(struct outfile *f, struct outfile *from, uint64_t at, uint64_t n)
{
    off_t offset = (off_t)at;
    uint64_t left = n;
    while (left > 0) {
        size_t most = left < (1U << 30) ? (size_t)left : (size_t)1 << 30;
        ssize_t r = copy_file_range(from->fd, &offset, f->fd, NULL, most, 0);
        if (r > 0)
            left -= (uint64_t)r;
        else if (r == 0 || errno != EINTR)
            break;
    }
    return n - left;
}

void outfile_copy(struct outfile *f, struct outfile *from, uint64_t at, uint64_t n)
{
    flush_buffer(f);
    flush_buffer(from);
    if (f->err.rc == RC_OK && from->err.rc != RC_OK)
        (void)outfile_rc(from, &f->err);
    if (f->err.rc != RC_OK)
        return;
    f->bytes += n;
    uint64_t done = 0;
    if (!f->sha256 && outfile_is_regular(f))
        done = copy_in_kernel(f, from, at, n);
    if (done < n)
        copy_by_hand(f, from, at + done, n - done);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The digest covers what an earlier run left, too. */
static enum rc part_digest(struct outfile *f, uint64_t n, struct err *e)
{
    char *block = malloc(COPY_BYTES);
    if (!block)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (uint64_t at = 0; rc == RC_OK && at < n;) {
        size_t want = n - at < COPY_BYTES ? (size_t)(n - at) : COPY_BYTES;
        size_t got = 0;
        rc = read_at(f, at, block, want, &got, e);
        if (rc == RC_OK && got == 0)
            rc = err_set(e, RC_IO, "%s: was truncated while it was read", f->place.part);
        if (rc == RC_OK)
            outfile_digest(f, block, got);
        at += got;
    }
    free(block);
    return rc;
}

/* That of the file that it takes the place of, where there is one. */
static bool take_mode(const struct outfile *f, mode_t more)
{
    struct stat st;
    mode_t mode = f->place.mode | more;
    return !f->place.exists ||
           (fstat(f->fd, &st) == 0 && ((st.st_mode & 0777) == mode || fchmod(f->fd, mode) == 0));
}

/* Cuts the unfinished file to what is kept and stands at its end. */
static enum rc part_prepare(struct outfile *f, uint64_t keep_bytes, struct err *e)
{
    const char *part = f->place.part;
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return err_sys(e, RC_IO, errno, "%s", part);
    if ((uint64_t)st.st_size < keep_bytes)
        return err_set(e, RC_USAGE,
                       "%s: data of the unfinished run is missing (%llu bytes were written, %llu "
                       "are there); restore it, or start over with --fresh",
                       part, (unsigned long long)keep_bytes, (unsigned long long)st.st_size);
    /* a later run may have to go on with it, or to begin it anew */
    if (!take_mode(f, S_IRUSR | S_IWUSR))
        return err_sys(e, RC_IO, errno, "%s", part);
    if (ftruncate(f->fd, (off_t)keep_bytes) != 0 || lseek(f->fd, (off_t)keep_bytes, SEEK_SET) < 0)
        return err_sys(e, RC_IO, errno, "%s", part);
    f->bytes = keep_bytes;
    return f->sha256 ? part_digest(f, keep_bytes, e) : RC_OK;
}

static enum rc outfile_open_stream(struct outfile *f, const struct outfile_cfg *cfg, struct err *e)
{
    if (cfg->keep_bytes > 0)
        return err_set(e, RC_USAGE, "%s: cannot be resumed; only a file can", outfile_name(f));
    if (!cfg->spool && f->place.fd != STDERR_FILENO)
        return place_open_stream(&f->place, &f->fd, e);
    f->spooled = true;
    enum rc rc = place_open_stream(&f->place, &f->stream_fd, e);
    return rc == RC_OK ? temporary_open(&f->fd, e) : rc;
}

static enum rc outfile_open_part(struct outfile *f, const struct outfile_cfg *cfg, struct err *e)
{
    enum rc rc = place_open_part(&f->place, &f->fd, e);
    if (rc != RC_OK)
        return rc;
    rc = part_prepare(f, cfg->keep_bytes, e);
    struct stat st;
    if (rc != RC_OK && fstat(f->fd, &st) == 0 && st.st_size == 0)
        (void)unlink(f->place.part); /* it was made just now, or holds nothing */
    return rc;
}

static enum rc outfile_digest_init(struct outfile *f, struct err *e)
{
    f->sha256 = EVP_MD_CTX_new();
    /* A libcrypto without SHA-256 was refused long before: what is lacking is memory. */
    if (!f->sha256 || EVP_DigestInit_ex(f->sha256, EVP_sha256(), NULL) != 1)
        return err_nomem(e);
    return RC_OK;
}

static void outfile_free(struct outfile *f)
{
    fd_writer_end(&f->writer);
    if (f->fd >= 0)
        (void)close(f->fd); /* what matters was synced before */
    if (f->stream_fd >= 0)
        (void)close(f->stream_fd);
    EVP_MD_CTX_free(f->sha256);
    pthread_mutex_destroy(&f->sync_lock);
    place_free(&f->place);
    free(f->path);
    free(f->data);
    free(f);
}

enum rc outfile_open_cfg(struct outfile **out, const struct outfile_cfg *cfg, struct err *e)
{
    struct outfile *f = calloc(1, sizeof *f);
    if (!f || pthread_mutex_init(&f->sync_lock, NULL)) {
        free(f);
        return err_nomem(e);
    }
    f->fd = f->stream_fd = f->place.fd = -1;
    f->writer = (struct fd_writer){.fd = -1, .reopened = -1};
    f->stop = cfg->stop;
    f->path = strdup(cfg->path);
    enum rc rc = RC_NOMEM;
    if (f->path)
        rc = place_find(&f->place, cfg->path, cfg->suffix, e);
    else
        (void)err_nomem(e);
    if (rc == RC_OK && cfg->want_sha256)
        rc = outfile_digest_init(f, e);
    if (rc == RC_OK)
        rc = f->place.is_stream ? outfile_open_stream(f, cfg, e) : outfile_open_part(f, cfg, e);
    if (rc != RC_OK) {
        outfile_free(f);
        return rc;
    }
    *out = f;
    return RC_OK;
}

enum rc outfile_open(struct outfile **out, const char *path, uint64_t keep_bytes, bool want_sha256,
                     struct err *e)
{
    struct outfile_cfg cfg = {.path = path, .keep_bytes = keep_bytes, .want_sha256 = want_sha256};
    return outfile_open_cfg(out, &cfg, e);
}

/* ---- ending --------------------------------------------------------------------------------- */

enum rc outfile_flush(struct outfile *f, struct err *e)
{
    flush_buffer(f);
    return outfile_rc(f, e);
}

/* 0, or the errno of this sync or an earlier one. Any thread. */
static int sync_data(struct outfile *f, int (*sync)(int fd))
{
    pthread_mutex_lock(&f->sync_lock);
    if (f->sync_errno == 0 && sync(f->fd) != 0)
        f->sync_errno = errno;
    int errnum = f->sync_errno;
    pthread_mutex_unlock(&f->sync_lock);
    return errnum;
}

enum rc outfile_sync(struct outfile *f, struct err *e)
{
    if (f->place.is_stream)
        return RC_OK;
    int errnum = sync_data(f, fdatasync);
    if (errnum)
        return err_sys(e, RC_IO, errnum, "%s", outfile_name(f));
    enum rc rc = f->folder_synced ? RC_OK : folder_sync(f->place.folder, e);
    f->folder_synced = rc == RC_OK;
    return rc;
}

const char *outfile_part(const struct outfile *f)
{
    return f->place.part;
}

static void outfile_digest_end(struct outfile *f)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_DigestFinal_ex(f->sha256, md, &n) != 1 || 2 * n >= sizeof f->digest) {
        (void)err_set(&f->err, RC_INTERNAL, "%s: SHA-256 failed", outfile_name(f));
        return;
    }
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(f->digest + 2 * (size_t)i, 3, "%02x", md[i]);
}

/* Seen now, it keeps all outputs from becoming visible, and not only those behind it. */
static void check_name(struct outfile *f)
{
    bool is_regular = false;
    if (!part_is_still_there(f->fd, f->place.part, &is_regular))
        (void)err_set(&f->err, RC_IO,
                      "%s: its unfinished file %s was removed, renamed or replaced while it was "
                      "being written",
                      outfile_name(f), f->place.part);
}

/* A descriptor may be open on a file, of which what could not be written is only told now (by a
 * network file system, above all). 0 or an errno. */
static int sync_stream(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fsync(fd) != 0 ? errno : 0;
}

enum rc outfile_complete(struct outfile *f, struct err *e)
{
    if (f->completed)
        return outfile_rc(f, e);
    flush_buffer(f);
    /* A reader sees the end, also of what is empty. */
    int unread = f->err.rc == RC_OK && !outfile_is_regular(f) ? stream_wait(f, &f->fd) : 0;
    if (unread)
        outfile_fail(f, unread);
    if (f->err.rc == RC_OK && !f->place.is_stream && !take_mode(f, 0))
        outfile_fail(f, errno);
    int errnum = 0;
    if (f->err.rc == RC_OK && !f->place.is_stream)
        errnum = sync_data(f, fsync); /* not fdatasync: the mode must be there, too */
    else if (f->err.rc == RC_OK && !f->spooled)
        errnum = sync_stream(f->fd);
    if (errnum)
        outfile_fail(f, errnum);
    if (f->err.rc == RC_OK && !f->place.is_stream)
        check_name(f);
    if (f->err.rc == RC_OK && f->sha256)
        outfile_digest_end(f);
    if (f->err.rc == RC_OK && !f->place.is_stream)
        (void)file_signature_open(f->fd, f->place.part, &f->print, &f->err);
    f->completed = f->err.rc == RC_OK;
    return outfile_rc(f, e);
}

enum rc outfile_prepare(struct outfile *f, struct buf *text, struct err *e)
{
    enum rc rc = outfile_complete(f, e);
    if (rc != RC_OK || !text || f->place.is_stream)
        return rc;
    rc = folder_sync(f->place.folder, e);
    if (rc != RC_OK)
        return rc;
    f->handed_over = true;
    renames_put(text, f->place.part, f->place.final, f->print);
    return RC_OK;
}

/* Removed while it is still locked: afterwards it may be another run's. */
enum rc outfile_abort(struct outfile *f, struct err *e)
{
    bool is_regular = false;
    if (f->published || !f->place.part || f->fd < 0)
        return RC_OK;
    if (part_is_still_there(f->fd, f->place.part, &is_regular) && unlink(f->place.part) != 0)
        return err_sys(e, RC_IO, errno, "%s", f->place.part);
    (void)close(f->fd); /* its space is free only then */
    f->fd = -1;
    return RC_OK;
}

/* The spooled bytes of a stream go out. */
static enum rc stream_publish_spooled(struct outfile *f, struct err *e)
{
    int errnum = stream_wait(f, &f->stream_fd);
    struct outfile to = {.fd = f->stream_fd,
                         .stream_fd = -1,
                         .path = f->path,
                         .place = f->place,
                         .writer = f->writer,
                         .stop = f->stop};
    if (errnum)
        outfile_fail(&to, errnum);
    else
        copy_by_hand(&to, f, 0, f->bytes);
    errnum = to.err.rc == RC_OK ? sync_stream(to.fd) : 0;
    if (errnum)
        outfile_fail(&to, errnum);
    return outfile_rc(&to, e);
}

enum rc outfile_publish(struct outfile *f, struct err *e)
{
    if (!f->completed)
        return err_set(e, RC_INTERNAL, "%s: published before it was complete", outfile_name(f));
    if (f->published)
        return RC_OK;
    if (f->spooled) {
        enum rc rc = stream_publish_spooled(f, e);
        f->published = rc == RC_OK;
        return rc;
    }
    if (!f->place.is_stream && rename(f->place.part, f->place.final) != 0)
        return err_sys(e, RC_IO, errno, "%s", f->path);
    f->published = true;
    return f->place.is_stream ? RC_OK : folder_sync(f->place.folder, e);
}

void outfile_close(struct outfile *f, bool keep)
{
    if (!f)
        return;
    bool is_regular = false;
    bool removes = !f->published && !keep && !f->handed_over && f->place.part;
    /* Removed while it is still locked: afterwards it may be another run's. */
    if (removes && part_is_still_there(f->fd, f->place.part, &is_regular))
        (void)unlink(f->place.part);
    outfile_free(f);
}
