#include "sinks/postgres/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/read_full.h"

static const char *folder(void)
{
    const char *given = getenv("TMPDIR");
    return given && *given ? given : "/var/tmp";
}

static void give_up(struct pg_spool *s, const char *what, int errnum)
{
    char reason[80];
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
    (void)snprintf(s->why, sizeof s->why, "%.60s: %s", what,
                   strerror_r(errnum, reason, sizeof reason));
}

void pg_spool_open(struct pg_spool *s)
{
    *s = (struct pg_spool){.fd = -1};
    s->fd = open(folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0)
        give_up(s, folder(), errno);
}

void pg_spool_close(struct pg_spool *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

/* Errors stay in the spool. */
static void put(struct pg_spool *s, const void *data, size_t n)
{
    const char *p = data;
    while (s->fd >= 0 && n > 0) {
        ssize_t written = pwrite(s->fd, p, n, (off_t)s->end);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            give_up(s, folder(), written < 0 ? errno : ENOSPC);
            return;
        }
        p += written;
        n -= (size_t)written;
        s->end += (uint64_t)written;
    }
}

void pg_spool_add(struct pg_spool *s, const struct pg_spool_piece *piece, struct str data)
{
    put(s, piece, sizeof *piece);
    put(s, data.ptr, data.len);
}

static enum rc get(const struct pg_spool *s, uint64_t *at, void *data, size_t n, struct err *e)
{
    ssize_t got = pread_full(s->fd, data, n, (off_t)*at);
    if (got < 0 || (size_t)got < n)
        return err_sys(e, RC_IO, got < 0 ? errno : EIO, "the spool file in %s", folder());
    *at += n;
    return RC_OK;
}

enum rc pg_spool_read(const struct pg_spool *s, uint64_t *at, struct pg_spool_piece *piece,
                      struct buf *out, struct err *e)
{
    if (*at >= s->end)
        return RC_END;
    enum rc rc = get(s, at, piece, sizeof *piece, e);
    buf_clear(out);
    char *room = rc == RC_OK ? buf_reserve(out, (size_t)piece->bytes) : NULL;
    if (rc == RC_OK && !room && piece->bytes)
        return err_nomem(e);
    if (rc == RC_OK)
        rc = get(s, at, room, (size_t)piece->bytes, e);
    if (rc == RC_OK)
        out->len = (size_t)piece->bytes;
    return rc;
}
