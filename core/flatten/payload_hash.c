#include "core/flatten/payload_hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include "core/flatten/flatten.h"

_Static_assert(CONTENT_HASH_BYTES == sizeof(XXH128_canonical_t), "XXH3 of 128 bits");
_Static_assert(CONTENT_HASH_BYTES <= FINGERPRINT_BYTES,
               "a fingerprint's beginning is a content hash");

/* Those that are not asked for are NULL. */
struct hasher {
    EVP_MD_CTX *sha256;
    XXH3_state_t *xxh3;
    bool ok; /* false: libcrypto failed */
};

static bool hasher_begin(struct hasher *h, const struct flatten_plan *plan, unsigned hashes)
{
    *h = (struct hasher){.ok = true};
    if (hashes & FLATTEN_CONTENT_HASH) {
        h->xxh3 = XXH3_createState();
        if (!h->xxh3 || XXH3_128bits_reset(h->xxh3) != XXH_OK)
            return false;
    }
    if (!(hashes & FLATTEN_FINGERPRINT))
        return true;
    h->sha256 = EVP_MD_CTX_new();
    /* Of an algorithm that is there, the beginning needs nothing but memory. */
    return h->sha256 && EVP_DigestInit_ex(h->sha256, plan->digest, NULL) == 1;
}

static void hasher_add(void *ctx, const char *p, size_t n)
{
    struct hasher *h = ctx;
    if (h->xxh3)
        (void)XXH3_128bits_update(h->xxh3, p, n); /* fails for NULL alone */
    if (h->sha256)
        h->ok = h->ok && EVP_DigestUpdate(h->sha256, p, n) == 1;
}

static void hasher_end(struct hasher *h, struct lead *lead)
{
    unsigned char digest[FINGERPRINT_BYTES];
    XXH128_canonical_t content;
    if (h->sha256) {
        h->ok = h->ok && EVP_DigestFinal_ex(h->sha256, digest, NULL) == 1;
        if (!h->ok)
            return;
        memcpy(lead->fingerprint, digest, sizeof digest);
        memcpy(lead->content_hash, digest, CONTENT_HASH_BYTES);
    }
    if (h->xxh3) {
        XXH128_canonicalFromHash(&content, XXH3_128bits_digest(h->xxh3));
        memcpy(lead->content_hash, content.digest, CONTENT_HASH_BYTES);
    }
}

static void hasher_free(struct hasher *h)
{
    EVP_MD_CTX_free(h->sha256);
    (void)XXH3_freeState(h->xxh3); /* always XXH_OK */
}

enum rc payload_hash(const struct flatten_plan *plan, struct lead *lead, unsigned hashes,
                     struct err *e)
{
    const struct profile *p = plan->profile;
    const struct json_nulls expiring = {p->url_arrays, p->url_members, p->n_url_arrays,
                                        p->n_url_members};
    struct hasher h;
    enum rc rc = hasher_begin(&h, plan, hashes) ? RC_OK : RC_NOMEM;
    if (rc == RC_OK)
        rc = json_canonical(lead->root, &expiring, &lead->arena, hasher_add, &h);
    if (rc == RC_OK)
        hasher_end(&h, lead);
    bool ok = h.ok;
    hasher_free(&h);
    if (rc != RC_OK)
        return err_set(e, rc, "cannot compute its fingerprint: %s", rc_text(rc));
    return ok ? RC_OK : err_set(e, RC_INTERNAL, "libcrypto cannot compute SHA-256");
}
