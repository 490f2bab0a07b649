#include "core/flatten/payload_hash.h"

#include <openssl/evp.h>

#include "core/flatten/flatten.h"

_Static_assert(CONTENT_HASH_BYTES == JSON_HASH_BYTES, "a content hash is json_hash()");
_Static_assert(CONTENT_HASH_BYTES <= FINGERPRINT_BYTES,
               "a fingerprint's beginning is a content hash");

struct hasher {
    EVP_MD_CTX *sha256;
    bool ok; /* false: libcrypto failed */
};

static void hasher_add(void *ctx, const char *p, size_t n)
{
    struct hasher *h = ctx;
    h->ok = h->ok && EVP_DigestUpdate(h->sha256, p, n) == 1;
}

static void hasher_end(struct hasher *h, struct lead *lead)
{
    unsigned char digest[FINGERPRINT_BYTES];
    h->ok = h->ok && EVP_DigestFinal_ex(h->sha256, digest, NULL) == 1;
    if (!h->ok)
        return;
    memcpy(lead->fingerprint, digest, sizeof digest);
    memcpy(lead->content_hash, digest, CONTENT_HASH_BYTES);
}

static enum rc fingerprint(const struct flatten_plan *plan, struct lead *lead,
                           const struct json_nulls *expiring, struct err *e)
{
    struct hasher h = {.sha256 = EVP_MD_CTX_new(), .ok = true};
    enum rc rc = RC_NOMEM;
    /* Of an algorithm that is there, the beginning needs nothing but memory. */
    if (h.sha256 && EVP_DigestInit_ex(h.sha256, plan->digest, NULL) == 1)
        rc = json_canonical(lead->root, expiring, &lead->arena, hasher_add, &h);
    if (rc == RC_OK)
        hasher_end(&h, lead);
    EVP_MD_CTX_free(h.sha256);
    if (rc != RC_OK)
        return err_set(e, rc, "cannot compute its fingerprint: %s", rc_text(rc));
    return h.ok ? RC_OK : err_set(e, RC_INTERNAL, "libcrypto cannot compute SHA-256");
}

enum rc payload_hash(const struct flatten_plan *plan, struct lead *lead, unsigned hashes,
                     struct err *e)
{
    const struct profile *p = plan->profile;
    const struct json_nulls expiring = {p->url_arrays, p->url_members, p->n_url_arrays,
                                        p->n_url_members};
    enum rc rc = RC_OK;
    if (hashes & FLATTEN_FINGERPRINT)
        rc = fingerprint(plan, lead, &expiring, e);
    if (rc == RC_OK && (hashes & FLATTEN_CONTENT_HASH))
        json_hash(lead->root, &expiring, lead->content_hash);
    return rc;
}
