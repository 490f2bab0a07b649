/* What is shown to people: escaped texts, messages, the live line, the summary, suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/arguments.h"
#include "cmd/escape.h"
#include "cmd/messages.h"
#include "cmd/progress.h"
#include "core/base/suggest.h"
#include "cmd/summary.h"

static int64_t wall_of_test(const struct clock *c)
{
    (void)c;
    return 1769738400000; /* 2026-01-30T02:00:00Z */
}

static const struct clock clock_of_test = {.wall_ms = wall_of_test};

static void expect_text(const char *what, const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        fail_msg("%s:\n  got  \"%s\"\n  want \"%s\"", what, got, want);
}

static void escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"plain \xC3\xA9\xF0\x9F\x98\x80 text", "plain \xC3\xA9\xF0\x9F\x98\x80 text"},
        {"a\nb\r\tc", "a\\nb\\r\\tc"},
        {"\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"},
        {"del\x7f", "del\\x7f"},
        {"c1 \xC2\x9B"
         "2J",
         "c1 \\u009b2J"},
        {"bidi \xE2\x80\xAE"
         "abc",
         "bidi \\u202eabc"},
        {"isolate \xE2\x81\xA6 mark \xE2\x80\x8F", "isolate \\u2066 mark \\u200f"},
        {"line \xE2\x80\xA8 end", "line \\u2028 end"},
        {"cut \xE2\x80", "cut \\xe2\\x80"},
        {"hidden a\xE2\x80\x8B"
         "b\xEF\xBB\xBF"
         "c\xC2\xAD"
         "d",
         "hidden a\\u200bb\\ufeffc\\u00add"},
        {"heart \xE2\x9D\xA4\xEF\xB8\x8F", "heart \xE2\x9D\xA4\xEF\xB8\x8F"},
        {"bad \xFF\xC0\x80", "bad \\xff\\xc0\\x80"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        buf_init(&b, 4096);
        text_escape(&b, rows[i].text);
        expect_text(rows[i].text, buf_cstr(&b), rows[i].want);
        buf_free(&b);
    }
}

/* What was written to the pipe so far. */
static const char *read_pipe(int fd, char out[4096])
{
    ssize_t n = read(fd, out, 4095);
    out[n < 0 ? 0 : n] = '\0';
    return out;
}

static void message_lines(void **state)
{
    (void)state;
    char got[4096];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct messages m;
    messages_init(&m, fds[1], &clock_of_test);
    log_msg(&m.hook, LOG_LEVEL_INFO, "x", "not at this level");
    log_msg(&m.hook, LOG_LEVEL_WARN, "csv:a\nb", "odd \x1b[2J");
    messages_write(&m, LOG_LEVEL_ERROR, NULL, "bad");
    expect_text("text", read_pipe(fds[0], got),
                "leadpipe: warning: csv:a\\nb: odd \\x1b[2J\nleadpipe: bad\n");
    m.format = MESSAGES_JSON;
    m.hook.level = LOG_LEVEL_DEBUG;
    log_msg(&m.hook, LOG_LEVEL_DEBUG, NULL, "a \"%s\" \\", "quote");
    log_msg(&m.hook, LOG_LEVEL_INFO, "s\xFF", "\n");
    expect_text("json", read_pipe(fds[0], got),
                "{\"at\":\"2026-01-30T02:00:00.000Z\",\"level\":\"debug\",\"subject\":null,"
                "\"message\":\"a \\\"quote\\\" \\\\\"}\n"
                "{\"at\":\"2026-01-30T02:00:00.000Z\",\"level\":\"info\",\"subject\":\"s\\\\xff\","
                "\"message\":\"\\\\n\"}\n");
    messages_free(&m);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* The cursor waits at the beginning of the live line; from there to the end of the screen. */
#define ERASE "\r \x1b[J\r"

static void live_line(void **state)
{
    (void)state;
    char got[4096];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct messages m;
    messages_init(&m, fds[1], &clock_of_test);
    messages_live(&m, "12/20");
    expect_text("first", read_pipe(fds[0], got), "12/20\r");
    messages_live(&m, "13/20 x");
    expect_text("longer", read_pipe(fds[0], got), ERASE "13/20 x\r");
    messages_live(&m, "20/20");
    expect_text("shorter", read_pipe(fds[0], got), ERASE "20/20\r");
    messages_write(&m, LOG_LEVEL_ERROR, NULL, "bad");
    expect_text("message", read_pipe(fds[0], got), ERASE "leadpipe: bad\n20/20\r");
    messages_block(&m, STR("block\n"));
    expect_text("block", read_pipe(fds[0], got), ERASE "block\n20/20\r");
    messages_live(&m, NULL);
    expect_text("gone", read_pipe(fds[0], got), ERASE);
    messages_free(&m);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void progress_lines(void **state)
{
    (void)state;
    struct run_progress now = {
        .ledger = {.exported = 118, .missing = 1, .failed = 1, .pending = 880},
        .ids = {.unique = 1000},
        .ids_ended = true,
        .http = {.in_flight = 8, .retries = 3},
    };
    struct run_progress unknown = now, down = now, held = now, empty = {.ids_ended = true};
    unknown.ids_ended = false;
    down.http.down = true;
    held.http.held_back_ms = 90000;
    const struct {
        const struct run_progress *now;
        size_t width;
        bool stopping;
        uint64_t estimate;
        const char *want;
    } rows[] = {
        {&now, 100, false, 0,
         "120/1000  12%  40/s  ETA 22s  8 in flight  3 retries  1 failed  1 missing"},
        {&now, 79, true, 0, "120/1000  12%  stopping  8 in flight  3 retries  1 failed  1 missing"},
        {&now, 40, false, 0, "120/1000  12%  40/s  ETA 22s"},
        {&now, 20, false, 0, "120/1000  12%  40/s"},
        {&now, 3, false, 0, ""},
        {&unknown, 79, false, 0, "120 done  40/s  8 in flight  3 retries  1 failed  1 missing"},
        {&unknown, 40, false, 1500, "120/~1500  8%  40/s  ETA 35s"},
        {&unknown, 20, false, 999, "120 done  40/s"},
        {&down, 60, false, 0, "120/1000  12%  40/s  ETA 22s  server down  8 in flight"},
        {&held, 50, false, 0, "120/1000  12%  40/s  ETA 22s  paused 1m30s"},
        {&empty, 79, false, 0, "0/0  40/s  0 in flight  0 retries  0 failed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[LIVE_LINE_BYTES_MAX];
        const struct progress_view v = {rows[i].now, rows[i].estimate, 40, rows[i].stopping};
        progress_format(got, sizeof got, rows[i].width, &v);
        expect_text("progress", got, rows[i].want);
    }
}

static void durations_and_bytes(void **state)
{
    (void)state;
    char got[32];
    progress_duration(got, sizeof got, 59.4);
    expect_text("duration", got, "59s");
    progress_duration(got, sizeof got, 185);
    expect_text("duration", got, "3m05s");
    progress_duration(got, sizeof got, 7620);
    expect_text("duration", got, "2h07m");
    summary_bytes(got, sizeof got, 1023);
    expect_text("bytes", got, "1023 bytes");
    summary_bytes(got, sizeof got, 1536);
    expect_text("bytes", got, "1.5 KiB");
    summary_bytes(got, sizeof got, (uint64_t)5 << 30);
    expect_text("bytes", got, "5.0 GiB");
}

/* One is not several. */
static void one_of_each(void **state)
{
    (void)state;
    struct sink_file file = {.path = "a", .rows = 1, .bytes = 1};
    struct sink_result sinks[] = {
        {.files = &file, .n_files = 1},
        {.is_delivery = true, .deliveries = 1, .delivered = 1},
    };
    struct run_sink_cfg cfgs[] = {{.cfg = {.spec = "csv:a"}}, {.cfg = {.spec = "webhook:x"}}};
    const struct run_cfg cfg = {.sinks = cfgs, .n_sinks = 2, .clock = &clock_of_test};
    const struct run_result r = {
        .resumed = true,
        .done_before = 1,
        .ids = {.read = 2, .unique = 1, .duplicates = 1},
        .ids_ended = true,
        .published = true,
        .ledger = {.exported = 1},
        .http = {.requests = 2, .retries = 1, .bytes_received = 1},
        .sinks = sinks,
    };
    struct buf b;
    buf_init(&b, 65536);
    summary_text(&b, &cfg, &r);
    expect_text("text", buf_cstr(&b),
                "resumed   the run of 1970-01-01T00:00:00.000Z: 1 lead was done\n"
                "IDs       2 read, 1 unique, 1 duplicate\n"
                "leads     1 exported, 0 unchanged, 0 missing, 0 failed, 0 pending\n"
                "requests  2, including 1 retry; 1 byte received\n"
                "time      0.0 seconds, 0.0 leads per second\n"
                "sink      csv:a:\n"
                "            a: 1 row, 1 byte\n"
                "sink      webhook:x: 1 delivery, 1 delivered, 0 failed\n");
    buf_free(&b);
}

static void summaries(void **state)
{
    (void)state;
    struct sink_file file = {.path = "out/leads.csv", .rows = 7, .bytes = 2048};
    struct sink_misfits misfits[12];
    for (size_t i = 0; i < 12; i++)
        misfits[i] = (struct sink_misfits){"leads", i ? "is_test" : "si\x1bze", NULL, i + 1};
    struct sink_result sinks[] = {
        {.files = &file, .n_files = 1, .is_typed = true, .misfits = misfits, .n_misfits = 1},
        {.is_delivery = true, .deliveries = 4, .delivered = 3, .failed = 1},
    };
    struct run_sink_cfg cfgs[] = {{.cfg = {.spec = "csv:out/"}}, {.cfg = {.spec = "webhook:x"}}};
    const struct run_cfg cfg = {.sinks = cfgs, .n_sinks = 2, .clock = &clock_of_test};
    struct run_result r = {
        .run_id = "r",
        .seconds = 2,
        .ids = {.read = 11, .unique = 10, .duplicates = 1},
        .ids_ended = true,
        .published = true,
        .ledger = {.exported = 7, .missing = 1, .failed = 2},
        .http = {.requests = 12, .retries = 2, .bytes_received = 1024},
        .replaced = 5,
        .other_ids = 1,
        .sinks = sinks,
    };
    struct buf b;
    buf_init(&b, 65536);
    summary_text(&b, &cfg, &r);
    expect_text(
        "text", buf_cstr(&b),
        "IDs       11 read, 10 unique, 1 duplicate\n"
        "leads     7 exported, 0 unchanged, 1 missing, 2 failed, 0 pending\n"
        "requests  12, including 2 retries; 1.0 KiB received\n"
        "time      2.0 seconds, 5.0 leads per second\n"
        "note      invalid characters replaced with U+FFFD: 5\n"
        "note      payloads whose own ID is not the requested one: 1\n"
        "sink      csv:out/:\n"
        "            out/leads.csv: 7 rows, 2.0 KiB\n"
        "            values that do not fit the type of leads.si\\x1bze, now in _misfits: 1\n"
        "sink      webhook:x: 4 deliveries, 3 delivered, 1 failed\n");
    buf_clear(&b);
    r.exit_status = 3;
    summary_json(&b, &cfg, &r);
    expect_text("json", buf_cstr(&b),
                "{\"at\":\"2026-01-30T02:00:00.000Z\",\"level\":\"info\",\"subject\":\"summary\","
                "\"message\":\"the run finished\",\"run_id\":\"r\",\"exit_status\":3,"
                "\"published\":true,\"error\":null,\"started_at\":\"1970-01-01T00:00:00.000Z\","
                "\"ended_at\":\"1970-01-01T00:00:00.000Z\","
                "\"ids\":{\"read\":11,\"unique\":10,\"duplicates\":1},\"ledger\":{\"exported\":7,"
                "\"unchanged\":0,\"missing\":1,\"failed\":2,\"pending\":0},\"requests\":{"
                "\"total\":12,\"retries\":2},\"bytes_received\":1024,\"seconds\":2.000,"
                "\"replaced_characters\":5,\"other_ids\":1,\"sinks\":[{\"kind\":\"files\",\"sink\":"
                "\"csv:out/\",\"files\":[{\"rows\":7,\"bytes\":2048,\"path\":\"out/leads.csv\","
                "\"table\":null}],\"misfits\":[{\"count\":1,\"table\":\"leads\",\"column\":"
                "\"si\\u001bze\"}]},{\"kind\":\"deliveries\",\"sink\":\"webhook:x\","
                "\"deliveries\":4,\"delivered\":3,\"failed\":1}]}\n");
    buf_clear(&b);
    sinks[0].n_misfits = 12;
    summary_text(&b, &cfg, &r);
    assert_non_null(strstr(buf_cstr(&b), "leads.is_test, now in _misfits: 10\n"
                                         "            and values of 2 more columns\n"
                                         "sink      webhook:x"));
    buf_free(&b);
}

static void redacted(void **state)
{
    (void)state;
    static const struct {
        void (*redact)(struct buf *, const char *);
        const char *text, *want;
    } rows[] = {
        {arguments_redact_url, "http://proxy:3128", "http://proxy:3128"},
        {arguments_redact_url, "http://u:p@w@proxy:3128/x@y", "http://***@proxy:3128/x@y"},
        {arguments_redact_url, "user:pass@proxy:3128", "***@proxy:3128"},
        {arguments_redact_spec, "csv:out/", "csv:out/"},
        {arguments_redact_spec, "csv:user@host/", "csv:user@host/"},
        {arguments_redact_spec, "webhook,header=Authorization: Bearer a:b,batch=5:https://x/h",
         "webhook,header=Authorization: ***:b,batch=5:https://x/h"},
        {arguments_redact_spec, "webhook,header=X: a\\,b,batch=5:https://u:p@x/h?token=1#f",
         "webhook,header=X: ***,batch=5:https://***@x/h?***"},
        {arguments_redact_spec, "webhook,header=X: a\\\\:https://h/hook?key=s",
         "webhook,header=X: ***:https://h/hook?***"},
        /* A colon that belongs to the header: what remains is no URL, and may hold a secret all the same. */
        {arguments_redact_spec, "webhook,header=X: a\\:https://h/hook?key=s",
         "webhook,header=X: ***://h/hook?***"},
        {arguments_redact_spec, "webhook,secret-env=S,header=nothing:https://x/",
         "webhook,secret-env=S,header=***:https://x/"},
        {arguments_redact_spec, "webhook,header=X: s", "webhook,header=X: ***"},
        {arguments_redact_spec, "webhook,token=s,batch:x", "webhook,token=***,batch:x"},
        {arguments_redact_spec, "nope,token=s\\,s,flag:x", "nope,token=***,flag:x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        buf_init(&b, 4096);
        rows[i].redact(&b, rows[i].text);
        expect_text(rows[i].text, buf_cstr(&b), rows[i].want);
        buf_free(&b);
    }
}

/* The secret parts of values, wherever they stand in an element. */
static void arguments(void **state)
{
    (void)state;
    static const char *const given[] = {
        "export",
        "-p",
        "omni",
        "-qtwebhook,header=A: s3cret:http://127.0.0.1/h",
        "--proxy",
        "u:s3cret@p:1",
        "--base-url=http://u:s3cret@q",
        "--param",
        "x=http://h/x",
        "u:p@file",
        "bad\xFF",
    };
    static const char *const want[] = {
        "export",
        "-p",
        "omni",
        "-qtwebhook,header=A: ***:http://127.0.0.1/h",
        "--proxy",
        "***@p:1",
        "--base-url=http://***@q",
        "--param",
        "x=http://h/x",
        "u:p@file",
        "bad\xFF",
    };
    int argc = (int)(sizeof given / sizeof *given);
    char words[16][64], *argv[16];
    for (int i = 0; i < argc; i++) {
        (void)snprintf(words[i], sizeof words[i], "%s", given[i]);
        argv[i] = words[i];
    }
    struct export_options o;
    struct arguments a;
    struct err e;
    assert_int_equal(options_parse(&o, argc, argv, &e), RC_OK);
    assert_int_equal(arguments_copy(&a, argc, argv, &o, &e), RC_OK);
    assert_int_equal(a.n, argc);
    for (size_t i = 0; i < a.n; i++)
        expect_text("argument", a.items[i], want[i]);
    arguments_free(&a);
    options_free(&o);
}

static void suggestions(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t want;
    } rows[] = {
        {"", "", 0},
        {"abc", "abc", 0},
        {"abc", "acb", 1},
        {"abc", "ab", 1},
        {"exprot", "export", 1},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
        {"0123456789012345678901234567890123456789", "a", SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t got = suggest_distance(rows[i].a, rows[i].b);
        if (got != rows[i].want)
            fail_msg("%s, %s: got %zu, want %zu", rows[i].a, rows[i].b, got, rows[i].want);
    }
    const char *best = NULL;
    suggest_consider(&best, "xyz", "export");
    assert_null(best);
    suggest_consider(&best, "exort", "expert");
    suggest_consider(&best, "exort", "export");
    suggest_consider(&best, "exort", "excerpt");
    assert_string_equal(best, "export");

    static const struct {
        const char *word, *names[3], *want;
    } nearest[] = {
        {"al", {"allow-http", "all", "gzip"}, "all"},
        {"al", {"gzip", "all", "allow-http"}, "all"},
        {"api-key", {"api-key-file", "apikeys", NULL}, "api-key-file"},
        {"met", {"state", "metrics", "max-memory"}, "metrics"},
        {"a", {"all", "allow-http", NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof nearest / sizeof *nearest; i++) {
        best = NULL;
        for (size_t k = 0; k < 3 && nearest[i].names[k]; k++)
            suggest_consider(&best, nearest[i].word, nearest[i].names[k]);
        expect_text(nearest[i].word, best ? best : "(none)",
                    nearest[i].want ? nearest[i].want : "(none)");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escaped),
        cmocka_unit_test(message_lines),
        cmocka_unit_test(live_line),
        cmocka_unit_test(progress_lines),
        cmocka_unit_test(one_of_each),
        cmocka_unit_test(summaries),
        cmocka_unit_test(durations_and_bytes),
        cmocka_unit_test(redacted),
        cmocka_unit_test(arguments),
        cmocka_unit_test(suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
