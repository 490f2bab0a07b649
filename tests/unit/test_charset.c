#include "core/http/charset.h"

#include "cmocka_all.h"

static void declarations(void **state)
{
    (void)state;
    static const struct {
        const char *type, *expected;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"application/json", ""},
        {"application/json; charset=utf-8", ""},
        {"application/json;charset=UTF8", ""},
        {"application/json; charset=\"utf-8\"", ""},
        {"application/json; charset=ISO-8859-1", "iso-8859-1"},
        {"application/json;charset=iso-8859-1;x=y", "iso-8859-1"},
        {"application/json ; CharSet=\"Windows-1252\"", "windows-1252"},
        {"application/json; profile=\"a;charset=x\"; charset=utf-16", "utf-16"},
        {"application/json; charset='utf-8'", ""},
        {"application/json; charset=\"'utf-8'\"", ""},
        {"application/json; charset=\" utf-8 \"", ""},
        {"application/json; charset=utf_8", ""},
        {"application/json; charset=UTF8MB4", ""},
        {"application/json; charset=unicode-1-1-utf-8", ""},
        {"application/json; charset=utf-8,application/json", ""},
        {"application/json; charset=utf-8, application/json; charset=latin1", ""},
        {"application/json; charset='latin1'", "latin1"},
        {"application/json; charset=''", ""},
        {"application/json; charset='", ""},
        {"application/json; charset=latin1; charset=utf-8", "latin1"},
        {"application/json; xcharset=latin1", ""},
        {"application/json; charset", ""},
        {"application/json; charset=", ""},
        {"application/json; charset=\"unended", "unended"},
        {"application/json; charset=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[CHARSET_NAME_MAX + 1];
        charset_declared(cases[i].type, out);
        if (strcmp(out, cases[i].expected) != 0)
            fail_msg("\"%s\": \"%s\", expected \"%s\"", cases[i].type ? cases[i].type : "(none)",
                     out, cases[i].expected);
    }
}

#define BYTES(literal) (literal), sizeof(literal) - 1
static const struct {
    const char *name, *body;
    size_t n;
    enum rc rc;
    const char *expected; /* or a part of the error */
} cases[] = {
    {"", BYTES("{\"a\":\"\xc3\xa9\"}"), RC_OK, "{\"a\":\"\xc3\xa9\"}"},
    {"", BYTES("\"\xe9\""), RC_OK, "\"\xe9\""}, /* JSON's own way with what is not UTF-8 */
    {"", BYTES(""), RC_OK, ""},
    {"iso-8859-1", BYTES(""), RC_OK, ""},
    {"iso-8859-1", BYTES("\"M\xfcller\""), RC_OK, "\"M\xc3\xbcller\""},
    {"latin1", BYTES("\"\xe9\xa0\""), RC_OK, "\"\xc3\xa9\xc2\xa0\""},
    {"iso-8859-1", BYTES("\"M\xc3\xbcller\""), RC_OK, "\"M\xc3\xbcller\""}, /* UTF-8 all the same */
    {"us-ascii", BYTES("\"M\xc3\xbcller\""), RC_OK, "\"M\xc3\xbcller\""},
    {"us-ascii", BYTES("\"M\xfcller\""), RC_SYNTAX, "not valid in its charset, us-ascii"},
    {"windows-1252", BYTES("\"\x80 \x93x\x94\""), RC_OK,
     "\"\xe2\x82\xac \xe2\x80\x9cx\xe2\x80\x9d\""},
    {"windows-1252", BYTES("\"\x81\""), RC_SYNTAX, "windows-1252"},
    {"iso-8859-15", BYTES("\"\xa4\""), RC_OK, "\"\xe2\x82\xac\""},
    {"windows-1251", BYTES("\"\xc4\xe0\""), RC_OK, "\"\xd0\x94\xd0\xb0\""},
    {"koi8-r", BYTES("\"\xe4\xc1\""), RC_OK, "\"\xd0\x94\xd0\xb0\""},
    {"shift_jis", BYTES("\"\x93\xfa\x96\x7b\""), RC_OK, "\"\xe6\x97\xa5\xe6\x9c\xac\""},
    {"gbk", BYTES("\"\xd6\xd0\""), RC_OK, "\"\xe4\xb8\xad\""},
    {"euc-kr", BYTES("\"\xb0\xa1\""), RC_OK, "\"\xea\xb0\x80\""},
    {"shift_jis", BYTES("\"\x93"), RC_SYNTAX, "shift_jis"},
    {"utf-16", BYTES("\xff\xfe\"\0\xe9\0\"\0"), RC_OK, "\"\xc3\xa9\""},
    {"utf-16", BYTES("\xfe\xff\0\"\0\xe9\0\""), RC_OK, "\"\xc3\xa9\""},
    {"utf-16", BYTES("\"\0\xe9\0\"\0"), RC_OK, "\"\xc3\xa9\""},
    {"utf-16", BYTES("\0\"\0\xe9\0\""), RC_OK, "\"\xc3\xa9\""},
    {"utf-16", BYTES("\"x\""), RC_SYNTAX, "utf-16"},
    {"utf-16le", BYTES("{\0}\0"), RC_OK, "{}"},
    {"", BYTES("\xff\xfe{\0}\0"), RC_OK, "{}"},
    {"utf-8", BYTES("\xff\xfe{\0}\0"), RC_OK, "{}"},
    {"", BYTES("{\0}\0"), RC_OK, "{}"},
    {"", BYTES("\0{\0}"), RC_OK, "{}"},
    {"", BYTES("\xff\xfe\0\0{\0\0\0}\0\0\0"), RC_OK, "{}"},
    {"", BYTES("\0\0\xfe\xff\0\0\0{\0\0\0}"), RC_OK, "{}"},
    {"utf-32", BYTES("{\0\0\0}\0\0\0"), RC_OK, "{}"},
    {"utf-32", BYTES("\0\0\0{\0\0\0}"), RC_OK, "{}"},
    {"", BYTES("\xff\xfe\"\0\0\xd8\"\0"), RC_SYNTAX, "UTF-16LE"}, /* half of a pair */
    {"", BYTES("\xff\xfe\"\0\"\0x"), RC_SYNTAX, "UTF-16LE"},
    {"", BYTES("\xff\xfe\"\0\x3d\xd8\0\xde\"\0"), RC_OK, "\"\xf0\x9f\x98\x80\""},
    {"iso-8859-1", BYTES("\xff\xfe\"\0\xe9\0\"\0"), RC_OK, "\"\xc3\xa9\""},
    {"windows-1252", BYTES("\xef\xbb\xbf\"\xc3\xa9\""), RC_OK, "\xef\xbb\xbf\"\xc3\xa9\""},
    {"x-unheard-of", BYTES("{}"), RC_USAGE, "the unknown charset x-unheard-of"},
    {"sk-live-0123456789abcdefghijklm", BYTES("{}"), RC_USAGE,
     "the unknown charset (name not shown)"},
    {"\x1b[31m", BYTES("{}"), RC_USAGE, "(name not shown)"},
    {"utf-7", BYTES("{}"), RC_USAGE, "utf-7"},
};

static void bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf body;
        struct err e = {0};
        buf_init(&body, 1000);
        buf_add(&body, cases[i].body, cases[i].n);
        enum rc rc = charset_to_utf8(&body, cases[i].name, &e);
        if (rc != cases[i].rc)
            fail_msg("case %zu (%s): %s (%s), expected %s", i, cases[i].name, rc_text(rc), e.msg,
                     rc_text(cases[i].rc));
        if (rc == RC_OK && !str_eq_c(buf_str(&body), cases[i].expected))
            fail_msg("case %zu (%s): \"%.*s\", expected \"%s\"", i, cases[i].name,
                     STR_ARG(buf_str(&body)), cases[i].expected);
        if (rc != RC_OK && !strstr(e.msg, cases[i].expected))
            fail_msg("case %zu (%s): \"%s\", expected \"%s\"", i, cases[i].name, e.msg,
                     cases[i].expected);
        if (rc != RC_OK && (body.len != cases[i].n || memcmp(body.data, cases[i].body, body.len)))
            fail_msg("case %zu (%s): the body was changed", i, cases[i].name);
        buf_free(&body);
    }
}

/* Of the decoded text's size only, and however often the room was too small. */
static void sizes(void **state)
{
    (void)state;
    for (size_t max = 1; max <= 3000; max += 7) {
        struct buf body;
        struct err e;
        buf_init(&body, max);
        for (size_t i = 0; i < 1000 && i < max; i++)
            buf_addc(&body, (char)0xe9);
        size_t n = body.len;
        enum rc rc = charset_to_utf8(&body, "iso-8859-2", &e);
        assert_int_equal(rc, 2 * n <= max ? RC_OK : RC_LIMIT);
        assert_int_equal(body.len, rc == RC_OK ? 2 * n : n);
        assert_true(rc != RC_OK || utf8_valid(body.data, body.len));
        buf_free(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declarations),
        cmocka_unit_test(bodies),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
