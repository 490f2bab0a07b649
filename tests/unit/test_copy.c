#include "core/base/copy.h"

#include <stdlib.h>

#include "cmocka_all.h"

#define TEXT_BYTES_MAX 40
#define AROUND 'G' /* what stands on both sides of a copy */

static uint64_t has_byte(uint64_t word, uint64_t pattern)
{
    return copy_word_has(word, pattern);
}

static void make_text(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 26);
}

static void expect_copy(const char *room, const char *text, size_t n)
{
    assert_memory_equal(room + 1, text, n);
    assert_int_equal(room[0], AROUND);
    assert_int_equal(room[n + 1], AROUND);
}

/* Each text lies in memory of its own size, so that a sanitizer sees what is read beyond it. */
static void test_every_length(void **state)
{
    (void)state;
    for (size_t n = 1; n <= TEXT_BYTES_MAX; n++) {
        char room[TEXT_BYTES_MAX + 2];
        char *text = malloc(n);
        assert_non_null(text);
        make_text(text, n);
        memset(room, AROUND, sizeof room);
        copy_bytes(room + 1, text, n);
        expect_copy(room, text, n);
        memset(room, AROUND, sizeof room);
        assert_true(copy_tested(room + 1, text, n, has_byte, UINT64_C(0x0101010101010101) * '"'));
        expect_copy(room, text, n);
        free(text);
    }
}

static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    char text[TEXT_BYTES_MAX], room[TEXT_BYTES_MAX];
    for (unsigned c = 0; c < 256; c++) {
        for (size_t n = 1; n <= TEXT_BYTES_MAX; n++) {
            for (size_t at = 0; at < n; at++) {
                make_text(text, n);
                text[at] = (char)c;
                bool is_plain =
                    copy_tested(room, text, n, has_byte, UINT64_C(0x0101010101010101) * '"');
                assert_int_equal(is_plain, c != '"');
                if (is_plain)
                    assert_memory_equal(room, text, n);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_byte_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
