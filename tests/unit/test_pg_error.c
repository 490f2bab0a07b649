/* What a message shows of an error of the server: what to do about it, and nothing of anybody's data. */
#include "cmocka_all.h"

#include <string.h>

#include "sinks/postgres/server_error.h"

static const struct {
    struct pg_error_fields fields;
    const char *text;
} texts[] = {
    {{"23502", "null value in column \"score\" of relation \"leads\" violates not-null constraint",
      "Failing row contains (omni, L1, Ada, Lovelace, +44 20 7946 0000).", NULL},
     "null value in column \"score\" of relation \"leads\" violates not-null constraint; give the "
     "column a default, or drop its not null"},
    {{"23505", "duplicate key value violates unique constraint \"leads_email_key\"",
      "Key (email)=(ada@example.com) already exists.", NULL},
     "duplicate key value violates unique constraint \"leads_email_key\""},
    {{"23514", "new row for relation \"leads\" violates check constraint \"c\"",
      "Failing row contains (Ada).", "h"},
     "new row for relation \"leads\" violates check constraint \"c\"; hint: h"},
    {{"23503", "insert or update on table \"a\" violates foreign key constraint \"f\"",
      "Key (email)=(ada@example.com) is not present in table \"b\".", NULL},
     "insert or update on table \"a\" violates foreign key constraint \"f\""},
    {{"23P01", "conflicting key value violates exclusion constraint \"x\"",
      "Key (name)=(Ada) conflicts with existing key (name)=(Ada).", NULL},
     "conflicting key value violates exclusion constraint \"x\""},
    {{"44000", "new row violates check option for view \"v\"", "Failing row contains (Ada).", NULL},
     "new row violates check option for view \"v\""},
    {{"22P02", "invalid input syntax for type integer: \"Ada\"", NULL, NULL},
     "invalid input syntax for type integer: ..."},
    {{"22003", "value \"99 \" Ada \"\" is out of range for type integer", "Ada", NULL},
     "value ... is out of range for type integer"},
    {{"22P02", "ungültige Eingabesyntax für Typ integer: »Ada«", NULL, NULL},
     "ungültige Eingabesyntax für Typ integer: ..."},
    {{"22P02", "invalid input syntax for type integer: \"Ada", NULL, NULL},
     "invalid input syntax for type integer: ..."},
    {{"22012", "division by zero", NULL, NULL}, "division by zero"},
    {{"22P05",
      "character with byte sequence 0xe6 0x97 0xa5 in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
      NULL, NULL},
     "character with byte sequence 0xe6 0x97 0xa5 in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"; "
     "the encoding of the database cannot represent every text: use one with the encoding UTF8"},
    {{"P0001", "not tonight", "Ada", "tomorrow"}, "not tonight; hint: tomorrow"},
    {{"53100", "could not extend file", "d", "Check free disk space."},
     "could not extend file (d); hint: Check free disk space."},
    {{"42501", "permission denied for schema public", NULL, NULL},
     "permission denied for schema public; choose another schema=, or, as its owner: grant usage, "
     "create on schema public to etl"},
    {{"42501", "must be owner of table leads", NULL, NULL},
     "must be owner of table leads; there are columns to add, which only the owner can: add them, "
     "or grant the owner's role to etl"},
    {{"42501", "something else", NULL, NULL}, "something else"},
    {{NULL, NULL, NULL, NULL}, ""},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char out[900];
        pg_error_text(&texts[i].fields, "etl", out, sizeof out);
        assert_string_equal(out, texts[i].text);
        assert_null(strstr(out, "Ada"));
    }
}

/* Long texts, into room of every size. */
static void test_cut(void **state)
{
    (void)state;
    char message[600] = "permission denied for schema ";
    memset(message + strlen(message), 'x', 500);
    const struct pg_error_fields f = {"42501", message, message, message};
    for (size_t size = 1; size <= 900; size++) {
        char out[901];
        memset(out, '#', sizeof out);
        pg_error_text(&f, message, out, size);
        assert_true(strlen(out) < size);
        assert_int_equal(out[size], '#');
    }
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum rc rc;
    } classes[] = {{"08006", RC_NET},  {"57P01", RC_NET}, {"57014", RC_IO},   {"40P01", RC_BUSY},
                   {"40001", RC_BUSY}, {"40002", RC_IO},  {"28P01", RC_AUTH}, {"42501", RC_IO},
                   {"25006", RC_NET},  {"", RC_IO}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        assert_int_equal(pg_error_class(classes[i].sqlstate), classes[i].rc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
