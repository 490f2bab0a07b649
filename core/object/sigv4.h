/* Signatures of requests to S3: AWS Signature Version 4, with the hash of the payload in a header
 * (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). Pure. */
#ifndef LEADPIPE_SIGV4_H
#define LEADPIPE_SIGV4_H

#include <stdint.h>

#include "core/base/buf.h"

#define SIGV4_HASH_CHARS 64 /* hexadecimal digits of a SHA-256 */

struct sigv4_keys {
    const char *access_key, *secret_key;
    const char *session_token; /* NULL: none */
    const char *region;
};

struct sigv4_request {
    const char *method;
    struct str path;  /* as it is sent: percent-encoded, but for slashes */
    struct str query; /* as it is sent: encoded, sorted by name, "name=value", without "?" */
    const char *host; /* as in the field Host: with a port that is not the scheme's own */
    char payload_hash[SIGV4_HASH_CHARS + 1]; /* sigv4_hash() of the body */
    const char *upload; /* value of the field SIGV4_UPLOAD_FIELD, visible ASCII; NULL: none */
};

/* Metadata of our uploads, by which an object is known to be of one of them. */
#define SIGV4_UPLOAD_FIELD "x-amz-meta-leadpipe-upload"

/* Hexadecimal SHA-256. RC_NOMEM. */
enum rc sigv4_hash(struct str payload, char out[SIGV4_HASH_CHARS + 1]);

/* Appends the fields of the request that belong to its signature, "Name: value" with a NUL behind each.
 * RC_NOMEM, RC_LIMIT. */
enum rc sigv4_sign(const struct sigv4_keys *keys, const struct sigv4_request *r, int64_t wall_ms,
                   struct buf *out);

#endif
