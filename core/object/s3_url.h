/* "s3://BUCKET/KEY", and the URLs of requests that are about it. Pure. */
#ifndef LEADPIPE_S3_URL_H
#define LEADPIPE_S3_URL_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/err.h"

#define S3_SCHEME "s3"
#define S3_KEY_BYTES_MAX 1024
#define S3_BUCKET_BYTES_MAX 255

struct s3_url {
    struct str bucket, key; /* in the text; a key may be empty or end in a slash for a folder */
};

/* RC_USAGE with what is wrong and what is allowed, `url` as its subject. `is_folder`: what is meant is the
 * beginning of keys, which ends in a slash or is empty. */
enum rc s3_url_parse(const char *url, bool is_folder, struct s3_url *out, struct err *e);

enum s3_addressing {
    S3_ADDRESSING_PATH,    /* ENDPOINT/BUCKET/KEY */
    S3_ADDRESSING_VIRTUAL, /* BUCKET.ENDPOINT/KEY */
};

/* "https://host[:port]" of the requests for a bucket. `endpoint`: "SCHEME://HOST[:PORT]". */
void s3_put_origin(struct buf *out, const char *endpoint, struct str bucket,
                   enum s3_addressing addressing);
/* The path of an object, or of the bucket where the key is empty: encoded as it is sent and signed. */
void s3_put_path(struct buf *out, struct str bucket, struct str key, enum s3_addressing addressing);
/* The host of an origin as in the field Host: without the port that is the scheme's own. */
void s3_put_host(struct buf *out, const char *origin);

#endif
