#include "sinks/push/answer_room.h"

#include "cmocka_all.h"

#define MIB ((size_t)1 << 20)
#define SHARE ANSWER_SHARE_BYTES

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t max_memory, tree, beyond;
        unsigned concurrency;
        size_t all;
    } cases[] = {
        {64 * MIB, 8 * MIB, MIB, 4, 9 * MIB + 4 * SHARE},
        {512 * MIB, 64 * MIB, 8 * MIB, 4, 72 * MIB + 4 * SHARE},
        {4096 * MIB, 64 * MIB, 8 * MIB, 256, 72 * MIB + 256 * SHARE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer_room room;
        answer_room_init(&room, cases[i].max_memory);
        size_t all = answer_room_bytes(&room, cases[i].concurrency);
        if (room.tree_max != cases[i].tree || room.beyond_max != cases[i].beyond ||
            all != cases[i].all)
            fail_msg("%zu: %zu, %zu, %zu in all; want %zu, %zu, %zu", i, room.tree_max,
                     room.beyond_max, all, cases[i].tree, cases[i].beyond, cases[i].all);
    }
}

/* Each has its share; what is beyond that they have together. */
static void test_room(void **state)
{
    (void)state;
    struct answer_room room;
    size_t had[3] = {0};
    answer_room_init(&room, 64 * MIB);
    assert_true(answer_room_take(&room, &had[0], 3 * SHARE));
    assert_true(answer_room_take(&room, &had[0], 2 * SHARE)); /* it has that */
    assert_true(answer_room_take(&room, &had[1], MIB - SHARE));
    assert_int_equal(room.beyond, MIB);
    assert_false(answer_room_take(&room, &had[1], MIB - SHARE + 1));
    assert_false(answer_room_take(&room, &had[2], SHARE + 1));
    assert_true(answer_room_take(&room, &had[2], SHARE));
    answer_room_give(&room, &had[0]);
    answer_room_give(&room, &had[0]);
    assert_true(answer_room_take(&room, &had[1], MIB + SHARE - 1));
    assert_true(answer_room_take(&room, &had[2], SHARE + 1));
    answer_room_give(&room, &had[1]);
    answer_room_give(&room, &had[2]);
    assert_int_equal(room.beyond, 0);
    assert_false(answer_room_take(&room, &had[0], SIZE_MAX));
    assert_true(answer_room_take(&room, &had[0], answer_room_most(&room)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
