#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/credential.h"
#include "core/base/loopback.h"

static const struct profile profile = {
    .name = {"p", 1},
    .key_variable = {"TEST_API_KEY", 12},
    .key_header = {"x-api-key", 9},
};

#define TOO_LONG CREDENTIAL_BYTES_MAX + 1

static char *write_file(const char *text, size_t len)
{
    static char path[32];
    (void)strcpy(path, "/tmp/leadpipe-key-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    (void)close(fd);
    return path;
}

static struct secrets *registry;

static int begin(void **state)
{
    (void)state;
    return secrets_new(&registry) == RC_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    secrets_free(registry);
    return 0;
}

#define ALLOWED "; an API key is one line of visible ASCII characters without spaces"
#define NBSP "\xc2\xa0"

static const struct content_row {
    const char *text;
    size_t len; /* 0: up to the NUL */
    const char *key, *fault;
} content_rows[] = {
    {"k3y-1", 0, "k3y-1", NULL},
    {"k3y-1\n", 0, "k3y-1", NULL},
    {"k3y-1\r\n", 0, "k3y-1", NULL},
    {"k3y-1\r", 0, "k3y-1", NULL},
    {"k3y-1\n\n\n", 0, "k3y-1", NULL},
    {"\n k3y-1\t \v\f", 0, "k3y-1", NULL},
    {"\xef\xbb\xbfk3y-1", 0, "k3y-1", NULL},
    {"\xef\xbb\xbf \xef\xbb\xbfk3y-1" NBSP " " NBSP "\n", 0, "k3y-1", NULL},
    {"\xe2\x80\x8bk3y-1\xe2\x80\x8b", 0, "k3y-1", NULL},
    {"\xe2\x80\xa8k3y-1\xe2\x81\xa0\xe3\x80\x80", 0, "k3y-1", NULL},
    {"", 0, NULL, "is empty"},
    {"\n", 0, NULL, "is empty"},
    {" \t\r\n", 0, NULL, "is empty"},
    {"\xef\xbb\xbf", 0, NULL, "is empty"},
    {NBSP "\n", 0, NULL, "is empty"},
    {"k3y-1\nX-Other: 1\n", 0, NULL, "has several lines"},
    {"k3y-1\rk3y-2", 0, NULL, "has several lines"},
    {"k3y 1", 0, NULL, "contains a space"},
    {"k3y\t1", 0, NULL, "contains a space"},
    {"k3y" NBSP "1", 0, NULL, "contains a non-ASCII character"},
    {"k3y\xe2\x80\x8b-1", 0, NULL, "contains a non-ASCII character"},
    {"k3y-\xc3\xa9", 0, NULL, "contains a non-ASCII character"},
    {"k3y-\xff", 0, NULL, "contains a non-ASCII character"},
    {"\xe2\x80\x9ck3y-1\xe2\x80\x9d", 0, NULL, "contains a non-ASCII character"},
    {"k3y\x7f", 0, NULL, "contains a control character"},
    {"k3y\x1b[0m", 0, NULL, "contains a control character"},
    {"k3y\0-1", 6, NULL, "contains a control character"},
    {"\xff\xfek\0"
     "3\0y\0",
     8, NULL, "appears to be UTF-16; save it as UTF-8 or plain text"},
    {"\xfe\xff\0k\0"
     "3\0y",
     8, NULL, "appears to be UTF-16; save it as UTF-8 or plain text"},
    {"k\0"
     "3\0y\0",
     6, NULL, "appears to be UTF-16; save it as UTF-8 or plain text"},
};

static void expect_content(const struct content_row *row, const char *subject, enum rc rc,
                           struct buf *key, const struct err *e)
{
    char want[512];
    (void)snprintf(want, sizeof want, "%s%s%s%s", row->key ? row->key : subject,
                   row->key ? "" : " ", row->key ? "" : row->fault, row->key ? "" : ALLOWED);
    const char *got = rc == RC_OK ? buf_cstr(key) : e->msg;
    if ((rc == RC_OK) != (row->key != NULL) || strcmp(got, want) != 0)
        fail_msg("\"%s\": got %d \"%s\", want \"%s\"", row->text, rc, got, want);
}

static void contents_of_a_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof content_rows / sizeof *content_rows; i++) {
        const struct content_row *row = &content_rows[i];
        struct buf key;
        struct err e = {RC_OK, ""};
        char subject[64];
        char *path = write_file(row->text, row->len ? row->len : strlen(row->text));
        (void)snprintf(subject, sizeof subject, "--api-key-file: %s", path);
        enum rc rc = credential_load(&key, &profile, path, registry, &e);
        (void)unlink(path);
        expect_content(row, subject, rc, &key, &e);
        credential_free(&key);
    }
}

static void contents_of_a_variable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof content_rows / sizeof *content_rows; i++) {
        const struct content_row *row = &content_rows[i];
        struct buf key;
        struct err e = {RC_OK, ""};
        if (row->len) /* with a NUL: no variable can hold it */
            continue;
        struct secrets *own = NULL;
        assert_int_equal(secrets_new(&own), RC_OK);
        assert_int_equal(setenv("TEST_API_KEY", row->text, 1), 0);
        enum rc rc = credential_load(&key, &profile, NULL, own, &e);
        expect_content(row, "TEST_API_KEY", rc, &key, &e);
        assert_null(getenv("TEST_API_KEY"));
        credential_free(&key);
        secrets_free(own);
    }
}

static void too_long(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'k', sizeof text);
    static const size_t lengths[] = {CREDENTIAL_BYTES_MAX, TOO_LONG, sizeof text};
    for (size_t i = 0; i < 3; i++) {
        struct buf key;
        struct err e;
        char *path = write_file(text, lengths[i]);
        enum rc rc = credential_load(&key, &profile, path, registry, &e);
        (void)unlink(path);
        assert_int_equal(rc, i == 0 ? RC_OK : RC_USAGE);
        if (i && (!strstr(e.msg, path) ||
                  !strstr(e.msg, " is too long: an API key has at most 8192 bytes")))
            fail_msg("%s", e.msg);
        credential_free(&key);
    }
}

/* Read once, and gone from the environment: where it was, too. */
static void environment(void **state)
{
    (void)state;
    struct buf key;
    struct err e;
    assert_int_equal(credential_load(&key, &profile, NULL, registry, &e), RC_USAGE);
    assert_string_equal(e.msg, "no API key: set TEST_API_KEY, or give --api-key-file FILE");
    struct secrets *own = NULL;
    assert_int_equal(secrets_new(&own), RC_OK);
    assert_int_equal(setenv("TEST_API_KEY", "k3y-0123", 1), 0);
    const char *place = getenv("TEST_API_KEY");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(credential_load(&key, &profile, NULL, own, &e), RC_OK);
        assert_string_equal(buf_cstr(&key), "k3y-0123");
        assert_null(getenv("TEST_API_KEY"));
        assert_string_equal(place, "");
        credential_free(&key);
    }
    char text[] = "the key k3y-0123 is wrong";
    secrets_redact(own, text, sizeof text);
    assert_string_equal(text, "the key *** is wrong");
    secrets_free(own);
}

/* The name is shown, except where it may be the key itself. */
static void files_that_cannot_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *file, *error;
    } rows[] = {
        {"nowhere/key", "--api-key-file: nowhere/key cannot be opened: No such file or directory"},
        {"/dev/null/key", "--api-key-file: /dev/null/key cannot be opened: Not a directory"},
        {"/tmp", "--api-key-file: /tmp is a directory; give a file that contains the API key"},
        {"/sk-live-1234", "--api-key-file: the file (name not shown because it looks like a key) "
                          "cannot be opened: No such file or directory"},
        {"0aK1bL2cM3dN4eO5fP6gQ7",
         "--api-key-file: the file (name not shown because it looks like a key) "
         "cannot be opened: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf key;
        struct err e;
        assert_int_equal(credential_load(&key, &profile, rows[i].file, registry, &e), RC_USAGE);
        assert_string_equal(e.msg, rows[i].error);
    }
}

static void none_wanted(void **state)
{
    (void)state;
    struct profile open = profile;
    struct buf key;
    struct err e;
    open.key_header = STR("");
    assert_int_equal(credential_load(&key, &open, NULL, registry, &e), RC_OK);
    assert_string_equal(buf_cstr(&key), "");
    credential_free(&key);
    assert_int_equal(credential_load(&key, &open, "/tmp/x", registry, &e), RC_USAGE);
}

static void loopback(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool want;
    } rows[] = {
        {"http://127.0.0.1:80/x", true},
        {"http://127.255.0.9", true},
        {"http://localhost", true},
        {"http://LOCALHOST.:8080/", true},
        {"http://app.localhost/", true},
        {"http://[::1]:9/", true},
        {"http://[::ffff:127.0.0.1]/", true},
        {"http://0x7f000001/", true},
        {"http://[0:0:0:0:0:0:0:1]/", true},
        {"http://128.0.0.1/", false},
        {"http://example.com/", false},
        {"http://notlocalhost/", false},
        {"http://localhost.example/", false},
        {"http://127.0.0.1.example/", false},
        {"http://[::2]/", false},
        {"http://0.0.0.0/", false},
        {"http://localhost@example/", false},
        {"", false},
        {"http://", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool got = url_is_loopback(rows[i].url);
        if (got != rows[i].want)
            fail_msg("%s: got %d", rows[i].url, got);
    }
    assert_true(url_is_plain_http("HTTP://x"));
    assert_false(url_is_plain_http("https://x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_of_a_file),
        cmocka_unit_test(contents_of_a_variable),
        cmocka_unit_test(too_long),
        cmocka_unit_test(environment),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(none_wanted),
        cmocka_unit_test(loopback),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
