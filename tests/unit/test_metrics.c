/* Metrics of a run: the text, and what is taken from the file of an earlier run. */
#include "monitor/metrics.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"

#define NOW INT64_C(1790000000500)

static const struct metrics refused = {
    .job = "night",
    .started_wall_ms = NOW - 1500,
    .ended_wall_ms = NOW,
    .last_success_wall_ms = 5,
    .exit_status = 2,
};

static void expect_lines(const struct metrics *m, const char *const *lines)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    metrics_put(&b, m);
    assert_int_equal(buf_rc(&b), RC_OK);
    assert_memory_equal(b.data, METRICS_BEGIN, strlen(METRICS_BEGIN));
    for (; *lines; lines++) {
        const char *found = strstr(buf_cstr(&b), *lines);
        if (!found || found[strlen(*lines)] != '\n')
            fail_msg("there is no line \"%s\" in:\n%s", *lines, buf_cstr(&b));
    }
    buf_free(&b);
}

static void run_that_did_not_begin(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "leadpipe_last_start_timestamp_seconds{job=\"night\"} 1789999999.000",
        "leadpipe_last_end_timestamp_seconds{job=\"night\"} 1790000000.500",
        "leadpipe_last_success_timestamp_seconds{job=\"night\"} 0.005",
        "leadpipe_exit_status{job=\"night\"} 2",
        "leadpipe_published{job=\"night\"} 0",
        "leadpipe_duration_seconds{job=\"night\"} 1.500",
        "leadpipe_leads{job=\"night\",outcome=\"exported\"} 0",
        "leadpipe_request_latency_seconds{job=\"night\",quantile=\"0.99\"} NaN",
        "leadpipe_request_latency_seconds_count{job=\"night\"} 0",
        NULL,
    };
    expect_lines(&refused, lines);
}

static void run_with_sinks(void **state)
{
    (void)state;
    struct sink_file files[] = {{.rows = 7, .bytes = 70}, {.rows = 3, .bytes = 30}};
    struct sink_result results[] = {
        {.files = files, .n_files = 2},
        {.files = files, .n_files = 1},
        {.is_delivery = true, .deliveries = 4, .delivered = 3, .failed = 1},
        {.is_database = true, .inserted = 1, .updated = 2, .deleted = 3},
    };
    struct run_sink_cfg sinks[] = {{.cfg = {.spec = "csv:a\"\\\n\t\xff"}},
                                   {.cfg = {.spec = "csv:a\"\\\n\t\xff"}},
                                   {.cfg = {.spec = "webhook:x"}},
                                   {.cfg = {.spec = "sqlite:y"}}};
    const struct run_cfg cfg = {.sinks = sinks, .n_sinks = 4};
    struct run_result r = {
        .published = true,
        .seconds = 2.25,
        .ledger = {.exported = 1, .unchanged = 2, .missing = 3, .failed = 4, .pending = 5},
        .http = {.statuses = {[0] = 1, [200] = 8, [503] = 1},
                 .no_answer = 2,
                 .retries = 3,
                 .bytes_received = 999,
                 .latency_p50_ms = 12.5,
                 .latency_sum_ms = 1250},
        .sinks = results,
    };
    struct metrics m = refused;
    m.cfg = &cfg;
    m.result = &r;
    static const char *const lines[] = {
        "leadpipe_published{job=\"night\"} 1",
        "leadpipe_duration_seconds{job=\"night\"} 2.250",
        "leadpipe_leads{job=\"night\",outcome=\"pending\"} 5",
        "leadpipe_requests{job=\"night\",status=\"other\"} 1",
        "leadpipe_requests{job=\"night\",status=\"200\"} 8",
        "leadpipe_requests{job=\"night\",status=\"503\"} 1",
        "leadpipe_requests{job=\"night\",status=\"none\"} 2",
        "leadpipe_retries{job=\"night\"} 3",
        "leadpipe_received_bytes{job=\"night\"} 999",
        "leadpipe_request_latency_seconds{job=\"night\",quantile=\"0.5\"} 0.012500",
        "leadpipe_request_latency_seconds_sum{job=\"night\"} 1.250000",
        "leadpipe_request_latency_seconds_count{job=\"night\"} 10",
        "leadpipe_sink_rows{job=\"night\",sink=\"csv:a\\\"\\\\\\n\\\\t\\\\xff\",operation=\"written\"} 10",
        "leadpipe_sink_rows{job=\"night\",sink=\"2 csv:a\\\"\\\\\\n\\\\t\\\\xff\",operation=\"written\"} 7",
        "leadpipe_sink_rows{job=\"night\",sink=\"sqlite:y\",operation=\"deleted\"} 3",
        "leadpipe_sink_bytes{job=\"night\",sink=\"csv:a\\\"\\\\\\n\\\\t\\\\xff\"} 100",
        "leadpipe_deliveries{job=\"night\",sink=\"webhook:x\",outcome=\"delivered\"} 3",
        "leadpipe_deliveries{job=\"night\",sink=\"webhook:x\",outcome=\"failed\"} 1",
        NULL,
    };
    expect_lines(&m, lines);
    r.published = false;
    static const char *const unpublished[] = {
        "leadpipe_published{job=\"night\"} 0",
        "leadpipe_sink_rows{job=\"night\",sink=\"sqlite:y\",operation=\"deleted\"} 0",
        "leadpipe_sink_bytes{job=\"night\",sink=\"csv:a\\\"\\\\\\n\\\\t\\\\xff\"} 0",
        NULL,
    };
    expect_lines(&m, unpublished);
}

/* ---- the file of an earlier run ------------------------------------------------------------- */

#define SAMPLE "leadpipe_last_success_timestamp_seconds{job=\"night\"} "
#define HEAD METRICS_BEGIN "x y\n"

struct folder {
    char path[64], file[96];
};

static void make_folder(struct folder *f)
{
    (void)snprintf(f->path, sizeof f->path, "/tmp/leadpipe-metrics-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    (void)snprintf(f->file, sizeof f->file, "%s/file", f->path);
}

static void write_file(const struct folder *f, struct str content)
{
    int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.ptr, content.len), (ssize_t)content.len);
    assert_int_equal(close(fd), 0);
}

static void earlier_files(void **state)
{
    (void)state;
    const struct {
        struct str content;
        enum rc want;
        int64_t want_ms;
    } rows[] = {
        {STR(HEAD SAMPLE "1790000000.000\n"), RC_OK, NOW - 500},
        {STR(HEAD "a 1\n" SAMPLE "1789999999.123\nb 2\n"), RC_OK, 1789999999123},
        {STR(HEAD SAMPLE "1.79e9\n"), RC_OK, 1790000000000},
        {STR(HEAD SAMPLE "0\n"), RC_OK, 0},
        {STR(""), RC_OK, 0},
        {STR("\n"), RC_SYNTAX, 0},
        {STR(SAMPLE "1790000000.000\n"), RC_SYNTAX, 0},      /* without its beginning */
        {STR(HEAD), RC_SYNTAX, 0},                           /* cut off */
        {STR(HEAD SAMPLE "17900"), RC_SYNTAX, 0},            /* within the number */
        {STR(HEAD SAMPLE "1\n" SAMPLE "1\n"), RC_SYNTAX, 0}, /* which of them? */
        {STR(HEAD SAMPLE "\n"), RC_SYNTAX, 0},
        {STR(HEAD SAMPLE "1790000000.000 1\n"), RC_SYNTAX, 0}, /* a time behind it */
        {STR(HEAD SAMPLE "NaN\n"), RC_SYNTAX, 0},
        {STR(HEAD SAMPLE "+Inf\n"), RC_SYNTAX, 0},
        {STR(HEAD SAMPLE "-1\n"), RC_SYNTAX, 0},
        {STR(HEAD SAMPLE "1e999\n"), RC_SYNTAX, 0},
        {STR(HEAD SAMPLE "99999999999999999999\n"), RC_SYNTAX, 0},
        {STR(HEAD SAMPLE "1790000061.000\n"), RC_SYNTAX, 0}, /* yet to come */
        {STR(HEAD SAMPLE "1790000000.000\0\n"), RC_SYNTAX, 0},
        {STR(HEAD "\0\0\0\n"), RC_SYNTAX, 0},
        {STR(HEAD "leadpipe_last_success_timestamp_seconds{job=\"day\"} 1\n"), RC_SYNTAX, 0},
        {STR(HEAD "leadpipe_last_success_timestamp_seconds 1\n"), RC_SYNTAX, 0},
    };
    struct folder f;
    make_folder(&f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -1;
        struct err e = {RC_OK, ""};
        write_file(&f, rows[i].content);
        enum rc rc = metrics_last_success(f.file, "night", NOW, &ms, &e);
        if (rc != rows[i].want || ms != rows[i].want_ms)
            fail_msg("%zu: %s, %lld; want %s, %lld (%s)", i, rc_text(rc), (long long)ms,
                     rc_text(rows[i].want), (long long)rows[i].want_ms, e.msg);
        if (rc != RC_OK)
            assert_non_null(strstr(e.msg, f.file));
    }
    assert_int_equal(unlink(f.file), 0);
    assert_int_equal(rmdir(f.path), 0);
}

static void no_earlier_file(void **state)
{
    (void)state;
    struct folder f;
    struct err e;
    int64_t ms = -1;
    make_folder(&f);
    assert_int_equal(metrics_last_success(f.file, "night", NOW, &ms, &e), RC_OK);
    assert_int_equal(ms, 0);
    assert_int_equal(metrics_last_success(f.path, "night", NOW, &ms, &e), RC_SYNTAX); /* a folder */
    assert_int_equal(mkfifo(f.file, 0600), 0); /* which nobody writes */
    assert_int_equal(metrics_last_success(f.file, "night", NOW, &ms, &e), RC_SYNTAX);
    assert_int_equal(unlink(f.file), 0);
    write_file(&f, STR(HEAD));
    assert_int_equal(truncate(f.file, (off_t)1 << 40), 0);
    assert_int_equal(metrics_last_success(f.file, "night", NOW, &ms, &e), RC_SYNTAX);
    assert_non_null(strstr(e.msg, "larger"));
    assert_int_equal(unlink(f.file), 0);
    assert_int_equal(rmdir(f.path), 0);
}

/* What one run writes the next one reads, whatever the job is called. */
static void names_of_jobs(void **state)
{
    (void)state;
    static const char *const jobs[] = {
        "night",    "a\"b\\c\nd", "} 1\nx", "\xC3\xA9\xF0\x9F\x98\x80",
        "\xff\xfe", "\x1b[2J",    "",       "%s%n"};
    struct folder f;
    make_folder(&f);
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        struct metrics m = refused;
        struct buf b;
        struct err e;
        int64_t ms = -1;
        m.job = jobs[i];
        m.last_success_wall_ms = NOW - 7;
        buf_init(&b, 1 << 20);
        metrics_put(&b, &m);
        write_file(&f, buf_str(&b));
        buf_free(&b);
        assert_int_equal(metrics_last_success(f.file, jobs[i], NOW, &ms, &e), RC_OK);
        assert_int_equal(ms, NOW - 7);
        assert_int_equal(metrics_last_success(f.file, "another", NOW, &ms, &e), RC_SYNTAX);
        assert_non_null(strstr(e.msg, "is of another job than \"another\""));
    }
    assert_int_equal(unlink(f.file), 0);
    assert_int_equal(rmdir(f.path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_that_did_not_begin), cmocka_unit_test(run_with_sinks),
        cmocka_unit_test(earlier_files),          cmocka_unit_test(no_earlier_file),
        cmocka_unit_test(names_of_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
