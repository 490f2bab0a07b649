#include "core/flatten/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "tables_text.h"

/* Of the table leads, with the keys. */
static size_t omni_columns(const struct tables_fixture *f)
{
    return 2 + f->profile->tables[0].n_columns;
}

static void limit_columns(struct tables_fixture *f, size_t max)
{
    schema_free(f->schema);
    f->schema = NULL;
    assert_int_equal(schema_new(&f->schema, f->profile, max), RC_OK);
}

/* Over a run: one column an origin, in order of first appearance, with the lowest free name. */

static void test_a_column_stays_over_the_run(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *row;
    } leads[] = {
        {"{\"lead\":{\"b\":1,\"a\":2}}", " | b=1 a=2\n"},
        {"{\"lead\":{\"a\":3,\"c\":4,\"b\":5}}", " | a=3 c=4 b=5\n"},
        {"{\"lead\":{\"A\":6}}", " | a_2=6\n"},
        {"{\"lead\":{},\"a\":7}", " | a_3=7\n"}, /* the same key from elsewhere */
        {"{\"lead\":{\"A\":8,\"a\":9}}", " | a_2=8 a=9\n"},
        {"{\"lead\":{\"a_2\":10,\"a_3_2\":11,\"a_4\":12,\" a\":13}}",
         " | a_2_2=10 a_3_2=11 a_4=12 a_5=13\n"},
    };
    static const char *const columns[] = {"b",     "a",     "c",   "a_2", "a_3",
                                          "a_2_2", "a_3_2", "a_4", "a_5"};
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        const char *got = strstr(tables_of(&f, leads[i].payload), " |");
        assert_non_null(got);
        assert_string_equal(got, leads[i].row);
    }
    assert_int_equal(schema_columns(f.schema, 0), sizeof columns / sizeof *columns);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const struct column *c = schema_column(f.schema, 0, i);
        assert_int_equal(c->index, i);
        assert_string_equal(c->name.ptr, columns[i]);
    }
    fixture_free(&f);
}

static void test_tables_have_names_of_their_own(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    const char *got =
        tables_of(&f, "{\"lead\":{\"documents\":[]},\"documents\":[{\"documents\":[]}]}");
    assert_non_null(strstr(got, " | documents_2=[]\ndocuments\n   position=0 | documents=[]\n"));
    fixture_free(&f);
}

/* Whatever the seed of the hashes: names depend on the leads alone. */
static void test_same_leads_same_columns(void **state)
{
    (void)state;
    struct tables_fixture f[2];
    for (int i = 0; i < 2; i++) {
        fixture_load(&f[i], "omni", SIGNED_URLS_STRIP);
        for (int lead = 0; lead < 50; lead++) {
            struct buf b;
            buf_init(&b, 1 << 20);
            buf_adds(&b, "{\"lead\":{");
            for (int k = 0; k < 40; k++)
                buf_addf(&b, "%s\"%ck%d%s\":0", k ? "," : "", k % 2 ? 'X' : '_', lead * 7 + k / 3,
                         k % 3 ? "" : "_2");
            buf_adds(&b, "}}");
            assert_non_null(strstr(tables_of(&f[i], buf_cstr(&b)), " |"));
            buf_free(&b);
        }
    }
    size_t n = schema_columns(f[0].schema, 0);
    assert_int_equal(n, schema_columns(f[1].schema, 0));
    for (size_t i = 0; i < n; i++)
        assert_string_equal(schema_column(f[0].schema, 0, i)->name.ptr,
                            schema_column(f[1].schema, 0, i)->name.ptr);
    fixture_free(&f[0]);
    fixture_free(&f[1]);
}

static void add_key(struct buf *b, char c, size_t n, const char *end)
{
    buf_adds(b, "\"");
    for (size_t i = 0; i < n; i++)
        buf_addc(b, c);
    buf_adds(b, end);
    buf_adds(b, "\":0");
}

static void test_long_names_are_cut(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, "{\"lead\":{");
    add_key(&b, 'a', 600, "1");
    buf_adds(&b, ",");
    add_key(&b, 'a', 600, "2");
    buf_adds(&b, ",");
    add_key(&b, 'b', 511, "\xc3\xa9"); /* no half of a character stays */
    buf_adds(&b, ",");
    add_key(&b, 'c', 100000, "");
    buf_adds(&b, "}}");
    assert_non_null(strstr(tables_of(&f, buf_cstr(&b)), " |"));
    static const size_t lengths[] = {512, 514, 511, 512};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(schema_column(f.schema, 0, i)->name.len, lengths[i]);
    assert_int_equal(schema_column(f.schema, 0, 3)->origin.key.len, 100000);
    buf_free(&b);
    fixture_free(&f);
}

/* A lead that is refused leaves no trace: not even a number that would not be given again. */
static void test_a_refused_lead_adds_nothing(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    limit_columns(&f, omni_columns(&f) + 4);
    assert_non_null(strstr(tables_of(&f, "{\"lead\":{\"a\":0,\"A\":0}}"), " | a=0 a_2=0\n"));
    struct lead *lead = lead_with_body(STR("{\"lead\":{\"_a\":0,\"x\":\"0123456789\",\"y\":{}}}"));
    struct err e;
    const char *code;
    assert_int_equal(flatten_parse(f.plan, lead, JSON_TREE, &code, &e), RC_OK);
    assert_int_equal(flatten_rows(f.plan, lead, false, &e), RC_OK);
    lead->arena.max_bytes = 1;
    while (arena_alloc(&lead->arena, 1))
        continue;
    assert_int_equal(schema_resolve(f.schema, lead, &e), RC_LIMIT);
    assert_int_equal(schema_columns(f.schema, 0), 2);
    assert_int_equal(lead->members_beyond, 0);
    lead_free(lead);
    assert_non_null(strstr(tables_of(&f, "{\"lead\":{\"a_\":3,\"A\":4}}"), " | a_3=3 a_2=4\n"));
    fixture_free(&f);
}

/* Names made to clash: each of the second half must find its number at once, or this takes hours. */
static void test_hostile_clashes(void **state)
{
    (void)state;
    enum { HALF = SCHEMA_COLUMNS_MAX / 2 };
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    buf_adds(&b, "{\"lead\":{\"a\":0");
    for (int i = 0; i < HALF - 1; i++)
        buf_addf(&b, ",\"a_%d\":0", i + 2);
    /* all that name_snake() drops, in as many ways as there are: all want to be "a" */
    for (unsigned i = 1; i <= HALF; i++) {
        buf_adds(&b, ",\"a");
        for (unsigned bit = 0; bit < 16; bit++)
            buf_addc(&b, i >> bit & 1 ? '-' : '+');
        buf_adds(&b, "\":0");
    }
    buf_adds(&b, "}}");
    assert_non_null(strstr(tables_of(&f, buf_cstr(&b)), " |"));
    size_t n = SCHEMA_COLUMNS_MAX - omni_columns(&f);
    assert_int_equal(schema_columns(f.schema, 0), n);
    char name[16];
    (void)snprintf(name, sizeof name, "a_%zu", n - 1);
    assert_string_equal(schema_column(f.schema, 0, n - 2)->name.ptr, name);
    assert_string_equal(schema_column(f.schema, 0, n - 1)->name.ptr, SCHEMA_OTHER_MEMBERS);
    buf_free(&b);
    fixture_free(&f);
}

/* ---- no place left -------------------------------------------------------------------------- */

#define ITEM(code, value) "{\"checklistItem\":{\"code\":\"" code "\"},\"value\":" value "}"
#define CODES(items) "{\"lead\":{},\"checklistItems\":[{\"items\":[" items "]}]}"

static void test_values_without_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *row;
        unsigned codes, members;
    } leads[] = {
        {"{\"lead\":{\"a\":1}}", " | a=1", 0, 0},
        {CODES(ITEM("c", "2") "," ITEM("d", "{\"x\":3,\"y\":4}")),
         " | checklist_c=2 checklist_d_x=3", 1, 0},
        /* those that have a column keep it, others of the same lead do not get one */
        {"{\"lead\":{\"b\":[1],\"a\":5},\"e\":\"six\",\"checklistItems\":[{\"items\":[" ITEM(
             "c", "7") "," ITEM("f", "8") "]}]}",
         " | checklist_c=7 a=5 other_members={\"b\":[1],\"e\":\"six\"}", 1, 2},
        /* as their columns would be called; in each object the lowest free number */
        {"{\"lead\":{\"B\":1,\"b\":null,\"_b\":true,\"firstNAME\":-0,\"otherMembers\":{}},\"b\":2,"
         "\"lastAction\":{\"x\":\"\"}}",
         " | other_members={\"b\":1,\"b_2\":null,\"b_3\":true,\"first_name\":-0,"
         "\"other_members\":{},\"b_4\":2,\"last_action_x\":\"\"}",
         0, 7},
        {"{\"lead\":{\"\xFF\":1,\"\xFE\":2}}",
         " | other_members={\"\xEF\xBF\xBD\":1,\"\xEF\xBF\xBD_2\":2}", 0, 2},
        {"{\"lead\":{\"a\":9}}", " | a=9", 0, 0},
        {"{\"lead\":{},\"documents\":[{\"pages\":1}]}", "position=0 | pages=1", 0, 0},
    };
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    limit_columns(&f, omni_columns(&f) + 4);
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        struct lead *lead = lead_with_body(str_c(leads[i].payload));
        const char *got = tables_of_lead(&f, lead);
        const char *row = strstr(got, " |");
        if (i == 6)
            row = strstr(got, "position=0");
        if (!row || strncmp(row, leads[i].row, strlen(leads[i].row)) != 0 ||
            row[strlen(leads[i].row)] != '\n')
            fail_msg("%s\n--- wanted\n%s\n--- got\n%s", leads[i].payload, leads[i].row, got);
        assert_int_equal(lead->codes_beyond, leads[i].codes);
        assert_int_equal(lead->members_beyond, leads[i].members);
        lead_free(lead);
    }
    assert_int_equal(schema_columns(f.schema, 0), 4);
    fixture_free(&f);
}

/* A pivot whose elements have no rows: its values would be lost. */
static void test_codes_without_rows(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_parse(
        &f,
        "{\"profile\":1,\"name\":\"p\",\"servers\":[{\"name\":\"s\",\"url\":\"http://h\"}],"
        "\"path\":\"/{id}\",\"tables\":[{\"name\":\"t\",\"each\":\"\",\"columns\":[],"
        "\"pivots\":[{\"each\":\"/f/*\",\"key\":\"/f/*/k\",\"value\":\"/f/*/v\",\"prefix\":\"f_\"}]}]}",
        SIGNED_URLS_STRIP);
    limit_columns(&f, 4);
    const char *got = tables_of(
        &f, "{\"f\":[{\"k\":\"a\",\"v\":1},{\"k\":\"b\",\"v\":2},{\"k\":\"b\",\"v\":3}]}");
    assert_non_null(strstr(got, " | f_a=1 other_members={\"f_b\":2,\"f_b_2\":3,\"f\":["));
    fixture_free(&f);
}

/* Keys that are kept for the whole run are bounded together, too. */
static void test_long_keys_get_no_column(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    size_t len = (size_t)20 << 20;
    for (int i = 0; i < 2; i++) {
        struct buf b;
        buf_init(&b, 2 * len);
        buf_addf(&b, "{\"lead\":{\"k\":%d,\"%c", i, 'a' + i);
        memset(buf_reserve(&b, len), 'x', len);
        b.len += len;
        buf_adds(&b, "\":1}}");
        struct lead *lead = lead_with_body(buf_str(&b));
        assert_non_null(
            strstr(tables_of_lead(&f, lead), i ? " | k=1 other_members={\"bxx" : " | k=0 axx"));
        assert_int_equal(lead->members_beyond, i);
        lead_free(lead);
        buf_free(&b);
    }
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_column_stays_over_the_run),
        cmocka_unit_test(test_tables_have_names_of_their_own),
        cmocka_unit_test(test_same_leads_same_columns),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_a_refused_lead_adds_nothing),
        cmocka_unit_test(test_hostile_clashes),
        cmocka_unit_test(test_values_without_a_place),
        cmocka_unit_test(test_codes_without_rows),
        cmocka_unit_test(test_long_keys_get_no_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
