#include "core/object/s3_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool is_folder;
        const char *bucket, *key, *error; /* NULL: none */
    } rows[] = {
        {"s3://b/k", false, "b", "k", NULL},
        {"s3://my-bucket.1/a/b c/d.csv", false, "my-bucket.1", "a/b c/d.csv", NULL},
        {"s3://b/a//b", false, "b", "a//b", NULL},
        {"s3://b/...", false, "b", "...", NULL},
        {"s3://b/", true, "b", "", NULL},
        {"s3://b", true, "b", "", NULL},
        {"s3://b/a/", true, "b", "a/", NULL},
        {"s3://b/a/", false, NULL, NULL, "names no object"},
        {"s3://b", false, NULL, NULL, "names no object"},
        {"s3:///k", false, NULL, NULL, "name of the bucket"},
        {"s3://.b/k", false, NULL, NULL, "name of the bucket"},
        {"s3://b?c/k", false, NULL, NULL, "name of the bucket"},
        {"s3://b/./k", false, NULL, NULL, "segment"},
        {"s3://b/k/..", false, NULL, NULL, "segment"},
        {"s3://b/..", false, NULL, NULL, "segment"},
        {"s3://b//k", false, NULL, NULL, "slash"},
        {"s3://b/\xff", false, NULL, NULL, "UTF-8"},
        {"s3://b/a\x7f", false, NULL, NULL, "control character"},
        {"s3://b/a\xc2\x80", false, NULL, NULL, "control character"},
        {"s3://b/\xc2\x9fz", false, NULL, NULL, "control character"},
        {"s3://b/\xc2\xa0", false, "b", "\xc2\xa0", NULL},
        {"s3://b/\xc4\x80", false, "b", "\xc4\x80", NULL},
        {"s3://b/{x", false, NULL, NULL, "braces"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct s3_url got = {{NULL, 0}, {NULL, 0}};
        struct err e = {0};
        enum rc rc = s3_url_parse(rows[i].url, rows[i].is_folder, &got, &e);
        bool is_right = rows[i].error ? rc == RC_USAGE && strstr(e.msg, rows[i].error)
                                      : rc == RC_OK && str_eq_c(got.bucket, rows[i].bucket) &&
                                            str_eq_c(got.key, rows[i].key);
        if (!is_right)
            fail_msg("%s: %s %s", rows[i].url, rc_text(rc), e.msg);
    }
}

static void requests(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *bucket, *key;
        enum s3_addressing addressing;
        const char *origin, *path, *host;
    } rows[] = {
        {"https://s3.x.amazonaws.com", "b", "a/b c", S3_ADDRESSING_VIRTUAL,
         "https://b.s3.x.amazonaws.com", "/a/b%20c", "b.s3.x.amazonaws.com"},
        {"http://127.0.0.1:9000", "b", "a//b", S3_ADDRESSING_PATH, "http://127.0.0.1:9000",
         "/b/a//b", "127.0.0.1:9000"},
        {"https://h:443", "b", "", S3_ADDRESSING_PATH, "https://h:443", "/b", "h"},
        {"http://h:80", "b", "", S3_ADDRESSING_VIRTUAL, "http://b.h:80", "/", "b.h"},
        {"http://h:443", "b", "\xc3\xa4=+?#%", S3_ADDRESSING_PATH, "http://h:443",
         "/b/%C3%A4%3D%2B%3F%23%25", "h:443"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf origin, path, host;
        buf_init(&origin, 1000);
        buf_init(&path, 1000);
        buf_init(&host, 1000);
        s3_put_origin(&origin, rows[i].endpoint, str_c(rows[i].bucket), rows[i].addressing);
        s3_put_path(&path, str_c(rows[i].bucket), str_c(rows[i].key), rows[i].addressing);
        s3_put_host(&host, buf_cstr(&origin));
        assert_string_equal(buf_cstr(&origin), rows[i].origin);
        assert_string_equal(buf_cstr(&path), rows[i].path);
        assert_string_equal(buf_cstr(&host), rows[i].host);
        buf_free(&origin);
        buf_free(&path);
        buf_free(&host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls), cmocka_unit_test(requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
