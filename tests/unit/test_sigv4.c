#include "core/object/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* 2026-01-30T02:00:00Z */
#define WALL_MS INT64_C(1769738400000)

/* The signatures are botocore's (S3SigV4Auth). */
static void signatures(void **state)
{
    (void)state;
    static const struct {
        struct sigv4_request request;
        const char *body, *token, *region, *want;
    } rows[] = {
        {{.method = "POST",
          .path = {"/a%20b/%C3%A4%3D%2B.csv", 23},
          .query = {"uploads=", 8},
          .host = "leads.s3.eu-central-1.amazonaws.com",
          .upload = "0123456789abcdef0123456789abcdef"},
         "",
         NULL,
         "eu-central-1",
         "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260130/eu-central-1/s3/"
         "aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
         "x-amz-meta-leadpipe-upload, Signature="
         "aa3e02f91808e6e7c5841be452a487b3f6b2f39f2628ccd32b4e0340163ba541"},
        {{.method = "PUT",
          .path = {"/leads/x", 8},
          .query = {"partNumber=2&uploadId=a%2Fb%2B%3D", 33},
          .host = "127.0.0.1:9000"},
         "hello",
         "TOKEN/x+y==",
         "us-east-1",
         "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260130/us-east-1/s3/"
         "aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
         "x-amz-security-token, Signature="
         "617246b004e674b5fc27a630bbee3c5deab18dc4b66ef504de5a7e91e7df35e1"},
        {{.method = "GET",
          .path = {"/leads", 6},
          .query = {"key-marker=a&prefix=a%2Fb&upload-id-marker=c&uploads=", 54},
          .host = "127.0.0.1:9000"},
         "",
         NULL,
         "us-east-1",
         "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260130/us-east-1/s3/"
         "aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
         "272f1ed542020ef4ed2892eab1c774b4cf73a12df4594cbb11439d6a0fec2e10"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct sigv4_keys keys = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                        rows[i].token, rows[i].region};
        struct sigv4_request r = rows[i].request;
        struct buf out;
        buf_init(&out, 65536);
        assert_int_equal(sigv4_hash(str_c(rows[i].body), r.payload_hash), RC_OK);
        assert_int_equal(sigv4_sign(&keys, &r, WALL_MS, &out), RC_OK);
        const char *last = NULL;
        bool has_time = false, has_token = false;
        for (size_t at = 0; at < out.len; at += strlen(last) + 1) {
            last = out.data + at;
            has_time |= strcmp(last, "x-amz-date: 20260130T020000Z") == 0;
            has_token |= strncmp(last, "x-amz-security-token: ", 22) == 0;
        }
        assert_true(has_time);
        assert_int_equal(has_token, rows[i].token != NULL);
        if (strcmp(last, rows[i].want) != 0)
            fail_msg("row %zu\n  got  %s\n  want %s", i, last, rows[i].want);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signatures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
