#include "core/object/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

#define HASH_BYTES 32
#define CANONICAL_BYTES_MAX ((size_t)64 << 10) /* a token has a few KiB, a path 3 KiB */
#define SERVICE "s3"
#define ALGORITHM "AWS4-HMAC-SHA256"

static void put_hex(char *out, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", p[i]);
}

enum rc sigv4_hash(struct str payload, char out[SIGV4_HASH_CHARS + 1])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(payload.ptr ? payload.ptr : "", payload.len, hash, &n, EVP_sha256(), NULL) !=
            1 ||
        n != HASH_BYTES)
        return RC_NOMEM;
    put_hex(out, hash, n);
    return RC_OK;
}

static enum rc hmac(const void *key, size_t key_bytes, struct str text,
                    unsigned char out[HASH_BYTES])
{
    unsigned n = 0;
    return HMAC(EVP_sha256(), key, (int)key_bytes, (const unsigned char *)text.ptr, text.len, out,
                &n) &&
                   n == HASH_BYTES
               ? RC_OK
               : RC_NOMEM;
}

/* "20260130T020000Z"; its first eight characters are the day. */
static void put_time(int64_t wall_ms, char out[17])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    if (strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm) != 16)
        out[0] = '\0';
}

/* The key of a day, a region and a service. */
static enum rc derive_key(const struct sigv4_keys *keys, struct str day,
                          unsigned char key[HASH_BYTES])
{
    struct buf secret;
    buf_init(&secret, CANONICAL_BYTES_MAX);
    buf_addf(&secret, "AWS4%s", keys->secret_key);
    enum rc rc = buf_rc(&secret);
    if (rc == RC_OK)
        rc = hmac(secret.data, secret.len, day, key);
    if (rc == RC_OK)
        rc = hmac(key, HASH_BYTES, str_c(keys->region), key);
    if (rc == RC_OK)
        rc = hmac(key, HASH_BYTES, STR(SERVICE), key);
    if (rc == RC_OK)
        rc = hmac(key, HASH_BYTES, STR("aws4_request"), key);
    if (secret.data)
        explicit_bzero(secret.data, secret.cap);
    buf_free(&secret);
    return rc;
}

/* The fields that are signed, sorted; `each` writes one of them. */
static void each_field(const struct sigv4_keys *keys, const struct sigv4_request *r,
                       const char *time, struct buf *out,
                       void (*each)(struct buf *out, const char *name, const char *value))
{
    each(out, "host", r->host);
    each(out, "x-amz-content-sha256", r->payload_hash);
    each(out, "x-amz-date", time);
    if (r->upload)
        each(out, SIGV4_UPLOAD_FIELD, r->upload);
    if (keys->session_token)
        each(out, "x-amz-security-token", keys->session_token);
}

static void put_canonical(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s:%s\n", name, value);
}

static void put_name(struct buf *out, const char *name, const char *value)
{
    (void)value;
    buf_adds(out, name);
    buf_addc(out, ';');
}

static void put_line(struct buf *out, const char *name, const char *value)
{
    if (strcmp(name, "host") == 0)
        return; /* libcurl's */
    buf_addf(out, "%s: %s", name, value);
    buf_addc(out, '\0');
}

static void put_canonical_request(const struct sigv4_keys *keys, const struct sigv4_request *r,
                                  const char *time, struct buf *out)
{
    buf_addf(out, "%s\n" STR_FMT "\n" STR_FMT "\n", r->method, STR_ARG(r->path), STR_ARG(r->query));
    each_field(keys, r, time, out, put_canonical);
    buf_addc(out, '\n');
    each_field(keys, r, time, out, put_name);
    if (out->len)
        out->data[out->len - 1] = '\n'; /* the last semicolon */
    buf_adds(out, r->payload_hash);
}

enum rc sigv4_sign(const struct sigv4_keys *keys, const struct sigv4_request *r, int64_t wall_ms,
                   struct buf *out)
{
    unsigned char key[HASH_BYTES], mac[HASH_BYTES];
    char time[17], hash[SIGV4_HASH_CHARS + 1], signature[SIGV4_HASH_CHARS + 1];
    struct buf text, scope;
    put_time(wall_ms, time);
    buf_init(&text, CANONICAL_BYTES_MAX);
    buf_init(&scope, CANONICAL_BYTES_MAX);
    put_canonical_request(keys, r, time, &text);
    buf_addf(&scope, "%.8s/%s/" SERVICE "/aws4_request", time, keys->region);
    enum rc rc = buf_rc(&text) != RC_OK ? buf_rc(&text) : sigv4_hash(buf_str(&text), hash);
    if (rc == RC_OK) {
        buf_clear(&text);
        buf_addf(&text, ALGORITHM "\n%s\n", time);
        buf_add_str(&text, buf_str(&scope));
        buf_addf(&text, "\n%s", hash);
        rc = buf_rc(&text) != RC_OK ? buf_rc(&text) : derive_key(keys, (struct str){time, 8}, key);
    }
    if (rc == RC_OK)
        rc = hmac(key, sizeof key, buf_str(&text), mac);
    if (rc == RC_OK) {
        put_hex(signature, mac, sizeof mac);
        each_field(keys, r, time, out, put_line);
        buf_addf(out, "Authorization: " ALGORITHM " Credential=%s/", keys->access_key);
        buf_add_str(out, buf_str(&scope));
        buf_adds(out, ", SignedHeaders=");
        each_field(keys, r, time, out, put_name);
        if (out->len)
            out->len--; /* the last semicolon */
        buf_addf(out, ", Signature=%s", signature);
        buf_addc(out, '\0');
        rc = buf_rc(out);
    }
    explicit_bzero(key, sizeof key);
    buf_free(&text);
    buf_free(&scope);
    return rc;
}
