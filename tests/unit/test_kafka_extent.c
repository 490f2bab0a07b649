/* What a database keeps of the messages that were read: written, read again, and refused. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "core/kafka/kafka_extent.h"

static const struct {
    const char *text;
    bool is_valid;
} texts[] = {
    {"0:0-20", true},
    {"0:5-9", true},
    {"0:0-20 2:5-9", true},
    {"2147483647:0-9223372036854775807", true},
    {"", false},
    {" ", false},
    {"0:5-9 ", false},
    {" 0:5-9", false},
    {"0:5-9  1:5-9", false},
    {"0:5-9\n", false},
    {"0", false},
    {"0:", false},
    {"0:5", false},
    {"0:5-", false},
    {"0:-9", false},
    {":5-9", false},
    {"0:5-5", false},
    {"0:9-5", false},
    {"0:-1-5", false},
    {"-1:0-5", false},
    {"0:none-5", false},
    {"0:0x5-9", false},
    {"0:5-+9", false},
    {"2147483648:0-1", false},
    {"0:0-9223372036854775808", false},
    {"0:0-99999999999999999999999", false},
    {"1:0-5 0:0-5", false},
    {"1:0-5 1:5-9", false},
};

static void texts_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bool is_valid = kafka_extents_are_valid(str_c(texts[i].text));
        if (is_valid != texts[i].is_valid)
            fail_msg("\"%s\": got %s, want %s", texts[i].text, is_valid ? "valid" : "invalid",
                     texts[i].is_valid ? "valid" : "invalid");
    }
    char *long_text = calloc(1, KAFKA_EXTENTS_BYTES_MAX + 2);
    assert_non_null(long_text);
    memset(long_text, '0', KAFKA_EXTENTS_BYTES_MAX + 1);
    memcpy(long_text, "0:0-1", 5);
    assert_false(kafka_extents_are_valid(str_c(long_text)));
    free(long_text);
}

/* What is written is what is read. */
static void texts_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct str rest = str_c(texts[i].text);
        struct kafka_extent x;
        struct buf out;
        buf_init(&out, KAFKA_EXTENTS_BYTES_MAX);
        while (texts[i].is_valid && kafka_extent_take(&rest, &x))
            kafka_extent_put(&out, &x);
        if (texts[i].is_valid)
            assert_string_equal(buf_cstr(&out), texts[i].text);
        buf_free(&out);
    }
}

static const struct {
    struct kafka_extent a, b;
    bool overlap;
} pairs[] = {
    {{0, 0, 10}, {0, 5, 6}, true},    {{0, 0, 10}, {0, 10, 20}, false},
    {{0, 10, 20}, {0, 0, 10}, false}, {{0, 0, 10}, {1, 0, 10}, false},
    {{0, 0, 10}, {0, 0, 5}, true},    {{0, 9, 10}, {0, 0, 100}, true},
};

static void overlaps_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (kafka_extents_overlap(&pairs[i].a, &pairs[i].b) != pairs[i].overlap ||
            kafka_extents_overlap(&pairs[i].b, &pairs[i].a) != pairs[i].overlap)
            fail_msg("pair %zu: want %s", i, pairs[i].overlap ? "overlap" : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_checked),
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(overlaps_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
