#include "core/object/aws_credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "cmocka_all.h"

/* ---- a system that gives less than it is asked for ------------------------------------------- */

static size_t read_most = 1 << 20;
static unsigned reads_interrupted;
static const char *grows; /* what is appended to the file at hand before its last read */
static char path[64];

static void append(const char *text)
{
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* As the C library's (pread64() where offsets have 64 bits), in its place. */
ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    if (reads_interrupted) {
        reads_interrupted--;
        errno = EINTR;
        return -1;
    }
    ssize_t got = syscall(SYS_pread64, fd, p, n < read_most ? n : read_most, at);
    if (got == 0 && grows) {
        const char *text = grows;
        grows = NULL;
        append(text);
        return pread(fd, p, n, at);
    }
    return got;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void write_file(const char *text)
{
    (void)unlink(path);
    append(text);
}

struct fixture {
    struct secrets *secrets;
    struct aws_credentials *credentials;
};

static void load(struct fixture *f)
{
    struct err e = {.rc = RC_OK};
    assert_int_equal(secrets_new(&f->secrets), RC_OK);
    if (aws_credentials_load(&f->credentials, f->secrets, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

static void unload(struct fixture *f)
{
    aws_credentials_free(f->credentials);
    secrets_free(f->secrets);
}

static void assert_keys(const struct aws_keys *keys, const char *access_key, const char *secret_key,
                        const char *session_token)
{
    assert_string_equal(keys->access_key, access_key);
    assert_string_equal(keys->secret_key, secret_key);
    if (session_token)
        assert_string_equal(keys->session_token, session_token);
    else
        assert_null(keys->session_token);
}

static const char whole[] =
    "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = secret-1\n"
    "aws_session_token = token-1\n";

static void short_reads(void **state)
{
    static const size_t mosts[] = {1, 2, 7, 64, 1 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof mosts / sizeof *mosts; i++) {
        struct fixture f;
        read_most = mosts[i];
        reads_interrupted = 3;
        write_file(whole);
        load(&f);
        assert_keys(aws_credentials_keys(f.credentials), "AKIA1", "secret-1", "token-1");
        unload(&f);
    }
    read_most = 1 << 20;
}

/* Longer than it was when it was opened. */
static void file_that_grows(void **state)
{
    struct fixture f;
    (void)state;
    write_file("[default]\naws_access_key_id = AKIA1\naws_secret_access_key = secret-1\n");
    grows = "aws_session_token = token-1\n";
    load(&f);
    assert_keys(aws_credentials_keys(f.credentials), "AKIA1", "secret-1", "token-1");
    unload(&f);
}

static void sizes(void **state)
{
    static const struct {
        int blanks;
        enum rc rc;
    } rows[] = {
        {0, RC_OK},          {4096, RC_OK},       {(1 << 20) - 200, RC_OK},
        {1 << 20, RC_USAGE}, {1 << 21, RC_USAGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct secrets *s = NULL;
        struct aws_credentials *c = NULL;
        struct err e = {.rc = RC_OK};
        char *blanks = NULL;
        assert_true(asprintf(&blanks, "%*s\n", rows[i].blanks, "") > 0);
        write_file(blanks);
        append(whole);
        assert_int_equal(secrets_new(&s), RC_OK);
        assert_int_equal(aws_credentials_load(&c, s, &e), rows[i].rc);
        if (rows[i].rc != RC_OK)
            assert_non_null(strstr(e.msg, "has more than 1024 KiB"));
        aws_credentials_free(c);
        secrets_free(s);
        free(blanks);
    }
}

/* ---- read again ------------------------------------------------------------------------------ */

static void renewed(void **state)
{
    static const struct {
        const char *text;
        enum rc rc;
        const char *access_key; /* by then */
        const char *error;
    } rows[] = {
        {whole, RC_END, "AKIA1", "has no others"},
        {"", RC_BUSY, "AKIA1", "no profile [default]"},
        {"[default]\n", RC_BUSY, "AKIA1", "lacks"},
        {"[default]\naws_access_key_id = AKIA2\n", RC_BUSY, "AKIA1", "lacks"},
        {"[default]\naws_access_key_id = A B\naws_secret_access_key = secret-1\n", RC_USAGE,
         "AKIA1", "access key ID"},
        {"[default]\naws_access_key_id = AKIA2\naws_secret_access_key = secret-1\n", RC_OK, "AKIA2",
         ""},
        {"[default]\naws_access_key_id = AKIA2\naws_secret_access_key = secret-2\n", RC_OK, "AKIA2",
         ""},
        {"[default]\naws_access_key_id = AKIA2\naws_secret_access_key = secret-2\n"
         "aws_session_token = token-2\n",
         RC_OK, "AKIA2", ""},
        {whole, RC_OK, "AKIA1", ""},
    };
    struct fixture f;
    (void)state;
    write_file(whole);
    load(&f);
    const struct aws_keys *first = aws_credentials_keys(f.credentials);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct aws_keys *refused = aws_credentials_keys(f.credentials);
        struct err e = {.rc = RC_OK};
        write_file(rows[i].text);
        assert_int_equal(aws_credentials_renew(f.credentials, refused, &e), rows[i].rc);
        assert_non_null(strstr(e.msg, rows[i].error));
        assert_string_equal(aws_credentials_keys(f.credentials)->access_key, rows[i].access_key);
        assert_int_equal(aws_credentials_keys(f.credentials) != refused, rows[i].rc == RC_OK);
    }
    assert_keys(first, "AKIA1", "secret-1", "token-1"); /* still there for whoever signs with it */
    char text[] = "secret-2 and token-2";
    secrets_redact(f.secrets, text, sizeof text);
    assert_string_equal(text, "*** and ***");
    unload(&f);
}

/* Whoever was refused with older ones takes the latest, without a look at the file. */
static void others_were_quicker(void **state)
{
    struct fixture f;
    struct err e = {.rc = RC_OK};
    (void)state;
    write_file(whole);
    load(&f);
    const struct aws_keys *refused = aws_credentials_keys(f.credentials);
    write_file("[default]\naws_access_key_id = AKIA2\naws_secret_access_key = secret-2\n");
    assert_int_equal(aws_credentials_renew(f.credentials, refused, &e), RC_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(aws_credentials_renew(f.credentials, refused, &e), RC_OK);
    assert_int_equal(aws_credentials_renew(f.credentials, aws_credentials_keys(f.credentials), &e),
                     RC_BUSY);
    assert_non_null(strstr(e.msg, "no longer exists"));
    unload(&f);
}

static void *sign_and_renew(void *fixture)
{
    struct fixture *f = fixture;
    for (int i = 0; i < 200; i++) {
        struct err e = {.rc = RC_OK};
        const struct aws_keys *keys = aws_credentials_keys(f->credentials);
        /* What belongs together comes together. */
        if (strcmp(keys->access_key + strlen("AKIA"), keys->secret_key + strlen("secret-")) != 0)
            return (void *)f;
        (void)aws_credentials_renew(f->credentials, keys, &e);
    }
    return NULL;
}

static void many_threads(void **state)
{
    struct fixture f;
    pthread_t threads[4];
    (void)state;
    write_file(whole);
    load(&f);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_and_renew, &f), 0);
    for (int n = 2; n < 40; n++) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "[default]\naws_access_key_id = AKIA%d\naws_secret_access_key = secret-%d\n",
                       n, n);
        write_file(text);
    }
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        void *mixed = NULL;
        assert_int_equal(pthread_join(threads[i], &mixed), 0);
        assert_null(mixed);
    }
    unload(&f);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/leadpipe-credentials-%ld", (long)getpid());
    (void)unsetenv("AWS_ACCESS_KEY_ID");
    (void)unsetenv("AWS_SECRET_ACCESS_KEY");
    (void)unsetenv("AWS_PROFILE");
    return setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_reads),
        cmocka_unit_test(file_that_grows),
        cmocka_unit_test(sizes),
        cmocka_unit_test(renewed),
        cmocka_unit_test(others_were_quicker),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
