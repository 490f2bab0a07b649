/* Wanted signatures: of the specification's own example, and made with Python's hmac and with
 * `openssl dgst -mac HMAC`. */
#include "cmocka_all.h"

#include <stdio.h>

#include "sinks/webhook/standard_webhooks.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SECRET_ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define SECRET_BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
/* the bytes 0 to 63 */
#define SECRET_64                                                                                  \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

struct sign_row {
    const char *secrets, *id;
    int64_t timestamp_s;
    const char *body, *want;
};

static void signatures(void **state)
{
    (void)state;
    static const struct sign_row rows[] = {
        {SECRET, SECRET_ID, 1614265330, SECRET_BODY, SIGNATURE},
        {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SECRET_ID, 1614265330, SECRET_BODY, SIGNATURE},
        {"\n " SECRET "\r\n", SECRET_ID, 1614265330, SECRET_BODY, SIGNATURE},
        {SECRET_64, "msg_1", 0, "", "v1,HZL6IFGXxAA5+E6GULAHVKyxB+KD+eUDyD0G8JJ0huU="},
        {SECRET "\twhsec_" SECRET_64 " " SECRET, "msg_1", 0, "",
         "v1,ij2G0S51rXTp+PMwqJOjeWFLEpktT32X6cQ9P08rbws= "
         "v1,HZL6IFGXxAA5+E6GULAHVKyxB+KD+eUDyD0G8JJ0huU= "
         "v1,ij2G0S51rXTp+PMwqJOjeWFLEpktT32X6cQ9P08rbws="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct sign_row *r = &rows[i];
        struct webhook_secrets *s;
        struct err e;
        struct buf got;
        buf_init(&got, 4096);
        if (webhook_secrets_parse(&s, str_c(r->secrets), "test", &e) != RC_OK)
            fail_msg("row %zu: %s", i, e.msg);
        for (int again = 0; again < 2; again++) { /* nothing is left from one to the next */
            buf_clear(&got);
            assert_int_equal(webhook_sign(s, r->id, r->timestamp_s, str_c(r->body), &got), RC_OK);
            assert_string_equal(buf_cstr(&got), r->want);
        }
        buf_free(&got);
        webhook_secrets_free(s);
    }
}

static void what_is_no_secret(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " \n",
        "whsec_",
        "whsec_!!!!",
        "correct horse battery staple",
        "my-secret",
        "abc",
        "AAAA=AAA",
        "====",
        "A===",
        "whsec_whsec_AAAA",
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        SECRET " hidden*word",
        "A A A A A A A A A A A A A A A A A",
        "AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct webhook_secrets *s = NULL;
        struct err e;
        if (webhook_secrets_parse(&s, str_c(rows[i]), "VARIABLE", &e) != RC_USAGE)
            fail_msg("\"%s\" was taken", rows[i]);
        assert_null(s);
        assert_ptr_equal(strstr(e.msg, "VARIABLE"), e.msg);
        assert_null(strstr(e.msg, "hidden"));
        assert_null(strstr(e.msg, "horse"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),
        cmocka_unit_test(what_is_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
