#include "core/object/s3_url.h"

#include "core/base/url.h"

static const char bucket_chars[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

static bool is_bucket(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!name.ptr[i] || !strchr(bucket_chars, name.ptr[i]))
            return false;
    }
    return name.len > 0 && name.len <= S3_BUCKET_BYTES_MAX && name.ptr[0] != '.' &&
           name.ptr[0] != '-';
}

/* Of ASCII, or U+0080 to U+009F. */
static bool has_control_character(struct str key)
{
    unsigned char before = 0;
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        if (c < 0x20 || c == 0x7f || (before == 0xc2 && c >= 0x80 && c <= 0x9f))
            return true;
        before = c;
    }
    return false;
}

/* Clients and servers would resolve those. */
static bool has_dot_segment(struct str key)
{
    while (key.len) {
        const char *slash = memchr(key.ptr, '/', key.len);
        size_t n = slash ? (size_t)(slash - key.ptr) : key.len;
        struct str segment = {key.ptr, n};
        if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
            return true;
        n += slash != NULL;
        key = (struct str){key.ptr + n, key.len - n};
    }
    return false;
}

static enum rc check_key(const char *url, struct str key, struct err *e)
{
    if (key.len > S3_KEY_BYTES_MAX)
        return err_set(e, RC_USAGE, "%s: the key is too long: at most %d bytes are allowed", url,
                       S3_KEY_BYTES_MAX);
    if (has_control_character(key) || !utf8_valid(key.ptr, key.len))
        return err_set(e, RC_USAGE,
                       "%s: the key contains a control character or is not UTF-8, which is not "
                       "allowed",
                       url);
    if (memchr(key.ptr, '{', key.len) || memchr(key.ptr, '}', key.len))
        return err_set(e, RC_USAGE,
                       "%s: a key can contain {date}, {run_id} and {shard}, but no other braces",
                       url);
    if (key.ptr[0] == '/' || has_dot_segment(key))
        return err_set(e, RC_USAGE,
                       "%s: the key begins with a slash or has a segment . or .., which is not "
                       "allowed",
                       url);
    return RC_OK;
}

enum rc s3_url_parse(const char *url, bool is_folder, struct s3_url *out, struct err *e)
{
    static const char scheme[] = S3_SCHEME "://";
    struct str rest = str_c(url + sizeof scheme - 1);
    const char *slash = memchr(rest.ptr, '/', rest.len);
    struct str bucket = {rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len};
    struct str key = slash ? str_c(slash + 1) : (struct str){rest.ptr + rest.len, 0};
    if (!is_bucket(bucket))
        return err_set(e, RC_USAGE,
                       "%s: the name of the bucket is not valid: letters, digits, - and . are "
                       "allowed, as in s3://BUCKET/KEY",
                       url);
    if (key.len) {
        enum rc rc = check_key(url, key, e);
        if (rc != RC_OK)
            return rc;
    }
    if (!is_folder && (key.len == 0 || key.ptr[key.len - 1] == '/'))
        return err_set(e, RC_USAGE, "%s: names no object; write s3://BUCKET/KEY", url);
    *out = (struct s3_url){bucket, key};
    return RC_OK;
}

void s3_put_origin(struct buf *out, const char *endpoint, struct str bucket,
                   enum s3_addressing addressing)
{
    const char *host = strstr(endpoint, "://") + 3;
    buf_add(out, endpoint, (size_t)(host - endpoint));
    if (addressing == S3_ADDRESSING_VIRTUAL) {
        buf_add_str(out, bucket);
        buf_addc(out, '.');
    }
    buf_adds(out, host);
}

static void put_encoded(struct buf *out, struct str text)
{
    while (text.len) {
        const char *slash = memchr(text.ptr, '/', text.len);
        size_t n = slash ? (size_t)(slash - text.ptr) : text.len;
        url_encode(out, (struct str){text.ptr, n});
        if (slash)
            buf_addc(out, '/');
        n += slash != NULL;
        text = (struct str){text.ptr + n, text.len - n};
    }
}

void s3_put_path(struct buf *out, struct str bucket, struct str key, enum s3_addressing addressing)
{
    buf_addc(out, '/');
    if (addressing == S3_ADDRESSING_PATH) {
        put_encoded(out, bucket);
        if (key.len)
            buf_addc(out, '/');
    }
    put_encoded(out, key);
}

void s3_put_host(struct buf *out, const char *origin)
{
    bool is_https = strncmp(origin, "https", 5) == 0;
    struct str host = str_c(strstr(origin, "://") + 3);
    struct str usual = is_https ? STR(":443") : STR(":80");
    if (host.len > usual.len && memcmp(host.ptr + host.len - usual.len, usual.ptr, usual.len) == 0)
        host.len -= usual.len;
    buf_add_str(out, host);
}
