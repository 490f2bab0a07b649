#include "sinks/postgres/finish_text.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define TOKEN "0123456789abcdef"
#define RUN "00112233445566778899aabbccddeeff"

static void test_round_trip(void **state)
{
    (void)state;
    struct pg_place place = {.token = TOKEN, .run_id = RUN, .started_us = 1700000000123000};
    struct pg_finish_text got;
    struct err e;
    struct buf text;
    buf_init(&text, 1024);
    pg_finish_text_put(&text, &place);
    assert_int_equal(pg_finish_text_read(buf_str(&text), &got, &e), RC_OK);
    assert_string_equal(got.run_id, RUN);
    assert_int_equal(got.started_ms, 1700000000123);
    buf_free(&text);
}

static void test_malformed(void **state)
{
    (void)state;
    const struct {
        struct str text;
        bool good;
    } rows[] = {
        {STR(TOKEN " " RUN " 0"), true},
        {STR(TOKEN " " RUN " 9223372036854774"), true},
        {STR(""), false},
        {STR(" "), false},
        {STR(TOKEN), false},
        {STR(TOKEN " " RUN), false},
        {STR(TOKEN " " RUN " "), false},
        {STR(TOKEN " " RUN " 1 "), false},
        {STR(TOKEN " " RUN " 1 2"), false},
        {STR(TOKEN " " RUN " -1"), false},
        {STR(TOKEN " " RUN " 1x"), false},
        {STR(TOKEN " " RUN " 9223372036854776"), false}, /* in microseconds: beyond 64 bits */
        {STR(TOKEN " " RUN " 99999999999999999999"), false},
        {STR(TOKEN "  " RUN " 1"), false},
        {STR("0123456789ABCDEF " RUN " 1"), false},
        {STR("0123456789abcde " RUN " 1"), false},
        {STR(TOKEN "0 " RUN " 1"), false},
        {STR("'; drop table -- " RUN " 1"), false},
        {STR(TOKEN " " RUN "0 1"), false},
        {STR(TOKEN " 00112233445566778899aabbccddeef/ 1"), false},
        {STR(TOKEN " " RUN " 1\0 2"), false},
        {STR(TOKEN " " RUN " 1" RUN RUN RUN RUN), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pg_finish_text got;
        struct err e;
        enum rc rc = pg_finish_text_read(rows[i].text, &got, &e);
        if (rc != (rows[i].good ? RC_OK : RC_SYNTAX))
            fail_msg("\"" STR_FMT "\": got %s", STR_ARG(rows[i].text), rc_text(rc));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
