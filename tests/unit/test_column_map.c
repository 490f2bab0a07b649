/* Which column belongs to which source, over several runs. */
#include "cmocka_all.h"

#include <stdio.h>

#include "sinks/sql/column_map.h"

static const struct sql_dialect *postgres(void)
{
    for (size_t i = 0; sql_dialect(i); i++) {
        if (strcmp(sql_dialect(i)->name, "postgres") == 0)
            return sql_dialect(i);
    }
    return NULL;
}

#define MAX 6
#define LONG "l123456789012345678901234567890123456789012345678901234567890123456789"

/* "remembered" and what is wanted: "NAME SOURCE"; "exists": names, "=NAME": a generated column; "present":
 * the column that the table has for each of "wanted" before any of them is found, NULL: none. Columns whose names
 * have "full" in them have values. */
static const struct {
    const char *name;
    const char *remembered[MAX], *exists[MAX], *wanted[MAX], *found[MAX];
    const char *present[MAX];
    bool is_new[MAX];
    const char *instead_of[MAX];
} cases[] = {
    {.name = "a new table",
     .wanted = {"a /a", "b /b"},
     .found = {"a", "b"},
     .is_new = {true, true}},
    {.name = "two sources, one name",
     .wanted = {"a /a", "a /A", "a /a"},
     .found = {"a", "a_2", "a"},
     .is_new = {true, true, true}},
    {.name = "in another order than before",
     .remembered = {"a /a", "a_2 /A"},
     .exists = {"a", "a_2"},
     .wanted = {"a /A", "a_2 /a", "a /c"},
     .found = {"a_2", "a", "a_3"},
     .present = {"a_2", "a", NULL},
     .is_new = {false, false, true}},
    {.name = "a table of the user's",
     .exists = {"a", "mine"},
     .wanted = {"a /a", "a /A"},
     .found = {"a", "a_2"},
     .present = {"a", "a"}, /* whoever comes first */
     .is_new = {true, true}},
    {.name = "a generated column of the user's",
     .exists = {"a", "=b"},
     .wanted = {"b /b", "a /a", "b /B"},
     .found = {"b_2", "a", "b_3"},
     .present = {NULL, "a", NULL},
     .is_new = {true, true, true},
     .instead_of = {"b", NULL, "b"}},
    {.name = "a column that the user made a generated one",
     .remembered = {"a /a", "b /b"},
     .exists = {"a", "=b"},
     .wanted = {"b /b", "a /a"},
     .found = {"b_2", "a"},
     .present = {NULL, "a"},
     .is_new = {true, false},
     .instead_of = {"b"}},
    {.name = "... and that has had another one since",
     .remembered = {"a /a", "b /b", "b_2 /b"},
     .exists = {"a", "=b", "b_2"},
     .wanted = {"b /b"},
     .found = {"b_2"},
     .present = {"b_2"},
     .is_new = {false}},
    {.name = "a column that was there at first, and is wanted later",
     .remembered = {"a /a", "late "},
     .exists = {"a", "late"},
     .wanted = {"late /late", "late /other"},
     .found = {"late", "late_2"},
     .present = {"late", "late"},
     .is_new = {true, true}},
    {.name = "... and has the user's values by now",
     .remembered = {"a /a", "full ", "full_3 ", "_deleted_full "},
     .exists = {"a", "full", "full_3", "_deleted_full"},
     .wanted = {"full /full", "full /other", "_deleted_full run _deleted_full"},
     .found = {"full_2", "full_4", "_deleted_full"},
     .present = {"full", "full", "_deleted_full"},
     .is_new = {true, true, true},
     .instead_of = {"full", "full"}},
    {.name = "a column that the user added",
     .remembered = {"a /a"},
     .exists = {"a", "mine"},
     .wanted = {"mine /mine"},
     .found = {"mine_2"},
     .present = {NULL},
     .is_new = {true},
     .instead_of = {"mine"}},
    {.name = "a column that the user dropped",
     .remembered = {"a /a", "b /b"},
     .exists = {"a"},
     .wanted = {"b /b"},
     .found = {"b"},
     .is_new = {false}},
    {.name = "names that the database has for itself",
     .wanted = {"xmin /xmin", "xmin_2 /x"},
     .found = {"xmin_2", "xmin_2_2"},
     .is_new = {true, true}},
    {.name = "long names that begin alike",
     .wanted = {LONG "a /a", LONG "b /b", LONG "a /c"},
     .found = {"l12345678901234567890123456789012345678901234567890123_a66a3a6b",
               "l12345678901234567890123456789012345678901234567890123_8d2c7ff7",
               "l12345678901234567890123456789012345678901234567890123_e1b2fb5c"},
     .is_new = {true, true, true}},
};

static void split(const char *text, struct str *name, struct str *source)
{
    const char *blank = strchr(text, ' ');
    *name = (struct str){text, (size_t)(blank - text)};
    *source = str_c(blank + 1);
}

static void check_present(const char *name, const struct sql_mapped *got, const char *want)
{
    if (got && want ? str_eq_c(got->column, want) : !got && !want)
        return;
    fail_msg("%s: has " STR_FMT ", want %s", name, got ? (int)got->column.len : 4,
             got ? got->column.ptr : "none", want ? want : "none");
}

/* By its name. */
static enum rc has_values(void *ctx, struct str column, bool *out, struct err *e)
{
    (void)ctx;
    (void)e;
    *out = memmem(column.ptr, column.len, "full", 4) != NULL;
    return RC_OK;
}

static void check_instead(const char *name, const struct sql_mapped *got, const char *want)
{
    if (want ? !str_eq_c(got->instead_of, want) : got->instead_of.ptr != NULL)
        fail_msg("%s: " STR_FMT " is instead of " STR_FMT ", not %s", name, STR_ARG(got->column),
                 STR_ARG(got->instead_of), want ? want : "nothing");
}

static void test_map(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sql_column_map m;
        struct err e;
        struct str name;
        struct str source;
        sql_column_map_init(&m, postgres(), has_values, NULL);
        for (size_t k = 0; k < MAX && cases[i].remembered[k]; k++) {
            split(cases[i].remembered[k], &name, &source);
            assert_int_equal(sql_column_map_remember(&m, name, source, &e), RC_OK);
        }
        for (size_t k = 0; k < MAX && cases[i].exists[k]; k++) {
            bool is_fixed = cases[i].exists[k][0] == '=';
            assert_int_equal(
                sql_column_map_exists(&m, str_c(cases[i].exists[k] + is_fixed), is_fixed, &e),
                RC_OK);
        }
        sql_column_map_adopt(&m);
        for (size_t k = 0; k < MAX && cases[i].exists[0] && cases[i].wanted[k]; k++) {
            split(cases[i].wanted[k], &name, &source);
            const struct sql_mapped *present = sql_column_map_present(&m, name, source);
            check_present(cases[i].name, present, cases[i].present[k]);
        }
        for (size_t k = 0; k < MAX && cases[i].wanted[k]; k++) {
            const struct sql_mapped *found;
            split(cases[i].wanted[k], &name, &source);
            assert_int_equal(sql_column_map_find(&m, name, source, &found, &e), RC_OK);
            char got[80];
            (void)snprintf(got, sizeof got, STR_FMT, STR_ARG(found->column));
            bool hashed = name.len > 63; /* which digits: sql_name()'s test */
            if (hashed ? strncmp(got, cases[i].found[k], 55) != 0 || found->column.len != 63
                       : strcmp(got, cases[i].found[k]) != 0)
                fail_msg("%s: %s is %s, not %s", cases[i].name, cases[i].wanted[k], got,
                         cases[i].found[k]);
            assert_true(str_eq(found->source, source));
            check_instead(cases[i].name, found, cases[i].instead_of[k]);
            if (found->is_new != cases[i].is_new[k])
                fail_msg("%s: %s is %snew", cases[i].name, got, found->is_new ? "" : "not ");
        }
        sql_column_map_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_map)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
