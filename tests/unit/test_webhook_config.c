#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/sink_http.h"
#include "sinks/registry.h"
#include "sinks/webhook/webhook_config.h"

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

/* What becomes of a text that a receiver may answer. */
static void expect_redacted(const char *text, const char *want)
{
    char got[256];
    (void)snprintf(got, sizeof got, "%s", text);
    secrets_redact(registry, got, sizeof got);
    assert_string_equal(got, want);
}

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

struct url_row {
    const char *url;
    bool allow_http;
    const char *refusal; /* NULL: none */
};

static void urls(void **state)
{
    (void)state;
    static const struct url_row rows[] = {
        {"https://crm.example/hook", false, NULL},
        {"HTTPS://crm.example/hook?x=1#top", false, NULL},
        {"https://crm.example:8443", false, NULL},
        {"http://127.0.0.1:8080/hook", false, NULL},
        {"http://127.9.9.9/", false, NULL},
        {"http://localhost/hook", false, NULL},
        {"http://LOCALHOST:1/hook", false, NULL},
        {"http://hooks.localhost/", false, NULL},
        {"http://[::1]:8080/", false, NULL},
        {"http://crm.example/hook", true, NULL},
        {"http://crm.example/hook", false, "--allow-http"},
        {"http://127.0.0.1.evil.example/", false, "--allow-http"},
        {"http://localhost.evil.example/", false, "--allow-http"},
        {"http://notlocalhost/", false, "--allow-http"},
        {"http://10.0.0.1/", false, "--allow-http"},
        {"http://[2001:db8::1]/", false, "--allow-http"},
        {"https://user@crm.example/", false, "header-env"},
        {"https://user:hidden@crm.example/", false, "header-env"},
        {"https://:hidden@crm.example/", true, "header-env"},
        {"ftp://crm.example/", false, "http, https"},
        {"file:///etc/passwd", true, "URL"},
        {"crm.example/hook", false, "URL"},
        {"", false, "URL"},
        {"https://", false, "URL"},
        {"https://crm example/", false, "URL"},
        {"https://crm.example/\n", false, "URL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        const struct sink_http_cfg http = {.allow_http = rows[i].allow_http};
        const struct sink_cfg cfg = {.spec = "webhook:SPEC", .target = rows[i].url, .http = &http};
        enum rc rc = webhook_url_check(&cfg, &e);
        bool as_wanted =
            rows[i].refusal ? rc == RC_USAGE && strstr(e.msg, rows[i].refusal) : rc == RC_OK;
        if (!as_wanted || strstr(e.msg, "hidden") || (rc && !strstr(e.msg, "webhook:SPEC")))
            fail_msg("%s: got %s \"%s\", want %s", rows[i].url, rc_text(rc), e.msg,
                     rows[i].refusal ? rows[i].refusal : "ok");
    }
}

static void types(void **state)
{
    (void)state;
    static const char *const good[] = {"lead.exported", "a", "crm:lead/v2_new-1"};
    static const char *const bad[] = {"", "two words", "\"", "caf\xc3\xa9", "a\nb"};
    struct webhook_opts opts = {0};
    const struct sink_cfg cfg = {.spec = "webhook:SPEC", .opts = &opts, .secrets = registry};
    struct err e;
    assert_int_equal(webhook_type_check(&cfg, &e), RC_OK);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        opts.type = good[i];
        assert_int_equal(webhook_type_check(&cfg, &e), RC_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        opts.type = bad[i];
        assert_int_equal(webhook_type_check(&cfg, &e), RC_USAGE);
    }
}

/* ---- headers ---- */

static struct text_list list_of(const char **items, size_t n)
{
    return (struct text_list){.items = items, .n = n};
}

static void headers(void **state)
{
    (void)state;
    const char *plain[] = {"X-Team: sales, north ", "X-Empty-Ok:\tx"};
    const char *env[] = {"Authorization: TEST_WEBHOOK_AUTH"};
    struct webhook_opts opts = {.headers = list_of(plain, 2), .header_envs = list_of(env, 1)};
    const struct sink_cfg cfg = {.spec = "webhook:SPEC", .opts = &opts, .secrets = registry};
    struct webhook_headers h;
    struct err e;
    assert_int_equal(setenv("TEST_WEBHOOK_AUTH", "Bearer t0p-s3cret", 1), 0);
    if (webhook_headers_make(&h, &cfg, &e) != RC_OK)
        fail_msg("%s", e.msg);
    static const char *const want[][2] = {
        {"X-Team", "sales, north"},
        {"X-Empty-Ok", "x"},
        {"Authorization", "Bearer t0p-s3cret"},
        {"Content-Type", "application/json"},
    };
    assert_int_equal(h.n, 4);
    for (size_t i = 0; i < h.n; i++) {
        assert_string_equal(h.list[i].name, want[i][0]);
        assert_string_equal(h.list[i].value, want[i][1]);
    }
    assert_null(getenv("TEST_WEBHOOK_AUTH"));
    expect_redacted("application/json for sales, north: Bearer t0p-s3cret",
                    "application/json for ***: Bearer ***");
    webhook_headers_free(&h);
}

static void a_content_type_of_ones_own(void **state)
{
    (void)state;
    const char *plain[] = {"content-TYPE: application/vnd.acme+json"};
    struct webhook_opts opts = {.headers = list_of(plain, 1)};
    const struct sink_cfg cfg = {.spec = "webhook:SPEC", .opts = &opts, .secrets = registry};
    struct webhook_headers h;
    assert_int_equal(webhook_headers_make(&h, &cfg, NULL), RC_OK);
    assert_int_equal(h.n, 1);
    webhook_headers_free(&h);
}

/* Whichever option gives them, and however they are written. */
static void headers_of_the_program(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } rows[] = {
        {"Content-Length", "where the message ends"},
        {"CONTENT-LENGTH", "where the message ends"},
        {"content-length ", "where the message ends"},
        {"Transfer-Encoding", "where the message ends"},
        {"TE", "where the message ends"},
        {"te", "where the message ends"},
        {"Trailer", "where the message ends"},
        {"Connection", "about the connection"},
        {"Keep-Alive", "about the connection"},
        {"Upgrade", "about the connection"},
        {"HTTP2-Settings", "about the connection"},
        {"Proxy-Connection", "for a proxy"},
        {"Proxy-Authorization", "for a proxy"},
        {"proxy-authenticate", "for a proxy"},
        {"Host", "from the URL"},
        {" host", "from the URL"},
        {"Expect", "wait for the server's consent"},
        {"Accept-Encoding", "compressions"},
        {"Content-Encoding", "compressed"},
        {"Webhook-Id", "signature"},
        {"webhook-timestamp", "signature"},
        {"WEBHOOK-SIGNATURE", "signature"},
    };
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%s: hidden", rows[i / 2].name);
        const char *items[] = {text};
        struct webhook_opts opts = {0};
        *(i % 2 ? &opts.header_envs : &opts.headers) = list_of(items, 1);
        const struct sink_cfg cfg = {.spec = "webhook:SPEC", .opts = &opts, .secrets = registry};
        struct webhook_headers h;
        struct err e = {0};
        enum rc rc = webhook_headers_make(&h, &cfg, &e);
        size_t blank = strspn(rows[i / 2].name, " ");
        char name[64];
        (void)snprintf(name, sizeof name, "the header %.*s cannot be set",
                       (int)strcspn(rows[i / 2].name + blank, " "), rows[i / 2].name + blank);
        if (rc != RC_USAGE || !strstr(e.msg, name) || !strstr(e.msg, rows[i / 2].why) ||
            strstr(e.msg, "hidden"))
            fail_msg("\"%s\": got %s \"%s\", want \"%s\"", text, rc_text(rc), e.msg,
                     rows[i / 2].why);
    }
}

/* Those that only look like them. */
static void headers_of_anyone(void **state)
{
    (void)state;
    const char *items[] = {"X-Content-Length: 1", "Tea: 1",       "Hosts: 1",        "Proxy: 1",
                           "X-Proxy-A: 1",        "Expect-CT: 1", "User-Agent: crm", "Cookie: a",
                           "Webhook-Team: 1"};
    size_t n = sizeof items / sizeof *items;
    struct webhook_opts opts = {.headers = list_of(items, n)};
    const struct sink_cfg cfg = {.spec = "webhook:SPEC", .opts = &opts, .secrets = registry};
    struct webhook_headers h;
    struct err e = {0};
    if (webhook_headers_make(&h, &cfg, &e) != RC_OK)
        fail_msg("%s", e.msg);
    assert_int_equal(h.n, n + 1); /* and Content-Type */
    webhook_headers_free(&h);
}

struct bad_header {
    bool env;
    const char *text, *refusal;
};

static void bad_headers(void **state)
{
    (void)state;
    static const struct bad_header rows[] = {
        {false, "hidden", "missing colon"},
        {false, ": hidden", "not a header name"},
        {false, "hid den: hidden", "not a header name"},
        {false, "X-A:", "X-A is empty"},
        {false, "X-A:  ", "X-A is empty"},
        {false, "X-A: a\r\nX-B: b", "control character"},
        {true, "X-A", "missing colon"},
        {true, "X-A: TEST_WEBHOOK_UNSET", "TEST_WEBHOOK_UNSET is not set"},
        {true, "X-A: TEST_WEBHOOK_EMPTY", "TEST_WEBHOOK_EMPTY is not set"},
        {true, "X-A: TEST_WEBHOOK_LINES", "TEST_WEBHOOK_LINES has several lines"},
        {true, "X-A: TEST_WEBHOOK_BELL", "TEST_WEBHOOK_BELL contains a control character"},
        {true, "X-A: TEST_WEBHOOK_NBSP", "TEST_WEBHOOK_NBSP contains a non-ASCII character"},
        {true, "X-A: TEST_WEBHOOK_BLANKS", "TEST_WEBHOOK_BLANKS is empty"},
        {true, "X-A:", "is not set"},
        {true, "Authorization: Bearer hidden", "(not the name of one) is not set"},
    };
    assert_int_equal(unsetenv("TEST_WEBHOOK_UNSET"), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_EMPTY", "", 1), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_LINES", "hidden\nhidden", 1), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_BELL", "hidden\ahidden", 1), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_NBSP", "hidden\xc2\xa0hidden", 1), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_BLANKS", " \n\xc2\xa0\n", 1), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *items[] = {rows[i].text};
        struct webhook_opts opts = {0};
        *(rows[i].env ? &opts.header_envs : &opts.headers) = list_of(items, 1);
        const struct sink_cfg cfg = {.spec = "webhook:SPEC", .opts = &opts, .secrets = registry};
        struct webhook_headers h;
        struct err e = {0};
        enum rc rc = webhook_headers_make(&h, &cfg, &e);
        if (rc != RC_USAGE || !strstr(e.msg, rows[i].refusal) || strstr(e.msg, "hidden"))
            fail_msg("\"%s\": got %s \"%s\", want \"%s\"", rows[i].text, rc_text(rc), e.msg,
                     rows[i].refusal);
    }
}

/* ---- secrets ---- */

static void expect_secrets(const struct webhook_opts *opts, const char *refusal)
{
    const struct sink_cfg cfg = {.spec = "webhook:SPEC", .opts = opts, .secrets = registry};
    struct webhook_secrets *s = NULL;
    struct err e = {0};
    enum rc rc = webhook_secrets_load(&s, &cfg, &e);
    bool as_wanted = refusal
                         ? rc == RC_USAGE && strstr(e.msg, refusal) && strstr(e.msg, "webhook:SPEC")
                         : rc == RC_OK;
    if (!as_wanted || strstr(e.msg, "hidden"))
        fail_msg("got %s \"%s\", want %s", rc_text(rc), e.msg, refusal ? refusal : "ok");
    bool wanted = !refusal && (opts->secret_env || opts->secret_file);
    assert_true((s != NULL) == wanted);
    webhook_secrets_free(s);
}

static void secrets_from_variables(void **state)
{
    (void)state;
    assert_int_equal(setenv("TEST_WEBHOOK_SECRET", "\xef\xbb\xbf" SECRET " " SECRET " \n", 1), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_UTF8", "\xe2\x80\x9chidden\xe2\x80\x9d", 1), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_BAD", "hidden!", 1), 0);
    assert_int_equal(setenv("TEST_WEBHOOK_EMPTY", "", 1), 0);
    assert_int_equal(unsetenv("TEST_WEBHOOK_UNSET"), 0);
    expect_secrets(&(struct webhook_opts){0}, NULL);
    expect_secrets(&(struct webhook_opts){.secret_env = "TEST_WEBHOOK_SECRET"}, NULL);
    assert_null(getenv("TEST_WEBHOOK_SECRET"));
    /* once more, as a second sink or open() after check() asks for it */
    expect_secrets(&(struct webhook_opts){.secret_env = "TEST_WEBHOOK_SECRET"}, NULL);
    expect_redacted("got " SECRET, "got whsec_***");
    expect_redacted("got 31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0", "got ***");
    expect_secrets(&(struct webhook_opts){.secret_env = "TEST_WEBHOOK_UTF8"}, "non-ASCII");
    expect_secrets(&(struct webhook_opts){.secret_env = "TEST_WEBHOOK_BAD"}, "not base64");
    expect_secrets(&(struct webhook_opts){.secret_env = "TEST_WEBHOOK_EMPTY"}, "no secret");
    expect_secrets(&(struct webhook_opts){.secret_env = "TEST_WEBHOOK_UNSET"}, "not set");
    expect_secrets(&(struct webhook_opts){.secret_env = "whsec_hidden"}, "is not set");
    expect_secrets(&(struct webhook_opts){.secret_env = "hidden/+="}, "is not set");
}

static void two_sources_of_secrets(void **state)
{
    (void)state;
    struct sink_spec spec = {0};
    struct err e = {RC_OK, ""};
    assert_int_equal(sink_spec_parse(&spec, "webhook,secret-file=B,secret-env=A:https://h/", &e),
                     RC_USAGE);
    assert_string_equal(e.msg, "webhook: secret-env and secret-file cannot be used together");
}

static void write_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void secrets_from_files(void **state)
{
    (void)state;
    static char large[70000];
    char folder[] = "/tmp/leadpipe-webhook-XXXXXX", before[4096];
    assert_non_null(mkdtemp(folder));
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    write_file("good", SECRET "\n" SECRET "\n", 2 * sizeof SECRET);
    write_file("bad", "hidden!", 7);
    write_file("empty", "", 0);
    write_file("utf16", "\xff\xfeh\0i\0d\0d\0e\0n\0", 14);
    write_file("large", large, sizeof large);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    expect_secrets(&(struct webhook_opts){.secret_file = "good"}, NULL);
    expect_secrets(&(struct webhook_opts){.secret_file = "bad"}, "bad: secret 1 is not base64");
    expect_secrets(&(struct webhook_opts){.secret_file = "empty"}, "empty: contains no secret");
    expect_secrets(&(struct webhook_opts){.secret_file = "utf16"}, "utf16: appears to be UTF-16");
    expect_secrets(&(struct webhook_opts){.secret_file = "whsec_hidden"}, "No such file");
    expect_secrets(&(struct webhook_opts){.secret_file = "large"}, "is larger than 64 KiB");
    expect_secrets(&(struct webhook_opts){.secret_file = "absent"}, "absent: No such file");
    expect_secrets(&(struct webhook_opts){.secret_file = "pipe"}, "not a regular file");
    expect_secrets(&(struct webhook_opts){.secret_file = "."}, "not a regular file");
    assert_int_equal(system("rm -f utf16 good bad empty large pipe"), 0);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(urls, begin, end),
        cmocka_unit_test_setup_teardown(types, begin, end),
        cmocka_unit_test_setup_teardown(headers, begin, end),
        cmocka_unit_test_setup_teardown(a_content_type_of_ones_own, begin, end),
        cmocka_unit_test_setup_teardown(bad_headers, begin, end),
        cmocka_unit_test(headers_of_the_program),
        cmocka_unit_test(headers_of_anyone),
        cmocka_unit_test_setup_teardown(secrets_from_variables, begin, end),
        cmocka_unit_test(two_sources_of_secrets),
        cmocka_unit_test_setup_teardown(secrets_from_files, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
