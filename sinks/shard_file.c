#include "sinks/shard_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/buf.h"
#include "core/file/fd_io.h"

#define RAW_BYTES ((size_t)64 * 1024) /* of gzip, read at once */
#define WINDOW_BITS_GZIP (15 + 16)
#define BLOCK_BYTES ((size_t)64 * 1024)
#define BLOCK_DIGEST_BYTES 16

struct shard_file {
    struct shard_file_cfg cfg;
    int fd;
    struct digest *sha256;
    struct hash_job job; /* what was read last */
    uint64_t read;       /* bytes of the file so far */
    struct buf content;
    size_t at; /* in `content`: what was taken */
    bool ended;
    bool is_known; /* whether it is gzip, as the next one says */
    bool is_gzip;
    z_stream z;
    bool is_open; /* `z` is */
    bool in_member;
    char *raw;
    size_t raw_at, raw_n;
    unsigned char *digests; /* of each block, after shard_file_verify() */
    uint64_t block;         /* that is in `content`, from 1; 0: none */
};

enum rc shard_file_damaged(const struct shard_file *f, struct err *e)
{
    return err_set(e, RC_SYNTAX, "%s: is not the file that %s describes", f->cfg.path,
                   f->cfg.manifest);
}

/* What was read last is hashed, and need not stay. */
static void settle(struct shard_file *f)
{
    hasher_wait(f->cfg.hasher, &f->job);
}

enum rc shard_file_open(struct shard_file **out, const struct shard_file_cfg *cfg, struct err *e)
{
    struct stat st;
    struct shard_file *f = calloc(1, sizeof *f);
    if (!f)
        return err_nomem(e);
    f->cfg = *cfg;
    buf_init(&f->content, 2 * SHARD_FILE_PIECE_MAX);
    f->fd = open(cfg->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum rc rc = RC_OK;
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        rc = err_sys(e, errno == EMFILE || errno == ENFILE || errno == ENOMEM ? RC_IO : RC_USAGE,
                     errno, "%s, which %s names", cfg->path, cfg->manifest);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s, which %s names, is not a file", cfg->path, cfg->manifest);
    else if ((uint64_t)st.st_size != cfg->bytes)
        rc = shard_file_damaged(f, e);
    if (rc == RC_OK) {
        f->job.to = f->sha256 = digest_new();
        if (!f->sha256)
            rc = err_nomem(e);
    }
    if (rc != RC_OK) {
        shard_file_close(f);
        return rc;
    }
    (void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *out = f;
    return RC_OK;
}

void shard_file_close(struct shard_file *f)
{
    if (!f)
        return;
    settle(f);
    if (f->is_open)
        (void)inflateEnd(&f->z);
    if (f->fd >= 0)
        (void)close(f->fd); /* it was only read */
    digest_free(f->sha256);
    buf_free(&f->content);
    free(f->raw);
    free(f->digests);
    free(f);
}

uint64_t shard_file_bytes(const struct shard_file *f)
{
    return f->cfg.bytes;
}

static enum rc check_signal(const struct shard_file *f, struct err *e)
{
    bool is_due = f->cfg.signal && atomic_load_explicit(f->cfg.signal, memory_order_relaxed);
    return is_due ? err_set(e, RC_STOPPED, "stopped") : RC_OK;
}

/* ---- from the beginning to the end ----------------------------------------------------------- */

/* The next bytes of the file, which stay until settle(); *got is 0 at its end. */
static enum rc read_some(struct shard_file *f, char *p, size_t n, size_t *got, struct err *e)
{
    ssize_t result;
    enum rc rc = check_signal(f, e);
    if (rc != RC_OK)
        return rc;
    settle(f);
    do
        result = read(f->fd, p, n);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        return err_sys(e, RC_IO, errno, "%s", f->cfg.path);
    *got = (size_t)result;
    f->read += *got;
    if (f->read > f->cfg.bytes)
        return shard_file_damaged(f, e);
    if (*got > 0)
        hasher_add(f->cfg.hasher, &f->job, p, *got);
    return RC_OK;
}

static enum rc begin_gzip(struct shard_file *f, struct err *e)
{
    f->raw = malloc(RAW_BYTES);
    f->is_open = f->raw && inflateInit2(&f->z, WINDOW_BITS_GZIP) == Z_OK;
    f->in_member = true;
    return f->is_open ? RC_OK : err_nomem(e);
}

/* Some bytes more in f->content, or f->ended. */
static enum rc inflate_some(struct shard_file *f, size_t room, struct err *e)
{
    if (f->raw_at == f->raw_n) {
        f->raw_at = 0;
        enum rc rc = read_some(f, f->raw, RAW_BYTES, &f->raw_n, e);
        if (rc != RC_OK)
            return rc;
        f->ended = f->raw_n == 0;
        if (f->ended)
            return f->in_member ? shard_file_damaged(f, e) : RC_OK;
    }
    char *to = buf_reserve(&f->content, room);
    if (!to)
        return err_nomem(e);
    if (!f->in_member && inflateReset(&f->z) != Z_OK)
        return err_set(e, RC_INTERNAL, "%s: cannot be decompressed", f->cfg.path);
    f->in_member = true;
    f->z.next_in = (Bytef *)f->raw + f->raw_at;
    f->z.avail_in = (uInt)(f->raw_n - f->raw_at);
    f->z.next_out = (Bytef *)to;
    f->z.avail_out = (uInt)room;
    int result = inflate(&f->z, Z_NO_FLUSH);
    f->raw_at = f->raw_n - f->z.avail_in;
    f->content.len += room - f->z.avail_out;
    f->in_member = result != Z_STREAM_END;
    if (result == Z_MEM_ERROR)
        return err_nomem(e);
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR
               ? RC_OK
               : shard_file_damaged(f, e);
}

static enum rc copy_some(struct shard_file *f, size_t room, struct err *e)
{
    size_t got = 0;
    settle(f);
    char *to = buf_reserve(&f->content, room);
    if (!to)
        return err_nomem(e);
    enum rc rc = read_some(f, to, room, &got, e);
    f->content.len += rc == RC_OK ? got : 0;
    f->ended = rc == RC_OK && got == 0;
    return rc;
}

/* No text, no MessagePack and no other file of ours begins as gzip does. */
static enum rc find_kind(struct shard_file *f, struct err *e)
{
    unsigned char magic[2] = {0};
    size_t got = 0;
    f->is_known = true;
    enum rc rc = fd_read_at(f->fd, f->cfg.path, 0, magic, sizeof magic, &got, e);
    f->is_gzip = rc == RC_OK && got == sizeof magic && magic[0] == 0x1f && magic[1] == 0x8b;
    return f->is_gzip ? begin_gzip(f, e) : rc;
}

static enum rc fill(struct shard_file *f, size_t n, struct err *e)
{
    enum rc rc = f->is_known ? RC_OK : find_kind(f, e);
    struct buf *b = &f->content;
    if (rc != RC_OK || f->ended)
        return rc;
    if (n > SHARD_FILE_PIECE_MAX)
        return shard_file_damaged(f, e);
    settle(f);
    if (f->at > 0) {
        b->len -= f->at;
        memmove(b->data, b->data + f->at, b->len);
        f->at = 0;
    }
    size_t want = n > f->cfg.room / 2 ? n + f->cfg.room : f->cfg.room;
    while (rc == RC_OK && !f->ended && b->len < n)
        rc = f->is_gzip ? inflate_some(f, want - b->len, e) : copy_some(f, want - b->len, e);
    return rc;
}

enum rc shard_file_peek(struct shard_file *f, size_t n, struct str *out, struct err *e)
{
    enum rc rc = f->content.len - f->at < n ? fill(f, n, e) : RC_OK;
    *out = (struct str){f->content.data ? f->content.data + f->at : "", f->content.len - f->at};
    return rc;
}

void shard_file_take(struct shard_file *f, size_t n)
{
    f->at += n;
}

/* ---- is it the one? -------------------------------------------------------------------------- */

static enum rc compare(struct shard_file *f, struct err *e)
{
    char text[DIGEST_CHARS + 1];
    settle(f);
    digest_end(f->sha256, text);
    return f->read == f->cfg.bytes && strcmp(text, f->cfg.sha256) == 0 ? RC_OK
                                                                       : shard_file_damaged(f, e);
}

enum rc shard_file_end(struct shard_file *f, struct err *e)
{
    struct str left;
    if (f->digests)
        return RC_OK;
    enum rc rc = shard_file_peek(f, 1, &left, e);
    if (rc == RC_OK && left.len > 0)
        rc = shard_file_damaged(f, e);
    return rc == RC_OK ? compare(f, e) : rc;
}

/* ---- in any place ---------------------------------------------------------------------------- */

static bool digest_block(const char *p, size_t n, unsigned char out[BLOCK_DIGEST_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!EVP_Digest(p, n, digest, NULL, EVP_sha256(), NULL))
        return false;
    memcpy(out, digest, BLOCK_DIGEST_BYTES);
    return true;
}

static enum rc read_block(struct shard_file *f, uint64_t block, size_t *got, struct err *e)
{
    buf_clear(&f->content);
    char *to = buf_reserve(&f->content, BLOCK_BYTES);
    if (!to)
        return err_nomem(e);
    enum rc rc = check_signal(f, e);
    if (rc == RC_OK)
        rc = fd_read_at(f->fd, f->cfg.path, block * BLOCK_BYTES, to, BLOCK_BYTES, got, e);
    f->content.len = rc == RC_OK ? *got : 0;
    return rc;
}

enum rc shard_file_verify(struct shard_file *f, struct err *e)
{
    uint64_t n_blocks = (f->cfg.bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    if (n_blocks >= SIZE_MAX / BLOCK_DIGEST_BYTES)
        return err_nomem(e);
    unsigned char *digests = calloc((size_t)n_blocks + 1, BLOCK_DIGEST_BYTES);
    if (!digests)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (uint64_t i = 0; rc == RC_OK && i < n_blocks; i++) {
        size_t got = 0;
        rc = read_block(f, i, &got, e);
        f->read += got;
        if (rc == RC_OK)
            digest_add(f->sha256, f->content.data, got);
        if (rc == RC_OK && !digest_block(f->content.data, got, digests + i * BLOCK_DIGEST_BYTES))
            rc = err_nomem(e); /* there is no other reason */
    }
    if (rc == RC_OK)
        rc = compare(f, e);
    if (rc != RC_OK)
        free(digests);
    else
        f->digests = digests;
    return rc;
}

/* The block as it was then, in `content`. */
static enum rc verified_block(struct shard_file *f, uint64_t block, struct err *e)
{
    unsigned char digest[BLOCK_DIGEST_BYTES];
    size_t got = 0;
    f->block = 0;
    enum rc rc = read_block(f, block, &got, e);
    if (rc != RC_OK)
        return rc;
    if (!digest_block(f->content.data, got, digest))
        return err_nomem(e);
    if (memcmp(digest, f->digests + block * BLOCK_DIGEST_BYTES, sizeof digest) != 0)
        return shard_file_damaged(f, e);
    f->block = block + 1;
    return RC_OK;
}

enum rc shard_file_read(struct shard_file *f, uint64_t at, void *p, size_t n, struct err *e)
{
    char *to = p;
    if (n > f->cfg.bytes || at > f->cfg.bytes - n)
        return shard_file_damaged(f, e);
    while (n > 0) {
        uint64_t block = at / BLOCK_BYTES;
        size_t skip = (size_t)(at % BLOCK_BYTES);
        enum rc rc = f->block == block + 1 ? RC_OK : verified_block(f, block, e);
        if (rc != RC_OK)
            return rc;
        size_t got = f->content.len;
        if (got <= skip)
            return shard_file_damaged(f, e);
        size_t take = got - skip < n ? got - skip : n;
        memcpy(to, f->content.data + skip, take);
        to += take;
        at += take;
        n -= take;
    }
    return RC_OK;
}
