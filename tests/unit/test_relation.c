/* Where the values of a column come from, as _leadpipe_columns remembers it. */
#include "cmocka_all.h"

#include "sinks/sql/relation.h"

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static struct object_spec objects[] = {{.path = {.text = S("/lead")}}, {.path = {.text = S("")}}};
static struct pivot_spec pivots[] = {{.value = {.text = S("/items/*/value")}}};
static const struct table_spec table = {
    .name = S("leads"), .objects = objects, .n_objects = 2, .pivots = pivots, .n_pivots = 1};

static const struct {
    struct column_origin origin;
    const char *source;
} extras[] = {
    {{.scope = 0, .key = S("fooBar")}, "/lead/fooBar"},
    {{.scope = 1, .key = S("a/b~c%d")}, "/a~1b~0c%25d"},
    {{.scope = 0, .key = S("x\0\xED\xA0\x80")}, "/lead/x%00%ED%A0%80"},
    {{.scope = 0, .key = S("line\nend\x7F")}, "/lead/line%0Aend%7F"},
    {{.scope = 0, .key = S("\xC3\xA4")}, "/lead/\xC3\xA4"},
    {{.scope = 2, .key = S("ein"), .occurrence = 1}, "/items/*/value[ein 1]"},
    {{.scope = 2, .key = S("ein"), .occurrence = 2, .member = S("city")},
     "/items/*/value[ein 2]/city"},
    {{.scope = 3}, "others"},
};

static void test_extras(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        struct buf b;
        struct err e;
        buf_init(&b, 1 << 16);
        assert_int_equal(sql_source_extra(&b, &table, &extras[i].origin, &e), RC_OK);
        assert_string_equal(buf_cstr(&b), extras[i].source);
        buf_free(&b);
    }
}

/* A long one stays one, of at most SQL_SOURCE_BYTES_MAX bytes, in whole characters. */
static void test_long(void **state)
{
    (void)state;
    char key[3000];
    struct buf b[2];
    struct err e;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = i % 2 ? '\xA4' : '\xC3';
    for (size_t i = 0; i < 2; i++) {
        const struct column_origin origin = {.scope = 0, .key = {key, sizeof key - 2 * i}};
        buf_init(&b[i], 1 << 16);
        assert_int_equal(sql_source_extra(&b[i], &table, &origin, &e), RC_OK);
        assert_true(b[i].len <= SQL_SOURCE_BYTES_MAX && b[i].len > SQL_SOURCE_BYTES_MAX - 4);
        assert_true(utf8_valid(b[i].data, b[i].len));
    }
    assert_false(str_eq(buf_str(&b[0]), buf_str(&b[1])));
    buf_free(&b[0]);
    buf_free(&b[1]);
}

/* Of all documented columns, no two in one table are the same; one name of a table is taken. */
static void test_relations(void **state)
{
    (void)state;
    static const char *const providers[] = {"omni", "convocore"};
    const struct sql_dialect *postgres = sql_dialect(0);
    for (size_t i = 0; i < 2; i++) {
        struct profile *p;
        struct sql_relations r;
        struct arena memory;
        struct err e;
        arena_init(&memory, 16 << 20);
        assert_int_equal(profile_load(&p, providers[i], &e), RC_OK);
        assert_int_equal(sql_relations_make(&r, &memory, postgres, p, "x_", false, &e), RC_OK);
        assert_int_equal(r.n, p->n_tables);
        assert_int_equal(r.n_lead_keys, p->n_key_columns);
        assert_true(str_eq_c(r.items[0].name, "x_leads"));
        for (size_t t = 0; t < r.n; t++) {
            for (size_t c = 0; c < r.items[t].n_columns; c++) {
                for (size_t k = 0; k < c; k++)
                    assert_false(
                        str_eq(r.items[t].columns[c].source, r.items[t].columns[k].source));
            }
        }
        assert_int_equal(sql_relations_make(&r, &memory, postgres, p, "_leadpipe_", false, &e),
                         RC_USAGE);
        profile_free(p);
        arena_free(&memory);
    }
}

/* SQLite does not tell capital letters from small ones, PostgreSQL does. */
static void test_names_alike(void **state)
{
    (void)state;
    static const struct {
        const char *dialect;
        struct str names[2];
        enum rc rc;
    } rows[] = {
        {"sqlite", {S("leads"), S("Leads")}, RC_USAGE},
        {"sqlite", {S("leads"), S("LEADS")}, RC_USAGE},
        {"sqlite", {S("leads"), S("leads")}, RC_USAGE},
        {"sqlite", {S("leads"), S("lead")}, RC_OK},
        {"sqlite",
         {S("a_b"), S("a\x7f"
                      "b")},
         RC_OK}, /* which differ by the bit of letters alone */
        {"sqlite", {S("a@"), S("a`")}, RC_OK},
        {"sqlite", {S("\xC3\xA4"), S("\xC3\x84")}, RC_OK},
        {"sqlite", {S("leads"), S("_LeadPipe_runs")}, RC_USAGE},
        {"postgres", {S("leads"), S("Leads")}, RC_OK},
        {"postgres", {S("leads"), S("leads")}, RC_USAGE},
        {"postgres", {S("leads"), S("_leadpipe_runs")}, RC_USAGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct table_spec tables[2] = {{.name = rows[i].names[0]}, {.name = rows[i].names[1]}};
        const struct profile profile = {.tables = tables, .n_tables = 2};
        const struct sql_dialect *dialect = NULL;
        struct sql_relations r;
        struct arena memory;
        struct err e = {.msg = ""};
        for (size_t k = 0;
             (dialect = sql_dialect(k)) && strcmp(dialect->name, rows[i].dialect) != 0;)
            k++;
        arena_init(&memory, 16 << 20);
        enum rc rc = sql_relations_make(&r, &memory, dialect, &profile, NULL, false, &e);
        if (rc != rows[i].rc)
            fail_msg("%s: %s and %s: %s", rows[i].dialect, rows[i].names[0].ptr,
                     rows[i].names[1].ptr, rc_text(rc));
        arena_free(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_extras), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_relations),
                                       cmocka_unit_test(test_names_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
