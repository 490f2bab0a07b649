#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/file/fd_io.h"
#include "core/file/fd_writer.h"
#include "core/file/place.h"

#define READER_WAIT_MS 20 /* for the reader of a named pipe, between two tries */

struct stream_place {
    struct place place; /* first */
    int fd;             /* -1: a pipe without a reader yet */
    int spool_fd;       /* a temporary file that has the bytes until commit(); -1: not spooled */
    uint64_t spooled;   /* bytes in it */
    struct fd_writer writer; /* once `fd` is open */
    const struct stop_timer *stop;
};

static struct stream_place *stream_of(struct place *p)
{
    return (struct stream_place *)p;
}

static enum rc fail(const struct place *p, int errnum, struct err *e)
{
    if (errnum == ECANCELED)
        return err_set(e, RC_STOPPED,
                       "%s: its reader stopped reading, and the run was "
                       "stopped",
                       p->label);
    if (errnum == EPIPE && p->target.fd >= 0)
        return err_set(e, RC_IO, "%s was closed", p->label);
    if (errnum == EPIPE)
        return err_set(e, RC_IO, "%s: was closed by its reader", p->label);
    return err_sys(e, RC_IO, errnum, "%s", p->label);
}

static enum rc descriptor_place_check(const struct target *t, struct err *e)
{
    if (t->fd >= 0)
        return descriptor_check(t->fd, true, descriptor_label(t->fd, t->path), e);
    return access(t->final, W_OK) != 0 ? err_sys(e, RC_USAGE, errno, "%s", t->path) : RC_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Opens what is no regular file, for writing. *out_fd is -1 for a named pipe that nobody reads yet. */
static enum rc open_stream(const struct target *t, int *out_fd, struct err *e)
{
    if (t->fd >= 0) {
        const char *label = descriptor_label(t->fd, t->path);
        enum rc rc = descriptor_check(t->fd, true, label, e);
        return rc == RC_OK ? descriptor_dup(t->fd, label, out_fd, e) : rc;
    }
    struct stat st;
    bool is_fifo = stat(t->final, &st) == 0 && S_ISFIFO(st.st_mode);
    /* Else open() waits for a reader of the pipe, where nothing could end that. */
    int fd = open(t->final, O_WRONLY | O_NOCTTY | O_CLOEXEC | (is_fifo ? O_NONBLOCK : 0));
    if (fd < 0 && !(is_fifo && errno == ENXIO))
        return err_sys(e, fd_open_rc(errno), errno, "%s", t->final);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(e, RC_USAGE, "%s: has become a regular file in the meantime", t->final);
    }
    *out_fd = fd;
    return RC_OK;
}

static void stream_free(struct stream_place *s)
{
    fd_writer_end(&s->writer);
    if (s->fd >= 0)
        (void)close(s->fd);
    if (s->spool_fd >= 0)
        (void)close(s->spool_fd);
    free(s);
}

static enum rc descriptor_place_open(struct place **out, const struct target *t,
                                     const struct outfile_cfg *cfg, struct err *e)
{
    const char *label = descriptor_label(t->fd, t->path);
    if (cfg->keep_bytes > 0)
        return err_set(e, RC_USAGE, "%s: cannot be resumed; only a file can", label);
    struct stream_place *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    *s = (struct stream_place){
        .place = {.ops = &place_descriptor, .target = *t, .label = label, .back_fd = -1},
        .fd = -1,
        .spool_fd = -1,
        .writer = {.fd = -1, .reopened = -1},
        .stop = cfg->stop};
    enum rc rc = open_stream(t, &s->fd, e);
    if (rc == RC_OK && (cfg->spool || t->fd == STDERR_FILENO))
        rc = fd_open_temporary(&s->spool_fd, e);
    if (rc != RC_OK) {
        stream_free(s);
        return rc;
    }
    s->place.back_fd = s->spool_fd;
    *out = &s->place;
    return RC_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Opens a pipe that had no reader, as soon as it has one. 0 or an errno. */
static int wait_for_reader(struct stream_place *s)
{
    struct err e;
    while (s->fd < 0) {
        if (open_stream(&s->place.target, &s->fd, &e) != RC_OK)
            return EIO; /* it could be opened, but for the reader */
        if (s->fd < 0 && !stop_timer_wait_writable(s->stop, -1, READER_WAIT_MS))
            return ECANCELED;
    }
    if (s->writer.fd < 0)
        fd_writer_init(&s->writer, s->fd, s->place.target.fd < 0, s->stop);
    return 0;
}

static int write_out(struct stream_place *s, const char *data, size_t n)
{
    int errnum = wait_for_reader(s);
    return errnum ? errnum : fd_writer_write(&s->writer, data, n);
}

static enum rc descriptor_place_write(struct place *p, const char *data, size_t n, struct err *e)
{
    struct stream_place *s = stream_of(p);
    bool is_spooled = s->spool_fd >= 0;
    int errnum = is_spooled ? fd_write_all(s->spool_fd, data, n) : write_out(s, data, n);
    if (errnum)
        return is_spooled ? fd_temporary_failed(e, errnum, p->label) : fail(p, errnum, e);
    s->spooled += n;
    return RC_OK;
}

static uint64_t descriptor_place_copy(struct place *p, int from_fd, uint64_t at, uint64_t n)
{
    struct stream_place *s = stream_of(p);
    uint64_t done = s->spool_fd >= 0 ? fd_copy(from_fd, at, s->spool_fd, n) : 0;
    s->spooled += done;
    return done;
}

/* ---- ending --------------------------------------------------------------------------------- */

/* A descriptor may be open on a file, of which what could not be written is only reported now (by a
 * network file system, above all). 0 or an errno. */
static int sync_stream(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fsync(fd) != 0 ? errno : 0;
}

static enum rc descriptor_place_complete(struct place *p, struct err *e)
{
    struct stream_place *s = stream_of(p);
    if (s->spool_fd >= 0)
        return RC_OK;
    int errnum = wait_for_reader(s); /* who sees the end, also of what is empty */
    if (errnum == 0)
        errnum = sync_stream(s->fd);
    return errnum ? fail(p, errnum, e) : RC_OK;
}

/* The spooled bytes go out. */
static enum rc send_spooled(struct stream_place *s, struct err *e)
{
    char *block = malloc(FD_COPY_BYTES);
    if (!block)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (uint64_t at = 0; rc == RC_OK && at < s->spooled;) {
        uint64_t left = s->spooled - at;
        size_t got = 0;
        rc = fd_read_at(s->spool_fd, s->place.label, at, block,
                        left < FD_COPY_BYTES ? (size_t)left : FD_COPY_BYTES, &got, e);
        if (rc == RC_OK && got == 0)
            rc = err_set(e, RC_IO, "%s: is shorter than what was written to it", s->place.label);
        int errnum = rc == RC_OK ? write_out(s, block, got) : 0;
        if (errnum)
            rc = fail(&s->place, errnum, e);
        at += got;
    }
    free(block);
    return rc;
}

static enum rc descriptor_place_commit(struct place *p, struct err *e)
{
    struct stream_place *s = stream_of(p);
    if (s->spool_fd >= 0) {
        int errnum = wait_for_reader(s);
        enum rc rc = errnum ? fail(p, errnum, e) : send_spooled(s, e);
        errnum = rc == RC_OK ? sync_stream(s->fd) : 0;
        if (errnum)
            rc = fail(p, errnum, e);
        if (rc != RC_OK)
            return rc;
    }
    p->published = true;
    return RC_OK;
}

static void descriptor_place_close(struct place *p, bool keep)
{
    (void)keep;
    stream_free(stream_of(p));
}

const struct place_ops place_descriptor = {
    .check = descriptor_place_check,
    .open = descriptor_place_open,
    .write = descriptor_place_write,
    .copy = descriptor_place_copy,
    .complete = descriptor_place_complete,
    .commit = descriptor_place_commit,
    .close = descriptor_place_close,
};
