#include "core/object/object_recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/file/places.h"
#include "core/file/renames.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

/* What is wrong is found before the server is asked. */
static void texts_that_are_refused(void **state)
{
    (void)state;
#define ROW(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct {
        struct str text;
        enum rc rc;
        const char *part;
    } rows[] = {
        {ROW(""), RC_USAGE, "did not write s3://b/k"},
        {ROW("s3://b/k?" TOKEN "?id\0s3://b/k\0"), RC_USAGE, "did not write"},
        {ROW("s3://b/k?" TOKEN "?id\0s3://b/other\0001:1:\0"), RC_USAGE, "did not write"},
        {ROW("s3://b/k?" TOKEN "?id\0\0\0"), RC_USAGE, "did not write"},
        {ROW("s3://b/k?id\0s3://b/k\0001:1:\0"), RC_SYNTAX, "damaged"},
        {ROW("s3://b/k?short?id\0s3://b/k\0001:1:\0"), RC_SYNTAX, "damaged"},
        {ROW("s3://b/x?" TOKEN "?id\0s3://b/k\0001:1:\0"), RC_SYNTAX, "damaged"},
        {ROW("s3://b/k?" TOKEN "?\0s3://b/k\0001:1:\0"), RC_SYNTAX, "damaged"},
        {ROW("s3://b/k?" TOKEN "?i d\0s3://b/k\0001:1:\0"), RC_SYNTAX, "damaged"},
        {ROW("s3://b/k?" TOKEN "?id\0s3://b/k\0001:10001:\0"), RC_SYNTAX, "damaged"},
        {ROW("s3://b/x?" TOKEN "?id\0s3://b/x\0001:1:\0s3://b/k?" TOKEN "?id\0s3://b/k\0001:1:\0"),
         RC_USAGE, "which this command does not write"},
    };
    static const struct object_store_cfg cfg = {
        .http = {.clock = &clock_system, .retry = {.attempts = 1}},
        .endpoint = "http://127.0.0.1:9",
        .spool_dir = "/tmp"};
    struct object_store *store;
    struct err e = {0};
    assert_int_equal(object_store_new(&store, &cfg, &e), RC_OK);
    const struct place_scheme scheme = {S3_SCHEME, &place_object, store};
    const struct places places = {&scheme, 1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct outfile_recovery r = {.places = &places,
                                           .subject = "csv:s3://b/",
                                           .advice = "advice",
                                           .paths = ROW("s3://b/k\0"),
                                           .text = rows[i].text};
        enum rc rc = outfile_recover(&r, &e);
        if (rc != rows[i].rc || !strstr(e.msg, rows[i].part))
            fail_msg("row %zu: %s \"%s\", want %s \"%s\"", i, rc_text(rc), e.msg,
                     rc_text(rows[i].rc), rows[i].part);
    }
    object_store_free(store);
}

/* What the program itself writes is taken apart again, whatever the key. */
static void texts_of_its_own(void **state)
{
    (void)state;
    static const char *const urls[] = {"s3://b/k", "s3://b/a?b?c", "s3://b/?"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct buf text;
        struct upload_name name = {.token = TOKEN, .id = STR("a%2Fb.c-d_e~")};
        buf_init(&text, 1000);
        object_put_upload(&text, urls[i], &name, 7, 123);
        object_put_removal(&text, urls[i], &name);
        struct str rest = buf_str(&text);
        struct file_rename one;
        assert_int_equal(renames_take(&rest, &one), RC_OK);
        assert_true(str_eq_c(one.to, urls[i]) && one.print.bytes == 123 && one.print.crc == 7);
        assert_int_equal(renames_take(&rest, &one), RC_OK);
        assert_int_equal(one.to.len, 0);
        assert_int_equal(renames_take(&rest, &one), RC_END);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_that_are_refused),
                                       cmocka_unit_test(texts_of_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
