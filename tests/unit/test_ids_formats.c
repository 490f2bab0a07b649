#include "ids_given.h"

/* clang-format off */
#define TEXT(literal) {literal, sizeof(literal) - 1}
/* clang-format on */

struct format_case {
    struct str content;
    const char *result;
};

static void expect_all(const struct format_case *cases, size_t n, enum id_format format,
                       bool has_agent)
{
    for (size_t i = 0; i < n; i++)
        given_expect(".txt", cases[i].content, format, NULL, has_agent, cases[i].result);
}

#define EXPECT_ALL(cases, format, has_agent)                                                       \
    expect_all(cases, sizeof(cases) / sizeof *(cases), format, has_agent)

static void test_lines(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT(""), ""},
        {TEXT("\n\n \t \n"), ""},
        {TEXT("a"), "a\n"},
        {TEXT("a\nb\n"), "a\nb\n"},
        {TEXT("a\r\nb\r\n"), "a\nb\n"},
        {TEXT("a\r\n\r\nb\r"), "a\nb\n"},
        {TEXT("\xEF\xBB\xBF"
              "a\nb"),
         "a\nb\n"},
        {TEXT("\xEF\xBB\xBF"), ""},
        {TEXT("\xEF\xBB"), "0.txt:1! the ID is not UTF-8: '?'\n"},
        {TEXT(" a \n\tb\t\n"), "a\nb\n"},
        {TEXT("# note\n  # note\na # b\n"), "a # b\n"},
        {TEXT("a\nb\na\n"), "a\nb\n"},
        {TEXT("a,b\n{c}\n\"d\"\n"), "a,b\n{c}\n\"d\"\n"},
        {TEXT("caf\xC3\xA9\n"), "caf\xC3\xA9\n"},
        {TEXT("a\n.\n..\n...\n.a\n"),
         "a\n0.txt:2! the ID is '.', which would be a step in the URL (1)\n"
         "0.txt:3! the ID is '..', which would be a step in the URL (2)\n...\n.a\n"},
        {TEXT("a\0b\nc\n"),
         "0.txt:1! the ID has a control character (none is allowed): 'a?b' (3)\nc\n"},
        {TEXT("a\rb\nc\x7f\nd\xC2\x85\n"),
         "0.txt:1! the ID has a control character (none is allowed): 'a?b' (3)\n"
         "0.txt:2! the ID has a control character (none is allowed): 'c?' (2)\n"
         "0.txt:3! the ID has a control character (none is allowed): 'd?' (3)\n"},
        {TEXT("a\xFF\xC3\nb\xED\xA0\x80\n"),
         "0.txt:1! the ID is not UTF-8: 'a\?\?'\n0.txt:2! the ID is not UTF-8: 'b\?\?\?'\n"},
        /* a bad line is handed out each time it comes */
        {TEXT(".\n.\n"), "0.txt:1! the ID is '.', which would be a step in the URL (1)\n"
                         "0.txt:2! the ID is '.', which would be a step in the URL (1)\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_LINES, false);
}

static void test_csv(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT("id\na\nb\n"), "a\nb\n"},
        {TEXT("\xEF\xBB\xBFid\r\na\r\n\r\nb"), "a\nb\n"},
        {TEXT("\n\nid,x\n\na,1\n \nb\n"), "a\nb\n"},
        {TEXT("x,id\n1,a\n2,b,3,4\n3\n"), "a\nb\n0.txt:4! the line is too short to have an ID\n"},
        {TEXT("x\tid\n1\ta\n2\tb\n"), "a\nb\n"},
        {TEXT("lead_id,id\nno,a\n"), "a\n"},
        {TEXT("leadId,lead_id\nno,a\n"), "a\n"},
        {TEXT("x,leadId\nno,a\n"), "a\n"},
        {TEXT("id,id\na,b\n"), "a\n"},
        {TEXT(" id , x \n  a , b \n"), "a\n"},
        {TEXT("\"id\",\"x\"\n\" a \",\"b\"\n \"c\" ,\n"), " a \nc\n"},
        {TEXT("id\n\"a\"\"b\"\n\"\"\"\"\n"), "a\"b\n\"\n"},
        {TEXT("x,id\n\"1\r\n2,\"\"\n\n3\",a\n\",\",b\n"), "a\nb\n"},
        {TEXT("\"x\ny\",id\n1,a\n"), "a\n"},
        {TEXT("id,x\na,5\" pipe\nb,\n"), "a\nb\n"},
        {TEXT("id\n# a\n{\"id\":1}\n"), "# a\n{\"id\":1}\n"},
        {TEXT("id,x\n,1\n\"\",2\n"), "0.txt:2! the ID is empty (1 to 512 bytes are allowed)\n"
                                     "0.txt:3! the ID is empty (1 to 512 bytes are allowed)\n"},
        {TEXT("id,x\n\"a\"b,1\nc,2\n"),
         "0.txt:2! the quotes of field 1 are not as csv (RFC 4180) has them\nc\n"},
        {TEXT("id,x\na,\"b\"c\n"),
         "0.txt:2! the quotes of field 2 are not as csv (RFC 4180) has them (1)\n"},
        /* a quote that is never closed costs its own line only */
        {TEXT("id,x\na,1\nb,\"2\nc,3\nd,4\n"),
         "a\n0.txt:3! the quotes of field 2 are not as csv (RFC 4180) has them (1)\nc\nd\n"},
        {TEXT("id,x\na,\"1"),
         "0.txt:2! the quotes of field 2 are not as csv (RFC 4180) has them (1)\n"},
        /* line numbers behind a record of several lines */
        {TEXT("id,x\na,\"1\n2\n3\"\n.,4\n"),
         "a\n0.txt:5! the ID is '.', which would be a step in the URL (1)\n"},
        {TEXT("id,x\na\0b,1\n\0\n"),
         "0.txt:2! the ID has a control character (none is allowed): 'a?b' (3)\n"
         "0.txt:3! the ID has a control character (none is allowed): '?' (1)\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_CSV, false);
}

static void test_csv_params(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT("id,agentId\na,x\nb,y\n"), "a x\nb y\n"},
        {TEXT("agentId,z,id\nx,1,a\n,2,b\n"),
         "a x\n0.txt:3! agentId is missing: give --param agentId=VALUE, or the column agentId in "
         "csv or ndjson input (1)\n"},
        {TEXT("id,agentId\na,\"x\ny\"\n"),
         "0.txt:2! agentId has a control character (none is allowed): 'x?y' (1)\n"},
        {TEXT("id,agentId\na,x\na,y\na,x\n"), "a x\na y\n"},
        {TEXT("id,agentId\na,..\n"),
         "0.txt:2! agentId is '..', which would be a step in the URL (1)\n"},
        /* where one value ends and the next begins does not matter */
        {TEXT("id,agentId\na,bc\nab,c\n"), "a bc\nab c\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_CSV, true);
}

static void test_ndjson(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT("{\"id\":\"a\"}\n{\"id\":\"b\"}"), "a\nb\n"},
        {TEXT("\xEF\xBB\xBF{\"id\":\"a\"}\r\n\r\n  {\"id\":\"b\"}  \r\n"), "a\nb\n"},
        {TEXT("{\"id\":12345678901234567890}\n{\"id\":-1.50}\n"), "12345678901234567890\n-1.50\n"},
        {TEXT("{\"id\":1}\n{\"id\":\"1\"}\n"), "1\n"},
        {TEXT("{\"lead_id\":\"x\",\"id\":\"a\"}\n{\"leadId\":\"b\"}\n"), "a\nb\n"},
        {TEXT("{\"id\":null,\"lead_id\":\"a\"}\n"), "a\n"},
        {TEXT("{\"id\":\" a \"}\n"), " a \n"},
        {TEXT("{\"id\":\"a\",\"id\":\"b\"}\n"), "b\n"},
        {TEXT("{\"id\":\"\\ud83d\\ude00\"}\n"), "\xF0\x9F\x98\x80\n"},
        {TEXT("{\"id\":\"a\",\"x\":\"\\u0000\xFF\"}\n"), "a\n"},
        {TEXT("{\"id\":\"a\\u0000\"}\n{\"id\":\"a\xFF\"}\n{\"id\":\"\\udead\"}\n"),
         "0.txt:1! the ID has NUL or a character that is not UTF-8\n"
         "0.txt:2! the ID has NUL or a character that is not UTF-8\n"
         "0.txt:3! the ID has NUL or a character that is not UTF-8\n"},
        {TEXT("{\"id\":\"a\\n\"}\n"),
         "0.txt:1! the ID has a control character (none is allowed): 'a?' (2)\n"},
        {TEXT("{\"id\":true}\n{\"id\":[\"a\"]}\n{\"id\":{}}\n"),
         "0.txt:1! the ID is neither a string nor a number\n"
         "0.txt:2! the ID is neither a string nor a number\n"
         "0.txt:3! the ID is neither a string nor a number\n"},
        {TEXT("{\"ID\":\"a\"}\n{}\n{\"id\":null}\n"),
         "0.txt:1! there is no member 'id' with the ID\n"
         "0.txt:2! there is no member 'id' with the ID\n"
         "0.txt:3! there is no member 'id' with the ID\n"},
        {TEXT("{\"id\":\"\"}\n"), "0.txt:1! the ID is empty (1 to 512 bytes are allowed)\n"},
        {TEXT("[\"id\"]\n\"id\"\nnull\n"),
         "0.txt:1! the line is not a JSON object\n0.txt:2! the line is not a JSON object\n"
         "0.txt:3! the line is not a JSON object\n"},
        {TEXT("{\"id\":\"a\"\n{\"id\":\"b\"}\nx\n"),
         "0.txt:1! not JSON: a comma or } is expected (at byte 9)\nb\n"
         "0.txt:3! not JSON: a value is expected (at byte 0)\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_NDJSON, false);
}

static void test_ndjson_params(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT("{\"id\":\"a\",\"agentId\":\"x\"}\n{\"agentId\":7,\"id\":\"b\"}\n"), "a x\nb 7\n"},
        {TEXT("{\"id\":\"a\"}\n{\"id\":\"b\",\"agentId\":null}\n"),
         "0.txt:1! agentId is missing: give --param agentId=VALUE, or the column agentId in csv or "
         "ndjson input (1)\n"
         "0.txt:2! agentId is missing: give --param agentId=VALUE, or the column agentId in csv or "
         "ndjson input (1)\n"},
        {TEXT("{\"id\":\"a\",\"agentId\":\"\"}\n{\"id\":\"a\",\"agentId\":[]}\n"),
         "0.txt:1! agentId is empty (1 to 512 bytes are allowed) (1)\n"
         "0.txt:2! agentId is neither a string nor a number (1)\n"},
        /* a list of failed leads */
        {TEXT("{\"id\":\"a\",\"agentId\":\"x\",\"stage\":\"fetch\",\"sink\":null,\"http_status\":"
              "500,\"code\":\"x\",\"error\":\"\\u001b\",\"attempts\":6,\"at\":\"2026\"}\n"),
         "a x\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_NDJSON, true);
}

static void test_auto(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT(""), ""},
        {TEXT("{\"id\":\"a\"}\n"), "a\n"},
        {TEXT("\n  \n{\"id\":\"a\"}\n"), "a\n"},
        {TEXT("id,name\na,b\n"), "a\n"},
        {TEXT("name\tid\nb\ta\n"), "a\n"},
        {TEXT("name,leadId\r\nb,a\r\n"), "a\n"},
        {TEXT("\xEF\xBB\xBF\"id\",name\na,b\n"), "a\n"},
        {TEXT("id\tname,full\na\tb\n"), "a\n"},
        {TEXT("id\na\n"), "id\na\n"},
        {TEXT("name,x\na,b\n"), "name,x\na,b\n"},
        {TEXT("identity,x\na,b\n"), "identity,x\na,b\n"},
        {TEXT("ID,x\na,b\n"), "ID,x\na,b\n"},
        {TEXT("a b\tc\n"), "a b\tc\n"},
        {TEXT("[1]\n"), "[1]\n"},
    };
    expect_all(cases, sizeof cases / sizeof *cases - 2, ID_FORMAT_AUTO, false);
    given_expect(".txt", STR("{\"id\":1}\nx\n"), ID_FORMAT_AUTO, NULL, false,
                 "1\n0.txt:2! not JSON: a value is expected (at byte 0)\n");
}

static void test_id_column(void **state)
{
    (void)state;
    static const struct {
        struct str content;
        enum id_format format;
        const char *result;
    } cases[] = {
        {TEXT("id,ref\nno,a\n"), ID_FORMAT_CSV, "a d\n"},
        {TEXT("id,ref\nno,a\n"), ID_FORMAT_AUTO, "a d\n"},
        {TEXT("{\"id\":\"no\",\"ref\":\"a\"}\n"), ID_FORMAT_AUTO, "a d\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given g;
        given_init(&g);
        given_agent(&g, "d");
        given_file(&g, "", cases[i].content);
        g.cfg.format = cases[i].format;
        g.cfg.column = "ref";
        assert_int_equal(given_read(&g), RC_OK);
        assert_string_equal(buf_cstr(&g.result), cases[i].result);
        given_free(&g);
    }
}

/* A member called like the ID column is the ID, and then the parameter is to come from elsewhere. */
static void test_id_column_is_a_parameter(void **state)
{
    (void)state;
    struct given g;
    given_init(&g);
    given_agent(&g, "d");
    given_file(&g, "", STR("agentId,id\na,x\n"));
    given_file(&g, "", STR("{\"agentId\":\"b\"}"));
    g.cfg.column = "agentId";
    assert_int_equal(given_read(&g), RC_OK);
    assert_string_equal(buf_cstr(&g.result), "a d\nb d\n");
    given_free(&g);
}

static void test_lengths(void **state)
{
    (void)state;
    char line[513];
    char expected[1000];
    memset(line, 'x', sizeof line);
    (void)snprintf(expected, sizeof expected, "%.512s\n", line);
    given_expect("", (struct str){line, 512}, ID_FORMAT_LINES, NULL, false, expected);
    (void)snprintf(expected, sizeof expected,
                   "0:1! the ID has 513 bytes (1 to 512 are allowed): '%.80s'...\n", line);
    given_expect("", (struct str){line, 513}, ID_FORMAT_LINES, NULL, false, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),         cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_params),    cmocka_unit_test(test_ndjson),
        cmocka_unit_test(test_ndjson_params), cmocka_unit_test(test_auto),
        cmocka_unit_test(test_id_column),     cmocka_unit_test(test_id_column_is_a_parameter),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
