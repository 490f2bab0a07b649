#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "core/json/json.h"
#include "sinks/csv/csv_encode.h"

static const struct csv_dialect comma = {.delimiter = ','};
static const struct csv_dialect tab = {.delimiter = '\t'};
static const struct csv_dialect safe = {.delimiter = ';', .excel_safe = true};

static struct buf out;
static struct buf scratch;

static int begin(void **state)
{
    (void)state;
    buf_init(&out, SIZE_MAX / 2);
    buf_init(&scratch, SIZE_MAX / 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    buf_free(&scratch);
    return 0;
}

static void expect_text(const struct csv_dialect *d, const char *text, const char *want)
{
    buf_clear(&out);
    csv_put_text(&out, d, str_c(text));
    if (strcmp(buf_cstr(&out), want) != 0)
        fail_msg("'%c' <%s>: got <%s>, want <%s>", d->delimiter, text, buf_cstr(&out), want);
}

static void quotes(void **state)
{
    (void)state;
    expect_text(&comma, "", "\"\"");
    expect_text(&comma, "plain", "plain");
    expect_text(&comma, " blanks ", " blanks ");
    expect_text(&comma, "a,b", "\"a,b\"");
    expect_text(&comma, "a;b\tc'd", "a;b\tc'd");
    expect_text(&tab, "a\tb", "\"a\tb\"");
    expect_text(&tab, "a,b", "a,b");
    expect_text(&comma, "\"", "\"\"\"\"");
    expect_text(&comma, "say \"hi\" now", "\"say \"\"hi\"\" now\"");
    expect_text(&comma, "\"\"\"", "\"\"\"\"\"\"\"\"");
    expect_text(&comma, "line\nline", "\"line\nline\"");
    expect_text(&comma, "line\rline", "\"line\rline\"");
    expect_text(&comma, "=1+1", "=1+1");
    expect_text(&comma, "caf\xc3\xa9 \xe2\x80\x93 \xf0\x9f\x98\x80",
                "caf\xc3\xa9 \xe2\x80\x93 \xf0\x9f\x98\x80");
    expect_text(&comma, "\x8a\x8d\xa2\xac\x8a\x8d\xa2\xac\x8a\x8d",
                "\x8a\x8d\xa2\xac\x8a\x8d\xa2\xac\x8a\x8d");
}

/* Whatever its place, each byte that needs quotes is found, and no other one. */
static void quotes_at_every_place(void **state)
{
    (void)state;
    char text[41];
    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 1; c < 256; c++) {
                memset(text, 'x', len);
                text[at] = (char)c;
                buf_clear(&out);
                csv_put_text(&out, &comma, (struct str){text, len});
                bool quoted = out.len > 0 && out.data[0] == '"';
                bool want = c == ',' || c == '"' || c == '\n' || c == '\r';
                if (quoted != want)
                    fail_msg("byte %d at %zu of %zu: quoted %d, want %d", c, at, len, quoted, want);
            }
        }
    }
}

static void formulas(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"", false},
        {"plain", false},
        {"a=b", false},
        {" a", false},
        {"'=1", false},
        {"=1+1", true},
        {"=", true},
        {"+", true},
        {"-", true},
        {"@", true},
        {"@SUM(A1)", true},
        {"+cmd|' /C calc'!A0", true},
        {"-2+3+cmd|' /C calc'!A0", true},
        {" =1+1", true},
        {"\t=1", true},
        {"\tx", true},
        {"\rx", true},
        {"\nx", true},
        {" \tx", false},
        {"\xef\xbc\x9d"
         "1",
         true},
        {"\xef\xbc\x8b"
         "1",
         true},
        {"\xef\xbc\x8d"
         "1",
         true},
        {"\xef\xbc\xa0"
         "A",
         true},
        {"\xef\xbc\x91", false},
        {"\xef\xbc", false},
        {"\xef", false},
        {"\xef\xbb\xbf", false},
        {"-1", false},
        {"+1", false},
        {"-12.5e-3", false},
        {"-.5", false},
        {"+5.", false},
        {"-", true},
        {"-.", true},
        {"-1e", true},
        {"-1-1", true},
        {"--1", true},
        {"-1x", true},
        {" -1 ", false},
        {"\t12", false},
        {"12", false},
        {"+16782319992", false},
        {"+1 678 231 9992", false},
        {"+1 (678) 231-9992", false},
        {"+1.678.231.9992", false},
        {" +16782319992", false},
        {"+1-2", true},
        {"+(1)", true},
        {"+1 678 231 9992 ext", true},
        {"+1*678", true},
        {"+16782319992,x", true},
        {"+49 30 901820 +49", true},
        {"=16782319992", true},
        {"+\xd9\xa1\xd9\xa2\xd9\xa3", true},
        {"+1111111111111111111111111111111111111111", false}, /* a number */
        {"+1111111111111111111111111111111111111-1-1", true}, /* no telephone has that many */
        {"- item", true},
        {"-- \n", true},
        {"@handle", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (csv_is_formula(str_c(rows[i].text)) != rows[i].want)
            fail_msg("<%s>: want %d", rows[i].text, rows[i].want);
    assert_false(csv_is_formula(STR_NONE));
}

static void guards(void **state)
{
    (void)state;
    expect_text(&safe, "=1+1", "'=1+1");
    expect_text(&safe, "=A1;\"x\"", "\"'=A1;\"\"x\"\"\"");
    expect_text(&safe, "\r=1", "\"'\r=1\"");
    expect_text(&safe, "+16782319992", "+16782319992");
    expect_text(&safe, "", "\"\"");
    expect_text(&safe, "x", "x");
}

/* What holds a formula behind another delimiter is quoted, and not altered. */
static void delimiters_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool quoted;
    } rows[] = {
        {"x;=HYPERLINK(0)", true},
        {"x,=1", true},
        {"x\t=1", true},
        {"x|=1", true},
        {"x =1", true},
        {"x; =1", true},
        {"x; '=1", true},
        {"x;-1", true},
        {"x;+1", true},
        {"x;@SUM(1)", true},
        {"x;\xef\xbc\x9d"
         "1",
         true},
        {"x;;=1;y", true},
        {"a - b", true},
        {"x;y=1", false},
        {"x=1", false},
        {"x;", false},
        {";", false},
        {"a-b", false},
        {"x;\xef\xbc\x91", false},
        {"x;\xef", false},
        {"1 2 3", false},
        {"-1", false},
        {"+1 (678) 231-9992", false},
        {"+1 -678 -231", false}, /* a phone number */
    };
    static const struct csv_dialect dialects[] = {
        {.delimiter = ',', .excel_safe = true},
        {.delimiter = ';', .excel_safe = true},
        {.delimiter = '\t', .excel_safe = true},
    };
    char want[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof dialects / sizeof *dialects; k++) {
            bool quoted = rows[i].quoted || strchr(rows[i].text, dialects[k].delimiter);
            const char *quote = quoted ? "\"" : "";
            (void)snprintf(want, sizeof want, "%s%s%s", quote, rows[i].text, quote);
            expect_text(&dialects[k], rows[i].text, want);
        }
        if (!strchr(rows[i].text, ','))
            expect_text(&comma, rows[i].text, rows[i].text);
    }
}

/* The effort does not grow faster than the text does, whatever it is made of. */
static void long_runs(void **state)
{
    (void)state;
    static const char *const pieces[] = {" ", " \"", "\t", ",\"", "' ", "; "};
    static char text[(size_t)256 << 10];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t n = strlen(pieces[i]);
        for (size_t at = 0; at < sizeof text; at++)
            text[at] = pieces[i][at % n];
        clock_t begun = clock();
        assert_false(csv_may_split_into_formula((struct str){text, sizeof text}));
        double seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;
        if (seconds > 1)
            fail_msg("\"%s\" again and again: %.1f seconds", pieces[i], seconds);
    }
}

static void expect_cell(const struct csv_dialect *d, struct cell cell, const char *want)
{
    buf_clear(&out);
    csv_put_cell(&out, d, &cell, &scratch);
    if (strcmp(buf_cstr(&out), want) != 0)
        fail_msg("kind %d: got <%s>, want <%s>", cell.kind, buf_cstr(&out), want);
}

static void cells(void **state)
{
    (void)state;
    expect_cell(&comma, (struct cell){.kind = CELL_ABSENT}, "");
    expect_cell(&comma, (struct cell){.kind = CELL_NULL}, "");
    expect_cell(&comma, (struct cell){.kind = CELL_TRUE}, "true");
    expect_cell(&comma, (struct cell){.kind = CELL_FALSE}, "false");
    const char *number = "-123456789012345678901234567890.10e+5";
    struct cell cell = {.kind = CELL_NUMBER, .len = (uint32_t)strlen(number), .u.text = number};
    expect_cell(&comma, cell, number);
    expect_cell(&safe, cell, number);
    expect_cell(&comma, (struct cell){.kind = CELL_TEXT, .len = 3, .u.text = "a,bcd"}, "\"a,b\"");
    expect_cell(&comma, (struct cell){.kind = CELL_TEXT, .len = 0, .u.text = ""}, "\"\"");
}

static void json_cells(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want;
    } rows[] = {
        {"[]", "[]"},
        {"[1, 2]", "\"[1,2]\""},
        {"{\"a\": \"=x\"}", "\"{\"\"a\"\":\"\"=x\"\"}\""},
        {"[1]", "[1]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        struct arena a;
        struct json_doc doc;
        arena_init(&a, 1 << 20);
        assert_int_equal(json_parse(&a, str_c(rows[i].json), JSON_TREE, &doc, &e), RC_OK);
        struct cell cell = {.kind = CELL_JSON, .u.json = doc.root};
        expect_cell(&comma, cell, rows[i].want);
        arena_free(&a);
    }
}

static void row_ends(void **state)
{
    (void)state;
    const struct csv_dialect crlf = {.delimiter = ',', .crlf = true};
    csv_put_eol(&out, &comma);
    csv_put_eol(&out, &crlf);
    assert_string_equal(buf_cstr(&out), "\n\r\n");
}

static void too_large(void **state)
{
    (void)state;
    struct buf small;
    buf_init(&small, 4);
    csv_put_text(&small, &comma, STR("12345"));
    assert_int_equal(buf_rc(&small), RC_LIMIT);
    csv_put_text(&small, &safe, STR("=;"));
    assert_int_equal(buf_rc(&small), RC_LIMIT);
    buf_free(&small);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(quotes),
        TEST(quotes_at_every_place),
        TEST(formulas),
        TEST(guards),
        TEST(delimiters_of_others),
        TEST(long_runs),
        TEST(cells),
        TEST(json_cells),
        TEST(row_ends),
        TEST(too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
