/* What the sink "sqlite" gives SQLite: times, statements of the merge, which column belongs to which source.
 * What comes of it in a database: tests/e2e/test_sqlite.py. */
#include "cmocka_all.h"

#include <string.h>

#include "core/base/rfc3339.h"
#include "sinks/sql/column_map.h"
#include "sinks/sql/merge.h"
#include "sinks/sqlite/place.h"

static const struct sql_dialect *dialect(void)
{
    size_t i = 0;
    while (strcmp(sql_dialect(i)->name, "sqlite") != 0)
        i++;
    return sql_dialect(i);
}

/* ---- times ---------------------------------------------------------------------------------- */

static void times(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0001-01-01T00:00:00.000000Z", "0004-02-29T12:00:00.000001Z", "1582-10-15T00:00:00.000000Z",
        "1600-02-29T23:59:59.999999Z", "1900-02-28T23:59:59.000000Z", "1900-03-01T00:00:00.000000Z",
        "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z", "2000-02-29T00:00:00.500000Z",
        "2024-12-31T23:59:59.000000Z", "2026-11-29T02:00:00.123456Z", "9999-12-31T23:59:59.999999Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char got[SQLITE_TIME_BYTES];
        int64_t us = 0;
        assert_true(rfc3339_parse(str_c(texts[i]), &us));
        sqlite_time_text(us, got);
        assert_string_equal(got, texts[i]);
    }
}

/* Moments all over the years 1 to 9999, against what reads them. */
static void all_months(void **state)
{
    (void)state;
    const int64_t step_us = INT64_C(86400000000) * 30 + 1;
    for (int64_t us = TIME_YEAR_1_US; us < TIME_YEAR_9999_END_US - step_us; us += step_us * 7) {
        char got[SQLITE_TIME_BYTES];
        int64_t back = 0;
        sqlite_time_text(us, got);
        if (!rfc3339_parse(str_c(got), &back) || back != us)
            fail_msg("%s is %lld, wanted %lld", got, (long long)back, (long long)us);
    }
}

/* ---- statements ----------------------------------------------------------------------------- */

static const struct sql_merge_column columns[] = {
    {.name = {"provider", 8}, .value = {"s.c0", 4}, .staged = {"c0", 2}, .role = SQL_MERGE_KEY},
    {.name = {"le\"ad", 5}, .value = {"s.c1", 4}, .staged = {"c1", 2}, .role = SQL_MERGE_KEY},
    {.name = {"email", 5}, .value = {"s.c2", 4}, .role = SQL_MERGE_DATA},
    {.name = {"x", 1}, .value = {"s.e0", 4}, .role = SQL_MERGE_DATA},
    {.name = {"_run_id", 7}, .value = {"'r'", 3}, .role = SQL_MERGE_RUN},
};

static void put_update(struct buf *b, const struct sql_merge *m)
{
    sql_merge_update(b, m);
}

static void put_insert(struct buf *b, const struct sql_merge *m)
{
    sql_merge_insert(b, m, false);
}

static void put_insert_all(struct buf *b, const struct sql_merge *m)
{
    sql_merge_insert(b, m, true);
}

static void put_delete(struct buf *b, const struct sql_merge *m)
{
    sql_merge_delete(b, m, false);
}

static void put_delete_others(struct buf *b, const struct sql_merge *m)
{
    sql_merge_delete(b, m, true);
}

static void put_delete_leads(struct buf *b, const struct sql_merge *m)
{
    sql_merge_delete_leads(b, m, STR("main.gone"));
}

#define INSERT                                                                                     \
    "insert into out.\"t\" (\"provider\", \"le\"\"ad\", \"email\", \"x\", \"_run_id\") select "    \
    "s.c0, s.c1, s.c2, s.e0, 'r' from main.s1 as s"
#define NOT_STAGED                                                                                 \
    "not exists (select 1 from main.s1 as s where t.\"provider\" = s.c0 and t.\"le\"\"ad\" = s.c1)"

/* One row: a statement, of a table with a key or without. */
static const struct {
    void (*put)(struct buf *b, const struct sql_merge *m);
    bool has_key;
    const char *want;
} statements[] = {
    {put_update, true,
     "update out.\"t\" as t set \"email\" = s.c2, \"x\" = s.e0, \"_run_id\" = 'r' from main.s1 as s "
     "where t.\"provider\" = s.c0 and t.\"le\"\"ad\" = s.c1 and (t.\"email\", t.\"x\") is not (s.c2, "
     "s.e0)"},
    {put_insert, true,
     INSERT " where not exists (select 1 from out.\"t\" as t where t.\"provider\" = s.c0 and "
            "t.\"le\"\"ad\" = s.c1)"},
    {put_insert_all, true, INSERT},
    {put_delete, true,
     "delete from out.\"t\" as t where exists (select 1 from main.s0 as l where t.\"provider\" = l.c0 "
     "and t.\"le\"\"ad\" = l.c1) and " NOT_STAGED},
    {put_delete, false,
     "delete from out.\"t\" as t where exists (select 1 from main.s0 as l where t.\"provider\" = l.c0 "
     "and t.\"le\"\"ad\" = l.c1)"},
    {put_delete_others, true, "delete from out.\"t\" as t where " NOT_STAGED},
    {put_delete_others, false, "delete from out.\"t\""},
    {put_delete_leads, true,
     "delete from out.\"t\" as t where exists (select 1 from main.gone as l where t.\"provider\" = "
     "l.c0 and t.\"le\"\"ad\" = l.c1)"},
};

static void merges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        const struct sql_merge m = {.dialect = dialect(),
                                    .differs = " is not ",
                                    .table = STR("out.\"t\""),
                                    .staged = STR("main.s1"),
                                    .leads = STR("main.s0"),
                                    .columns = columns,
                                    .n_columns = sizeof columns / sizeof *columns,
                                    .n_keys = 2,
                                    .n_lead_keys = 2,
                                    .has_key = statements[i].has_key};
        struct buf b;
        buf_init(&b, 1 << 16);
        statements[i].put(&b, &m);
        if (strcmp(buf_cstr(&b), statements[i].want) != 0)
            fail_msg("%zu:\n  got:  %s\n  want: %s", i, buf_cstr(&b), statements[i].want);
        buf_free(&b);
    }
}

/* ---- sources -------------------------------------------------------------------------------- */

static void expect_column(struct sql_column_map *m, const char *wanted, const char *source,
                          const char *want, bool is_new, bool exists)
{
    const struct sql_mapped *got = NULL;
    struct err e = {0};
    assert_int_equal(sql_column_map_find(m, str_c(wanted), str_c(source), &got, &e), RC_OK);
    if (!str_eq_c(got->column, want) || got->is_new != is_new || got->exists != exists)
        fail_msg("%s of %s: got " STR_FMT " (new %d, exists %d), want %s (%d, %d)", wanted, source,
                 STR_ARG(got->column), got->is_new, got->exists, want, is_new, exists);
}

static void columns_of_sources(void **state)
{
    (void)state;
    struct sql_column_map m;
    struct err e = {0};
    sql_column_map_init(&m, dialect());
    assert_int_equal(sql_column_map_remember(&m, STR("a"), STR("/a"), &e), RC_OK);
    assert_int_equal(sql_column_map_remember(&m, STR("a_2"), STR("/A"), &e), RC_OK);
    assert_int_equal(sql_column_map_remember(&m, STR("nobodys"), STR(""), &e), RC_OK);
    assert_int_equal(sql_column_map_exists(&m, STR("a"), &e), RC_OK);
    assert_int_equal(sql_column_map_exists(&m, STR("a_2"), &e), RC_OK);
    assert_int_equal(sql_column_map_exists(&m, STR("nobodys"), &e), RC_OK);
    assert_int_equal(sql_column_map_exists(&m, STR("users"), &e),
                     RC_OK); /* added after leadpipe first wrote to it */
    sql_column_map_adopt(&m);
    expect_column(&m, "a", "/A", "a_2", false, true);
    expect_column(&m, "a", "/a", "a", false, true);
    expect_column(&m, "a", "/_a", "a_3", true, false);
    expect_column(&m, "nobodys", "/n", "nobodys", true, true);
    expect_column(&m, "nobodys", "/N", "nobodys_2", true, false);
    expect_column(&m, "users", "/u", "users_2", true, false);
    expect_column(&m, "users", "/u", "users_2", true, false);
    sql_column_map_free(&m);
    /* A table of the user's that leadpipe has never written to: all is for who wants it. */
    sql_column_map_init(&m, dialect());
    assert_int_equal(sql_column_map_exists(&m, STR("users"), &e), RC_OK);
    sql_column_map_adopt(&m);
    expect_column(&m, "users", "/u", "users", true, true);
    sql_column_map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(all_months),
        cmocka_unit_test(merges),
        cmocka_unit_test(columns_of_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
