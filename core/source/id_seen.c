#include "core/source/id_seen.h"

#include <endian.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/source/idset.h"

struct id_seen {
    size_t n_params;
    struct idset set;
    EVP_MD_CTX *sha256_ctx;
    EVP_MD *sha256;
    struct buf text; /* the input of the digest; reused */
};

/* Each value is preceded by its length, so that no two lists of values have the same text. The format is the same on every
 * machine, because the key decides to which shard a lead belongs (shard.h). */
static void add_value(struct buf *text, struct str s)
{
    uint32_t n = htole32((uint32_t)s.len);
    buf_add(text, &n, sizeof n);
    buf_add_str(text, s);
}

static void add_lead(struct buf *text, struct str id, const struct str *params, size_t n_params)
{
    add_value(text, id);
    for (size_t i = 0; i < n_params; i++)
        add_value(text, params[i]);
}

static size_t lead_bytes_max(size_t n_params)
{
    return (n_params + 1) * (ID_BYTES_MAX + sizeof(uint32_t));
}

enum rc id_key(struct str id, const struct str *params, size_t n_params,
               unsigned char key[LEAD_KEY_BYTES], struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buf text;
    buf_init(&text, lead_bytes_max(n_params));
    add_lead(&text, id, params, n_params);
    enum rc rc = buf_rc(&text);
    if (rc == RC_OK && !EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL))
        rc = RC_INTERNAL;
    buf_free(&text);
    if (rc != RC_OK)
        return err_set(e, rc, "cannot compute the digest of an ID: %s", rc_text(rc));
    memcpy(key, digest, LEAD_KEY_BYTES);
    return RC_OK;
}

/* ---- the set -------------------------------------------------------------------------------- */

enum rc id_seen_new(struct id_seen **out, size_t n_params, struct err *e)
{
    struct id_seen *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->n_params = n_params;
    idset_init(&s->set);
    buf_init(&s->text, lead_bytes_max(n_params) + sizeof e->msg);
    s->sha256_ctx = EVP_MD_CTX_new();
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!s->sha256_ctx || !s->sha256) {
        id_seen_free(s);
        return err_nomem(e);
    }
    *out = s;
    return RC_OK;
}

void id_seen_free(struct id_seen *s)
{
    if (!s)
        return;
    idset_free(&s->set);
    buf_free(&s->text);
    EVP_MD_CTX_free(s->sha256_ctx);
    EVP_MD_free(s->sha256);
    free(s);
}

enum rc id_seen_key(struct id_seen *s, const struct id_item *item,
                    unsigned char key[LEAD_KEY_BYTES], struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    buf_clear(&s->text);
    if (item->bad)
        buf_adds(&s->text, item->bad);
    else
        add_lead(&s->text, item->id, item->params, s->n_params);
    enum rc rc = buf_rc(&s->text);
    if (rc != RC_OK)
        return err_set(e, rc, "%s", rc_text(rc));
    if (!EVP_DigestInit_ex2(s->sha256_ctx, s->sha256, NULL) ||
        !EVP_DigestUpdate(s->sha256_ctx, s->text.data, s->text.len) ||
        !EVP_DigestFinal_ex(s->sha256_ctx, digest, NULL))
        return err_set(e, RC_INTERNAL, "SHA-256 cannot be computed");
    memcpy(key, digest, LEAD_KEY_BYTES);
    return RC_OK;
}

_Static_assert(LEAD_KEY_BYTES == IDSET_KEY_BYTES, "a lead's key is what distinguishes it");

enum rc id_seen_add(struct id_seen *s, const struct id_item *item,
                    const unsigned char key[LEAD_KEY_BYTES], bool *is_new, struct err *e)
{
    *is_new = true;
    if (item->bad)
        return RC_OK;
    return idset_add(&s->set, key, is_new) == RC_OK ? RC_OK : err_nomem(e);
}
