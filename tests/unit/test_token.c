/* Access tokens: what an answer of the token's server says, how long a token is used, and what is asked for when.
 * The server and the clock are those of http_world.h. */
#include "http_world.h"

#include "sinks/push/token.h"

#define S INT64_C(1000000)

/* ---- reading -------------------------------------------------------------------------------- */

static void test_use(void **state)
{
    (void)state;
    static const int64_t cases[][2] = {
        {1, 1},     {4, 4},     {5, 4},       {60, 48},       {299, 240},
        {300, 240}, {301, 241}, {3600, 3540}, {86400, 86340}, {316224000, 316223940}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (token_use_s(cases[i][0]) != cases[i][1])
            fail_msg("%lld: %lld, want %lld", (long long)cases[i][0],
                     (long long)token_use_s(cases[i][0]), (long long)cases[i][1]);
    }
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *body, *want; /* TOKEN REFRESH EXPIRES TAKEN, or what is wrong */
    } cases[] = {
        {"{\"access_token\":\"a.b-c_d~e+f/g==\",\"expires_in\":3600,\"url\":\"https://i\"}",
         "a.b-c_d~e+f/g== (none) 3600 https://i"},
        {"{\"access_token\":\"a\",\"expires_in\":\"3600\",\"refresh_token\":\"r\",\"url\":\"u\"}",
         "a r 3600 u"},
        {"{\"access_token\":\"a!b\",\"url\":\"u\"}", "a!b (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":0,\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":-1,\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":1.5,\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":1e3,\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":null,\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":[],\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":\"soon\",\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":99999999999999999999,\"url\":\"u\"}",
         "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"expires_in\":9999999999999999999,\"url\":\"u\"}",
         "a (none) 316224000 u"},
        {"{\"access_token\":\"a\",\"refresh_token\":\"\",\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"refresh_token\":\"r\\n\",\"url\":\"u\"}", "a (none) 0 u"},
        {"{\"access_token\":\"a\",\"refresh_token\":1,\"url\":\"u\"}", "a (none) 0 u"},
        {"", "it is not a JSON object"},
        {"access_token=a", "it is not a JSON object"},
        {"[\"a\"]", "it is not a JSON object"},
        {"null", "it is not a JSON object"},
        {"{}", "it has no \"access_token\" of visible ASCII characters"},
        {"{\"Access_Token\":\"a\",\"url\":\"u\"}",
         "it has no \"access_token\" of visible ASCII characters"},
        {"{\"access_token\":\"\",\"url\":\"u\"}",
         "it has no \"access_token\" of visible ASCII characters"},
        {"{\"access_token\":1,\"url\":\"u\"}",
         "it has no \"access_token\" of visible ASCII characters"},
        {"{\"access_token\":\"a b\",\"url\":\"u\"}",
         "it has no \"access_token\" of visible ASCII characters"},
        {"{\"access_token\":\"a\\r\\nX: y\",\"url\":\"u\"}",
         "it has no \"access_token\" of visible ASCII characters"},
        {"{\"access_token\":\"a\\u0000\",\"url\":\"u\"}",
         "it has no \"access_token\" of visible ASCII characters"},
        {"{\"access_token\":\"\\u00e9\",\"url\":\"u\"}",
         "it has no \"access_token\" of visible ASCII characters"},
        {"{\"access_token\":\"a\"}", "it has no text \"url\""},
        {"{\"access_token\":\"a\",\"url\":\"\"}", "it has no text \"url\""},
        {"{\"access_token\":\"a\",\"url\":7}", "it has no text \"url\""},
    };
    static const char url[] = "url";
    const struct str take[] = {{url, 3}};
    const struct destination_auth auth = {.kind = AUTH_OAUTH2, .take = take, .n_take = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct token_answer t;
        struct arena a;
        struct err e = {.msg = ""};
        char got[sizeof e.msg + 64];
        arena_init(&a, SIZE_MAX);
        enum rc rc = token_answer_read(&t, &auth, str_c(cases[i].body), &a, &e);
        if (rc == RC_OK)
            (void)snprintf(got, sizeof got, STR_FMT " " STR_FMT " %lld " STR_FMT, STR_ARG(t.token),
                           STR_ARG(t.refresh.ptr ? t.refresh : STR("(none)")),
                           (long long)t.expires_s, STR_ARG(t.taken[0]));
        else
            (void)snprintf(got, sizeof got, "%s", e.msg);
        if ((rc != RC_OK && rc != RC_SYNTAX) || strcmp(got, cases[i].want) != 0)
            fail_msg("%s: \"%s\", want \"%s\"", cases[i].body, got, cases[i].want);
        arena_free(&a);
    }
}

static void test_long(void **state)
{
    (void)state;
    const struct destination_auth auth = {.kind = AUTH_OAUTH2};
    for (size_t over = 0; over < 2; over++) {
        struct token_answer t;
        struct arena a;
        struct buf b;
        struct err e;
        arena_init(&a, SIZE_MAX);
        buf_init(&b, (size_t)1 << 20);
        buf_adds(&b, "{\"access_token\":\"");
        for (size_t i = 0; i < TOKEN_BYTES_MAX + over; i++)
            buf_addc(&b, 't');
        buf_adds(&b, "\"}");
        assert_int_equal(token_answer_read(&t, &auth, buf_str(&b), &a, &e),
                         over ? RC_SYNTAX : RC_OK);
        buf_free(&b);
        arena_free(&a);
    }
}

/* ---- asking --------------------------------------------------------------------------------- */

struct tokens {
    struct world *w;
    struct token *t;
    struct destination_auth auth;
    struct secrets *secrets;
    char url[64];
    unsigned ready, failed, idle;
    int status;
    char text[512];
    const char *const *answers; /* one for each request: "STATUS|BODY" */
    char form[512];             /* of the latest */
};

static void on_ready(void *ctx)
{
    ((struct tokens *)ctx)->ready++;
}

static void on_failed(void *ctx, int status, const char *text)
{
    struct tokens *k = ctx;
    k->failed++;
    k->status = status;
    (void)snprintf(k->text, sizeof k->text, "%s", text);
}

static void on_idle(void *ctx)
{
    ((struct tokens *)ctx)->idle++;
}

static void serve(struct world *w, struct peer *p, const struct asked *a)
{
    struct tokens *k = w->any;
    const char *answer = k->answers[a->nth];
    char status[64];
    size_t n = strcspn(answer, "|");
    (void)snprintf(status, sizeof status, "%.*s", (int)n, answer);
    (void)snprintf(k->form, sizeof k->form, STR_FMT, STR_ARG(a->body));
    reply(p, status, answer + n + 1);
}

static void tokens_begin(struct tokens *k, enum oauth2_grant grant, const char *const *answers)
{
    struct err e;
    *k = (struct tokens){.w = world_new(serve), .answers = answers};
    k->w->any = k;
    k->auth = (struct destination_auth){.kind = AUTH_OAUTH2, .grant = grant, .scope = "a b"};
    assert_int_equal(secrets_new(&k->secrets), RC_OK);
    assert_int_equal(secrets_add(k->secrets, STR("the-secret")), RC_OK);
    (void)snprintf(k->url, sizeof k->url, "http://127.0.0.1:%d/token", k->w->port);
    const struct token_cfg cfg = {
        .loop = &k->w->loop,
        .clock = &k->w->clock,
        .rng = &k->w->rng,
        .log = &k->w->log,
        .subject = "push:x",
        .url = k->url,
        .auth = &k->auth,
        .id = STR("id"),
        .secret = STR("the-secret"),
        .refresh = STR("refresh-0"),
        .redaction = k->secrets,
        .retry = {.attempts = 2,
                  .retry_max_time_ms = 60000,
                  .timeout_ms = 5000,
                  .connect_timeout_ms = 5000},
        .ctx = k,
        .ready = on_ready,
        .failed = on_failed,
        .idle = on_idle,
    };
    if (token_new(&k->t, &cfg, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

static void tokens_end(struct tokens *k)
{
    token_stop(k->t, 0);
    while (!k->idle)
        (void)uv_run(&k->w->loop, UV_RUN_ONCE);
    assert_int_equal(k->idle, 1);
    token_free(k->t);
    secrets_free(k->secrets);
    world_free(k->w); /* its own engine was never made */
}

/* Until there is one, or none will come. */
static void tokens_wait(struct tokens *k)
{
    unsigned before = k->ready + k->failed;
    while (k->ready + k->failed == before)
        (void)uv_run(&k->w->loop, UV_RUN_ONCE);
}

static void renewed_before_it_expires(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "200 OK|{\"access_token\":\"first\",\"expires_in\":3600}",
        "200 OK|{\"access_token\":\"second\",\"expires_in\":10}",
        "200 OK|{\"access_token\":\"third\"}",
    };
    struct tokens k;
    tokens_begin(&k, GRANT_CLIENT_CREDENTIALS, answers);
    assert_null(token_latest(k.t));
    assert_null(token_taken(k.t));
    assert_int_equal(token_number(k.t), 0);
    for (int i = 0; i < 5; i++) /* however many wait */
        assert_null(token_value(k.t));
    tokens_wait(&k);
    assert_int_equal(k.w->asked, 1);
    assert_string_equal(
        k.form, "grant_type=client_credentials&client_id=id&client_secret=the-secret&scope=a%20b");
    assert_string_equal(token_value(k.t), "first");
    k.w->now_us += 3540 * S - 1;
    assert_string_equal(token_value(k.t), "first");
    k.w->now_us += 1;
    assert_null(token_value(k.t));
    assert_string_equal(token_latest(k.t), "first"); /* for what is on its way */
    assert_null(token_value(k.t));
    tokens_wait(&k);
    assert_int_equal(k.w->asked, 2);
    assert_string_equal(token_value(k.t), "second");
    k.w->now_us += 8 * S - 1;
    assert_string_equal(token_value(k.t), "second");
    k.w->now_us += 1;
    assert_null(token_value(k.t));
    tokens_wait(&k);
    k.w->now_us += 365 * 86400 * S; /* the answer does not say when it expires */
    assert_string_equal(token_value(k.t), "third");
    assert_int_equal(k.w->asked, 3);
    assert_int_equal(k.ready, 3);
    assert_int_equal(k.failed, 0);
    tokens_end(&k);
}

static void renewed_when_it_was_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "200 OK|{\"access_token\":\"first\",\"refresh_token\":\"refresh-1\"}",
        "200 OK|{\"access_token\":\"second\"}",
        "200 OK|{\"access_token\":\"third\"}",
    };
    struct tokens k;
    tokens_begin(&k, GRANT_REFRESH_TOKEN, answers);
    assert_null(token_value(k.t));
    tokens_wait(&k);
    assert_string_equal(
        k.form, "grant_type=refresh_token&refresh_token=refresh-0&client_id=id&client_secret="
                "the-secret&scope=a%20b");
    assert_int_equal(token_number(k.t), 1);
    token_refused(k.t, 1);
    token_refused(k.t, 1); /* by another request */
    assert_null(token_value(k.t));
    tokens_wait(&k);
    assert_non_null(strstr(k.form, "refresh_token=refresh-1&")); /* the latest */
    assert_string_equal(token_value(k.t), "second");
    token_refused(k.t, 1); /* a late one */
    assert_string_equal(token_value(k.t), "second");
    token_refused(k.t, 2);
    assert_null(token_value(k.t));
    tokens_wait(&k);
    assert_non_null(strstr(k.form, "refresh_token=refresh-1&")); /* none came: the old one stays */
    assert_int_equal(k.w->asked, 3);
    tokens_end(&k);
}

/* Nothing of what is secret is shown, and nothing is asked for afterwards. */
static void failures(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *text;
        int status;
    } cases[] = {
        {"400 x|{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}",
         "no access token: the token server returned 400: invalid_grant: expired", 400},
        {"400 x|{\"error\":\"invalid_client\"}",
         "no access token: the token server returned 400: invalid_client", 400},
        {"401 x|{\"error\":1}", "no access token: the token server returned 401: {\"error\":1}",
         401},
        {"403 x|no the-secret\nhere \xff",
         "no access token: the token server returned 403: no *** here ?", 403},
        {"404 x|", "no access token: the token server returned 404", 404},
        {"302 x\r\nLocation: https://evil.example/|",
         "no access token: the token server returned 302", 302},
        {"200 OK|<html>",
         "no access token: the answer of the token server cannot be used: it is not a JSON object",
         200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokens k;
        const char *const answers[] = {cases[i].answer, cases[i].answer};
        tokens_begin(&k, GRANT_CLIENT_CREDENTIALS, answers);
        assert_null(token_value(k.t));
        tokens_wait(&k);
        assert_null(token_value(k.t));
        for (int n = 0; n < 3; n++)
            (void)uv_run(&k.w->loop, UV_RUN_NOWAIT);
        if (strcmp(k.text, cases[i].text) != 0 || k.status != cases[i].status)
            fail_msg("%s: %d %s, want %d %s", cases[i].answer, k.status, k.text, cases[i].status,
                     cases[i].text);
        assert_int_equal(k.w->asked, 1);
        assert_int_equal(k.failed, 1);
        assert_int_equal(k.ready, 0);
        tokens_end(&k);
    }
}

/* Neither ready nor failed: it is only over. */
static void stopped_before_it_comes(void **state)
{
    (void)state;
    static const char *const answers[] = {"200 OK|{\"access_token\":\"first\"}"};
    struct tokens k;
    tokens_begin(&k, GRANT_CLIENT_CREDENTIALS, answers);
    assert_null(token_value(k.t));
    tokens_end(&k);
    assert_int_equal(k.ready + k.failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_use),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_long),
        cmocka_unit_test(renewed_before_it_expires),
        cmocka_unit_test(renewed_when_it_was_refused),
        cmocka_unit_test(failures),
        cmocka_unit_test(stopped_before_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
