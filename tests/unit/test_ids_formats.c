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
        {TEXT("\xEF\xBB"), "0.txt:1! the ID is not UTF-8: '\\xef\\xbb'\n"},
        {TEXT(" a \n\tb\t\n"), "a\nb\n"},
        {TEXT("# note\n  # note\na # b\n"), "a # b\n"},
        {TEXT("a\nb\na\n"), "a\nb\n"},
        {TEXT("a,b\n{c}\n\"d\"\n"), "a,b\n{c}\n\"d\"\n"},
        {TEXT("caf\xC3\xA9\n"), "caf\xC3\xA9\n"},
        {TEXT("a\n.\n..\n...\n.a\n"),
         "a\n0.txt:2! the ID is '.', which would be a path segment of the URL (1)\n"
         "0.txt:3! the ID is '..', which would be a path segment of the URL (2)\n...\n.a\n"},
        {TEXT("a\0b\nc\n"),
         "0.txt:1! the ID contains a control character, which is not allowed: 'a\\x00b' (3)\nc\n"},
        {TEXT("a\rb\r\rc\r\n\r\n\n.\r"),
         "a\nb\nc\n0.txt:7! the ID is '.', which would be a path segment of the URL (1)\n"},
        {TEXT("c\x7f\nd\xC2\x85\n"),
         "0.txt:1! the ID contains a control character, which is not allowed: 'c\\x7f' (2)\n"
         "0.txt:2! the ID contains a control character, which is not allowed: 'd\\u0085' (3)\n"},
        {TEXT("a\xFF\xC3\nb\xED\xA0\x80\n"),
         "0.txt:1! the ID is not UTF-8: 'a\\xff\\xc3'\n0.txt:2! the ID is not UTF-8: 'b\\xed\\xa0\\x80'\n"},
        /* a bad line is handed out each time it comes */
        {TEXT(".\n.\n"), "0.txt:1! the ID is '.', which would be a path segment of the URL (1)\n"
                         "0.txt:2! the ID is '.', which would be a path segment of the URL (1)\n"},
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
        {TEXT("x\tid\n1\ta\n2\tb\n"), "a\nb\n"},
        {TEXT("x;id\n1,5;a\n2;b\n"), "a\nb\n"},
        {TEXT("\"x\";\"id\"\n\"1;2\";\"a\"\n"), "a\n"},
        {TEXT("x,y;id\n1,2;a\n"), "a\n"},
        {TEXT("sep=;\nid;x,y\na;1\n"), "a\n"},
        {TEXT("SEP=,\r\nid,x;y\r\na,1\r\n"), "a\n"},
        {TEXT("lead_id,id\nno,a\n"), "a\n"},
        {TEXT("leadId,lead_id\nno,a\n"), "a\n"},
        {TEXT("x,leadId\nno,a\n"), "a\n"},
        {TEXT("x,ID\nno,a\n"), "a\n"},
        {TEXT("x,LeadID\nno,a\n"), "a\n"},
        {TEXT("LEAD_ID,Id\nno,a\n"), "a\n"},
        {TEXT("ID,id,Id\nno,a,no\n"), "a\n"},
        {TEXT(" id , x \n  a , b \n"), "a\n"},
        {TEXT("\"id\",\"x\"\n\" a \",\"b\"\n \"c\" ,\n"), "a\nc\n"},
        {TEXT("id\n\"a\"\"b\"\n\"\"\"\"\n"), "a\"b\n\"\n"},
        {TEXT("x,id\n\"1\r\n2,\"\"\n\n3\",a\n\",\",b\n"), "a\nb\n"},
        {TEXT("\"x\ny\",id\n1,a\n"), "a\n"},
        {TEXT("id\n# a\n{id:1}\n"), "# a\n{id:1}\n"},
        {TEXT("id,x\n,1\n\"\",2\n"), "0.txt:2! the ID is empty (1 to 512 bytes are allowed)\n"
                                     "0.txt:3! the ID is empty (1 to 512 bytes are allowed)\n"},
        /* line numbers behind a record of several lines */
        {TEXT("id,x\na,\"1\n2\r\n3\r4\"\n.,4\n"),
         "a\n0.txt:6! the ID is '.', which would be a path segment of the URL (1)\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_CSV, false);
}

/* A line feed, CRLF and CR all end a row, in any mixture; within quotes they belong to the field. */
static void test_csv_line_ends(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    for (unsigned mixture = 0; mixture < 81; mixture++) {
        struct given g;
        struct buf text;
        unsigned rest = mixture;
        buf_init(&text, 1 << 16);
        for (unsigned i = 0; i < 4; i++, rest /= 3)
            buf_addf(&text, "%s%s",
                     i == 0   ? "id,n"
                     : i == 1 ? "a1,x"
                     : i == 2 ? "a2,\"y\rz\""
                              : "",
                     ends[rest % 3]);
        buf_adds(&text, "a3,q");
        given_init(&g);
        given_file(&g, "", buf_str(&text));
        assert_int_equal(given_read(&g), RC_OK);
        assert_string_equal(buf_cstr(&g.result), "a1\na2\na3\n");
        given_free(&g);
        buf_free(&text);
    }
}

#define JOIN(line, fields, columns, text)                                                          \
    "0.txt:" line "! quotes join this line with the following ones to a row of " fields            \
    " fields, but the csv header has " columns ": '" text "'\n"

/* A row that is malformed in any of its columns costs its first line, and no ID behind it. */
static void test_csv_malformed(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT("id,name\na1,x\na2,\"y\na3,z\n"),
         "a1\n0.txt:3! field 2 has no closing quote: 'a2,\"y'\na3\n"},
        {TEXT("id,x\na,\"1"), "0.txt:2! field 2 has no closing quote: 'a,\"1'\n"},
        {TEXT("id,x\n\"a,1\nb,2\n"), "0.txt:2! field 1 has no closing quote: '\"a,1'\nb\n"},
        /* the quote is closed in a later row */
        {TEXT("id,x\na,\"1\nb,2\nc,\"3\nd,4\n"),
         "0.txt:2! field 2 has text after its closing quote: 'a,\"1'\nb\n"
         "0.txt:4! field 2 has no closing quote: 'c,\"3'\nd\n"},
        {TEXT("id,x,y\na,\"1,2\nb,\"\nc,3,4\n"),
         JOIN("2", "2", "3", "a,\"1,2") "0.txt:3! field 2 has no closing quote: 'b,\"'\nc\n"},
        {TEXT("id,x,y\na,\"1\nb,2\",3,4\nc,3,4\n"),
         JOIN(
             "2", "4", "3",
             "a,\"1") "0.txt:3! field 2 has a quote within it, but does not begin with one: 'b,2\",3,4'\nc\n"},
        {TEXT("id,x,y\na,\"1\rb\"\rc,3,4\r"),
         JOIN(
             "2", "2", "3",
             "a,\"1") "0.txt:3! field 1 has a quote within it, but does not begin with one: 'b\"'\nc\n"},
        {TEXT("id,x\n\"a\"b,1\nc,2\n"),
         "0.txt:2! field 1 has text after its closing quote: '\"a\"b,1'\nc\n"},
        {TEXT("id,x\na,\"b\"c\nd,\"\"\"\"e\n"),
         "0.txt:2! field 2 has text after its closing quote: 'a,\"b\"c'\n"
         "0.txt:3! field 2 has text after its closing quote: 'd,\"\"\"\"e'\n"},
        {TEXT("id,x\na,5\" pipe\nb\"c,\n"),
         "0.txt:2! field 2 has a quote within it, but does not begin with one: 'a,5\" pipe'\n"
         "0.txt:3! field 1 has a quote within it, but does not begin with one: 'b\"c,'\n"},
        /* too many fields: a line end got lost */
        {TEXT("id,x\na,1b,2\nc,3\n"), "0.txt:2! the row has 3 fields, the csv header has 2\nc\n"},
        {TEXT("id,x\na,1,\n"), "0.txt:2! the row has 3 fields, the csv header has 2\n"},
        {TEXT("id\na,1\n"), "0.txt:2! the row has 2 fields, the csv header has 1\n"},
        /* too few: only what is not needed may be left out, and not at a torn end */
        {TEXT("id,x\na\nb,1\n"), "a\nb\n"},
        {TEXT("x,id,y\n1,a\n2\n"), "a\n0.txt:3! the row has 1 field, the csv header has 3\n"},
        {TEXT("id,x\na,1\nb"),
         "a\n0.txt:3! the row has 1 field, the csv header has 2, and it does not end with a line break\n"},
        {TEXT("id,x\na,1\nb,2"), "a\nb\n"},
        /* whatever else may stand for a line end that was lost */
        {TEXT("id,x\na\0b,1\nc,d\0\0\0e,f\ng,\"\0\"\nh,2\n"),
         "0.txt:2! field 1 has a control character in it: 'a\\x00b,1'\n"
         "0.txt:3! field 2 has a control character in it: 'c,d\\x00\\x00\\x00e,f'\n"
         "0.txt:4! field 2 has a control character in it: 'g,\"\\x00\"'\nh\n"},
        {TEXT("id,x\na,1\vb,2\n\fc,1\nd,1\x1e\n"),
         "0.txt:2! field 2 has a control character in it: 'a,1\\x0bb,2'\n"
         "0.txt:3! field 1 has a control character in it: '\\x0cc,1'\n"
         "0.txt:4! field 2 has a control character in it: 'd,1\\x1e'\n"},
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
         "0.txt:2! agentId contains a control character, which is not allowed: 'x\\ny' (1)\n"},
        {TEXT("id,agentId\na,x\na,y\na,x\n"), "a x\na y\n"},
        {TEXT("id,agentId\na,..\n"),
         "0.txt:2! agentId is '..', which would be a path segment of the URL (1)\n"},
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
        {TEXT("{\"id\":\" a \"}\n"), "a\n"},
        {TEXT("{\"id\":\"a\",\"id\":\"b\"}\n"), "b\n"},
        {TEXT("{\"id\":\"\\ud83d\\ude00\"}\n"), "\xF0\x9F\x98\x80\n"},
        {TEXT("{\"id\":\"a\",\"x\":\"\\u0000\xFF\"}\n"), "a\n"},
        {TEXT("{\"id\":\"a\\u0000\"}\n{\"id\":\"a\xFF\"}\n{\"id\":\"\\udead\"}\n"),
         "0.txt:1! the ID contains NUL or invalid UTF-8\n"
         "0.txt:2! the ID contains NUL or invalid UTF-8\n"
         "0.txt:3! the ID contains NUL or invalid UTF-8\n"},
        {TEXT("{\"id\":\"a\\n\"}\n"),
         "0.txt:1! the ID contains a control character, which is not allowed: 'a\\n' (2)\n"},
        {TEXT("{\"id\":true}\n{\"id\":[\"a\"]}\n{\"id\":{}}\n"),
         "0.txt:1! the ID is neither a string nor a number\n"
         "0.txt:2! the ID is neither a string nor a number\n"
         "0.txt:3! the ID is neither a string nor a number\n"},
        {TEXT("{\"Id\":\"a\"}\n{\"LEADID\":\"b\"}\n{\"ID\":\"no\",\"id\":\"c\"}\n"), "a\nb\nc\n"},
        {TEXT("{\"ID\":\"a\",\"Id\":\"a\"}\n"),
         "0.txt:1! there are two members id that differ only in case\n"},
        {TEXT("{\"id\":\"a\"}\r{\"id\":\"b\"}\r"), "a\nb\n"},
        {TEXT("{\"id\":\"a\"}{\"id\":\"b\"}\n"),
         "0.txt:1! not JSON: there is text after the value (at byte 10)\n"},
        {TEXT("{\"name\":\"a\"}\n{}\n{\"id\":null}\n"),
         "0.txt:1! there is no member 'id' to read the ID from\n"
         "0.txt:2! there is no member 'id' to read the ID from\n"
         "0.txt:3! there is no member 'id' to read the ID from\n"},
        {TEXT("{\"id\":\"\"}\n"), "0.txt:1! the ID is empty (1 to 512 bytes are allowed)\n"},
        {TEXT("\"id\"\n[\"id\"]\nnull\n"),
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

#define NBSP "\xC2\xA0"
#define BOM "\xEF\xBB\xBF"
#define ZWSP "\xE2\x80\x8B"
#define ZWNJ "\xE2\x80\x8C"
#define ZWJ "\xE2\x80\x8D"
#define HIDDEN(code, text)                                                                         \
    " contains U+" code ", which is invisible or looks like a space: '" text "'"

/* Blanks of any kind and what cannot be seen: trimmed around an ID, refused within one. */
static void test_blanks(void **state)
{
    (void)state;
    static const char *const around[] = {
        " ",
        "\t",
        NBSP,
        BOM,
        ZWSP,
        ZWNJ,
        ZWJ,
        "\xC2\xAD" /* soft hyphen */,
        "\xE2\x81\xA0" /* word joiner */,
        "\xE3\x80\x80" /* ideographic space */,
        "\xE2\x80\xAF" /* narrow no-break */,
        "\xE2\x80\x8E" /* left-to-right mark */,
        "\xE2\x80\xAA\xE2\x80\xAC" /* embedding, and its end */,
        "\xE1\xA0\x8E" /* mongolian vowel separator */,
        "\xE2\x80\xA8" /* line separator */,
        "\xEF\xB8\x8F" /* variation selector */,
        "\xC2\xA0\xEF\xBB\xBF \xE2\x80\x8B",
    };
    static const struct {
        const char *before, *name, *behind;
        enum id_format format;
    } forms[] = {
        {"", "a", "\n", ID_FORMAT_LINES},
        {"x,id\n,", "a", "\n", ID_FORMAT_CSV},
        {"", "id", "\na\n", ID_FORMAT_CSV},
        {"x,id\n,\"", "a", "\"\n", ID_FORMAT_CSV},
        {"{\"id\":\"", "a", "\"}\n", ID_FORMAT_NDJSON},
    };
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        given_expect("", str_c(around[i]), ID_FORMAT_LINES, NULL, false, "");
        for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
            bool in_json = forms[k].format == ID_FORMAT_NDJSON;
            char text[200];
            if (in_json && *around[i] == '\t')
                continue; /* is not JSON */
            (void)snprintf(text, sizeof text, "%s%s%s%s%s", forms[k].before, around[i],
                           forms[k].name, around[i], forms[k].behind);
            given_expect("", str_c(text), forms[k].format, NULL, false, "a\n");
        }
    }
    static const struct format_case cases[] = {
        {TEXT("a" NBSP "b\n"), "0.txt:1! the ID" HIDDEN("00A0", "a" NBSP "b") " (4)\n"},
        {TEXT("a" BOM "b\n"), "0.txt:1! the ID" HIDDEN("FEFF", "a\\ufeffb") " (5)\n"},
        {TEXT("a" ZWSP "b\n"), "0.txt:1! the ID" HIDDEN("200B", "a\\u200bb") " (5)\n"},
        {TEXT("a" ZWJ "b\n"), "0.txt:1! the ID" HIDDEN("200D", "a" ZWJ "b") " (5)\n"},
        {TEXT("a\xE2\x80\xAE"
              "b\n"),
         "0.txt:1! the ID" HIDDEN("202E", "a\\u202eb") " (5)\n"},
        {TEXT("a\xF3\xA0\x80\xA0"
              "b\n"),
         "0.txt:1! the ID" HIDDEN("E0020", "a\\ue0020b") " (6)\n"},
        /* what is written with them: an emoji, a heart in red, a Persian word, a name */
        {TEXT("\xF0\x9F\x91\xA9" ZWJ "\xF0\x9F\x92\xBB\n"),
         "\xF0\x9F\x91\xA9" ZWJ "\xF0\x9F\x92\xBB\n"},
        {TEXT("\xE2\x9D\xA4\xEF\xB8\x8F\n"), "\xE2\x9D\xA4\xEF\xB8\x8F\n"},
        {TEXT("\xD9\x85\xDB\x8C" ZWNJ "\xD8\xAE\n"), "\xD9\x85\xDB\x8C" ZWNJ "\xD8\xAE\n"},
        {TEXT("\xE5\xB1\xB1\xE3\x80\x80\xE5\xB7\x9D\n"), "\xE5\xB1\xB1\xE3\x80\x80\xE5\xB7\x9D\n"},
        {TEXT("a b\n"), "a b\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_LINES, false);
    static const struct format_case params[] = {
        {TEXT("id,agentId\na," NBSP "x" ZWSP "\nb,x" ZWSP "y\n"),
         "a x\n0.txt:3! agentId" HIDDEN("200B", "x\\u200by") " (1)\n"},
    };
    EXPECT_ALL(params, ID_FORMAT_AUTO, true);
}

static void test_auto(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        {TEXT(""), ""},
        {TEXT("{\"id\":\"a\"}\n"), "a\n"},
        {TEXT("\n  \n{\"id\":\"a\"}\n"), "a\n"},
        {TEXT("id,name\na,b\n"), "a\n"},
        {TEXT("id;name\na;b\n"), "a\n"},
        {TEXT("name\tid\nb\ta\n"), "a\n"},
        {TEXT("name,leadId\r\nb,a\r\n"), "a\n"},
        {TEXT("name,LEADID\rb,a\r"), "a\n"},
        {TEXT("ID,x\na,b\n"), "a\n"},
        {TEXT("\xEF\xBB\xBF\"id\",name\na,b\n"), "a\n"},
        {TEXT("\"x\ny\",id\n1,a\n"), "a\n"},
        {TEXT("id\tname,full\na\tb\n"), "a\n"},
        {TEXT("# of today, all\n\nid,x\na,b\n# c,d\n"), "a\n# c\n"},
        {TEXT("sep=;\nid;name\na;b\n"), "a\n"},
        {TEXT("sep=\t\nid\tx,y\na\tb\n"), "a\n"},
        {TEXT(" Sep=\t \r\nx,y\tid\r\nb\ta\r\n"), "a\n"},
        {TEXT("sep=\nid\tx\na\tb\n"),
         "sep=\n0.txt:2! the ID contains a control character, which is not allowed: 'id\\tx' (4)\n"
         "0.txt:3! the ID contains a control character, which is not allowed: 'a\\tb' (3)\n"},
        {TEXT("id\na\n"), "id\na\n"},
        {TEXT("a\nb,c\n"), "a\nb,c\n"},
        {TEXT("a b\n"), "a b\n"},
    };
    EXPECT_ALL(cases, ID_FORMAT_AUTO, false);
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
        {TEXT("id,REF\nno,a\n"), ID_FORMAT_AUTO, "a d\n"},
        {TEXT("id,REF,ref\nno,no,a\n"), ID_FORMAT_AUTO, "a d\n"},
        {TEXT("ref\na\nb\n"), ID_FORMAT_AUTO, "a d\nb d\n"},
        {TEXT("ref;AgentID\na;x\nb;\n"), ID_FORMAT_AUTO, "a x\nb d\n"},
        {TEXT("{\"REF\":\"a\",\"agentid\":\"x\"}\n"), ID_FORMAT_AUTO, "a x\n"},
        {TEXT("ref\na\n"), ID_FORMAT_LINES, "ref d\na d\n"},
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
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_csv_line_ends),
        cmocka_unit_test(test_csv_malformed),
        cmocka_unit_test(test_csv_params),
        cmocka_unit_test(test_ndjson),
        cmocka_unit_test(test_ndjson_params),
        cmocka_unit_test(test_auto),
        cmocka_unit_test(test_id_column),
        cmocka_unit_test(test_id_column_is_a_parameter),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
