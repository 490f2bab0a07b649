#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/options.h"
#include "core/run/run.h"

#define WORDS_MAX 32

/* Reads a command line of words with single blanks between them. */
static enum rc parse(const char *line, struct export_options *o, struct err *e, char storage[1024])
{
    static char name[] = "export";
    char *argv[WORDS_MAX + 1] = {name};
    int argc = 1;
    (void)snprintf(storage, 1024, "%s", line);
    for (char *rest = storage, *word; (word = strsep(&rest, " "));) {
        assert_in_range(argc, 1, WORDS_MAX - 1);
        argv[argc++] = word;
    }
    *e = (struct err){RC_OK, ""};
    return options_parse(o, argc, argv, e);
}

#define BASE "-p omni -t csv:out/"
#define NO_LIMIT "is not a whole number or a percentage from 0% to 100% (up to four decimals)"

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"-p omni",
         "-t SINK is required; for example: leadpipe export -p omni -t csv:out/ ids.txt"},
        {"-t csv:-",
         "-p PROVIDER is required; for example: leadpipe export -p omni -t csv:out/ ids.txt"},
        {"ids.txt", "-p PROVIDER and -t SINK are required; for example: leadpipe export -p omni "
                    "-t csv:out/ ids.txt"},
        {BASE " --attempts 0", "--attempts: \"0\" is not a whole number from 1 to 100"},
        {BASE " --attempts 101", "--attempts: \"101\" is not a whole number from 1 to 100"},
        {BASE " --attempts=-1", "--attempts: \"-1\" is not a whole number from 1 to 100"},
        {BASE " --attempts 6x", "--attempts: \"6x\" is not a whole number from 1 to 100"},
        {BASE " --attempts 99999999999999999999",
         "--attempts: \"99999999999999999999\" is not a whole number from 1 to 100"},
        {BASE " -j 0", "--concurrency: \"0\" is not auto or a whole number from 1 to 4096"},
        {BASE " -j4097", "--concurrency: \"4097\" is not auto or a whole number from 1 to 4096"},
        {BASE " -j many", "--concurrency: \"many\" is not auto or a whole number from 1 to 4096"},
        {BASE " --expect x", "--expect: \"x\" is not a whole number"},
        {BASE " --max-missing x", "--max-missing: \"x\" " NO_LIMIT},
        {BASE " --max-missing -1", "--max-missing: \"-1\" " NO_LIMIT},
        {BASE " --max-missing 101%", "--max-missing: \"101%\" " NO_LIMIT},
        {BASE " --max-missing 1.5", "--max-missing: \"1.5\" " NO_LIMIT},
        {BASE " --max-missing=", "--max-missing: N|P% must not be empty"},
        {BASE " --missing=", "--missing: FILE must not be empty"},
        {BASE " --expect 9223372036854775808",
         "--expect: \"9223372036854775808\" is not a whole number"},
        {BASE " --timeout 30",
         "--timeout: \"30\" is not a duration such as 500ms, 30s, 5m, 2h or 7d"},
        {BASE " --timeout 0s", "--timeout: \"0s\" is not between 1ms and 1d"},
        {BASE " --timeout 25h", "--timeout: \"25h\" is not between 1ms and 1d"},
        {BASE " --retry-max-time 721h", "--retry-max-time: \"721h\" is not between 1ms and 30d"},
        {BASE " --max-body 2G", "--max-body: \"2G\" is not between 1 and 1G"},
        {BASE " --max-body 0", "--max-body: \"0\" is not between 1 and 1G"},
        {BASE " --max-body 1T", "--max-body: \"1T\" is not a size such as 65536, 64K, 32M or 1G"},
        {BASE " --max-memory 63M", "--max-memory: \"63M\" is not between 64M and 1024G"},
        {BASE " --max-columns 0", "--max-columns: \"0\" is not a whole number from 1 to 65536"},
        {BASE " --max-columns 65537",
         "--max-columns: \"65537\" is not a whole number from 1 to 65536"},
        {BASE " --rate 0", "--rate: \"0\" is not a rate such as 10, 10/s or 600/m"},
        {BASE " --rate 5/h", "--rate: \"5/h\" is not a rate such as 10, 10/s or 600/m"},
        {BASE " --order random", "--order: \"random\" is not one of input|any"},
        {BASE " --order inp", "--order: \"inp\" is not one of input|any"},
        {BASE " --order=", "--order: ORDER must not be empty"},
        {BASE " --failed=", "--failed: FILE must not be empty"},
        {BASE " --signed-urls x", "--signed-urls: \"x\" is not one of strip|keep|drop"},
        {BASE " --id-format xml", "--id-format: \"xml\" is not one of auto|lines|csv|ndjson"},
        {BASE " --progress no", "--progress: \"no\" is not one of auto|always|never"},
        {BASE " --log-format xml", "--log-format: \"xml\" is not one of text|json"},
        {BASE " --failed", "--failed: missing value: FILE"},
        {BASE " -j", "--concurrency: missing value: N|auto"},
        {BASE " --quiet=yes", "--quiet: takes no value"},
        {BASE " --atempts 3", "unknown option --atempts; did you mean --attempts?"},
        {BASE " --concurency=3", "unknown option --concurency; did you mean --concurrency?"},
        {BASE " --api-key SECRET", "unknown option --api-key; did you mean --api-key-file?"},
        {BASE " --api-key=SECRET", "unknown option --api-key; did you mean --api-key-file?"},
        {BASE " --prov omni", "unknown option --prov; did you mean --provider?"},
        {BASE " --al", "unknown option --al; did you mean --all?"},
        {BASE " --verbos", "unknown option --verbos; did you mean --verbose?"},
        {BASE " -x", "unknown option -x; \"leadpipe help export\" lists them all"},
        {BASE " -qx", "unknown option -x; \"leadpipe help export\" lists them all"},
        {BASE " --state", "--state: missing value: FILE"},
        {BASE " --fresh", "--fresh needs --state FILE"},
        {BASE " --changed-only", "--changed-only needs --state FILE"},
        {BASE " --server eu --base-url http://x",
         "--server and --base-url cannot be used together"},
        {BASE " --id 1 ids.txt", "--id and FILE (ids.txt) cannot be used together"},
        {BASE " -q -v", "--quiet and --verbose cannot be used together"},
        {BASE " -q --progress always", "--quiet and --progress always cannot be used together"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char storage[1024];
        struct export_options o = {.attempts = 77};
        struct err e;
        enum rc rc = parse(rows[i].line, &o, &e, storage);
        if (rc != RC_USAGE || strcmp(e.msg, rows[i].want) != 0)
            fail_msg("%s\n  got  %d %s\n  want %d %s", rows[i].line, rc, e.msg, RC_USAGE,
                     rows[i].want);
        assert_int_equal(o.attempts, 77);
    }
}

static void defaults(void **state)
{
    (void)state;
    char storage[1024];
    struct export_options o;
    struct err e;
    assert_int_equal(parse(BASE, &o, &e, storage), RC_OK);
    assert_string_equal(o.provider, "omni");
    assert_int_equal(o.sinks.n, 1);
    assert_string_equal(o.sinks.items[0], "csv:out/");
    assert_int_equal(o.concurrency, OPTION_AUTO);
    assert_int_equal(o.attempts, 6);
    assert_int_equal(o.retry_max_time_ms, 300000);
    assert_int_equal(o.timeout_ms, 30000);
    assert_int_equal(o.connect_timeout_ms, 10000);
    assert_int_equal(o.max_body_bytes, 32 << 20);
    assert_int_equal(o.max_columns, 2000);
    assert_int_equal(o.max_memory_bytes, 512 << 20);
    assert_int_equal(o.expect, OPTION_AUTO);
    assert_int_equal(o.max_missing.kind, PORTION_ANY);
    assert_int_equal(o.max_gone.kind, PORTION_ANY);
    assert_true(o.rate_per_s == 0);
    assert_int_equal(o.order, ORDER_INPUT);
    assert_int_equal(o.progress, PROGRESS_AUTO);
    assert_int_equal(o.files.n + o.ids.n + o.params.n, 0);
    assert_false(o.quiet || o.allow_http || o.help);
    assert_null(o.failed_path);
    options_free(&o);
}

static void values(void **state)
{
    (void)state;
    char storage[1024];
    struct export_options o;
    struct err e;
    assert_int_equal(parse("a.txt -pconvocore --to=csv:a/ -t csv:b/ -j16 --rate 90/m b.txt -vv "
                           "--expect 0 --max-body 64K -- --c.txt",
                           &o, &e, storage),
                     RC_OK);
    assert_string_equal(o.provider, "convocore");
    assert_int_equal(o.sinks.n, 2);
    assert_string_equal(o.sinks.items[1], "csv:b/");
    assert_int_equal(o.concurrency, 16);
    assert_true(o.rate_per_s == 1.5);
    assert_int_equal(o.verbose, 2);
    assert_int_equal(o.expect, 0);
    assert_int_equal(o.max_body_bytes, 65536);
    assert_int_equal(o.files.n, 3);
    assert_string_equal(o.files.items[0], "a.txt");
    assert_string_equal(o.files.items[1], "b.txt");
    assert_string_equal(o.files.items[2], "--c.txt");
    options_free(&o);
}

/* The value of an option may look like an option; "-" is a file. */
static void odd_words(void **state)
{
    (void)state;
    char storage[1024];
    struct export_options o;
    struct err e;
    assert_int_equal(parse(BASE " --failed --odd --id-column -q -", &o, &e, storage), RC_OK);
    assert_string_equal(o.failed_path, "--odd");
    assert_string_equal(o.id_column, "-q");
    assert_false(o.quiet);
    assert_int_equal(o.files.n, 1);
    assert_string_equal(o.files.items[0], "-");
    options_free(&o);
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    char storage[1024];
    struct export_options o;
    struct err e;
    assert_int_equal(parse("--help", &o, &e, storage), RC_OK);
    assert_true(o.help);
    options_free(&o);
}

static void many_lists(void **state)
{
    (void)state;
    struct text_list list = {0};
    struct arena memory;
    char texts[100][4];
    struct err e;
    arena_init(&memory, SIZE_MAX / 2);
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%zu", i);
        assert_int_equal(text_list_add(&list, texts[i], &memory, &e), RC_OK);
    }
    struct export_options o = {.ids = list, .memory = memory};
    assert_int_equal(o.ids.n, 100);
    for (size_t i = 0; i < 100; i++)
        assert_string_equal(o.ids.items[i], texts[i]);
    options_free(&o);
    assert_int_equal(o.ids.n, 0);
}

/* A value that the option takes. */
static const char *some_value(const struct option_spec *spec)
{
    static char choice[32];
    switch (spec->type) {
    case OPTION_FLAG:
    case OPTION_COUNT:
        return NULL;
    case OPTION_NUMBER:
        return "3";
    case OPTION_DURATION:
        return "5s";
    case OPTION_SIZE:
        return "64M";
    case OPTION_PORTION:
        return "5%";
    case OPTION_RATE:
        return "1/s";
    case OPTION_CHOICE:
        (void)snprintf(choice, sizeof choice, "%.*s", (int)strcspn(spec->choices, "|"),
                       spec->choices);
        return choice;
    case OPTION_TEXT:
    case OPTION_LIST:
        break;
    }
    return "x=y";
}

/* Of every option in the table, also when it is written in its two ways. */
static void given_twice(void **state)
{
    (void)state;
    for (const struct option_spec *spec = export_option_specs; spec->name; spec++) {
        struct export_options o;
        struct err e;
        char line[256], again[64], want[128], storage[1024];
        const char *value = some_value(spec);
        (void)snprintf(again, sizeof again, "--%s%s%s", spec->name, value ? "=" : "",
                       value ? value : "");
        (void)snprintf(line, sizeof line, "%s --state s %s", again, again);
        if (spec->letter)
            (void)snprintf(line, sizeof line, "-%c%s %s", spec->letter, value ? value : "", again);
        (void)snprintf(want, sizeof want, "--%s: given more than once; it is not repeatable",
                       spec->name);
        bool repeatable = spec->type == OPTION_LIST || spec->type == OPTION_COUNT;
        enum rc rc = parse(line, &o, &e, storage);
        if (rc == RC_OK)
            options_free(&o);
        if ((strcmp(e.msg, want) == 0) == repeatable)
            fail_msg("%s: %s", line, e.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(given_twice),
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
        cmocka_unit_test(odd_words),
        cmocka_unit_test(many_lists),
        cmocka_unit_test(help_needs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
