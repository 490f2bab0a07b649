/* Which shards of a database belong together, and how those that are due are called. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/sql/shards.h"

/* "seen" and "due": numbers with spaces. */
static const struct {
    uint32_t of;
    const char *seen;
    const char *are, *due;
    uint64_t n_due;
} names[] = {
    {1, "", "of 1", "0 of 1", 1},
    {1, "0", "0 of 1", "", 0},
    {2, "1", "1 of 2", "0 of 2", 1},
    {4, "1 2", "1 and 2 of 4", "0 and 3 of 4", 2},
    {4, "1 1 1", "1 of 4", "0, 2 and 3 of 4", 3},
    {5, "4", "4 of 5", "0, 1, 2 and 1 other of 5", 4},
    {16, "0 2 4 6 8", "0, 2, 4 and 2 others of 16", "1, 3, 5 and 8 others of 16", 11},
    {3, "3 4294967295 18446744073709551615 2", "2 of 3", "0 and 1 of 3", 2},
    {1000000, "", "of 1000000", "0, 1, 2 and 999997 others of 1000000", 1000000},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sql_shards_seen seen;
        struct err e;
        struct sink_result result = {.due = 99};
        char are[SINK_WAITS_FOR_BYTES];
        char *end = NULL;
        assert_int_equal(sql_shards_seen_init(&seen, names[i].of, &e), RC_OK);
        for (const char *at = names[i].seen; *at; at = end)
            (void)sql_shards_see(&seen, strtoull(at, &end, 10));
        sql_shards_names(&seen, true, are);
        sql_shards_due(&seen, &result);
        if (strcmp(are + (are[0] == ' '), names[i].are) != 0 ||
            strcmp(result.waits_for, names[i].due) != 0)
            print_error("%s of %u: \"%s\" and \"%s\"\n", names[i].seen, (unsigned)names[i].of, are,
                        result.waits_for);
        assert_string_equal(are + (are[0] == ' '), names[i].are);
        assert_string_equal(result.waits_for, names[i].due);
        assert_int_equal(result.due, names[i].n_due);
        sql_shards_seen_free(&seen);
    }
}

/* The longest text is not cut. */
static void test_longest(void **state)
{
    struct sql_shards_seen seen;
    struct err e;
    char text[SINK_WAITS_FOR_BYTES];
    (void)state;
    assert_int_equal(sql_shards_seen_init(&seen, 1000000, &e), RC_OK);
    for (uint32_t i = 0; i < 500000; i++)
        assert_true(sql_shards_see(&seen, i));
    sql_shards_names(&seen, false, text);
    assert_string_equal(text, "500000, 500001, 500002 and 499997 others of 1000000");
    sql_shards_seen_free(&seen);
}

/* Each differs from the first in one thing. */
static void test_digests(void **state)
{
    struct sql_relation tables[] = {{.name = STR("leads")}, {.name = STR("x_leads")}};
    const struct sql_relations relations[] = {{.items = tables, .n = 1},
                                              {.items = tables + 1, .n = 1}};
    const struct sink_shard shards[] = {
        {.index = 0, .of = 3, .settings = "ab"},
        {.index = 0, .of = 4, .settings = "ab"},
        {.index = 0, .of = 3, .settings = "ac"},
        {.index = 0, .of = 3, .name = "n", .settings = "ab"},
        {.index = 0, .of = 3, .name = "na", .settings = "b"},
    };
    const struct sql_shards_place places[] = {
        {.schema = STR("s"), .relations = &relations[0]},
        {.schema = STR("t"), .relations = &relations[0]},
        {.schema = STR("s"), .relations = &relations[1]},
        {.schema = STR("s"), .relations = &relations[0], .mode = SQL_MODE_APPEND},
        {.schema = STR("s"), .relations = &relations[0], .deletes = SQL_DELETES_MARK},
        {.schema = STR("s"), .relations = &relations[0], .all_text = true},
    };
    const struct sink_list lists[] = {{.sha256 = "1"}, {.sha256 = "2"}};
    char seen[16][SQL_SHARDS_DIGEST_CHARS + 1];
    char again[SQL_SHARDS_DIGEST_CHARS + 1];
    size_t n = 0;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++)
        assert_int_equal(sql_shards_group(&shards[i], &places[0], seen[n++], &e), RC_OK);
    for (size_t i = 1; i < sizeof places / sizeof *places; i++)
        assert_int_equal(sql_shards_group(&shards[0], &places[i], seen[n++], &e), RC_OK);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        assert_int_equal(sql_shards_set(seen[0], &lists[i], seen[n++], &e), RC_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(strspn(seen[i], "0123456789abcdef"), SQL_SHARDS_DIGEST_CHARS);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
    /* Shards of one run have the same, whatever their number. */
    struct sink_shard other = shards[0];
    other.index = 2;
    assert_int_equal(sql_shards_group(&other, &places[0], again, &e), RC_OK);
    assert_string_equal(again, seen[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
