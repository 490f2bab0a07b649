#include "core/base/blob.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/base/units.h"

static void put_base64(struct buf *out, const unsigned char *p, size_t n)
{
    /* EVP_EncodeBlock() writes a NUL, too. */
    char *room = buf_reserve(out, (n + 2) / 3 * 4 + 1);
    if (room)
        out->len += (size_t)EVP_EncodeBlock((unsigned char *)room, p, (int)n);
}

void blob_put(struct buf *out, const void *p, size_t n)
{
    if (n > BLOB_BYTES_MAX) {
        out->rc = out->rc == RC_OK ? RC_LIMIT : out->rc;
        return;
    }
    uLongf packed_len = compressBound(n);
    unsigned char *packed = malloc(packed_len);
    if (!packed || compress2(packed, &packed_len, p ? p : "", n, 1) != Z_OK) {
        out->rc = out->rc == RC_OK ? RC_NOMEM : out->rc;
    } else {
        buf_addf(out, "%zu:", n);
        put_base64(out, packed, packed_len);
    }
    free(packed);
}

/* Decoded base64 in memory that the caller frees, or NULL: *rc says why. */
static unsigned char *take_base64(struct str text, size_t *n, enum rc *rc)
{
    *rc = RC_SYNTAX;
    if (text.len == 0 || text.len % 4 != 0 || text.len > 2 * BLOB_BYTES_MAX)
        return NULL;
    unsigned char *p = malloc(text.len / 4 * 3);
    if (!p) {
        *rc = RC_NOMEM;
        return NULL;
    }
    int got = EVP_DecodeBlock(p, (const unsigned char *)text.ptr, (int)text.len);
    if (got < 0) {
        free(p);
        return NULL;
    }
    size_t padding = (size_t)(text.ptr[text.len - 1] == '=') + (text.ptr[text.len - 2] == '=');
    *n = (size_t)got - padding;
    *rc = RC_OK;
    return p;
}

static enum rc blob_unpack(const unsigned char *packed, size_t packed_len, size_t n,
                           struct buf *out)
{
    /* One more than it should be, or nothing: so that too much shows, and 0 bytes have room. */
    char *room = buf_reserve(out, n + 1);
    if (!room) {
        enum rc rc = buf_rc(out);
        out->rc = RC_OK;
        return rc;
    }
    uLongf len = n + 1;
    int z = uncompress((unsigned char *)room, &len, packed, packed_len);
    if (z == Z_MEM_ERROR)
        return RC_NOMEM;
    if (z != Z_OK || len != n)
        return RC_SYNTAX;
    out->len += n;
    return RC_OK;
}

enum rc blob_take(struct str text, struct buf *out)
{
    uint64_t n = 0;
    if (buf_rc(out) != RC_OK)
        return buf_rc(out);
    if (!text_take_uint(&text, ':', &n) || n > BLOB_BYTES_MAX)
        return RC_SYNTAX;
    size_t packed_len = 0;
    enum rc rc = RC_OK;
    unsigned char *packed = take_base64(text, &packed_len, &rc);
    if (packed)
        rc = blob_unpack(packed, packed_len, (size_t)n, out);
    free(packed);
    return rc;
}

void counted_put(struct buf *out, struct str s)
{
    if (s.ptr)
        buf_addf(out, "%zu:", s.len);
    else
        buf_adds(out, "-:");
    buf_add_str(out, s);
}

bool counted_take(struct str *text, struct str *out)
{
    struct str rest = *text;
    struct str count;
    uint64_t n = 0;
    if (!text_take(&rest, ':', &count))
        return false;
    bool absent = str_eq(count, STR("-"));
    if (!absent && (!units_uint(count, &n) || n > rest.len))
        return false;
    *out = absent ? STR_NONE : (struct str){rest.ptr, (size_t)n};
    *text = (struct str){rest.ptr + n, rest.len - (size_t)n};
    return true;
}
