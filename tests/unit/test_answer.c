#include "cmocka_all.h"

#include <stdio.h>

#include "sinks/delivery/answer.h"

#define LONG_A_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_A_198 LONG_A_50 LONG_A_50 LONG_A_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ANSWERED(status) HTTP_ANSWERED, status

struct answer_row {
    enum http_end end;
    int status;
    const char *body, *request_code, *request_error;
    enum verdict_kind kind;
    const char *code, *error;
};

static void verdicts(void **state)
{
    (void)state;
    struct secrets *secrets = NULL;
    assert_int_equal(secrets_new(&secrets), RC_OK);
    assert_int_equal(secrets_add_header(secrets, "X-Auth", STR("Bearer t0p-s3cret")), RC_OK);
    static const struct answer_row rows[] = {
        {ANSWERED(200), "ok", NULL, "", VERDICT_ACCEPTED, "", ""},
        {ANSWERED(204), "", NULL, "", VERDICT_ACCEPTED, "", ""},
        {ANSWERED(299), "", NULL, "", VERDICT_ACCEPTED, "", ""},
        {HTTP_TOO_LARGE, 200, "x", "too_large", "too large", VERDICT_ACCEPTED, "", ""},
        {ANSWERED(400), "{\"error\":\"no\"}", NULL, "", VERDICT_FAILED, "http_400",
         "the receiver returned 400: {\"error\":\"no\"}"},
        {ANSWERED(404), "", NULL, "", VERDICT_FAILED, "http_404", "the receiver returned 404"},
        {ANSWERED(422), " \r\n a\tb\nc \x7f \n", NULL, "", VERDICT_FAILED, "http_422",
         "the receiver returned 422: a b c"},
        {ANSWERED(500), "\xff\xc3(\xc3\xa9", NULL, "", VERDICT_FAILED, "http_500",
         "the receiver returned 500: ?"
         "?(\xc3\xa9"},
        {ANSWERED(503), LONG_A_198 "bcd", NULL, "", VERDICT_FAILED, "http_503",
         "the receiver returned 503: " LONG_A_198 "bc"},
        {ANSWERED(503), LONG_A_198 "\xe2\x82\xac.", NULL, "", VERDICT_FAILED, "http_503",
         "the receiver returned 503: " LONG_A_198},
        {ANSWERED(403), "wrong: Bearer t0p-s3cret, t0p-s3cret!", NULL, "", VERDICT_FAILED,
         "http_403", "the receiver returned 403: wrong: Bearer ***, ***!"},
        {ANSWERED(403), LONG_A_198 "t0p-s3cret", NULL, "", VERDICT_FAILED, "http_403",
         "the receiver returned 403: " LONG_A_198 "**"},
        {ANSWERED(403), "wrong: \"t0p\\u002ds3cret\" dDBwLXMzY3JldA==", NULL, "", VERDICT_FAILED,
         "http_403", "the receiver returned 403: wrong: \"***\" ***=="},
        {HTTP_NO_ANSWER, 0, "", "proxy", "CONNECT said t0p-s3cret", VERDICT_FAILED, "proxy",
         "CONNECT said ***"},
        {ANSWERED(410), "bye", NULL, "", VERDICT_FAILED, "http_410",
         "the receiver returned 410 Gone"},
        {ANSWERED(302), "", NULL, "evil.example", VERDICT_FAILED, "redirect",
         "the receiver returned 302, a redirect to evil.example; redirects are not followed"},
        {ANSWERED(301), "", NULL, "", VERDICT_FAILED, "redirect",
         "the receiver returned 301, a redirect; redirects are not followed"},
        {ANSWERED(304), "", NULL, "", VERDICT_FAILED, "http_304", "the receiver returned 304"},
        {HTTP_NO_ANSWER, 0, "", "timeout", "no answer within 30 s", VERDICT_FAILED, "timeout",
         "no answer within 30 s"},
        {HTTP_NO_ANSWER, 0, "", NULL, "", VERDICT_FAILED, "no_answer", "no response"},
        {HTTP_NO_ANSWER, 503, "", "connect", "refused", VERDICT_FAILED, "connect", "refused"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct answer_row *w = &rows[i];
        struct http_request r = {
            .end = w->end,
            .is_redirect = w->status == 301 || w->status == 302,
            .status = w->status,
            .code = w->request_code,
            .attempts = 3,
        };
        (void)snprintf(r.error, sizeof r.error, "%s", w->request_error);
        buf_init(&r.answer, 4096);
        buf_adds(&r.answer, w->body);
        struct answer_texts texts;
        struct verdict v = answer_verdict(&r, secrets, &texts);
        bool same = v.kind == w->kind && v.attempts == 3 && v.http_status == w->status;
        if (same && v.kind == VERDICT_FAILED)
            same = strcmp(v.code, w->code) == 0 && strcmp(v.error, w->error) == 0;
        if (!same)
            fail_msg("row %zu: got %d %d \"%s\" \"%s\", want %d \"%s\" \"%s\"", i, v.kind,
                     v.http_status, v.code, v.error, w->kind, w->code, w->error);
        buf_free(&r.answer);
    }
    secrets_free(secrets);
}

/* A body with NULs, and one far beyond what is read. */
static void odd_bodies(void **state)
{
    (void)state;
    struct http_request r = {.end = HTTP_ANSWERED, .status = 400};
    struct answer_texts texts;
    buf_init(&r.answer, 1 << 20);
    buf_add(&r.answer, "\0a\0b\0", 5);
    assert_string_equal(answer_verdict(&r, NULL, &texts).error, "the receiver returned 400: a b");
    for (int i = 0; i < 100000; i++)
        buf_addc(&r.answer, (char)i);
    struct verdict v = answer_verdict(&r, NULL, &texts);
    assert_true(strlen(v.error) <= strlen("the receiver returned 400: ") + ANSWER_SHOWN_MAX);
    assert_true(utf8_valid(v.error, strlen(v.error)));
    buf_free(&r.answer);
}

static void expect_verdict(const struct verdict *got, const struct verdict *want)
{
    assert_int_equal(got->kind, want->kind);
    assert_int_equal(got->http_status, want->http_status);
    assert_int_equal(got->attempts, want->attempts);
    assert_string_equal(got->code ? got->code : "(none)", want->code ? want->code : "(none)");
    assert_string_equal(got->error ? got->error : "(none)", want->error ? want->error : "(none)");
}

static void texts_for_the_state(void **state)
{
    (void)state;
    static const struct verdict verdicts[] = {
        {.kind = VERDICT_ACCEPTED, .http_status = 200, .attempts = 3},
        {VERDICT_FAILED, 422, 1, "http_422", "the receiver returned 422: 7:-: \xc3\xa9"},
        {VERDICT_FAILED, 0, 4000000000, NULL, ""},
        {VERDICT_FAILED, 599, 0, "", NULL},
    };
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        char text[ANSWER_TEXT_SIZE];
        struct str all = answer_text(&verdicts[i], text);
        struct verdict back = {.http_status = -1};
        for (size_t n = 0; n < all.len; n++)
            assert_int_equal(answer_take(&arena, (struct str){all.ptr, n}, &back), RC_SYNTAX);
        assert_int_equal(back.http_status, -1);
        assert_int_equal(answer_take(&arena, all, &back), RC_OK);
        expect_verdict(&back, &verdicts[i]);
    }
    arena_free(&arena);
}

/* Longer ones than any verdict has still make a text that can be read. */
static void long_texts_for_the_state(void **state)
{
    (void)state;
    char text[ANSWER_TEXT_SIZE];
    char error[3 * ANSWER_TEXT_SIZE];
    struct verdict back;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    memset(error, 'x', sizeof error - 1);
    error[sizeof error - 1] = '\0';
    const struct verdict v = {VERDICT_FAILED, 500, 1, error, error};
    struct str all = answer_text(&v, text);
    assert_true(all.len < sizeof text);
    assert_int_equal(answer_take(&arena, all, &back), RC_OK);
    assert_true(strlen(back.error) > 1024);
    assert_memory_equal(back.error, error, strlen(back.error));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(odd_bodies),
        cmocka_unit_test(texts_for_the_state),
        cmocka_unit_test(long_texts_for_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
