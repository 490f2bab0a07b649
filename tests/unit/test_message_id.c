/* Wanted ids: made with Python's hashlib. */
#include "cmocka_all.h"

#include "sinks/delivery/message_id.h"

static void make_id(struct message_id_maker *m, const struct str parts[], size_t n, char *out)
{
    message_id_begin(m);
    for (size_t i = 0; i < n; i++)
        message_id_add(m, parts[i]);
    assert_int_equal(message_id_end(m, out), RC_OK);
}

static void ids(void **state)
{
    (void)state;
    struct message_id_maker *m;
    char first[MESSAGE_ID_SIZE], second[MESSAGE_ID_SIZE];
    assert_int_equal(message_id_maker_new(&m, NULL), RC_OK);
    const struct str known[] = {STR("webhook"), STR(""), STR_NONE, STR("L-1")};
    make_id(m, known, 4, first);
    assert_string_equal(first, "msg_342f471dabe72a687c816a1b2519ea27");
    make_id(m, known, 4, second);
    assert_string_equal(first, second);
    /* Parts are not just one behind the other, and none is not empty. */
    const struct str others[][2] = {
        {STR("ab"), STR("c")},  {STR("a"), STR("bc")}, {STR("abc"), STR("")},
        {STR("abc"), STR_NONE}, {STR(""), STR("abc")}, {STR_NONE, STR("abc")},
    };
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < i; k++) {
            make_id(m, others[i], 2, first);
            make_id(m, others[k], 2, second);
            if (strcmp(first, second) == 0)
                fail_msg("rows %zu and %zu: both %s", i, k, first);
        }
    }
    message_id_maker_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
