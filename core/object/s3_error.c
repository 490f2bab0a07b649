#include "core/object/s3_error.h"

#include <stdio.h>

#include "core/object/xml_leaves.h"

/* ---- reading -------------------------------------------------------------------------------- */

static void keep(char *out, size_t size, struct str text)
{
    size_t n = text.len < size ? text.len : size - 1;
    memcpy(out, text.ptr, n);
    out[n] = '\0';
    utf8_scrub(out); /* it may have been cut within a character */
    for (char *p = out; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}

/* It is named in advice, which is there to be copied. */
static void keep_region(struct s3_error *out, struct str text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    out->region[0] = '\0';
    if (!text.len || text.len >= sizeof out->region)
        return;
    keep(out->region, sizeof out->region, text);
    if (out->region[strspn(out->region, allowed)])
        out->region[0] = '\0';
}

static enum rc on_leaf(void *error, const char *path, struct str text)
{
    struct s3_error *out = error;
    if (strcmp(path, "Error/Code") == 0)
        keep(out->code, sizeof out->code, text);
    else if (strcmp(path, "Error/Message") == 0)
        keep(out->message, sizeof out->message, text);
    else if (strcmp(path, "Error/Region") == 0)
        keep_region(out, text);
    return RC_OK;
}

void s3_error_read(struct s3_error *out, int status, struct str body, struct str region,
                   struct secrets *secrets)
{
    *out = (struct s3_error){.status = status};
    keep_region(out, region);             /* unless the body has one */
    (void)xml_leaves(body, on_leaf, out); /* what came before it broke off counts */
    secrets_redact(secrets, out->message, sizeof out->message);
    secrets_redact(secrets, out->code, sizeof out->code);
    if (status / 100 != 2 && !out->code[0])
        (void)snprintf(out->code, sizeof out->code, "HTTP %d", status);
}

/* ---- kinds ---------------------------------------------------------------------------------- */

bool s3_error_is(const struct s3_error *error, const char *code)
{
    return strcmp(error->code, code) == 0;
}

bool s3_error_has_code(const struct s3_error *error)
{
    return error->code[0] && strncmp(error->code, "HTTP ", 5) != 0;
}

static bool is_one_of(const struct s3_error *error, const char *const codes[])
{
    for (size_t i = 0; codes[i]; i++) {
        if (s3_error_is(error, codes[i]))
            return true;
    }
    return false;
}

bool s3_error_is_temporary(const struct s3_error *error)
{
    static const char *const codes[] = {"RequestTimeout", "OperationAborted", NULL};
    return is_one_of(error, codes);
}

bool s3_error_is_of_server(const struct s3_error *error)
{
    static const char *const codes[] = {"InternalError", "SlowDown", "ServiceUnavailable",
                                        "RequestTimeout", NULL};
    return is_one_of(error, codes);
}

bool s3_error_is_of_credentials(const struct s3_error *error, bool is_bare)
{
    static const char *const codes[] = {"ExpiredToken",          "ExpiredTokenException",
                                        "TokenRefreshRequired",  "InvalidToken",
                                        "InvalidTokenId",        "InvalidAccessKeyId",
                                        "SignatureDoesNotMatch", "RequestExpired",
                                        "InvalidClientTokenId",  NULL};
    if (is_one_of(error, codes))
        return true;
    return is_bare && (error->status == 400 || error->status == 401 || error->status == 403);
}

/* ---- what to do ----------------------------------------------------------------------------- */

static const char later[] = "run the same command again later";
static const char no_s3[] =
    "this is perhaps no S3 server, or a proxy before it: check --s3-endpoint";
static const char check_permission[] =
    "check the credentials and --s3-endpoint; the credentials must allow s3:PutObject, "
    "s3:AbortMultipartUpload, s3:ListMultipartUploadParts and s3:GetObject on the key";
static const char in_region[] = "the bucket is in another region: give --s3-region";

static const struct kind {
    const char *code;
    enum rc rc;
    const char *advice;
} table[] = {
    {"NoSuchBucket", RC_USAGE,
     "the bucket does not exist there: create it, or check its name, --s3-endpoint and --s3-region"},
    {"AccessDenied", RC_IO,
     "the credentials may not do this: allow s3:PutObject, s3:AbortMultipartUpload and "
     "s3:ListMultipartUploadParts on the key"},
    {"AllAccessDisabled", RC_IO, "the bucket cannot be used"},
    {"SignatureDoesNotMatch", RC_IO, "check the secret access key, and --s3-region"},
    {"InvalidAccessKeyId", RC_IO, "check the access key ID, and --s3-endpoint"},
    {"ExpiredToken", RC_IO,
     "the session token has expired: get new credentials, and run the same command again"},
    {"ExpiredTokenException", RC_IO,
     "the session token has expired: get new credentials, and run the same command again"},
    {"TokenRefreshRequired", RC_IO,
     "the session token has expired: get new credentials, and run the same command again"},
    {"InvalidToken", RC_IO, "check the session token (AWS_SESSION_TOKEN)"},
    {"InvalidTokenId", RC_IO, "check the session token (AWS_SESSION_TOKEN)"},
    {"RequestTimeTooSkewed", RC_IO, "set the clock of this machine"},
    {"SlowDown", RC_IO,
     "the server accepts no more requests now: run the same command again later"},
    {"ServiceUnavailable", RC_IO, later},
    {"TooManyRequests", RC_IO,
     "the server accepts no more requests now: run the same command again later"},
    {"InternalError", RC_IO, later},
    {"MethodNotAllowed", RC_IO, no_s3},
    {"NotImplemented", RC_IO, no_s3},
    {"RequestLimitExceeded", RC_IO,
     "the server accepts no more requests now: run the same command again later"},
    {"BandwidthLimitExceeded", RC_IO,
     "the server accepts no more requests now: run the same command again later"},
    {"PermanentRedirect", RC_USAGE, in_region},
    {"TemporaryRedirect", RC_USAGE, in_region},
    {"Redirect", RC_USAGE, in_region},
    {"AuthorizationHeaderMalformed", RC_USAGE, in_region},
    {"IllegalLocationConstraintException", RC_USAGE, in_region},
    {"InvalidBucketName", RC_USAGE, "choose another bucket"},
    {"KeyTooLongError", RC_USAGE, "choose a shorter key"},
    {"NoSuchUpload", RC_IO,
     "the unfinished upload was removed by somebody else, or by a rule of the bucket; to upload "
     "everything again, add --fresh where there is a --state"},
    {"EntityTooLarge", RC_IO, "the object is larger than the server allows"},
    {"QuotaExceeded", RC_IO, "the bucket is full"},
    {"XMinioStorageFull", RC_IO, "the bucket is full"},
};

/* Of answers without a code. */
static const struct kind *kind_of_status(const struct s3_error *error)
{
    static const struct {
        int status;
        struct kind kind;
    } kinds[] = {
        {401, {"", RC_IO, check_permission}},
        {403, {"", RC_IO, check_permission}},
        {404,
         {"", RC_USAGE,
          "the bucket does not exist there, or no S3 server is: check the bucket's name and "
          "--s3-endpoint"}},
        {405, {"", RC_IO, no_s3}},
        {407,
         {"", RC_IO, "the proxy asks for a user name and password: check --proxy and https_proxy"}},
        {408, {"", RC_IO, later}},
        {411, {"", RC_IO, no_s3}},
        {413,
         {"", RC_IO,
          "the server, or a proxy before it, does not take requests of this size: parts have 8 MiB"}},
        {429, {"", RC_IO, later}},
        {501, {"", RC_IO, no_s3}},
        {507, {"", RC_IO, "the server is full"}},
    };
    static const struct kind other = {"", RC_IO, "check --s3-endpoint"};
    static const struct kind of_server = {"", RC_IO, later};
    static const struct kind in_other_region = {"", RC_USAGE, in_region};
    static const struct kind redirect = {
        "", RC_USAGE,
        "the server has another address, or the bucket is in another region: check --s3-endpoint and "
        "--s3-region"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].status == error->status)
            return &kinds[i].kind;
    }
    switch (error->status / 100) {
    case 3:
        return error->region[0] ? &in_other_region : &redirect;
    case 4:
        return &other;
    case 5:
        return &of_server;
    default:
        return NULL;
    }
}

static const struct kind *kind_of(const struct s3_error *error)
{
    if (!s3_error_has_code(error))
        return kind_of_status(error);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (s3_error_is(error, table[i].code))
            return &table[i];
    }
    return NULL;
}

const char *s3_error_advice(const struct s3_error *error)
{
    const struct kind *kind = kind_of(error);
    return kind ? kind->advice : NULL;
}

enum rc s3_error_text(const struct s3_error *error, unsigned attempts, const char *note,
                      struct err *e)
{
    const struct kind *kind = kind_of(error);
    enum rc rc = kind ? kind->rc : RC_IO;
    const char *advice = kind ? kind->advice : NULL;
    char tries[48] = "", region[sizeof error->region + 8] = "";
    if (attempts > 1)
        (void)snprintf(tries, sizeof tries, " (%u attempts)", attempts);
    if (error->region[0] && advice == in_region)
        (void)snprintf(region, sizeof region, " %s", error->region);
    return err_set(e, rc, "%s%s%s%s%s%s%s%s%s%s", error->code, error->message[0] ? ": " : "",
                   error->message, tries, advice ? "; " : "", advice ? advice : "", region,
                   *note ? " (" : "", note, *note ? ")" : "");
}
