#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/option.h"
#include "cmd/arguments.h"
#include "cmd/help.h"
#include "cmd/options.h"
#include "sinks/registry.h"

/* One option of every type, and of every flag that matters to a text. */
struct values {
    bool flag;
    int choice, plain_choice;
    int64_t times, number, plain_number, wait, room;
    double rate;
    struct portion portion;
    const char *text, *secret, *url, *header, *input, *output;
    struct text_list list, outputs;
};

#define AT(type, member) OPTION_AT(struct values, type, member)

static const struct option_spec table[] = {
    {.name = "flag", AT(FLAG, flag), .needs = "text"},
    {.name = "times", AT(COUNT, times), .excludes = "flag"},
    {.name = "choice", AT(CHOICE, choice), .choices = "red|green", .default_text = "green"},
    {.name = "plain-choice", AT(CHOICE, plain_choice), .choices = "north|south"},
    {.name = "number", AT(NUMBER, number), .max = 9, .choices = "auto", .default_text = "auto"},
    {.name = "plain-number", AT(NUMBER, plain_number), .min = 1, .max = INT64_MAX},
    {.name = "wait", AT(DURATION, wait), .min = 10, .max = 60000, .default_text = "2s"},
    {.name = "room", AT(SIZE, room), .min = 1024, .max = 1 << 20},
    {.name = "rate", AT(RATE, rate)},
    {.name = "portion", AT(PORTION, portion)},
    {.name = "text", AT(TEXT, text)},
    {.name = "secret", AT(TEXT, secret), .flags = OPTION_SECRET},
    {.name = "url", AT(TEXT, url), .flags = OPTION_SECRET_URL, .arg = "URL"},
    {.name = "header", AT(TEXT, header), .flags = OPTION_SECRET_HEADER},
    {.name = "input", AT(TEXT, input), .file = FILE_READ},
    {.name = "output", AT(TEXT, output), .file = FILE_WRITTEN},
    {.name = "list", AT(LIST, list)},
    {.name = "outputs", AT(LIST, outputs), .file = FILE_WRITTEN},
    {.name = NULL},
};

struct world {
    struct values values;
    struct arena memory;
    struct option_reader reader;
};

static void world_open(struct world *w)
{
    struct err e;
    *w = (struct world){.values = {.flag = false}};
    arena_init(&w->memory, SIZE_MAX / 2);
    w->reader = (struct option_reader){table, &w->values, "--", &w->memory, NULL, 0};
    assert_int_equal(option_begin(&w->reader, &e), RC_OK);
}

static void world_close(struct world *w)
{
    arena_free(&w->memory);
}

static const struct option_spec *row(const char *name)
{
    const struct option_spec *o = option_named(table, str_c(name));
    if (!o)
        fail_msg("%s: no such row", name);
    return o;
}

static void take(struct world *w, const char *name, const char *text)
{
    struct err e = {RC_OK, ""};
    if (option_take(&w->reader, row(name), text, &e) != RC_OK)
        fail_msg("%s=%s: %s", name, text, e.msg);
}

/* Each value as text, and what distinguishes it from others. */
static void values_as_texts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *value, *identity;
    } rows[] = {
        {"flag", NULL, "", ""},
        {"times", NULL, "1", "1"},
        {"choice", "red", "red", "red"},
        {"number", "7", "7", "7"},
        {"number", "0", "0", "0"},
        {"number", "auto", "auto", "auto"},
        {"plain-number", "9223372036854775807", "9223372036854775807", "9223372036854775807"},
        {"wait", "1m", "60000ms", "60000ms"},
        {"room", "2K", "2048", "2048"},
        {"rate", "30/m", "0.5/s", "0.5/s"},
        {"portion", "12", "12", "12"},
        {"portion", "12.5%", "12.5000%", "12.5000%"},
        {"text", "a b", "a b", "a b"},
        {"secret", "pa55word", "pa55word", "(12345678)"},
        {"url", "https://u:pa55word@h/", "https://u:pa55word@h/", "(12345678)"},
        {"header", "X: pa55word", "X: pa55word", "(12345678)"},
        {"input", "a/b", "a/b", "/here/a/b"},
        {"output", "/a/b", "/a/b", "/a/b"},
        {"output", "-", "-", "-"},
        {"output", "s3://bucket/a", "s3://bucket/a", "s3://bucket/a"},
        {"list", "one", "one", "one"},
        {"outputs", "x", "x", "/here/x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        world_open(&w);
        take(&w, rows[i].name, rows[i].text);
        const struct option_spec *o = row(rows[i].name);
        struct buf value, identity;
        buf_init(&value, 100);
        buf_init(&identity, 100);
        assert_int_equal(option_count_values(o, &w.values), 1);
        option_put_value(&value, o, &w.values, 0);
        option_put_identity(&identity, o, &w.values, 0, "/here");
        bool is_hash = rows[i].identity[0] == '(';
        if (strcmp(buf_cstr(&value), rows[i].value) != 0 ||
            (is_hash ? identity.len != strlen(rows[i].identity) ||
                           strstr(buf_cstr(&identity), "pa55word")
                     : strcmp(buf_cstr(&identity), rows[i].identity) != 0))
            fail_msg("%s=%s\n  got  \"%s\" \"%s\"\n  want \"%s\" \"%s\"", rows[i].name,
                     rows[i].text, buf_cstr(&value), buf_cstr(&identity), rows[i].value,
                     rows[i].identity);
        buf_free(&value);
        buf_free(&identity);
        world_close(&w);
    }
}

static void not_given(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    for (const struct option_spec *o = table; o->name; o++) {
        size_t want = o->default_text ? 1 : 0, got = option_count_values(o, &w.values);
        if (got != want)
            fail_msg("%s: got %zu values, want %zu", o->name, got, want);
    }
    assert_int_equal(w.values.plain_choice, OPTION_AUTO);
    assert_int_equal(w.values.plain_number, OPTION_AUTO);
    assert_int_equal(w.values.room, OPTION_AUTO);
    assert_int_equal(w.values.wait, 2000);
    world_close(&w);
}

/* Of every option that has a value: another value is not equal, however it is given. */
static void equal_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *a, *b;
        bool equal;
    } rows[] = {
        {"wait", "2s", "2000ms", true}, {"wait", "2s", "2001ms", false},
        {"rate", "1/s", "60/m", true},  {"rate", "1/s", "61/m", false},
        {"room", "1K", "1024", true},   {"room", "1K", "1025", false},
        {"text", "a", "a", true},       {"text", "a", "b", false},
        {"number", "auto", "0", false}, {"choice", "red", "green", false},
        {"portion", "5", "5%", false},  {"portion", "5%", "5.0%", true},
        {"list", "a", "b", false},      {"list", "a", "a", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world a, b;
        world_open(&a);
        world_open(&b);
        take(&a, rows[i].name, rows[i].a);
        take(&b, rows[i].name, rows[i].b);
        bool got = option_is_equal(row(rows[i].name), &a.values, &b.values);
        if (got != rows[i].equal)
            fail_msg("%s: %s and %s: got %d", rows[i].name, rows[i].a, rows[i].b, got);
        world_close(&a);
        world_close(&b);
    }
    struct world none, one;
    world_open(&none);
    world_open(&one);
    assert_true(option_is_equal(row("list"), &none.values, &one.values));
    take(&one, "list", "a");
    assert_false(option_is_equal(row("list"), &none.values, &one.values));
    world_close(&none);
    world_close(&one);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"flag", "yes", "--flag: takes no value"},
        {"times", "2", "--times: takes no value"},
        {"choice", NULL, "--choice: missing value: red|green"},
        {"choice", "", "--choice: \"\" is not one of red|green"},
        {"number", "", "--number: N|auto must not be empty"},
        {"number", "10", "--number: \"10\" is not auto or a whole number from 0 to 9"},
        {"plain-number", "0", "--plain-number: \"0\" is not a whole number"},
        {"wait", "2", "--wait: \"2\" is not a duration such as 500ms, 30s, 5m, 2h or 7d"},
        {"wait", "9ms", "--wait: \"9ms\" is not between 10ms and 1m"},
        {"room", "2M", "--room: \"2M\" is not between 1K and 1M"},
        {"rate", "fast", "--rate: \"fast\" is not a rate such as 10, 10/s or 600/m"},
        {"text", "", "--text: TEXT must not be empty"},
        {"url", NULL, "--url: missing value: URL"},
        {"input", "", "--input: FILE must not be empty"},
        {"outputs", "", "--outputs: FILE must not be empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct err e = {RC_OK, ""};
        world_open(&w);
        enum rc rc = option_take(&w.reader, row(rows[i].name), rows[i].text, &e);
        if (rc != RC_USAGE || strcmp(e.msg, rows[i].want) != 0)
            fail_msg("%s=%s\n  got  %d %s\n  want %s", rows[i].name, rows[i].text, rc, e.msg,
                     rows[i].want);
        assert_false(option_is_given(&w.reader, row(rows[i].name)));
        world_close(&w);
    }
}

/* What an option needs or excludes; in whatever order they are given. */
static void combinations(void **state)
{
    (void)state;
    static const struct {
        const char *names[3], *want;
    } rows[] = {
        {{NULL}, ""},
        {{"text"}, ""},
        {{"times"}, ""},
        {{"text", "flag"}, ""},
        {{"flag", "text"}, ""},
        {{"flag"}, "--flag needs --text TEXT"},
        {{"text", "flag", "times"}, "--times and --flag cannot be used together"},
        {{"times", "text", "flag"}, "--times and --flag cannot be used together"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct err e = {RC_OK, ""};
        world_open(&w);
        for (size_t k = 0; k < 3 && rows[i].names[k]; k++)
            take(&w, rows[i].names[k], option_takes_value(row(rows[i].names[k])) ? "x" : NULL);
        (void)option_check(&w.reader, &e);
        if (strcmp(e.msg, rows[i].want) != 0)
            fail_msg("row %zu\n  got  %s\n  want %s", i, e.msg, rows[i].want);
        world_close(&w);
    }
}

static void write_file(const char *path, size_t n, char last)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 1; i < n; i++)
        assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fputc(last, f), last);
    assert_int_equal(fclose(f), 0);
}

/* A file that is read is what is in it, too: to its last byte, however long it is. */
static void content_counts(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 9, 16384, 16385, 100000};
    char path[] = "/tmp/test_option.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    char seen[2 * sizeof sizes / sizeof *sizes][128];
    size_t n = 0;
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        struct world w;
        struct buf b;
        buf_init(&b, 127);
        write_file(path, sizes[i / 2], i % 2 ? 'y' : 'z');
        world_open(&w);
        take(&w, "input", path);
        option_put_identity(&b, row("input"), &w.values, 0, "/here");
        (void)snprintf(seen[n], sizeof seen[n], "%s", buf_cstr(&b));
        assert_ptr_equal(strstr(seen[n], path), seen[n]);
        for (size_t k = 0; k < n; k++)
            assert_string_not_equal(seen[k], seen[n]);
        buf_clear(&b);
        option_put_identity(&b, row("input"), &w.values, 0, "/elsewhere");
        assert_string_equal(buf_cstr(&b), seen[n]);
        n++;
        buf_free(&b);
        world_close(&w);
    }
    assert_int_equal(unlink(path), 0);
}

static void paths(void **state)
{
    (void)state;
    struct world w;
    const char *const *got = NULL;
    world_open(&w);
    assert_int_equal(option_paths(row("output"), &w.values, &got), 0);
    assert_int_equal(option_paths(row("outputs"), &w.values, &got), 0);
    take(&w, "output", "a");
    take(&w, "outputs", "b");
    take(&w, "outputs", "c");
    take(&w, "text", "d");
    assert_int_equal(option_paths(row("output"), &w.values, &got), 1);
    assert_string_equal(got[0], "a");
    assert_int_equal(option_paths(row("outputs"), &w.values, &got), 2);
    assert_string_equal(got[1], "c");
    assert_int_equal(option_paths(row("text"), &w.values, &got), 0);
    world_close(&w);
}

/* ---- the tables of the program --------------------------------------------------------------- */

static const struct option_spec *const *all_tables(void)
{
    static const struct option_spec *tables[32];
    size_t n = 0;
    for (const struct command *c = commands; c->name; c++) {
        if (c->options)
            tables[n++] = c->options;
    }
    for (size_t i = 0; sink_registry[i]; i++) {
        assert_in_range(n, 2, 30);
        if (sink_registry[i]->opts)
            tables[n++] = sink_registry[i]->opts;
    }
    return tables;
}

/* Of each row: names are one of a kind, what it needs or excludes is there, texts are complete, bounds
 * make sense, and a flag is one for its type. */
static void tables_are_sound(void **state)
{
    (void)state;
    for (const struct option_spec *const *t = all_tables(); *t; t++) {
        for (const struct option_spec *o = *t; o->name; o++) {
            bool is_text = o->type == OPTION_TEXT || o->type == OPTION_LIST;
            bool is_bounded =
                o->type == OPTION_NUMBER || o->type == OPTION_DURATION || o->type == OPTION_SIZE;
            const char *fault = NULL;
            if (option_named(*t, str_c(o->name)) != o)
                fault = "is there twice";
            else if (!o->help || !*o->help)
                fault = "has no help text";
            else if ((o->needs && !option_named(*t, str_c(o->needs))) ||
                     (o->excludes && !option_named(*t, str_c(o->excludes))))
                fault = "needs or excludes one that is not there";
            else if (!is_text &&
                     (o->file != FILE_UNUSED || o->flags & (OPTION_ANY_SECRET | OPTION_SINK)))
                fault = "is no text, and names a file or holds a secret";
            else if (is_bounded ? o->min < 0 || o->max <= o->min : o->min || o->max)
                fault = "has wrong bounds";
            else if (o->type == OPTION_CHOICE && !o->choices)
                fault = "has no choices";
            else if (o->flags & OPTION_RESOLVED && *t != export_option_specs &&
                     *t != list_option_specs) /* which shares rows, and resumes nothing */
                fault = "is resolved, and only export resolves its options";
            else if (o->section >= SECTION_END)
                fault = "is in no section of the help text";
            for (const struct option_spec *p = *t; !fault && p < o; p++) {
                if (p->letter && p->letter == o->letter)
                    fault = "shares its letter";
            }
            if (fault)
                fail_msg("%s: %s", o->name, fault);
        }
    }
}

/* Of every option of every sink, by its flags. */
static void secrets_of_sinks_are_redacted(void **state)
{
    (void)state;
    for (size_t i = 0; sink_registry[i]; i++) {
        for (const struct option_spec *o = sink_registry[i]->opts; o && o->name; o++) {
            char spec[128];
            struct buf shown;
            buf_init(&shown, 200);
            (void)snprintf(spec, sizeof spec, "%s,%s=X: pa55word\\,x:target",
                           sink_registry[i]->name, o->name);
            arguments_redact_spec(&shown, spec);
            bool is_shown = strstr(buf_cstr(&shown), "pa55word") != NULL;
            if (is_shown == ((o->flags & OPTION_ANY_SECRET) != 0) ||
                !strstr(buf_cstr(&shown), ":target"))
                fail_msg("%s: %s", spec, buf_cstr(&shown));
            buf_free(&shown);
        }
    }
}

static void check_help(const struct command *c, const char *text)
{
    for (const struct option_spec *o = c->options; o->name; o++) {
        char line[128];
        struct buf arg;
        buf_init(&arg, 100);
        option_put_arg(&arg, o);
        (void)snprintf(line, sizeof line, "\n  %c%c%c --%s%s%s", o->letter ? '-' : ' ',
                       o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
                       arg.len ? " " : "", buf_cstr(&arg));
        const char *found = strstr(text, line);
        while (found && !strchr(" \n", found[strlen(line)])) /* a longer name */
            found = strstr(found + 1, line);
        if (!found)
            fail_msg("\"%s\" is not in the help text of %s", line + 1, c->name);
        buf_free(&arg);
    }
}

/* `leadpipe help COMMAND` names every row; the man page is checked against it. */
static void help_names_every_option(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *f = open_memstream(&text, &bytes);
        assert_non_null(f);
        help_print_command(f, c);
        assert_int_equal(fclose(f), 0);
        if (c->options)
            check_help(c, text);
        else if (strstr(text, "\n      --"))
            fail_msg("%s: has no options, and help for some", c->name);
        free(text);
    }
}

/* ---- what a run must have in common with the one that it resumes ------------------------------ */

static const char *some_value(const struct option_spec *o)
{
    switch (o->type) {
    case OPTION_NUMBER:
        return "3";
    case OPTION_DURATION:
        return "77s";
    case OPTION_SIZE:
        return "64M";
    case OPTION_RATE:
        return "7/s";
    case OPTION_PORTION:
        return "7%";
    case OPTION_CHOICE:
        return strrchr(o->choices, '|') + 1;
    case OPTION_FLAG:
    case OPTION_COUNT:
    case OPTION_TEXT:
    case OPTION_LIST:
        break;
    }
    return "x";
}

static void put_identity(struct buf *out, const char *text)
{
    struct sink_spec spec = {0};
    struct err e = {RC_OK, ""};
    if (sink_spec_parse(&spec, text, &e) != RC_OK)
        fail_msg("%s: %s", text, e.msg);
    sink_spec_identity(&spec, "/here", out);
    sink_spec_free(&spec);
}

/* Another value is another sink, for every option but those that may change. */
static void options_of_sinks_count(void **state)
{
    (void)state;
    for (size_t i = 0; sink_registry[i]; i++) {
        for (const struct option_spec *o = sink_registry[i]->opts; o && o->name; o++) {
            char with[128], without[128];
            struct buf a, b;
            buf_init(&a, 1000);
            buf_init(&b, 1000);
            (void)snprintf(with, sizeof with, "%s,%s%s%s:target", sink_registry[i]->name, o->name,
                           option_takes_value(o) ? "=" : "",
                           option_takes_value(o) ? some_value(o) : "");
            (void)snprintf(without, sizeof without, "%s:target", sink_registry[i]->name);
            put_identity(&a, with);
            put_identity(&b, without);
            bool may_change = (o->flags & OPTION_MAY_CHANGE) != 0;
            if (str_eq(buf_str(&a), buf_str(&b)) != may_change)
                fail_msg("%s: %s", with, buf_cstr(&a));
            buf_free(&a);
            buf_free(&b);
        }
    }
}

static void identities_of_sinks(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"csv:out/", "csv:out/"},
        {"csv,delimiter=comma,gzip=auto,header=yes:out/", "csv:out/"},
        {"csv,bom,delimiter=tab:out/", "csv,delimiter=tab,bom:out/"},
        {"csv,gzip=0:out/", "csv,gzip=0:out/"},
        {"csv,table=a\\,b\\\\c:x.csv", "csv,table=a\\,b\\\\c:x.csv"},
        {"webhook,batch=5,attempts=3,header=X: s3cret,type=a:b://c",
         "webhook,batch=5,type=a:b://c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf got;
        buf_init(&got, 1000);
        put_identity(&got, rows[i].text);
        if (strcmp(buf_cstr(&got), rows[i].want) != 0)
            fail_msg("%s\n  got  %s\n  want %s", rows[i].text, buf_cstr(&got), rows[i].want);
        buf_free(&got);
    }
}

/* The man page names the options of export that may not change. */
static void man_page_says_what_may_not_change(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = fopen(LEADPIPE_SOURCE_DIR "/docs/leadpipe.1", "r");
    assert_non_null(f);
    assert_true(getdelim(&text, &bytes, '\0', f) > 0);
    assert_int_equal(fclose(f), 0);
    char *from = strstr(text, "\nA run is different if any of these differs:"),
         *to = from ? strstr(from, "\nAll other options may change.") : NULL;
    if (!to) {
        fail_msg("the man page does not say what makes a run another");
        return;
    }
    *to = '\0';
    for (const struct option_spec *o = export_option_specs; o->name; o++) {
        char name[64], last[64];
        (void)snprintf(name, sizeof name, "\n.Fl -%s ", o->name);
        (void)snprintf(last, sizeof last, "\n.Fl -%s\n", o->name);
        bool is_named = strstr(from, name) || strstr(from, last);
        if (o->flags & OPTION_RESOLVED)
            continue;
        if (is_named == ((o->flags & OPTION_MAY_CHANGE) != 0))
            fail_msg("--%s: %s", o->name, is_named ? "may change" : "is not named");
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_as_texts),
        cmocka_unit_test(not_given),
        cmocka_unit_test(equal_values),
        cmocka_unit_test(refusals),
        cmocka_unit_test(combinations),
        cmocka_unit_test(paths),
        cmocka_unit_test(content_counts),
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(help_names_every_option),
        cmocka_unit_test(secrets_of_sinks_are_redacted),
        cmocka_unit_test(options_of_sinks_count),
        cmocka_unit_test(identities_of_sinks),
        cmocka_unit_test(man_page_says_what_may_not_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
