#include "core/provider/name.h"

#include "cmocka_all.h"

/* STR() for tables that are static */
/* clang-format off */
#define TEXT(literal) {literal, sizeof(literal) - 1}
/* clang-format on */

static const struct {
    struct str raw;
    const char *name;
} cases[] = {
    {TEXT("externalPortalLink"), "external_portal_link"},
    {TEXT("ID"), "id"},
    {TEXT("userID"), "user_id"},
    {TEXT("linkedIn"), "linked_in"},
    {TEXT("HTMLBody"), "html_body"},
    {TEXT("Matched checklist items"), "matched_checklist_items"},
    {TEXT("plain"), "plain"},
    {TEXT("already_snake"), "already_snake"},
    {TEXT("a"), "a"},
    {TEXT("A"), "a"},
    {TEXT("aB"), "a_b"},
    {TEXT("AB"), "ab"},
    {TEXT("ABc"), "a_bc"},
    {TEXT("ABcDE"), "a_bc_de"},
    {TEXT("line2Text"), "line2_text"},
    {TEXT("HTTP2Server"), "http2_server"},
    {TEXT("2nd owner"), "_2nd_owner"},
    {TEXT("__2"), "_2"},
    {TEXT("7"), "_7"},
    {TEXT(""), "field"},
    {TEXT("_"), "field"},
    {TEXT(" - / "), "field"},
    {TEXT("__a__b__"), "a_b"},
    {TEXT("a-B"), "a_b"},
    {TEXT("a.b\tc\x7f"
          "d"),
     "a_b_c_d"},
    {TEXT("na\xC3\xAFve"), "na\xC3\xAFve"},
    {TEXT("\xC3\x89t\xC3\xA9"), "\xC3\x89t\xC3\xA9"},
    {TEXT("\xE5\x90\x8D\xE5\x89\x8D"), "\xE5\x90\x8D\xE5\x89\x8D"},
    {TEXT("a\0b"), "a_b"},
};

static void test_names(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&b);
        name_snake(&b, cases[i].raw);
        assert_string_equal(buf_cstr(&b), cases[i].name);
    }
    buf_free(&b);
}

static void test_appends_behind_what_is_there(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_adds(&b, "x_");
    name_snake(&b, STR("2nd"));
    name_snake(&b, STR(""));
    assert_string_equal(buf_cstr(&b), "x__2ndfield");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_appends_behind_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
