/* The binary format of COPY, byte by byte, as the server's own documentation has it. */
#include "cmocka_all.h"

#include <stdio.h>

#include "sinks/postgres/encode.h"
#include "sinks/postgres/link.h"

static void hex(const struct buf *b, char *out)
{
    for (size_t i = 0; i < b->len; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", (unsigned char)b->data[i]);
    out[2 * b->len] = '\0';
}

/* What `copy (select N::numeric) to stdout (format binary)` has for the field: length, groups, weight, sign,
 * digits behind the point, groups of four digits. */
static const struct {
    const char *digits, *bytes;
} numbers[] = {
    {"0", "00000008"
          "0000"
          "0000"
          "0000"
          "0000"},
    {"-0", "00000008"
           "0000"
           "0000"
           "0000"
           "0000"},
    {"0.00", "00000008"
             "0000"
             "0000"
             "0000"
             "0002"},
    {"1", "0000000a"
          "0001"
          "0000"
          "0000"
          "0000"
          "0001"},
    {"-1", "0000000a"
           "0001"
           "0000"
           "4000"
           "0000"
           "0001"},
    {"10000", "0000000a"
              "0001"
              "0001"
              "0000"
              "0000"
              "0001"},
    {"12345678", "0000000c"
                 "0002"
                 "0001"
                 "0000"
                 "0000"
                 "04d2"
                 "162e"},
    {"0.1", "0000000a"
            "0001"
            "ffff"
            "0000"
            "0001"
            "03e8"},
    {"0.0001", "0000000a"
               "0001"
               "ffff"
               "0000"
               "0004"
               "0001"},
    {"0.00012345", "0000000c"
                   "0002"
                   "ffff"
                   "0000"
                   "0008"
                   "0001"
                   "0929"},
    {"1.50", "0000000c"
             "0002"
             "0000"
             "0000"
             "0002"
             "0001"
             "1388"},
    {"1e3", "0000000a"
            "0001"
            "0000"
            "0000"
            "0000"
            "03e8"},
    {"1.5e1", "0000000a"
              "0001"
              "0000"
              "0000"
              "0000"
              "000f"},
    {"1e-5", "0000000a"
             "0001"
             "fffe"
             "0000"
             "0005"
             "03e8"},
    {"1000.0001000", "0000000c"
                     "0002"
                     "0000"
                     "0000"
                     "0007"
                     "03e8"
                     "0001"},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct buf b;
        char got[128];
        buf_init(&b, 1 << 10);
        pg_put_decimal(&b, str_c(numbers[i].digits));
        hex(&b, got);
        if (strcmp(got, numbers[i].bytes) != 0)
            fail_msg("%s is %s, not %s", numbers[i].digits, got, numbers[i].bytes);
        buf_free(&b);
    }
}

static void test_row(void **state)
{
    (void)state;
    struct buf b;
    char got[512];
    buf_init(&b, 1 << 10);
    pg_put_begin(&b);
    for (size_t i = 0; i < 2; i++) {
        pg_put_row(&b, 4);
        pg_put_text(&b, i ? STR("b") : STR("a\xC3\xA4"));
        pg_put_integer(&b, -2);
        pg_put_null(&b);
        pg_put_time(&b, INT64_C(946684800000001)); /* 2000-01-01, and a microsecond */
    }
    pg_put_end(&b);
    hex(&b, got);
    assert_string_equal(got, "5047434f50590aff0d0a00"
                             "00000000"
                             "00000000"
                             "0004"
                             "00000003"
                             "61c3a4"
                             "00000008"
                             "fffffffffffffffe"
                             "ffffffff"
                             "00000008"
                             "0000000000000001"
                             "0004"
                             "00000001"
                             "62"
                             "00000008"
                             "fffffffffffffffe"
                             "ffffffff"
                             "00000008"
                             "0000000000000001"
                             "ffff");
    assert_true(str_eq_c(pg_text_at(buf_str(&b), 1, 0), "a\xC3\xA4"));
    assert_true(str_eq_c(pg_text_at(buf_str(&b), 2, 0), "b"));
    assert_null(pg_text_at(buf_str(&b), 2, 2).ptr); /* null */
    assert_null(pg_text_at(buf_str(&b), 3, 0).ptr); /* no such row */
    assert_null(pg_text_at(buf_str(&b), 2, 9).ptr);
    buf_free(&b);
}

static const struct {
    const char *conninfo, *message; /* NULL: fine */
} conninfos[] = {
    {"host=db dbname=dw user=etl", NULL},
    {"service=warehouse", NULL},
    {"postgresql://etl@db/dw?sslmode=verify-full", NULL},
    {"postgres://db1,db2/dw?target_session_attrs=any", NULL},
    {"host=db password=", NULL}, /* as if it were not there */
    {"host=db password=s3cret", "password: a secret"},
    {"postgresql://etl:s3cret@db/dw", "password: a secret"},
    {"postgresql://etl@db/dw?password=s3cret", "password: a secret"},
    {"host=db sslpassword='s3cret'", "sslpassword: a secret"},
    {"host=db pasword=s3cret", "must be a libpq connection string"},
    {"hst=127.0.0.1 password=s3cret", "etl@db/dw; invalid connection option \"hst\""},
    {"//etl@db/dw", "postgres:postgresql://..."},
    {"warehouse", "etl@db/dw; every part of it is KEYWORD=VALUE"},
    {"host=db password='s3cret", "unterminated quoted string"},
    {"host=db s3cret", "must be a libpq connection string"},
    {"postgresql://etl:s3%zzcret@db/dw", "must be a libpq connection string"},
};

static void test_conninfo(void **state)
{
    (void)state;
    struct secrets *secrets;
    assert_int_equal(secrets_new(&secrets), RC_OK);
    for (size_t i = 0; i < sizeof conninfos / sizeof *conninfos; i++) {
        struct err e = {.msg = ""};
        enum rc rc = pg_conninfo_check(conninfos[i].conninfo, secrets, &e);
        if ((rc == RC_OK) != !conninfos[i].message)
            fail_msg("%s: %s", conninfos[i].conninfo, e.msg);
        if (rc == RC_OK)
            continue;
        assert_int_equal(rc, RC_USAGE);
        if (!strstr(e.msg, conninfos[i].message) || strstr(e.msg, "s3"))
            fail_msg("%s: %s", conninfos[i].conninfo, e.msg);
    }
    secrets_free(secrets);
}

/* A password that begins with the user's name hides itself, not the name. */
static void test_user_is_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *password, *text, *want;
    } rows[] = {
        {"loader-s3cret", "host=db user=loader", "host=db user=loader"},
        {"loader-s3cret", "host=db user=loader-s3", "host=db user=***"},
        {"loader-s3cret", "is loader-s3cret", "is ***"},
        {"loader-s3cret", "is myloader", "is my***"},
        {"warehouse_at_night_2026", "dbname=Warehouse_at_night", "dbname=Warehouse_at_night"},
        {"warehouse_at_night_2026", "dbname=warehouse_at_night_20", "dbname=***"},
        {"loader", "user=loader", "user=***"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct secrets *secrets;
        struct err e;
        char text[80];
        assert_int_equal(secrets_new(&secrets), RC_OK);
        assert_int_equal(pg_conninfo_check("user=loader dbname=warehouse_at_night", secrets, &e),
                         RC_OK);
        assert_int_equal(secrets_add(secrets, str_c(rows[i].password)), RC_OK);
        (void)snprintf(text, sizeof text, "%s", rows[i].text);
        secrets_redact(secrets, text, sizeof text);
        assert_string_equal(text, rows[i].want);
        secrets_free(secrets);
    }
}

/* A long value takes 18 bytes of its row, wherever it is in the list; what is cut off is not read. */
static void widest_row(void **state)
{
    (void)state;
    static const struct {
        size_t fields, bytes; /* of each field */
    } rows[] = {{3, 5}, {2, 100000}, {4, 17}, {5, 13}, {1, 23}};
    char text[100000];
    struct buf b;
    memset(text, 'x', sizeof text);
    buf_init(&b, 1 << 20);
    pg_put_begin(&b);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pg_put_row(&b, rows[i].fields + 1);
        pg_put_null(&b);
        for (size_t k = 0; k < rows[i].fields; k++)
            pg_put_text(&b, (struct str){text, rows[i].bytes});
    }
    assert_int_equal(pg_widest_row(buf_str(&b)), 3);
    pg_put_end(&b);
    assert_int_equal(pg_widest_row(buf_str(&b)), 3);
    for (size_t n = 0; n < b.len; n += 97)
        assert_true(pg_widest_row((struct str){b.data, n}) <= 5);
    assert_int_equal(pg_widest_row(STR_NONE), 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_row), cmocka_unit_test(widest_row),
        cmocka_unit_test(test_conninfo), cmocka_unit_test(test_user_is_no_secret)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
