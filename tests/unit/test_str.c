#include "core/base/str.h"

#include "cmocka_all.h"

#include <stdio.h>

static void sequences(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n, sequence, invalid_run;
    } cases[] = {
        {"a", 1, 1, 1},
        {"\x7f", 1, 1, 1},
        {"\xc3\xa9", 2, 2, 2},
        {"\xe2\x82\xac", 3, 3, 3},
        {"\xf0\x9f\x98\x80", 4, 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4, 4}, /* U+10FFFF, the last one */
        {"\x80", 1, 0, 1},             /* a continuation without a start */
        {"\xc0\x80", 2, 0, 1},         /* overlong */
        {"\xc1\xbf", 2, 0, 1},
        {"\xe0\x80\x80", 3, 0, 1},
        {"\xed\xa0\x80", 3, 0, 1}, /* a surrogate */
        {"\xf0\x80\x80\x80", 4, 0, 1},
        {"\xf4\x90\x80\x80", 4, 0, 1}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0, 1},
        {"\xff", 1, 0, 1},
        {"\xe2\x82", 2, 0, 2}, /* cut short: what is there is one subpart */
        {"\xe2\x82z", 3, 0, 2},
        {"\xf0\x9f\x98z", 4, 0, 3},
        {"\xc3", 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned char *p = (const unsigned char *)cases[i].bytes;
        print_message("%zu\n", i);
        assert_int_equal(utf8_sequence(p, cases[i].n), cases[i].sequence);
        if (!cases[i].sequence)
            assert_int_equal(utf8_invalid_run(p, cases[i].n), cases[i].invalid_run);
        assert_int_equal(utf8_valid(cases[i].bytes, cases[i].n), cases[i].sequence == cases[i].n);
    }
}

static void scrubbing(void **state)
{
    (void)state;
    char text[] = "a\xc3\xa9 \xff \xe2\x82";
    utf8_scrub(text);
    assert_string_equal(text, "a\xc3\xa9 ? ??");
}

static void hashes(void **state)
{
    (void)state;
    assert_true(str_hash(STR("a"), 1) == str_hash(STR("a"), 1));
    assert_true(str_hash(STR("a"), 1) != str_hash(STR("a"), 2));
    assert_true(str_hash(STR("a"), 1) != str_hash(STR("b"), 1));
    /* Zero bytes at the end count. */
    assert_true(str_hash(STR("a\0"), 1) != str_hash(STR("a"), 1));
    assert_true(str_hash(STR("12345678"), 1) != str_hash(STR("12345678\0"), 1));
}

static void equality(void **state)
{
    (void)state;
    assert_true(str_eq(STR(""), STR_NONE));
    assert_true(str_eq_c(STR("abc"), "abc"));
    assert_false(str_eq_c(STR("abc"), "ab"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences),
        cmocka_unit_test(scrubbing),
        cmocka_unit_test(hashes),
        cmocka_unit_test(equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
