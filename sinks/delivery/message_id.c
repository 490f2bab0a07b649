#include "sinks/delivery/message_id.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct message_id_maker {
    EVP_MD *sha256;
    EVP_MD_CTX *ctx;
    bool failed;
};

enum rc message_id_maker_new(struct message_id_maker **out, struct err *e)
{
    struct message_id_maker *m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(e);
    m->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    m->ctx = EVP_MD_CTX_new();
    if (!m->sha256 || !m->ctx) {
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
    m->failed = !EVP_DigestInit_ex(m->ctx, m->sha256, NULL);
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
    (void)snprintf(out, MESSAGE_ID_SIZE, "msg_");
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(out + 4 + 2 * i, 3, "%02x", digest[i]);
    return RC_OK;
}
