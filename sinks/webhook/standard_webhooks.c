#include "sinks/webhook/standard_webhooks.h"

#include <inttypes.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET_PREFIX "whsec_"
#define SECRET_TEXT_MAX 8192 /* bytes of one secret */
#define BASE64_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define SHA256_BYTES 32
#define SHA256_BASE64_SIZE 45 /* with its NUL */
#define HEAD_SIZE 128         /* of "ID.TIMESTAMP.": the id is short */

/* ---- secrets -------------------------------------------------------------------------------- */

struct secret {
    unsigned char *key; /* owned */
    size_t len, size;
};

struct webhook_secrets {
    EVP_MAC *mac;
    EVP_MAC_CTX *ctx;
    struct secret list[WEBHOOK_SECRETS_MAX];
    size_t n;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* The next word of `text`, which is cut from it; empty at the end. */
static struct str next_word(struct str *text)
{
    size_t at = 0, end;
    while (at < text->len && is_blank(text->ptr[at]))
        at++;
    for (end = at; end < text->len && !is_blank(text->ptr[end]); end++)
        ;
    struct str word = {text->ptr + at, end - at};
    *text = (struct str){text->ptr + end, text->len - end};
    return word;
}

/* EVP_DecodeBlock() is lax about what stands before and behind, so that is checked here. */
static bool is_base64(struct str s, size_t *padding)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] && strchr(BASE64_ALPHABET, s.ptr[n]))
        n++;
    *padding = s.len - n;
    if (s.len % 4 != 0 || *padding > 2)
        return false;
    for (; n < s.len; n++)
        if (s.ptr[n] != '=')
            return false;
    return true;
}

static enum rc decode_secret(struct secret *out, struct str word)
{
    if (word.len >= strlen(SECRET_PREFIX) && memcmp(word.ptr, SECRET_PREFIX, 6) == 0)
        word = (struct str){word.ptr + 6, word.len - 6};
    size_t padding;
    if (word.len < 4 || word.len > SECRET_TEXT_MAX || !is_base64(word, &padding))
        return RC_SYNTAX;
    struct secret s = {.size = word.len / 4 * 3};
    s.key = malloc(s.size);
    if (!s.key)
        return RC_NOMEM;
    int n = EVP_DecodeBlock(s.key, (const unsigned char *)word.ptr, (int)word.len);
    if (n < 0 || (size_t)n != s.size) {
        OPENSSL_cleanse(s.key, s.size);
        free(s.key);
        return RC_SYNTAX;
    }
    s.len = s.size - padding;
    *out = s;
    return RC_OK;
}

static enum rc parse_words(struct webhook_secrets *s, struct str text, const char *source,
                           struct err *e)
{
    for (struct str word = next_word(&text); word.len > 0; word = next_word(&text)) {
        if (s->n == WEBHOOK_SECRETS_MAX)
            return err_set(e, RC_USAGE, "%s: more than %d secrets", source, WEBHOOK_SECRETS_MAX);
        enum rc rc = decode_secret(&s->list[s->n], word);
        if (rc == RC_NOMEM)
            return err_nomem(e);
        if (rc != RC_OK)
            return err_set(e, RC_USAGE,
                           "%s: secret %zu is not base64: allowed is \"whsec_\" and the key in "
                           "base64 (24 to 64 random bytes), or the base64 alone",
                           source, s->n + 1);
        s->n++;
    }
    if (s->n == 0)
        return err_set(e, RC_USAGE,
                       "%s: contains no secret: give one or more, each "
                       "\"whsec_\" and the key in base64, separated by spaces",
                       source);
    return RC_OK;
}

enum rc webhook_secrets_parse(struct webhook_secrets **out, struct str text, const char *source,
                              struct err *e)
{
    struct webhook_secrets *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    enum rc rc = parse_words(s, text, source, e);
    if (rc == RC_OK) {
        s->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        s->ctx = s->mac ? EVP_MAC_CTX_new(s->mac) : NULL;
        if (!s->ctx)
            rc = err_nomem(e);
    }
    if (rc != RC_OK) {
        webhook_secrets_free(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

enum rc webhook_secrets_register(const struct webhook_secrets *s, struct secrets *registry)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; i < s->n && rc == RC_OK; i++)
        rc = secrets_add(registry, (struct str){(const char *)s->list[i].key, s->list[i].len});
    return rc;
}

void webhook_secrets_free(struct webhook_secrets *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        OPENSSL_cleanse(s->list[i].key, s->list[i].size);
        free(s->list[i].key);
    }
    EVP_MAC_CTX_free(s->ctx);
    EVP_MAC_free(s->mac);
    free(s);
}

/* ---- signatures ----------------------------------------------------------------------------- */

static bool hmac_sha256(EVP_MAC_CTX *ctx, const struct secret *secret, struct str head,
                        struct str body, unsigned char out[SHA256_BYTES])
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t n = 0;
    return EVP_MAC_init(ctx, secret->key, secret->len, params) &&
           EVP_MAC_update(ctx, (const unsigned char *)head.ptr, head.len) &&
           EVP_MAC_update(ctx, (const unsigned char *)body.ptr, body.len) &&
           EVP_MAC_final(ctx, out, &n, SHA256_BYTES) && n == SHA256_BYTES;
}

enum rc webhook_sign(struct webhook_secrets *s, const char *id, int64_t timestamp_s,
                     struct str body, struct buf *out)
{
    char head[HEAD_SIZE];
    int n = snprintf(head, sizeof head, "%s.%" PRId64 ".", id, timestamp_s);
    if (n < 0 || (size_t)n >= sizeof head)
        return RC_INTERNAL;
    for (size_t i = 0; i < s->n; i++) {
        unsigned char mac[SHA256_BYTES];
        unsigned char text[SHA256_BASE64_SIZE];
        if (!hmac_sha256(s->ctx, &s->list[i], (struct str){head, (size_t)n}, body, mac))
            return RC_NOMEM;
        (void)EVP_EncodeBlock(text, mac, SHA256_BYTES);
        buf_adds(out, i > 0 ? " v1," : "v1,");
        buf_adds(out, (const char *)text);
    }
    return buf_rc(out);
}
