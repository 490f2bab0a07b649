/* Names in databases, and the list of these. What they make of whole tables: tests/e2e/test_types.py. */
#include "cmocka_all.h"

#include "sinks/sql/dialect.h"

static void test_dialects(void **state)
{
    (void)state;
    struct buf names;
    buf_init(&names, 1 << 10);
    for (size_t i = 0; sql_dialect(i); i++) {
        const struct sql_dialect *d = sql_dialect(i);
        buf_addf(&names, "%s%s", i ? "|" : "", d->name);
        for (size_t type = 0; type < COLUMN_TYPES; type++)
            assert_non_null(d->types[type]);
        assert_true(d->key_text && d->nullable[0] && d->nullable[1] && d->not_null);
    }
    assert_string_equal(buf_cstr(&names), SQL_DIALECTS);
    buf_free(&names);
}

#define E_ACUTE "\xC3\xA9"
#define TEN(text) text text text text text text text text text text

/* The hashes are of sha256sum(1). */
static const struct {
    const char *dialect, *name, *want;
} rows[] = {
    {"postgres", "lead_id", "lead_id"},
    {"snowflake", "lead_id_2", "LEAD_ID_2"},
    {"snowflake", "stra" E_ACUTE "e", "STRA" E_ACUTE "E"},
    {"postgres", TEN("abcdef") "xyz", TEN("abcdef") "xyz"}, /* 63 bytes */
    {"postgres", TEN("abcdef") "xyz1",
     "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdef_7c80f4dc"},
    {"redshift", TEN("abcdef") "xyz1", TEN("abcdef") "xyz1"},
    {"sqlite", TEN(TEN("abcdef")), TEN(TEN("abcdef"))},
    /* at a character: 26 of them in 54 bytes, and one byte that is free */
    {"postgres", "a" TEN(E_ACUTE E_ACUTE E_ACUTE E_ACUTE),
     "a" TEN(E_ACUTE E_ACUTE) E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE "_4831141c"},
};

static const struct sql_dialect *named(const char *name)
{
    size_t i = 0;
    while (sql_dialect(i) && strcmp(sql_dialect(i)->name, name) != 0)
        i++;
    return sql_dialect(i);
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        buf_init(&b, 1 << 10);
        assert_int_equal(sql_name(&b, named(rows[i].dialect), str_c(rows[i].name), NULL), RC_OK);
        if (strcmp(buf_cstr(&b), rows[i].want) != 0)
            fail_msg("%s in %s:\n  got:  %s\n  want: %s", rows[i].name, rows[i].dialect,
                     buf_cstr(&b), rows[i].want);
        buf_free(&b);
    }
}

static void test_quotes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 10);
    sql_quote(&b, named("postgres"), STR("a\"b"));
    sql_quote(&b, named("clickhouse"), STR("a"));
    assert_string_equal(buf_cstr(&b), "\"a\"\"b\"`a`");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialects),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
