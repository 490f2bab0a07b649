#include "core/source/ids_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/source/ids_sniff.h"
#include "core/file/descriptor.h"

#define PACKED_BYTES (64 * 1024)
#define GZIP_ONLY (15 + 16) /* inflateInit2(): largest window, gzip framing */

static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    size_t n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(path + n - n_suffix, suffix) == 0;
}

static enum rc gzip_open(struct ids_source *s, struct err *e)
{
    s->packed = malloc(PACKED_BYTES);
    if (!s->packed)
        return err_nomem(e);
    int status = inflateInit2(&s->z, GZIP_ONLY);
    if (status == Z_OK)
        return RC_OK;
    free(s->packed);
    s->packed = NULL;
    if (status == Z_MEM_ERROR)
        return err_nomem(e);
    return err_set(e, RC_INTERNAL, "cannot initialize zlib (%d)", status);
}

enum rc ids_source_open(struct ids_source *s, const char *path, const struct source_wait *wait,
                        struct err *e)
{
    int given = descriptor_read(path); /* opening the name would begin at the start of the file */
    struct ids_source source = {
        .name = descriptor_label(given, path),
        .wait = *wait,
        .is_gzip = has_suffix(path, ".gz"),
    };
    /* Non-blocking, because waiting for the writer of a FIFO must be possible to cancel. */
    const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    enum rc rc = RC_OK;
    if (given >= 0)
        rc = descriptor_check(given, false, source.name, e);
    if (rc == RC_OK && given >= 0)
        rc = descriptor_dup(given, source.name, &source.fd, e);
    else if (rc == RC_OK)
        source.fd = open(path, flags);
    if (rc != RC_OK)
        return rc;
    if (source.fd < 0)
        return err_sys(e, RC_IO, errno, "%s", path);
    struct stat st;
    source.waits = fstat(source.fd, &st) != 0 || !S_ISREG(st.st_mode);
    *s = source; /* before zlib is set up, because it keeps the address of `z` */
    rc = s->is_gzip ? gzip_open(s, e) : RC_OK;
    if (rc != RC_OK)
        ids_source_close(s);
    return rc;
}

void ids_source_close(struct ids_source *s)
{
    if (s->packed)
        (void)inflateEnd(&s->z);
    free(s->packed);
    s->packed = NULL;
    if (s->fd >= 0)
        (void)close(s->fd); /* it was only read: close() cannot lose data */
    s->fd = -1;
}

/* ---- plain ---------------------------------------------------------------------------------- */

static enum rc wait_readable(const struct ids_source *s, struct err *e)
{
    struct pollfd fds[] = {
        {.fd = s->fd, .events = POLLIN},
        /* a negative one is ignored */
        {.fd = s->wait.cancel_fd > 0 ? s->wait.cancel_fd : -1, .events = POLLIN},
    };
    if (s->wait.before)
        s->wait.before(s->wait.ctx);
    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR && errno != EAGAIN)
            return err_sys(e, RC_IO, errno, "%s", s->name);
    if (fds[1].revents)
        return err_set(e, RC_STOPPED, "%s: %s", s->name, rc_text(RC_STOPPED));
    return RC_OK;
}

/* Reads bytes from the file, without decompressing them. */
static enum rc read_raw(struct ids_source *s, void *into, size_t room, size_t *n, struct err *e)
{
    while (!s->ended) {
        if (s->waits) {
            enum rc rc = wait_readable(s, e);
            if (rc != RC_OK)
                return rc;
        }
        ssize_t got = read(s->fd, into, room);
        if (got > 0) {
            *n = (size_t)got;
            return RC_OK;
        }
        s->ended = got == 0; /* not read again: a terminal might continue after Ctrl-D */
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return err_sys(e, RC_IO, errno, "%s", s->name);
    }
    return RC_END;
}

/* ---- gzip ----------------------------------------------------------------------------------- */

/* Makes sure that there are compressed bytes, unless the file has ended. */
static enum rc gzip_feed(struct ids_source *s, struct err *e)
{
    size_t n = 0;
    if (s->z.avail_in || s->ended)
        return RC_OK;
    enum rc rc = read_raw(s, s->packed, PACKED_BYTES, &n, e);
    if (rc != RC_OK)
        return rc == RC_END ? RC_OK : rc;
    s->z.next_in = s->packed;
    s->z.avail_in = (uInt)n;
    return RC_OK;
}

/* Between members: another one follows, or zeros (padding of a tape's block), or the end. */
static enum rc gzip_next_member(struct ids_source *s, struct err *e)
{
    while (s->any_member && s->z.avail_in && *s->z.next_in == 0) {
        s->z.next_in++;
        s->z.avail_in--;
    }
    if (s->z.avail_in == 0)
        return s->ended && s->any_member ? RC_END : RC_OK;
    if (s->any_member && inflateReset(&s->z) != Z_OK)
        return err_set(e, RC_INTERNAL, "%s: zlib failed", s->name);
    s->in_member = true;
    return RC_OK;
}

static enum rc gzip_error(const struct ids_source *s, int status, struct err *e)
{
    if (status == Z_MEM_ERROR)
        return err_nomem(e);
    if (s->any_member && s->z.total_out == 0)
        return err_set(e, RC_IO, "%s: there is other data after the gzip data", s->name);
    return err_set(e, RC_IO, "%s: the gzip data is corrupt (%s)", s->name,
                   s->z.msg ? s->z.msg : "no reason given");
}

static enum rc read_gzip(struct ids_source *s, char *into, size_t room, size_t *n, struct err *e)
{
    s->z.next_out = (unsigned char *)into;
    s->z.avail_out = (uInt)room;
    while (s->z.avail_out == room) {
        enum rc rc = gzip_feed(s, e);
        if (rc == RC_OK && !s->in_member)
            rc = gzip_next_member(s, e);
        if (rc != RC_OK)
            return rc;
        /* zlib may have taken all bytes, and still have output for which there was no room. */
        int status = s->in_member ? inflate(&s->z, Z_NO_FLUSH) : Z_BUF_ERROR;
        if (status == Z_STREAM_END) {
            s->in_member = false;
            s->any_member = true;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return gzip_error(s, status, e);
        } else if (s->ended && s->z.avail_in == 0 && s->z.avail_out == room) {
            return err_set(e, RC_IO, "%s: the gzip data is truncated", s->name);
        }
    }
    *n = room - s->z.avail_out;
    return RC_OK;
}

/* ---- either --------------------------------------------------------------------------------- */

/* Reads the first bytes. If they are gzip, hands them to zlib, and *n is 0. Reads no more than necessary to decide
 * that. */
static enum rc source_begin(struct ids_source *s, char *into, size_t room, size_t *n, struct err *e)
{
    bool more = true;
    bool packed = false;
    enum rc rc = RC_OK;
    *n = 0;
    while (more && rc == RC_OK && *n < room) {
        size_t got = 0;
        rc = read_raw(s, into + *n, room - *n, &got, e);
        *n += got;
        packed = ids_sniff_gzip((struct str){into, *n}, &more);
    }
    if (rc != RC_OK && (rc != RC_END || *n == 0))
        return rc;
    s->begun = true;
    if (!packed)
        return RC_OK;
    rc = gzip_open(s, e);
    if (rc != RC_OK || !s->packed)
        return rc;
    s->is_gzip = true;
    memcpy(s->packed, into, *n);
    s->z.next_in = s->packed;
    s->z.avail_in = (uInt)*n;
    *n = 0;
    return RC_OK;
}

enum rc ids_source_read(struct ids_source *s, char *into, size_t room, size_t *n, struct err *e)
{
    if (room > UINT_MAX)
        room = UINT_MAX;
    if (!s->is_gzip && !s->begun) {
        size_t most = room < PACKED_BYTES ? room : PACKED_BYTES;
        size_t got;
        enum rc rc = source_begin(s, into, most, &got, e);
        if (rc == RC_OK && got)
            *n = got;
        if (rc != RC_OK || got)
            return rc;
    }
    return s->is_gzip ? read_gzip(s, into, room, n, e) : read_raw(s, into, room, n, e);
}
