/* Reports: what is said of each end of a run, and how large they become. */
#include "monitor/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/run/figures.h"

#include "cmocka_all.h"

#define NOW INT64_C(1790000000500)

static const struct profile profile = {.name = {"omni", 4}};

static char *made(const struct report *r)
{
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    report_put(&b, r);
    assert_int_equal(buf_rc(&b), RC_OK);
    char *text = strdup(buf_cstr(&b));
    assert_non_null(text);
    assert_memory_equal(text, REPORT_BEGIN, strlen(REPORT_BEGIN));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "http://"));
    assert_null(strstr(text, "https://"));
    buf_free(&b);
    return text;
}

static void ends(void **state)
{
    (void)state;
    static const struct {
        int exit_status;
        struct run_result result;
        const char *title, *text;
    } rows[] = {
        {0, {.published = true}, "Succeeded", "The outputs are published."},
        {3,
         {.published = true, .ledger = {.failed = 1}},
         "Finished, but not complete",
         "are published"},
        {3, {.withheld = WITHHELD_NONE_FOUND}, "Not published", "because no lead was found"},
        {3, {.withheld = WITHHELD_MISSING}, "Not published", "--max-missing"},
        {3, {.withheld = WITHHELD_GONE}, "Not published", "--max-gone"},
        {143, {.signal = 15}, "Stopped", "stopped before its end"},
        {1, {.error = {RC_IO, "disk <full>"}}, "Failed", "disk &lt;full&gt;"},
        {1,
         {.error = {RC_IO, "x"}, .published = true, .lacks = ABOUT_FAILED},
         "Failed",
         "published, but not every file about the run"},
        {1, {.error = {RC_IO, "x"}, .in_part = true}, "Failed", "some of them may be new"},
        {2, {.error = {RC_USAGE, "ids.txt: no"}, .refused = true}, "Refused", "Nothing was done"},
        {0,
         {.published = true, .resumed = true, .done_before = 1},
         "Succeeded",
         "1 lead was done before"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct run_cfg cfg = {.profile = &profile};
        struct report r = {.job = "night",
                           .version = "1",
                           .started_wall_ms = NOW - 1500,
                           .ended_wall_ms = NOW,
                           .exit_status = rows[i].exit_status,
                           .cfg = &cfg,
                           .result = &rows[i].result};
        char *text = made(&r);
        char title[64];
        (void)snprintf(title, sizeof title, "<h1>%s</h1>", rows[i].title);
        if (!strstr(text, title) || !strstr(text, rows[i].text))
            fail_msg("row %zu: no \"%s\" with \"%s\" in:\n%s", i, title, rows[i].text,
                     strstr(text, "<header"));
        free(text);
    }
}

static void run_that_could_not_begin(void **state)
{
    (void)state;
    static const struct {
        int exit_status;
        const char *title;
    } rows[] = {{1, "<h1>Failed</h1>"},
                {2, "<h1>Refused</h1>"},
                {3, "<h1>Failed</h1>"},
                {130, "<h1>Stopped</h1>"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct report r = {
            .job = "night", .version = "1", .exit_status = rows[i].exit_status, .error = "why"};
        char *text = made(&r);
        if (!strstr(text, rows[i].title) || !strstr(text, "<bdi>why</bdi>"))
            fail_msg("%d: %s", rows[i].exit_status, strstr(text, "<header"));
        free(text);
    }
}

static void run_that_did_not_begin(void **state)
{
    (void)state;
    static const char *const arguments[] = {"export", "-p", "omni", "a b", "", "it's; rm"};
    const struct report r = {.job = "</title><b>",
                             .version = "1",
                             .started_wall_ms = NOW,
                             .ended_wall_ms = NOW,
                             .exit_status = 2,
                             .error = "--attempts: \"<0>\"",
                             .arguments = arguments,
                             .n_arguments = 6};
    char *text = made(&r);
    assert_non_null(strstr(text, "<h1>Refused</h1>"));
    assert_non_null(strstr(text, "--attempts: &quot;&lt;0&gt;&quot;"));
    assert_non_null(strstr(text, "leadpipe export -p omni 'a b' '' 'it&#39;\\&#39;&#39;s; rm'"));
    assert_non_null(strstr(text, "<title>&lt;/title&gt;&lt;b&gt;: Refused</title>"));
    free(text);
}

/* As much as there can be of everything, in the longest form. */
struct large {
    struct run_figures figures;
    struct run_result result;
    struct run_cfg cfg;
    struct run_sink_cfg sinks[RUN_SINKS_MAX];
    struct sink_result results[RUN_SINKS_MAX];
    struct sink_file files[500];
    struct sink_misfits misfits[5000];
    char text[5000];
};

static void fill_failures(struct large *x)
{
    for (int i = 0; i < 500; i++) {
        char code[300];
        (void)snprintf(code, sizeof code, "%d%.200s", i, x->text);
        const struct failure_seen seen = {.id = str_c(x->text),
                                          .stage = STR("sink"),
                                          .sink = str_c(x->text),
                                          .code = str_c(code),
                                          .error = str_c(x->text),
                                          .http_status = 500};
        for (int k = 0; k < 20; k++)
            failure_groups_add(&x->figures.failures, &seen);
    }
}

static void fill_timeline(struct large *x)
{
    struct timeline *t = &x->figures.timeline;
    struct timeline_sample s = {.in_flight = 4096, .limit = 4096};
    timeline_begin(t, 0, &s);
    for (int64_t i = 1; i <= TIMELINE_INTERVALS; i++) {
        for (size_t k = 0; k < TIMELINE_COUNTS; k++)
            s.counts[k] += 123456789;
        s.is[TIMELINE_DOWN] = i % 2;
        s.is[TIMELINE_HELD] = i % 2;
        timeline_add(t, i * 1000 * TIMELINE_WIDTH_US, &s);
    }
}

static void fill_sinks(struct large *x)
{
    x->cfg = (struct run_cfg){.profile = &profile, .sinks = x->sinks, .n_sinks = RUN_SINKS_MAX};
    for (size_t i = 0; i < sizeof x->files / sizeof *x->files; i++)
        x->files[i] = (struct sink_file){
            .path = x->text, .rows = UINT64_MAX / 1000, .bytes = UINT64_MAX / 1000};
    for (size_t i = 0; i < sizeof x->misfits / sizeof *x->misfits; i++)
        x->misfits[i] =
            (struct sink_misfits){.table = x->text, .column = x->text, .type = x->text, .n = 1};
    for (size_t i = 0; i < RUN_SINKS_MAX; i++) {
        x->sinks[i].cfg.spec = x->text;
        x->results[i] = (struct sink_result){.files = x->files,
                                             .n_files = 500,
                                             .is_typed = true,
                                             .misfits = x->misfits,
                                             .n_misfits = 5000};
    }
}

static void size_is_bounded(void **state)
{
    (void)state;
    struct large *x = calloc(1, sizeof *x);
    assert_non_null(x);
    memset(x->text, '"', sizeof x->text - 1); /* becomes six bytes */
    fill_failures(x);
    fill_timeline(x);
    fill_sinks(x);
    for (size_t i = 0; i < FIGURES_COLUMNS_MAX; i++)
        x->figures.columns[i] = (struct figures_column){str_c(x->text), str_c(x->text)};
    x->figures.n_columns = FIGURES_COLUMNS_MAX;
    x->figures.more_columns = 77;
    x->result = (struct run_result){.published = true,
                                    .figures = &x->figures,
                                    .sinks = x->results,
                                    .ledger = {.exported = 1, .failed = 10000},
                                    .ids = {.unique = 10001, .read = 10001}};
    for (size_t i = 0; i < HTTP_STATUS_MAX; i++)
        x->result.http.statuses[i] = UINT64_MAX / HTTP_STATUS_MAX / 4;
    for (size_t i = 0; i < HTTP_LATENCIES; i++)
        x->result.http.latencies[i] = UINT64_MAX / HTTP_LATENCIES / 4;
    const char *arguments[1000];
    for (size_t i = 0; i < 1000; i++)
        arguments[i] = x->text;
    const struct report r = {.job = x->text,
                             .version = "1",
                             .started_wall_ms = NOW,
                             .ended_wall_ms = NOW,
                             .exit_status = 3,
                             .arguments = arguments,
                             .n_arguments = 1000,
                             .cfg = &x->cfg,
                             .result = &x->result};
    char *text = made(&r);
    size_t n = strlen(text);
    if (n > (size_t)12 << 20)
        fail_msg("%zu bytes", n);
    assert_non_null(strstr(text, "Other reasons"));
    assert_non_null(strstr(text, "And 77 more."));
    assert_non_null(strstr(text, "159,900 more columns"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
    free(x);
}

/* A scale without anything on it ends at one lead per second. */
static void no_lead_yet(void **state)
{
    (void)state;
    struct large *x = calloc(1, sizeof *x);
    assert_non_null(x);
    const struct timeline_sample s = {.in_flight = 3, .limit = 4};
    timeline_begin(&x->figures.timeline, 0, &s);
    timeline_add(&x->figures.timeline, 10 * TIMELINE_WIDTH_US, &s);
    x->cfg = (struct run_cfg){.profile = &profile};
    x->result = (struct run_result){.signal = 15, .figures = &x->figures};
    const struct report r = {
        .job = "night", .version = "1", .exit_status = 143, .cfg = &x->cfg, .result = &x->result};
    char *text = made(&r);
    static const char want[] =
        "class=\"ys\" aria-hidden=\"true\"><span style=\"bottom:0%\">0</span><span "
        "style=\"bottom:100%\">1</span></div>";
    const char *scale = strstr(text, "class=\"ys\"");
    assert_non_null(scale);
    if (strncmp(scale, want, sizeof want - 1) != 0)
        fail_msg("got  %.200s\nwant %s", scale, want);
    free(text);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(run_that_could_not_begin),
        cmocka_unit_test(run_that_did_not_begin),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(no_lead_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
