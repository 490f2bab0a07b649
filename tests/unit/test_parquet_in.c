/* The parts of reading Parquet files, given bytes that may be anything. */
#include "sinks/parquet/rle_read.h"
#include "sinks/parquet/thrift_read.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

/* Reads a struct: the sum of the fields with type i64, the rest skipped. -1: bad. */
static int64_t sum_of(struct str text)
{
    struct thrift_in in = {.text = text};
    struct thrift_field f = {0};
    int64_t sum = 0;
    while (thrift_next(&in, &f)) {
        if (f.type == 6)
            sum += thrift_read_int(&in);
        else
            thrift_skip(&in, &f);
    }
    return in.bad ? -1 : sum;
}

static void test_structs(void **state)
{
    (void)state;
    const struct {
        const char *what;
        struct str text;
        int64_t want;
    } rows[] = {
        {"empty", STR("\x00"), 0},
        {"no end", STR(""), -1},
        {"two numbers", STR("\x16\x02\x16\x04\x00"), 3},
        {"a field number of its own", STR("\x06\x80\x01\x02\x00"), 1},
        {"a negative field number", STR("\x06\x01\x02\x00"), -1},
        {"a field number beyond 16 bits", STR("\x06\x80\x80\x08\x02\x00"), -1},
        {"the number is cut off", STR("\x16\x80"), -1},
        {"a number of eleven bytes", STR("\x16\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00\x00"),
         -1},
        {"a text is skipped",
         STR("\x18\x03"
             "abc\x16\x02\x00"),
         1},
        {"a text that is longer than what is left",
         STR("\x18\x7f"
             "abc"),
         -1},
        {"a list is skipped", STR("\x19\x36\x02\x02\x02\x16\x04\x00"), 2},
        {"a long list that is not there", STR("\x19\xf6\xff\xff\xff\xff\x0f\x00"), -1},
        {"a list of booleans", STR("\x19\x21\x01\x02\x16\x02\x00"), 1},
        {"a struct in it", STR("\x1c\x16\x06\x00\x16\x02\x00"), 1},
        {"a map", STR("\x1b\x00\x00"), -1},
        {"a type that does not exist", STR("\x1f\x00"), -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = sum_of(rows[i].text);
        if (got != rows[i].want)
            fail_msg("%s: got %lld, want %lld", rows[i].what, (long long)got,
                     (long long)rows[i].want);
    }
}

/* Neither the stack nor a counter overflows. */
static void test_endless(void **state)
{
    (void)state;
    static const char bytes[] = {
        0x1c, 0x19, (char)0xf1}; /* structs in structs, lists, fields without a value */
    for (size_t i = 0; i < sizeof bytes; i++) {
        size_t n = (size_t)1 << 20;
        char *text = malloc(n);
        assert_non_null(text);
        memset(text, bytes[i], n);
        assert_int_equal(sum_of((struct str){text, n}), -1);
        free(text);
    }
}

static void test_runs(void **state)
{
    (void)state;
    const struct {
        struct str text;
        unsigned width;
        const char *want; /* a digit a value; "!" where it is damaged */
    } rows[] = {
        {STR("\x06\x01"), 1, "111!"},      /* three equal ones */
        {STR("\x03\xaa"), 1, "01010101!"}, /* a group, packed */
        {STR("\x03\x88\xc6\xfa"), 3, "01234567!"},
        {STR("\x04\x05\x03\x01"), 3, "5510!"}, /* the second run is cut off */
        {STR("\x00\x01"), 1, "!"},             /* of no values */
        {STR("\x03"), 1, "!"},
        {STR("\x06"), 1, "!"},
        {STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), 1, "!"},
        {STR(""), 1, "!"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rle_in in = {.text = rows[i].text, .width = rows[i].width};
        char got[64] = "";
        uint32_t value;
        size_t n = 0;
        while (n < sizeof got - 2 && rle_next(&in, &value))
            got[n++] = (char)('0' + value);
        got[n] = '!';
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("row %zu: got %s, want %s", i, got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structs),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
