/* The statements of a merge, and of leads that are gone, as text. That both databases take them:
 * tests/e2e/test_databases.py. */
#include "cmocka_all.h"

#include <string.h>

#include "sinks/sql/gone.h"
#include "sinks/sql/merge.h"

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct sql_merge_column columns[] = {
    {.name = S("provider"), .value = S("s.c0"), .staged = S("c0"), .role = SQL_MERGE_KEY},
    {.name = S("lead\"id"), .value = S("s.c1"), .staged = S("c1"), .role = SQL_MERGE_KEY},
    {.name = S("position"), .value = S("s.c3"), .staged = S("c3"), .role = SQL_MERGE_KEY},
    {.name = S("a\"b"), .value = S("s.c2"), .role = SQL_MERGE_DATA},
    {.name = S("doc"), .value = S("f(s.e0)"), .role = SQL_MERGE_DATA, .as_text = true},
    {.name = S("_run_id"), .value = S("'r'"), .role = SQL_MERGE_RUN},
};

static struct sql_merge merge_of(bool has_key)
{
    return (struct sql_merge){.dialect = sql_dialect(0),
                              .differs = " is distinct from ",
                              .table = S("dw.t"),
                              .staged = S("st"),
                              .leads = S("sl"),
                              .columns = columns,
                              .n_columns = sizeof columns / sizeof *columns,
                              .n_keys = 3,
                              .n_lead_keys = 2,
                              .has_key = has_key};
}

static void expect(const char *what, size_t i, struct buf *b, const char *want)
{
    if (strcmp(buf_cstr(b), want) != 0)
        fail_msg("%s %zu:\n  got:  %s\n  want: %s", what, i, buf_cstr(b), want);
    buf_free(b);
}

#define LEAD "t.\"provider\" = l.c0 and t.\"lead\"\"id\" = l.c1"
#define KEY "t.\"provider\" = s.c0 and t.\"lead\"\"id\" = s.c1 and t.\"position\" = s.c3"
#define INSERT_FROM(staged)                                                                        \
    "insert into dw.t (\"provider\", \"lead\"\"id\", \"position\", \"a\"\"b\", \"doc\", "          \
    "\"_run_id\") select s.c0, s.c1, s.c3, s.c2, f(s.e0), 'r' from " staged " as s"
#define INSERT INSERT_FROM("st")
#define UNLESS_THERE " where not exists (select 1 from dw.t as t where " KEY ")"
#define INSERT_NEW INSERT UNLESS_THERE
#define DIFFERS                                                                                    \
    "(t.\"a\"\"b\", cast(t.\"doc\" as text)) is distinct from (s.c2, cast(f(s.e0) as text))"
#define UPDATE_FROM(staged)                                                                        \
    "update dw.t as t set \"a\"\"b\" = s.c2, \"doc\" = f(s.e0), \"_run_id\" = 'r' from " staged    \
    " as s where " KEY " and " DIFFERS
#define UPDATE UPDATE_FROM("st")
#define CHANGED                                                                                    \
    "select s.* from st as s where not exists (select 1 from dw.t as t where " KEY                 \
    " and case when " DIFFERS " then false else true end)"
#define SURPLUS                                                                                    \
    "select t.\"provider\" as c0, t.\"lead\"\"id\" as c1, t.\"position\" as c3 from dw.t as t where "
#define DELETE "delete from dw.t as t where exists (select 1 from sl as l where " LEAD ")"
#define NOT_STAGED "not exists (select 1 from st as s where " KEY ")"

/* What is sent in each step, "": nothing. */
static const struct {
    enum sql_mode mode;
    bool has_key, is_empty;
    const char *sql[SQL_MERGE_STEPS];
} cases[] = {
    {SQL_MODE_UPSERT, true, false, {DELETE " and " NOT_STAGED, UPDATE, INSERT_NEW}},
    {SQL_MODE_UPSERT, true, true, {"", "", INSERT}},
    {SQL_MODE_UPSERT, false, false, {DELETE, "", INSERT}},
    {SQL_MODE_UPSERT, false, true, {"", "", INSERT}},
    {SQL_MODE_APPEND, true, false, {"", "", INSERT}},
    {SQL_MODE_APPEND, false, true, {"", "", INSERT}},
    {SQL_MODE_REPLACE,
     true,
     false,
     {"delete from dw.t as t where " NOT_STAGED, UPDATE, INSERT_NEW}},
    {SQL_MODE_REPLACE, true, true, {"", "", INSERT}},
    {SQL_MODE_REPLACE, false, false, {"delete from dw.t", "", INSERT}},
};

static void test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sql_merge m = merge_of(cases[i].has_key);
        for (size_t step = 0; step < SQL_MERGE_STEPS; step++) {
            struct buf b;
            buf_init(&b, 1 << 16);
            sql_merge_step(&b, &m, cases[i].mode, cases[i].is_empty, (enum sql_merge_step)step);
            expect("step of case", i, &b, cases[i].sql[step]);
        }
    }
}

/* Of a collation that takes two texts for one: in the comparison and in the key, but not where it is written. */
static void test_exactly(void **state)
{
    (void)state;
    static const struct sql_merge_column exact[] = {
        {.name = S("k"),
         .value = S("s.c0"),
         .staged = S("c0"),
         .role = SQL_MERGE_KEY,
         .exactly = " collate x"},
        {.name = S("a"), .value = S("s.c1"), .exactly = " collate x", .role = SQL_MERGE_DATA},
        {.name = S("b"),
         .value = S("s.c2"),
         .exactly = " collate x",
         .as_text = true,
         .role = SQL_MERGE_DATA},
    };
    struct sql_merge m = merge_of(true);
    m.columns = exact;
    m.n_columns = sizeof exact / sizeof *exact;
    m.n_keys = m.n_lead_keys = 1;
    struct buf b;
    buf_init(&b, 1 << 16);
    sql_merge_step(&b, &m, SQL_MODE_UPSERT, false, SQL_MERGE_UPDATE);
    expect(
        "step", 0, &b,
        "update dw.t as t set \"a\" = s.c1, \"b\" = s.c2 from st as s where t.\"k\" collate x = s.c0 and "
        "(t.\"a\" collate x, cast(t.\"b\" as text) collate x) is distinct from (s.c1, cast(s.c2 as text))");
}

/* Where the rows to write and to delete were found out before. */
static void test_steps_of_difference(void **state)
{
    (void)state;
    static const struct {
        enum sql_mode mode;
        const char *surplus;
    } modes[] = {
        {SQL_MODE_UPSERT, SURPLUS "exists (select 1 from sl as l where " LEAD ") and " NOT_STAGED},
        {SQL_MODE_REPLACE, SURPLUS NOT_STAGED},
    };
    static const char *const steps[SQL_MERGE_STEPS] = {
        "delete from dw.t as t where exists (select 1 from st_surplus as s where " KEY ")",
        UPDATE_FROM("st_changed"), INSERT_FROM("st_changed") UNLESS_THERE};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct sql_merge m = merge_of(true);
        struct buf b;
        buf_init(&b, 1 << 16);
        sql_merge_select_surplus(&b, &m, modes[i].mode);
        expect("surplus of mode", i, &b, modes[i].surplus);
        buf_init(&b, 1 << 16);
        sql_merge_select_changed(&b, &m);
        expect("changed of mode", i, &b, CHANGED);
        m.surplus = STR("st_surplus");
        m.changed = STR("st_changed");
        for (size_t step = 0; step < SQL_MERGE_STEPS; step++) {
            buf_init(&b, 1 << 16);
            sql_merge_step(&b, &m, modes[i].mode, false, (enum sql_merge_step)step);
            expect("step", step, &b, steps[step]);
        }
    }
}

/* In the leads' own table each row is that of a staged lead, and staged, or neither. */
static void test_leads_have_no_surplus(void **state)
{
    (void)state;
    struct sql_merge m = merge_of(true);
    struct buf b;
    m.n_keys = m.n_lead_keys;
    m.leads = m.staged;
    buf_init(&b, 1 << 16);
    sql_merge_select_surplus(&b, &m, SQL_MODE_UPSERT);
    sql_merge_step(&b, &m, SQL_MODE_UPSERT, false, SQL_MERGE_DELETE);
    assert_int_equal(b.len, 0);
    sql_merge_step(&b, &m, SQL_MODE_REPLACE, false, SQL_MERGE_DELETE);
    expect("leads", 0, &b,
           "delete from dw.t as t where not exists (select 1 from st as s where "
           "t.\"provider\" = s.c0 and t.\"lead\"\"id\" = s.c1)");
}

/* Keys alone: there is nothing that could differ. */
static void test_nothing_to_update(void **state)
{
    (void)state;
    struct sql_merge m = merge_of(true);
    struct buf b;
    buf_init(&b, 1 << 16);
    m.n_columns = m.n_keys;
    sql_merge_step(&b, &m, SQL_MODE_UPSERT, false, SQL_MERGE_UPDATE);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

#define GONE_FROM                                                                                  \
    "select count(*) from (select distinct c0, c1 from st_gone) as l where exists (select 1 from " \
    "dw.t as t where " LEAD

/* The leads that are held, those of them that are gone, and what marks them. */
static const struct {
    const char *deleted_at; /* NULL: the table has no such column */
    bool has_history;
    const char *held, *gone, *mark;
} gone_cases[] = {
    {NULL, false,
     "select count(*) from (select t.\"provider\", t.\"lead\"\"id\" from dw.t as t where "
     "t.\"provider\" = 'o''mni') as h",
     GONE_FROM ")", NULL},
    {"_deleted_at", false,
     "select count(*) from (select t.\"provider\", t.\"lead\"\"id\" from dw.t as t where "
     "t.\"provider\" = 'o''mni' and t.\"_deleted_at\" is null) as h",
     GONE_FROM " and t.\"_deleted_at\" is null)",
     "update dw.t as t set \"_deleted_at\" = 'now', \"_run_id\" = 'r' from st_gone as l where " LEAD
     " and t.\"_deleted_at\" is null"},
    {NULL, true,
     "select count(*) from (select distinct t.\"provider\", t.\"lead\"\"id\" from dw.t as t where "
     "t.\"provider\" = 'o''mni') as h",
     GONE_FROM ")", NULL},
};

static void test_gone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gone_cases / sizeof *gone_cases; i++) {
        const struct sql_merge m = merge_of(true);
        const struct sql_gone g = {
            .leads = &m,
            .keys = STR("st_gone"),
            .provider = STR("o'mni"),
            .deleted_at = gone_cases[i].deleted_at ? str_c(gone_cases[i].deleted_at) : STR_NONE,
            .has_history = gone_cases[i].has_history};
        struct buf b;
        buf_init(&b, 1 << 16);
        sql_gone_count_held(&b, &g);
        expect("held", i, &b, gone_cases[i].held);
        buf_init(&b, 1 << 16);
        sql_gone_count(&b, &g);
        expect("gone", i, &b, gone_cases[i].gone);
        if (!gone_cases[i].mark)
            continue;
        buf_init(&b, 1 << 16);
        assert_int_equal(sql_gone_step(&b, &g, SQL_DELETES_MARK, true, "now"), SQL_MERGE_UPDATE);
        expect("mark", i, &b, gone_cases[i].mark);
    }
}

static void test_delete_gone(void **state)
{
    (void)state;
    const struct sql_merge m = merge_of(false);
    const struct sql_gone g = {.leads = &m, .keys = STR("st_gone")};
    struct buf b;
    buf_init(&b, 1 << 16);
    (void)sql_gone_step(&b, &g, SQL_DELETES_IGNORE, true, "now");
    (void)sql_gone_step(&b, &g, SQL_DELETES_MARK, false, "now");
    assert_int_equal(b.len, 0);
    assert_int_equal(sql_gone_step(&b, &g, SQL_DELETES_DELETE, false, "now"), SQL_MERGE_DELETE);
    expect("delete", 0, &b,
           "delete from dw.t as t where exists (select 1 from st_gone as l where " LEAD ")");
}

static void test_limit(void **state)
{
    (void)state;
    static const struct portion five = {.kind = PORTION_COUNT, .n = 5};
    static const struct portion any = {.kind = PORTION_ANY};
    static const struct {
        enum sql_deletes deletes;
        const struct portion *max_gone;
        uint64_t held, allowed;
    } limits[] = {
        {SQL_DELETES_IGNORE, &five, 40, 40}, {SQL_DELETES_MARK, &five, 40, 5},
        {SQL_DELETES_DELETE, &five, 40, 5},  {SQL_DELETES_DELETE, NULL, 40, 40},
        {SQL_DELETES_DELETE, &any, 40, 100}, {SQL_DELETES_MARK, &any, 5000, 500},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct sql_outcome out = {.held = limits[i].held};
        sql_gone_limit(&out, limits[i].deletes, limits[i].max_gone);
        if (out.gone_allowed != limits[i].allowed)
            fail_msg("%zu: %llu, want %llu", i, (unsigned long long)out.gone_allowed,
                     (unsigned long long)limits[i].allowed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_exactly),
        cmocka_unit_test(test_steps_of_difference),
        cmocka_unit_test(test_leads_have_no_surplus),
        cmocka_unit_test(test_nothing_to_update),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_delete_gone),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
