#include "sinks/delivery/message_id.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct message_id_maker {
    EVP_MD *sha256;
    EVP_MD_CTX *ctx;
    bool is_begun; /* ahead of time */
    bool failed;
};

/* What libcrypto needs for a digest it asks for when one is begun, in the place of what the one before had: so that
 * is done as soon as possible, and message_id_begin() to message_id_end() take no memory. */
static void begin_next(struct message_id_maker *m)
{
    m->is_begun = EVP_DigestInit_ex(m->ctx, m->sha256, NULL);
}

enum rc message_id_maker_new(struct message_id_maker **out, struct err *e)
{
    struct message_id_maker *m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(e);
    m->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    m->ctx = EVP_MD_CTX_new();
    if (m->sha256 && m->ctx)
        begin_next(m);
    if (!m->is_begun) {
        message_id_maker_free(m);
        return err_nomem(e);
    }
    *out = m;
    return RC_OK;
}

void message_id_maker_free(struct message_id_maker *m)
{
    if (!m)
        return;
    EVP_MD_CTX_free(m->ctx);
    EVP_MD_free(m->sha256);
    free(m);
}

void message_id_begin(struct message_id_maker *m)
{
    if (!m->is_begun)
        begin_next(m);
    m->failed = !m->is_begun;
    m->is_begun = false;
}

void message_id_add(struct message_id_maker *m, struct str part)
{
    uint64_t len = part.ptr ? part.len : UINT64_MAX;
    unsigned char prefix[8];
    for (size_t i = 0; i < sizeof prefix; i++)
        prefix[i] = (unsigned char)(len >> (8 * i));
    m->failed = m->failed || !EVP_DigestUpdate(m->ctx, prefix, sizeof prefix) ||
                (part.len > 0 && !EVP_DigestUpdate(m->ctx, part.ptr, part.len));
}

enum rc message_id_end(struct message_id_maker *m, char out[MESSAGE_ID_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (m->failed || !EVP_DigestFinal_ex(m->ctx, digest, NULL))
        return RC_NOMEM;
    begin_next(m);
    (void)snprintf(out, MESSAGE_ID_SIZE, "msg_");
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(out + 4 + 2 * i, 3, "%02x", digest[i]);
    return RC_OK;
}
