/* The functions that let the state of a hash be kept are deprecated in favour of ones that do not. */
#define OPENSSL_API_COMPAT 0x10101000L

#include "core/file/digest.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/units.h"

struct digest {
    SHA256_CTX sha256;
};

struct digest *digest_new(void)
{
    struct digest *d = malloc(sizeof *d);
    if (d)
        (void)SHA256_Init(&d->sha256); /* as those below: it cannot fail */
    return d;
}

void digest_free(struct digest *d)
{
    free(d);
}

void digest_add(struct digest *d, const void *p, size_t n)
{
    (void)SHA256_Update(&d->sha256, p, n);
}

void digest_end(struct digest *d, char out[DIGEST_CHARS + 1])
{
    unsigned char md[SHA256_DIGEST_LENGTH];
    (void)SHA256_Final(md, &d->sha256);
    for (size_t i = 0; i < sizeof md; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", md[i]);
}

/* WORDS.BITS.REST: the words of the state, the length, and what does not fill a block yet. */
void digest_put(const struct digest *d, struct buf *out)
{
    const SHA256_CTX *c = &d->sha256;
    for (size_t i = 0; i < 8; i++)
        buf_addf(out, "%08x", (unsigned)c->h[i]);
    buf_addf(out, ".%llu.", (unsigned long long)c->Nh << 32 | c->Nl);
    for (size_t i = 0; i < c->num; i++)
        buf_addf(out, "%02x", ((const unsigned char *)c->data)[i]);
}

static bool take_hex(struct str text, unsigned *out)
{
    unsigned n = 0;
    for (size_t i = 0; i < text.len; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = text.ptr[i] ? strchr(digits, text.ptr[i]) : NULL;
        if (!digit)
            return false;
        n = n << 4 | (unsigned)(digit - digits);
    }
    *out = n;
    return true;
}

bool digest_take(struct digest *d, struct str text)
{
    SHA256_CTX c;
    struct str words;
    uint64_t bits;
    unsigned n;
    (void)SHA256_Init(&c);
    if (!text_take(&text, '.', &words) || words.len != 64 || !text_take_uint(&text, '.', &bits) ||
        text.len != bits / 8 % SHA256_CBLOCK * 2 || bits % 8 != 0)
        return false;
    for (size_t i = 0; i < 8; i++) {
        if (!take_hex((struct str){words.ptr + 8 * i, 8}, &n))
            return false;
        c.h[i] = n;
    }
    for (size_t i = 0; i < text.len / 2; i++) {
        if (!take_hex((struct str){text.ptr + 2 * i, 2}, &n))
            return false;
        ((unsigned char *)c.data)[i] = (unsigned char)n;
    }
    c.Nl = (SHA_LONG)(bits & 0xffffffff);
    c.Nh = (SHA_LONG)(bits >> 32);
    c.num = (unsigned)(text.len / 2);
    d->sha256 = c;
    return true;
}
