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

/* Every prefix is refused, and the whole is what it was. */
static void expect_round_trip(const struct verdict *list, size_t n)
{
    struct arena arena;
    struct buf text;
    const struct verdicts v = {list, n};
    struct verdicts back = {NULL, 99};
    arena_init(&arena, 1 << 20);
    buf_init(&text, 1 << 20);
    answer_text(&v, &text);
    assert_int_equal(buf_rc(&text), RC_OK);
    for (size_t k = 0; k < text.len; k++) {
        if (answer_take(&arena, (struct str){text.data, k}, 4, &back) != RC_SYNTAX)
            fail_msg("the first %zu bytes of \"%s\" were taken", k, buf_cstr(&text));
    }
    assert_int_equal(back.n, 99);
    assert_int_equal(answer_take(&arena, buf_str(&text), 4, &back), RC_OK);
    assert_int_equal(back.n, n);
    for (size_t k = 0; k < 4; k++)
        expect_verdict(verdict_at(&back, k), verdict_at(&v, k));
    buf_addc(&text, 'x');
    assert_int_equal(answer_take(&arena, buf_str(&text), 4, &back), RC_SYNTAX);
    buf_free(&text);
    arena_free(&arena);
}

static void texts_for_the_state(void **state)
{
    (void)state;
    static const struct verdict verdicts[] = {
        {.kind = VERDICT_ACCEPTED, .http_status = 200, .attempts = 3},
        {VERDICT_FAILED, 422, 1, "http_422", "the receiver returned 422: 7:-: \xc3\xa9"},
        {VERDICT_FAILED, 0, 4000000000, NULL, ""},
        {VERDICT_FAILED, 599, 0, "", NULL},
        {.kind = VERDICT_PENDING},
        {VERDICT_FAILED, 200, 2, "DUPLICATE_DATA", "accepted:200:1:-:-:"},
        {.kind = VERDICT_ACCEPTED, .http_status = 207, .attempts = 1},
    };
    for (size_t i = 0; i < 4; i++)
        expect_round_trip(&verdicts[i], 1);
    expect_round_trip(&verdicts[0], 4);
    expect_round_trip(&verdicts[3], 4);
}

static void no_answers(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "moved:0:0:-:-:", /* then it would have no answer */
        "outdated:200:1:-:-:",
        "accepted:1000:1:-:-:",
        "accepted:200:4294967296:-:-:",
        "accepted:200:1:-:2:\n\n",
        "each:",
        "each:1:15:accepted:200:1:-:-:",
        "each:3:19:accepted:200:1:-:-:19:accepted:200:1:-:-:19:accepted:200:1:-:-:",
        "each:2:19:accepted:200:1:-:-:",
        "each:18446744073709551615:",
    };
    struct arena arena;
    struct verdicts back = {NULL, 99};
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (answer_take(&arena, str_c(rows[i]), 2, &back) != RC_SYNTAX)
            fail_msg("\"%s\" was taken", rows[i]);
    }
    assert_int_equal(back.n, 99);
    arena_free(&arena);
}

/* Longer ones than any verdict has still make a text that can be read. */
static void long_texts_for_the_state(void **state)
{
    (void)state;
    char error[8192];
    struct buf text;
    struct verdicts back;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    buf_init(&text, 1 << 20);
    memset(error, 'x', sizeof error - 1);
    error[sizeof error - 1] = '\0';
    const struct verdict v = {VERDICT_FAILED, 500, 1, error, error};
    answer_text(&(const struct verdicts){&v, 1}, &text);
    assert_true(text.len < 2048);
    assert_int_equal(answer_take(&arena, buf_str(&text), 1, &back), RC_OK);
    assert_true(strlen(back.list->error) > 1024);
    assert_memory_equal(back.list->error, error, strlen(back.list->error));
    buf_free(&text);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(odd_bodies),
        cmocka_unit_test(texts_for_the_state),
        cmocka_unit_test(no_answers),
        cmocka_unit_test(long_texts_for_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
