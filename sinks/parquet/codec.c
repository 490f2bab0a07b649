#include "sinks/parquet/codec.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* gzip: what is usual. zstd: the fastest, as other writers of Parquet have it by default. */
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 1

struct codec {
    enum compression compression;
    ZSTD_CCtx *zstd;
    struct libdeflate_compressor *deflate;
};

enum rc codec_new(struct codec **out, enum compression compression)
{
    struct codec *c = calloc(1, sizeof *c);
    if (!c)
        return RC_NOMEM;
    c->compression = compression;
    if (compression == COMPRESSION_ZSTD)
        c->zstd = ZSTD_createCCtx();
    if (compression == COMPRESSION_GZIP)
        c->deflate = libdeflate_alloc_compressor(GZIP_LEVEL);
    if ((compression == COMPRESSION_ZSTD && !c->zstd) ||
        (compression == COMPRESSION_GZIP && !c->deflate)) {
        codec_free(c);
        return RC_NOMEM;
    }
    *out = c;
    return RC_OK;
}

void codec_free(struct codec *c)
{
    if (!c)
        return;
    (void)ZSTD_freeCCtx(c->zstd);
    libdeflate_free_compressor(c->deflate);
    free(c);
}

enum compression codec_compression(const struct codec *c)
{
    return c->compression;
}

static enum rc compress_zstd(struct codec *c, struct str in, struct buf *out)
{
    char *room = buf_reserve(out, ZSTD_compressBound(in.len));
    if (!room)
        return buf_rc(out);
    size_t n =
        ZSTD_compressCCtx(c->zstd, room, ZSTD_compressBound(in.len), in.ptr, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(n)) /* there is room for everything, so what is lacking is memory */
        return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? RC_NOMEM : RC_INTERNAL;
    out->len = n;
    return RC_OK;
}

static enum rc compress_gzip(struct codec *c, struct str in, struct buf *out)
{
    size_t bound = libdeflate_gzip_compress_bound(c->deflate, in.len);
    char *room = buf_reserve(out, bound);
    if (!room)
        return buf_rc(out);
    size_t n = libdeflate_gzip_compress(c->deflate, in.ptr, in.len, room, bound);
    out->len = n;
    return n > 0 ? RC_OK : RC_INTERNAL;
}

enum rc codec_compress(struct codec *c, struct str in, struct buf *out)
{
    buf_clear(out);
    switch (c->compression) {
    case COMPRESSION_ZSTD:
        return compress_zstd(c, in, out);
    case COMPRESSION_GZIP:
        return compress_gzip(c, in, out);
    case COMPRESSION_NONE:
        break;
    }
    buf_add_str(out, in);
    return buf_rc(out);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct decoder {
    ZSTD_DCtx *zstd;
    struct libdeflate_decompressor *deflate;
};

enum rc decoder_new(struct decoder **out)
{
    struct decoder *d = calloc(1, sizeof *d);
    if (!d)
        return RC_NOMEM;
    d->zstd = ZSTD_createDCtx();
    d->deflate = libdeflate_alloc_decompressor();
    if (!d->zstd || !d->deflate) {
        decoder_free(d);
        return RC_NOMEM;
    }
    *out = d;
    return RC_OK;
}

void decoder_free(struct decoder *d)
{
    if (!d)
        return;
    (void)ZSTD_freeDCtx(d->zstd);
    libdeflate_free_decompressor(d->deflate);
    free(d);
}

enum rc decoder_decompress(struct decoder *d, enum compression compression, struct str in, size_t n,
                           struct buf *out)
{
    size_t made = 0;
    buf_clear(out);
    char *room = buf_reserve(out, n + 1);
    if (!room)
        return buf_rc(out) == RC_LIMIT ? RC_SYNTAX : RC_NOMEM;
    switch (compression) {
    case COMPRESSION_ZSTD:
        made = ZSTD_decompressDCtx(d->zstd, room, n, in.ptr, in.len);
        if (ZSTD_isError(made))
            return ZSTD_getErrorCode(made) == ZSTD_error_memory_allocation ? RC_NOMEM : RC_SYNTAX;
        break;
    case COMPRESSION_GZIP:
        if (libdeflate_gzip_decompress(d->deflate, in.ptr, in.len, room, n, &made) !=
            LIBDEFLATE_SUCCESS)
            return RC_SYNTAX;
        break;
    case COMPRESSION_NONE:
        made = in.len;
        if (made == n)
            memcpy(room, in.ptr, n);
        break;
    default:
        return RC_SYNTAX;
    }
    out->len = made == n ? n : 0;
    return made == n ? RC_OK : RC_SYNTAX;
}
