#include "core/schema.h"

#include <stdlib.h>

#include "tables_text.h"

/* Over a run: one column a source, in order of first appearance, with the lowest free name. */

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
    assert_int_equal(schema_column(f.schema, 0, 3)->source.key.len, 100000);
    buf_free(&b);
    fixture_free(&f);
}

/* A lead that is refused leaves no trace: not even a number that would not be given again. */
static void test_a_refused_lead_adds_nothing(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    assert_non_null(strstr(tables_of(&f, "{\"lead\":{\"a\":0,\"A\":0}}"), " | a=0 a_2=0\n"));
    struct buf b;
    buf_init(&b, (size_t)8 << 20);
    buf_adds(&b, "{\"lead\":{\"_a\":0,\"a_\":0,\"x\":0,\"X\":0");
    for (int i = 0; i < SCHEMA_COLUMNS_MAX - 5; i++)
        buf_addf(&b, ",\"k%d\":0", i);
    buf_adds(&b, "},\"matchingLeads\":[{\"m\":1}]}");
    const char *got = tables_of(&f, buf_cstr(&b));
    assert_memory_equal(got, "limit exceeded: leads would have", 32);
    assert_int_equal(schema_columns(f.schema, 0), 2);
    assert_int_equal(schema_columns(f.schema, 7), 0);
    got = tables_of(&f, "{\"lead\":{\"X\":1,\"x\":2,\"a_\":3,\"A\":4,\"k1\":5}}");
    assert_non_null(strstr(got, " | x=1 x_2=2 a_3=3 a_2=4 k1=5\n"));
    buf_free(&b);
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
    assert_int_equal(schema_columns(f.schema, 0), SCHEMA_COLUMNS_MAX);
    const struct column *last = schema_column(f.schema, 0, SCHEMA_COLUMNS_MAX - 1);
    assert_string_equal(last->name.ptr, "a_65536");
    buf_free(&b);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
