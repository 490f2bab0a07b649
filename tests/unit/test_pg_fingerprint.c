/* Fingerprints of rows: what makes them differ, and what does not. */
#include "cmocka_all.h"

#include <stdio.h>

#include "sinks/postgres/fingerprint.h"

struct value {
    const char *source;
    enum column_type type;
    const char *text;
};

struct made {
    size_t table;
    struct value values[3];
};

static struct pg_fingerprint of(const struct made rows[], size_t n)
{
    struct pg_fingerprint lead = {.high = 0};
    for (size_t i = 0; i < n; i++) {
        struct pg_fingerprint row = {.high = 0};
        for (size_t k = 0; k < 3 && rows[i].values[k].source; k++)
            pg_fingerprint_add(
                &row,
                pg_fingerprint_column(str_c(rows[i].values[k].source), rows[i].values[k].type),
                str_c(rows[i].values[k].text));
        pg_fingerprint_row(&lead, rows[i].table, &row);
    }
    return lead;
}

static const struct made base[] = {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "y"}}},
                                   {1, {{"a", TYPE_TEXT, "1"}}},
                                   {1, {{"a", TYPE_TEXT, "2"}}}};

/* NULL: the same. */
static const struct {
    const char *differs;
    size_t n;
    struct made rows[4];
} cases[] = {
    {NULL,
     3,
     {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "y"}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {1, {{"a", TYPE_TEXT, "2"}}}}},
    {NULL,
     3,
     {{0, {{"b", TYPE_TEXT, "y"}, {"a", TYPE_TEXT, "x"}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {1, {{"a", TYPE_TEXT, "2"}}}}},
    {"a value",
     3,
     {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "z"}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {1, {{"a", TYPE_TEXT, "2"}}}}},
    {"values that have changed places",
     3,
     {{0, {{"a", TYPE_TEXT, "y"}, {"b", TYPE_TEXT, "x"}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {1, {{"a", TYPE_TEXT, "2"}}}}},
    {"a value that moved to another row",
     3,
     {{0, {{"a", TYPE_TEXT, "x"}}},
      {1, {{"a", TYPE_TEXT, "1"}, {"b", TYPE_TEXT, "y"}}},
      {1, {{"a", TYPE_TEXT, "2"}}}}},
    {"a type",
     3,
     {{0, {{"a", TYPE_JSON, "x"}, {"b", TYPE_TEXT, "y"}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {1, {{"a", TYPE_TEXT, "2"}}}}},
    {"an empty value more",
     3,
     {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "y"}, {"c", TYPE_TEXT, ""}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {1, {{"a", TYPE_TEXT, "2"}}}}},
    {"the order of rows",
     3,
     {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "y"}}},
      {1, {{"a", TYPE_TEXT, "2"}}},
      {1, {{"a", TYPE_TEXT, "1"}}}}},
    {"the table of a row",
     3,
     {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "y"}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {2, {{"a", TYPE_TEXT, "2"}}}}},
    {"a row fewer",
     2,
     {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "y"}}}, {1, {{"a", TYPE_TEXT, "1"}}}}},
    {"an empty row more",
     4,
     {{0, {{"a", TYPE_TEXT, "x"}, {"b", TYPE_TEXT, "y"}}},
      {1, {{"a", TYPE_TEXT, "1"}}},
      {1, {{"a", TYPE_TEXT, "2"}}},
      {1, {{NULL, TYPE_TEXT, NULL}}}}},
};

static void test_rows(void **state)
{
    (void)state;
    const struct pg_fingerprint wanted = of(base, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct pg_fingerprint got = of(cases[i].rows, cases[i].n);
        bool same = got.high == wanted.high && got.low == wanted.low;
        if (same != !cases[i].differs)
            fail_msg("case %zu (%s): %016llx%016llx, and without it %016llx%016llx", i,
                     cases[i].differs ? cases[i].differs : "the same", (unsigned long long)got.high,
                     (unsigned long long)got.low, (unsigned long long)wanted.high,
                     (unsigned long long)wanted.low);
    }
}

/* They are in databases, and must be found there by later versions. */
static void test_they_stay(void **state)
{
    (void)state;
    const struct pg_fingerprint got = of(base, 3);
    assert_int_equal(got.high, UINT64_C(0xb94c0828d46d5fcb));
    assert_int_equal(got.low, UINT64_C(0x5648113ca6ddf71e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_they_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
