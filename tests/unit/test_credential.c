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
#include "core/loopback.h"

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

static void contents(void **state)
{
    (void)state;
    static const char needs_line[] =
        "--api-key-file: an API key is one line without control characters";
    static const struct {
        const char *text, *key, *error;
    } rows[] = {
        {"k3y", "k3y", NULL},
        {"k3y\n", "k3y", NULL},
        {"k3y\r\n", "k3y", NULL},
        {" k 3 y ", " k 3 y ", NULL},
        {"k3y\n\n", NULL, needs_line},
        {"k3y\r", NULL, needs_line},
        {"k3y\nX-Other: 1\n", NULL, needs_line},
        {"k\x7f", NULL, needs_line},
        {"", NULL, "--api-key-file: is empty; it must hold the API key"},
        {"\n", NULL, "--api-key-file: is empty; it must hold the API key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf key;
        struct err e = {RC_OK, ""};
        char *path = write_file(rows[i].text, strlen(rows[i].text));
        enum rc rc = credential_load(&key, &profile, path, &e);
        (void)unlink(path);
        const char *want = rows[i].key ? rows[i].key : rows[i].error;
        const char *got = rc == RC_OK ? buf_cstr(&key) : e.msg;
        if ((rc == RC_OK) != (rows[i].key != NULL) || strcmp(got, want) != 0)
            fail_msg("\"%s\": got %d %s, want %s", rows[i].text, rc, got, want);
        credential_free(&key);
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
        enum rc rc = credential_load(&key, &profile, path, &e);
        (void)unlink(path);
        assert_int_equal(rc, i == 0 ? RC_OK : RC_USAGE);
        if (i)
            assert_string_equal(e.msg, "--api-key-file: an API key has at most 8192 bytes");
        credential_free(&key);
    }
}

static void environment(void **state)
{
    (void)state;
    struct buf key;
    struct err e;
    assert_int_equal(setenv("TEST_API_KEY", "k3y", 1), 0);
    assert_int_equal(credential_load(&key, &profile, NULL, &e), RC_OK);
    assert_string_equal(buf_cstr(&key), "k3y");
    assert_null(getenv("TEST_API_KEY"));
    credential_free(&key);
    assert_int_equal(credential_load(&key, &profile, NULL, &e), RC_USAGE);
    assert_string_equal(e.msg, "no API key: set TEST_API_KEY, or give --api-key-file FILE");
}

/* Neither what is in a file that cannot be read nor its name, which may be the key itself. */
static void not_in_messages(void **state)
{
    (void)state;
    struct buf key;
    struct err e;
    assert_int_equal(credential_load(&key, &profile, "/sk-live-1234", &e), RC_USAGE);
    assert_string_equal(e.msg,
                        "--api-key-file: the file cannot be opened: No such file or directory");
    assert_int_equal(credential_load(&key, &profile, "/tmp", &e), RC_USAGE);
    assert_string_equal(e.msg, "--api-key-file: cannot be read: Is a directory");
}

static void none_wanted(void **state)
{
    (void)state;
    struct profile open = profile;
    struct buf key;
    struct err e;
    open.key_header = STR("");
    assert_int_equal(credential_load(&key, &open, NULL, &e), RC_OK);
    assert_string_equal(buf_cstr(&key), "");
    credential_free(&key);
    assert_int_equal(credential_load(&key, &open, "/tmp/x", &e), RC_USAGE);
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
        cmocka_unit_test(contents),    cmocka_unit_test(too_long),
        cmocka_unit_test(environment), cmocka_unit_test(not_in_messages),
        cmocka_unit_test(none_wanted), cmocka_unit_test(loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
