#include "core/http/gunzip.h"

#include <limits.h>

#define WINDOW_BITS_GZIP (15 + 16)
#define MEMBER_FIRST_BYTE 0x1f

enum rc gunzip_begin(struct gunzip *g)
{
    g->is_whole = g->is_padding = false;
    if (g->is_open)
        return inflateReset(&g->z) == Z_OK ? RC_OK : RC_INTERNAL;
    g->is_open = inflateInit2(&g->z, WINDOW_BITS_GZIP) == Z_OK;
    return g->is_open ? RC_OK : RC_NOMEM;
}

void gunzip_free(struct gunzip *g)
{
    if (g->is_open)
        (void)inflateEnd(&g->z);
    g->is_open = false;
}

/* Between members: another one, or padding? */
static enum rc begin_next(struct gunzip *g, struct str *in)
{
    if (!g->is_padding && (unsigned char)in->ptr[0] == MEMBER_FIRST_BYTE) {
        g->is_whole = false;
        return inflateReset(&g->z) == Z_OK ? RC_OK : RC_INTERNAL;
    }
    g->is_padding = true;
    for (; in->len; in->ptr++, in->len--) {
        if (in->ptr[0] != '\0')
            return RC_SYNTAX;
    }
    return RC_OK;
}

enum rc gunzip_some(struct gunzip *g, struct str *in, char *out, size_t size, size_t *n)
{
    *n = 0;
    if (g->is_whole) {
        enum rc rc = in->len ? begin_next(g, in) : RC_OK;
        if (rc != RC_OK || g->is_whole)
            return rc;
    }
    uInt most = in->len < UINT_MAX ? (uInt)in->len : UINT_MAX;
    g->z.next_in = (Bytef *)(uintptr_t)in->ptr; /* zlib does not write to it */
    g->z.avail_in = most;
    g->z.next_out = (Bytef *)out;
    g->z.avail_out = size < UINT_MAX ? (uInt)size : UINT_MAX;
    uInt room = g->z.avail_out;
    int result = inflate(&g->z, Z_NO_FLUSH);
    *in = (struct str){in->ptr + (most - g->z.avail_in), in->len - (most - g->z.avail_in)};
    *n = room - g->z.avail_out;
    g->is_whole = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR)
        return RC_NOMEM;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? RC_OK : RC_SYNTAX;
}
