/* The statements of a merge, as text. */
#include "cmocka_all.h"

#include "sinks/sql/merge.h"

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct sql_merge_column columns[] = {
    {.name = S("provider"), .value = S("s.c0"), .staged = S("c0"), .role = SQL_MERGE_KEY},
    {.name = S("lead_id"), .value = S("s.c1"), .staged = S("c1"), .role = SQL_MERGE_KEY},
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

#define LEAD "t.\"provider\" = l.c0 and t.\"lead_id\" = l.c1"
#define KEY "t.\"provider\" = s.c0 and t.\"lead_id\" = s.c1 and t.\"position\" = s.c3"
#define INSERT                                                                                      \
    "insert into dw.t (\"provider\", \"lead_id\", \"position\", \"a\"\"b\", \"doc\", \"_run_id\") " \
    "select s.c0, s.c1, s.c3, s.c2, f(s.e0), 'r' from st as s"

enum statement { UPDATE, ADD_NEW, ADD_ALL, DELETE_ROWS, DELETE_OTHERS, DELETE_LEADS };

static const struct {
    enum statement statement;
    bool has_key;
    const char *sql;
} cases[] = {
    {UPDATE, true,
     "update dw.t as t set \"a\"\"b\" = s.c2, \"doc\" = f(s.e0), \"_run_id\" = 'r' from st as s where " KEY
     " and (t.\"a\"\"b\", cast(t.\"doc\" as text)) is distinct from (s.c2, cast(f(s.e0) as text))"},
    {ADD_NEW, true, INSERT " where not exists (select 1 from dw.t as t where " KEY ")"},
    {ADD_ALL, true, INSERT},
    {DELETE_ROWS, true,
     "delete from dw.t as t where exists (select 1 from sl as l where " LEAD
     ") and not exists (select 1 from st as s where " KEY ")"},
    {DELETE_ROWS, false,
     "delete from dw.t as t where exists (select 1 from sl as l where " LEAD ")"},
    {DELETE_OTHERS, true,
     "delete from dw.t as t where not exists (select 1 from st as s where " KEY ")"},
    {DELETE_OTHERS, false, "delete from dw.t"},
    {DELETE_LEADS, true,
     "delete from dw.t as t where exists (select 1 from gone as l where " LEAD ")"},
};

static void test_statements(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sql_merge m = merge_of(cases[i].has_key);
        struct buf b;
        buf_init(&b, 1 << 16);
        switch (cases[i].statement) {
        case UPDATE:
            sql_merge_update(&b, &m);
            break;
        case ADD_NEW:
        case ADD_ALL:
            sql_merge_insert(&b, &m, cases[i].statement == ADD_ALL);
            break;
        case DELETE_ROWS:
        case DELETE_OTHERS:
            sql_merge_delete(&b, &m, cases[i].statement == DELETE_OTHERS);
            break;
        case DELETE_LEADS:
            sql_merge_delete_leads(&b, &m, STR("gone"));
            break;
        }
        assert_string_equal(buf_cstr(&b), cases[i].sql);
        buf_free(&b);
    }
}

/* Keys alone: there is nothing that could differ. */
static void test_nothing_to_update(void **state)
{
    (void)state;
    struct sql_merge m = merge_of(true);
    struct buf b;
    buf_init(&b, 1 << 16);
    m.n_columns = m.n_keys;
    sql_merge_update(&b, &m);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_statements),
                                       cmocka_unit_test(test_nothing_to_update)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
