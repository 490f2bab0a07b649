#include "core/file/outfile.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/units.h"
#include "core/file/digest.h"
#include "core/file/fd_io.h"
#include "core/file/place.h"

#define BUFFER_BYTES_MIN 4096 /* many files are tiny */
#define BUFFER_BYTES_MAX 65536

struct outfile {
    struct target target;
    struct place *place; /* who has the bytes */
    char *data;          /* not yet written */
    size_t len, cap;
    uint64_t bytes, bytes_put; /* written; and of those, no longer in `data` */
    bool completed;
    struct digest *sha256; /* NULL: not wanted */
    char digest[DIGEST_CHARS + 1];
    struct err err; /* the first error; rc RC_OK when there was none */
};

bool outfile_is_stream(const struct outfile *f)
{
    return !f->place->ops->is_replaced;
}

uint64_t outfile_bytes_sent(const struct outfile *f)
{
    return outfile_is_stream(f) && f->place->back_fd < 0 ? f->bytes_put : 0;
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

static void outfile_digest(struct outfile *f, const char *p, size_t n)
{
    if (f->sha256)
        digest_add(f->sha256, p, n);
}

static void outfile_put(struct outfile *f, const char *p, size_t n)
{
    if (n == 0 || f->err.rc != RC_OK)
        return;
    if (f->place->ops->write(f->place, p, n, &f->err) != RC_OK)
        return;
    f->bytes_put += n;
    outfile_digest(f, p, n);
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

enum rc outfile_read(struct outfile *f, uint64_t at, void *p, size_t n, size_t *got, struct err *e)
{
    if (f->place->back_fd < 0)
        return err_set(e, RC_INTERNAL, "%s: cannot be read back", f->place->label);
    flush_buffer(f);
    enum rc rc = outfile_rc(f, e);
    return rc == RC_OK ? fd_read_at(f->place->back_fd, f->place->label, at, p, n, got, e) : rc;
}

/* Calls `fn` with what was written to `from`, through memory. Its errors stick in `f`. */
static void each_block(struct outfile *f, struct outfile *from, uint64_t at, uint64_t n,
                       void (*fn)(struct outfile *f, const char *p, size_t n))
{
    char *block = malloc(FD_COPY_BYTES);
    if (!block) {
        (void)err_nomem(&f->err);
        return;
    }
    while (n > 0 && f->err.rc == RC_OK) {
        size_t want = n < FD_COPY_BYTES ? (size_t)n : FD_COPY_BYTES;
        size_t got = 0;
        enum rc rc =
            fd_read_at(from->place->back_fd, from->place->label, at, block, want, &got, &f->err);
        if (rc == RC_OK && got == 0)
            (void)err_set(&f->err, RC_IO, "%s: is shorter than what was written to it",
                          from->place->label);
        else if (rc == RC_OK)
            fn(f, block, got);
        at += got;
        n -= got;
    }
    free(block);
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
    if (!f->sha256 && f->place->ops->copy)
        done = f->place->ops->copy(f->place, from->place->back_fd, at, n);
    if (done < n)
        each_block(f, from, at + done, n - done, outfile_put);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* DIGEST:PLACE. The digest covers what an earlier run left, too: where that cannot be read back, its
 * state is in the mark, else nothing. */
static enum rc resume_digest(struct outfile *f, const struct outfile_cfg *cfg, struct str state,
                             struct err *e)
{
    if (!f->sha256 || cfg->keep_bytes == 0)
        return RC_OK;
    if (f->place->back_fd >= 0)
        each_block(f, f, 0, cfg->keep_bytes, outfile_digest);
    else if (!digest_take(f->sha256, state))
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", cfg->path);
    return outfile_rc(f, e);
}

static enum rc open_place(struct outfile *f, const struct outfile_cfg *cfg, struct err *e)
{
    struct outfile_cfg own = *cfg;
    struct str state = STR_NONE;
    if (cfg->mark.len && !text_take(&own.mark, ':', &state))
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", cfg->path);
    if (!cfg->mark.len)
        own.mark = STR_NONE;
    enum rc rc = f->target.place->open(&f->place, &f->target, &own, e);
    return rc == RC_OK ? resume_digest(f, cfg, state, e) : rc;
}

static void outfile_free(struct outfile *f, bool keep)
{
    if (f->place)
        f->place->ops->close(f->place, keep);
    digest_free(f->sha256);
    target_free(&f->target);
    free(f->data);
    free(f);
}

enum rc outfile_open_cfg(struct outfile **out, const struct outfile_cfg *cfg, struct err *e)
{
    struct outfile *f = calloc(1, sizeof *f);
    if (!f)
        return err_nomem(e);
    f->target.fd = -1;
    enum rc rc = target_find(&f->target, cfg->places, cfg->path, cfg->suffix, e);
    if (rc == RC_OK && cfg->want_sha256 && !(f->sha256 = digest_new()))
        rc = err_nomem(e);
    if (rc == RC_OK)
        rc = open_place(f, cfg, e);
    if (rc != RC_OK) {
        outfile_free(f, cfg->keep_bytes > 0);
        return rc;
    }
    f->bytes = cfg->keep_bytes;
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

enum rc outfile_mark(struct outfile *f, struct buf *out, struct err *e)
{
    const struct place_ops *ops = f->place->ops;
    if (!ops->is_replaced)
        return err_set(e, RC_USAGE, "only files can be resumed, not streams and devices");
    enum rc rc = outfile_flush(f, e);
    if (rc != RC_OK || !ops->mark)
        return rc;
    if (f->sha256 && f->place->back_fd < 0)
        digest_put(f->sha256, out);
    buf_addc(out, ':');
    return ops->mark(f->place, out, e);
}

enum rc outfile_sync(struct outfile *f, struct err *e)
{
    const struct place_ops *ops = f->place->ops;
    return ops->is_replaced ? ops->sync(f->place, e) : RC_OK;
}

enum rc outfile_complete(struct outfile *f, struct err *e)
{
    if (f->completed)
        return outfile_rc(f, e);
    flush_buffer(f);
    if (f->err.rc == RC_OK && f->place->ops->complete(f->place, &f->err) == RC_OK && f->sha256)
        digest_end(f->sha256, f->digest);
    f->completed = f->err.rc == RC_OK;
    return outfile_rc(f, e);
}

enum rc outfile_prepare(struct outfile *f, struct buf *text, struct err *e)
{
    enum rc rc = outfile_complete(f, e);
    if (rc != RC_OK || !text || !f->place->ops->is_replaced)
        return rc;
    return f->place->ops->prepare(f->place, text, e);
}

void outfile_prepare_removal(struct outfile *f, struct buf *text)
{
    if (text && f->place->ops->is_replaced)
        f->place->ops->prepare_removal(f->place, text);
}

enum rc outfile_abort(struct outfile *f, struct err *e)
{
    const struct place_ops *ops = f->place->ops;
    return f->place->published || !ops->abort ? RC_OK : ops->abort(f->place, e);
}

enum rc outfile_publish(struct outfile *f, struct err *e)
{
    if (!f->completed)
        return err_set(e, RC_INTERNAL, "%s: published before it was complete", f->place->label);
    return f->place->published ? RC_OK : f->place->ops->commit(f->place, e);
}

bool outfile_is_published(const struct outfile *f)
{
    return f->place->published;
}

void outfile_begin_publish(struct outfile *f)
{
    if (f->completed && !f->place->published && f->place->ops->begin_commit)
        f->place->ops->begin_commit(f->place);
}

void outfile_close(struct outfile *f, bool keep)
{
    if (f)
        outfile_free(f, keep);
}
