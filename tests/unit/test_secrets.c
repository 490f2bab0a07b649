#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/credential_text.h"
#include "core/base/secrets.h"
#include "core/base/url.h"

#define KEY "sk/live/A-b+9_0123456789~xyz"

static struct secrets *made(const char *const secrets[])
{
    struct secrets *s = NULL;
    assert_int_equal(secrets_new(&s), RC_OK);
    for (size_t i = 0; secrets && secrets[i]; i++)
        assert_int_equal(secrets_add(s, str_c(secrets[i])), RC_OK);
    return s;
}

static void expect(struct secrets *s, const char *text, const char *want)
{
    size_t size = strlen(text) + 1;
    char *got = malloc(size);
    assert_non_null(got);
    memcpy(got, text, size);
    secrets_redact(s, got, size);
    if (strcmp(got, want) != 0)
        fail_msg("\"%s\": got \"%s\", want \"%s\"", text, got, want);
    free(got);
}

/* The encodings were made with Python (json, urllib.parse, html, base64, quopri). */
static void encodings(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"the key " KEY " is wrong", "the key *** is wrong"},
        {KEY KEY, "***"},
        {KEY ", " KEY, "***, ***"},
        {"SK/LIVE/a-B+9_0123456789~XYZ", "***"}, /* a host's name is in lower case */
        /* JSON */
        {"{\"e\":\"sk\\/live\\/A-b+9_0123456789~xyz\"}", "{\"e\":\"***\"}"},
        {"\\u0073\\u006b\\u002Flive/A-b+9_0123456789~xyz!", "***!"},
        {"sk\\\\/live\\\\/A-b+9_0123456789~xyz", "***"}, /* JSON in JSON */
        {"\\\\u0073k\\\\u002flive/A-b+9_0123456789~xyz", "***"},
        {"\\x73k\\x2flive\\57A-b+9_0123456789~x\\u{79}\\U0000007A.", "***."},
        /* URLs */
        {"/x?k=sk%2Flive%2FA-b%2B9_0123456789~xyz&y", "/x?k=***&y"},
        {"sk%2flive%2fA-b%2b9_0123456789%7exyz", "***"},
        {"sk%252Flive%252FA-b%252B9_0123456789~xyz", "***"},
        {"sk%25252Flive%25252FA-b%25252B9_0123456789~xyz", "***"},
        {"sk%u002flive/A-b+9_0123456789~xyz", "***"},
        {"%73%6b%2f%6c%69%76%65%2f%41%2d%62%2b%39%5f%30%31%32%33%34%35%36%37%38%39%7e%78%79%7a",
         "***"},
        /* HTML */
        {"<p>sk&#47;live&#x2F;A-b&plus;9_0123456789~xyz</p>", "<p>***</p>"},
        {"sk&#x2Flive&#47A-b+9_0123456789~xyz", "***"},
        {"sk&sol;live&sol;A&#45;b+9&lowbar;0123456789~xyz", "***"},
        {"sk&amp;#47;live&amp;#47;A-b+9_0123456789~xyz", "***"},
        /* quoted-printable */
        {"sk=2Flive=2FA-b=2B9_0123456789~xyz", "***"},
        {"sk/live/A-b+9_01234=\r\n56789~xyz", "***"},
        /* base64: alone, and behind one and two other bytes; with the other alphabet; in lines */
        {"c2svbGl2ZS9BLWIrOV8wMTIzNDU2Nzg5fnh5eg==", "***=="},
        {"IHNrL2xpdmUvQS1iKzlfMDEyMzQ1Njc4OX54eXo=", "I***="},
        {"dTpzay9saXZlL0EtYis5XzAxMjM0NTY3ODl-eHl6", "dT***"},
        {"Basic YXBpOnNrL2xpdmUvQS1iKzlfMDEyMzQ1Njc4OX54eXo=.", "Basic YXBpO***=."},
        {"c2svbGl2ZS9BLWIrOV8wMTIzNDU2Nzg5\r\nfnh5eg==", "***=="},
        {"c2svbGl2ZS9BLWIrOV8wMTIzNDU2Nzg5  fnh5eg==", "***=="},
        {"YzJzdmJHbDJaUzlCTFdJck9WOHdNVEl6TkRVMk56ZzVmbmg1ZWc9PQ==", "***9PQ=="},
        {"c2slMkZsaXZlJTJGQS1iJTJCOV8wMTIzNDU2Nzg5fnh5eg", "***"}, /* percent-encoding within */
        {"c2svbGl2ZS9BLWIrOV8wMTIzNDU2Nzg5fnh5eg%3D%3D", "***%3D%3D"},
        /* hexadecimal */
        {"736b2f6c6976652f412d622b395f303132333435363738397e78797a", "***"},
        {"0x736B2F6C6976652F412D622B395F303132333435363738397E78797A", "0x***"},
        {"73 6b 2f 6c 69 76 65 2f 41 2d 62 2b 39 5f 30 31 32 33 34 35 36 37 38 39 7e 78 79 7a",
         "***"},
        {"73:6b:2f:6c:69:76:65:2f:41:2d:62:2b:39:5f:30:31:32:33:34:35:36:37:38:39:7e:78:79:7a",
         "***"},
        {"a736b2f6c6976652f412d622b395f303132333435363738397e78797a", "a***"},
        /* cut */
        {"the key sk/live/A", "the key ***"},
        {"the key sk/l", "the key ***"},
        {"the key sk\\/live\\/A-b+9\\u00", "the key ***"},
        {"the key sk%2Flive%2", "the key ***"},
        {"the key c2svbGl2ZS9BLWIrOV8", "the key ***"},
        {"the key sk/live/A-b+9_0123... ends early", "the key ***... ends early"},
        {"the key sk/live/... is of another kind", "the key sk/live/... is of another kind"},
        /* what is none */
        {"nothing here", "nothing here"},
        {"100 % & more \\ of = this: %zz &unknown; \\q",
         "100 % & more \\ of = this: %zz &unknown; \\q"},
        {"", ""},
    };
    static const char *const secrets[] = {KEY, NULL};
    struct secrets *s = made(secrets);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(s, rows[i][0], rows[i][1]);
    secrets_free(s);
}

static void lengths(void **state)
{
    (void)state;
    static const struct {
        const char *secret, *text, *want;
    } rows[] = {
        {"", "abc", "abc"},
        {"ab", "ab", "ab"},
        {"abc", "abc", "abc"}, /* too short to be looked for */
        {"prod", "prod is product", "*** is product"},
        {"prod", "reprod prod_1 {\"prod\"}", "reprod prod_1 {\"***\"}"},
        {"s3cret7", "s3cret7s3cret7, s3cret7", "s3cret7s3cret7, ***"},
        {"s3cret7", "czNjcmV0Nw==", "***=="},
        {"s3cret78", "xs3cret78x", "x***x"},
        {"100%25 sure", "100%25 sure, 100% sure", "***, ***"}, /* itself an escape */
        {"two words", "two+words two%20words", "*** ***"},
        {"\xff\x01\xfe\x02\xfd\x03\xfc\x04", "/wH+Av0D/AQ= ff01fe02fd03fc04", "***= ***"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const secrets[] = {rows[i].secret, NULL};
        struct secrets *s = made(secrets);
        expect(s, rows[i].text, rows[i].want);
        secrets_free(s);
    }
    expect(NULL, "k-12345678", "k-12345678");
    secrets_redact(NULL, NULL, 0);
}

/* What cannot be decoded to its end is left out, however small the room is. */
static void no_end(void **state)
{
    (void)state;
    static const char *const secrets[] = {KEY, NULL};
    struct secrets *s = made(secrets);
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 20000; i++)
        buf_addc(&text, '\\');
    buf_adds(&text, "n");
    char *copy = strdup(buf_cstr(&text));
    assert_non_null(copy);
    secrets_redact(s, copy, text.len + 1);
    assert_string_equal(copy, SECRETS_LEFT_OUT);
    free(copy);
    buf_free(&text);
    char small[] = "%252525252525252525252525252525252525";
    secrets_redact(s, small, 8);
    assert_string_equal(small, "the tex");
    secrets_free(s);
}

/* A long answer of ordinary content stays within the effort allowed. */
static void long_texts(void **state)
{
    (void)state;
    static const char *const secrets[] = {KEY, "a passphrase of words", NULL};
    static const char *const pieces[] = {
        "aGVsbG8gd29ybGQgKysrIC8vLw+/",
        "<a href=\"https://x.example/a%20b?c=d&amp;e=f\">&nbsp;</a>",
        "{\"message\":\"not \\u00e9 found\",\"path\":\"C:\\\\x\\/y\"}", "deadbeef00112233",
        "The quick brown fox jumps over the lazy dog. "};
    struct secrets *s = made(secrets);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct buf text;
        buf_init(&text, 1 << 20);
        while (text.len < 8192)
            buf_adds(&text, pieces[i]);
        expect(s, buf_cstr(&text), buf_cstr(&text));
        buf_free(&text);
    }
    struct buf noise; /* base64 of what is no text */
    buf_init(&noise, 1 << 20);
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint64_t x = 88172645463325252u; noise.len < 8192;) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        buf_addc(&noise, alphabet[x >> 58]);
    }
    expect(s, buf_cstr(&noise), buf_cstr(&noise));
    buf_free(&noise);
    secrets_free(s);
}

static void headers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *text, *want;
    } rows[] = {
        {"Authorization", "Bearer t0p-s3cret", "Bearer t0p-s3cret t0p-s3cret", "Bearer *** ***"},
        {"Authorization", "Basic Ym9iOmh1bnRlcjIh", "Ym9iOmh1bnRlcjIh bob hunter2!", "*** bob ***"},
        {"X-Token", "s3cret", "it is s3cret.", "it is ***."},
        {"X-Words", "one secondword", "one secondword", "one ***"},
        {"X-List", "a=firsttoken, b=secondtoken", "b=secondtoken a=firsttoken,", "*** ***"},
        {"Content-Type", "application/json", "no application/json", "no application/json"},
        {"user-agent", "leadpipe/test", "leadpipe/test", "leadpipe/test"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct secrets *s = made(NULL);
        assert_int_equal(secrets_add_header(s, rows[i].name, str_c(rows[i].value)), RC_OK);
        expect(s, rows[i].text, rows[i].want);
        secrets_free(s);
    }
}

static void urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *userinfo, *text, *want;
    } rows[] = {
        {"http://bob:hunter2!@proxy:3128", "bob:hunter2!", "bob hunter2!", "bob ***"},
        {"bob:hunter2!@proxy:3128", "bob:hunter2!", "proxy bob:hunter2!", "proxy bob:***"},
        {"http//bob:hunter2!@proxy", "bob:hunter2!", "hunter2! proxy", "*** proxy"},
        {"http:bob:hunter2!@proxy", "http:bob:hunter2!", "hunter2! proxy", "*** proxy"},
        {"http:/bob:hunter2!@proxy", "http:/bob:hunter2!", "hunter2! proxy", "*** proxy"},
        {"https://bob:hun/ter2!@proxy/x", "bob:hun/ter2!", "hun/ter2! hun%2Fter2!", "*** ***"},
        {"https://bob:hun#ter2!@proxy/x", "bob:hun#ter2!", "hun#ter2!", "***"},
        {"https://bob:hun?ter2!@proxy/x", "bob:hun?ter2!", "hun?ter2!", "***"},
        {"https://bob:p@ss%40word@proxy/", "bob:p@ss%40word", "p@ss@word", "***"},
        {"https://t0k3n-1234@host/", "t0k3n-1234", "t0k3n-1234 host", "*** host"},
        {"https://host/@user/x?token=abcdefgh&b=2&X-Sig=ijklmnop&to=crm.example#f", NULL,
         "host @user abcdefgh ijklmnop 2 crm.example", "host @user *** *** 2 crm.example"},
        {"postgresql://loader@db/dw", "loader", "loader db", "loader db"},
        {"postgres://loader12:hunter2!@db/dw", "loader12:hunter2!", "loader12 hunter2!",
         "loader12 ***"},
        {"https://[::1]:80/@x", NULL, "[::1] @x", "[::1] @x"},
        {"https://host:8080/a@b", NULL, "host a@b", "host a@b"},
        {"https://host", NULL, "https://host", "https://host"},
        {"", NULL, "nothing", "nothing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str user = url_userinfo(rows[i].url);
        if (!str_eq(user, str_c(rows[i].userinfo)))
            fail_msg("%s: got " STR_FMT, rows[i].url, STR_ARG(user));
        struct secrets *s = made(NULL);
        assert_int_equal(secrets_add_url(s, rows[i].url), RC_OK);
        expect(s, rows[i].text, rows[i].want);
        secrets_free(s);
    }
}

/* A secret as a whole: its server is none, and a text that ends in "http" holds no beginning of it. */
static void secret_urls(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"https://hc.example/4711", "https://hc.example/4711", "***"},
        {"https://hc.example/4711", "https://hc.example: reached", "https://hc.example: reached"},
        {"https://hc.example/4711", "https://hc.example/47", "***"},
        {"https://hc.example/4711", "see --allow-http", "see --allow-http"},
        {"https://hc.example:8443/hooks/p1", "https://hc.example:8443/api/v1: no success",
         "https://hc.example:8443/api/v1: no success"},
        {"https://hc.example:8443/api/v1/ping/4711", "https://hc.example:8443/api/v1/leads: down",
         "https://hc.example:8443/api/v1/leads: down"},
        {"https://hc.example/4711-0815-1234-5678", "at https://hc.example/4711-0815-1234-5: down",
         "at ***: down"},
        {"https://hc.example/4711", "at https://hc.ex", "at https://hc.ex"},
        {"https://hc.example?k=4711", "https://hc.example?k=4", "***"},
        {"https://bob:hunter2@hc.example/", "at https://bob:hunter2", "at ***"},
        {"https://bob:hun/ter2@hc.example/", "at https://bob:hun", "at ***"},
        {"https://bob:hunter2@hc.example/", "see --allow-http", "see --allow-http"},
        {"mail -s down https://x.example/ ops", "mail -s down https://x.e", "***"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct secrets *s = made((const char *const[]){rows[i][0], NULL});
        expect(s, rows[i][1], rows[i][2]);
        secrets_free(s);
    }
}

static void variables(void **state)
{
    (void)state;
    struct secrets *s = made(NULL);
    const char *value;
    assert_int_equal(setenv("TEST_SECRET", "k-12345678", 1), 0);
    const char *place = getenv("TEST_SECRET");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(secrets_take_variable(s, "TEST_SECRET", &value), RC_OK);
        assert_string_equal(value, "k-12345678");
        assert_null(getenv("TEST_SECRET"));
        assert_string_equal(place, "");
        assert_int_equal(secrets_take_variable(s, "TEST_SECRET_ABSENT", &value), RC_OK);
        assert_null(value);
    }
    secrets_free(s);
}

static void likely(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"key", false},
        {"nowhere/key", false},
        {"/run/secrets/omni-api-key", false},
        {"/etc/leadpipe/production-2024-key.txt", false},
        {"OMNI_API_KEY_PRODUCTION", false},
        {"sk-1234", true},
        {"./whsec_abc", true},
        {"Bearer x", true},
        {"eyJhbGciOiJIUzI1NiJ9.e30.x", true},
        {"0aK1bL2cM3dN4eO5fP6gQ7", true},
        {"folder/0aK1bL2cM3dN4eO5fP6gQ7/x", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (credential_is_likely(rows[i].text) != rows[i].want)
            fail_msg("%s: want %d", rows[i].text, rows[i].want);
    }
}

static void variables_shown(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_shown;
    } rows[] = {
        {"OMNI_API_KEY", true},
        {"key2", true},
        {"", false},
        {"two words", false},
        {"a=b", false},
        {"a-b", false},
        {"0aK1bL2cM3dN4eO5fP6gQ7", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *shown = credential_variable_shown(rows[i].name);
        if ((shown == rows[i].name) != rows[i].is_shown)
            fail_msg("%s: got %s", rows[i].name, shown);
    }
}

/* ---- threads -------------------------------------------------------------------------------- */

static void *redact_often(void *s)
{
    for (int i = 0; i < 500; i++) {
        char text[] = "the key s3cret-0123456789 here";
        secrets_redact(s, text, sizeof text);
        if (strcmp(text, "the key *** here") != 0)
            return s; /* not NULL */
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    static const char *const secrets[] = {"s3cret-0123456789", NULL};
    struct secrets *s = made(secrets);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, redact_often, s), 0);
    for (int i = 0; i < 100; i++) {
        char more[32];
        (void)snprintf(more, sizeof more, "another-s3cret-%d", i);
        assert_int_equal(secrets_add(s, str_c(more)), RC_OK);
    }
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    secrets_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings),       cmocka_unit_test(lengths),      cmocka_unit_test(no_end),
        cmocka_unit_test(long_texts),      cmocka_unit_test(headers),      cmocka_unit_test(urls),
        cmocka_unit_test(secret_urls),     cmocka_unit_test(variables),    cmocka_unit_test(likely),
        cmocka_unit_test(variables_shown), cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
