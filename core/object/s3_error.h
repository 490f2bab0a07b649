/* What a server of S3 says went wrong, and what to do about it. Private to core/object. */
#ifndef LEADPIPE_S3_ERROR_H
#define LEADPIPE_S3_ERROR_H

#include <stdbool.h>

#include "core/base/secrets.h"
#include "core/base/str.h"

#define S3_REGION_FIELD "x-amz-bucket-region"

/* Zero it first. */
struct s3_error {
    int status;
    char code[64]; /* "NoSuchBucket"; of an answer without one "HTTP 503"; "": no error */
    char message[512];
    char region[64]; /* that the server names; or "" */
};

/* Of a final answer. A success may carry an error, too (CompleteMultipartUpload). `region`: of the bucket, as a field of the
 * answer names it; or empty. */
void s3_error_read(struct s3_error *out, int status, struct str body, struct str region,
                   struct secrets *secrets);

bool s3_error_is(const struct s3_error *error, const char *code);
/* The server gave a code, and not a status alone. */
bool s3_error_has_code(const struct s3_error *error);
/* Worth another try, though its status does not say so. */
bool s3_error_is_temporary(const struct s3_error *error);
/* Of those that come with 5xx. */
bool s3_error_is_of_server(const struct s3_error *error);

/* Others may be accepted. `is_bare`: the answer had no room for a code, as that to a HEAD. */
bool s3_error_is_of_credentials(const struct s3_error *error, bool is_bare);

/* What to do; NULL: nobody knows. */
const char *s3_error_advice(const struct s3_error *error);
/* "CODE: message; what to do (note)"; `note` may be "". RC_USAGE: the command is to be changed, or the bucket
 * to be made; RC_IO. */
enum rc s3_error_text(const struct s3_error *error, unsigned attempts, const char *note,
                      struct err *e);

#endif
