/* Job files are read while memory runs out: ours, as libfyaml loses some of its own then. */
#include "allocation_sweep.h"
#include "cmd/job_file.h"
#include "cmd/options.h"

struct job_work {
    const char *text;
    struct job_file job;
    char refusal[sizeof((struct err *)0)->msg + 1]; /* "": it was not refused */
};

static void job_begin(void *ctx)
{
    struct job_work *w = ctx;
    w->job = (struct job_file){.n = 0};
    w->refusal[0] = '\0';
}

static enum rc job_run(void *ctx, struct err *e)
{
    struct job_work *w = ctx;
    enum rc rc = job_file_read_text(&w->job, "night.yaml", str_c(w->text), "/folder", e);
    if (rc != RC_USAGE)
        return rc;
    (void)snprintf(w->refusal, sizeof w->refusal, "%s\n", e->msg);
    return RC_OK;
}

static void job_end(void *ctx, enum rc rc, struct buf *out)
{
    struct job_work *w = ctx;
    for (size_t i = 0; rc == RC_OK && i < w->job.n; i++) {
        const struct job_argument *a = &w->job.arguments[i];
        buf_addf(out, "%s=%s\n", a->option ? a->option->name : "", a->value ? a->value : "");
    }
    if (rc == RC_OK)
        buf_adds(out, w->refusal);
    job_file_free(&w->job);
}

static const char night[] =
    "provider: omni\nids: [a.txt, &b \"b.txt\"]\nall: false\nverbose: 2\nto:\n"
    "  - csv: {target: out/, gzip: 6}\n  - webhook: {target: 'https://h.example/${TEST_JOB}'}\n"
    "failed: out/failed.ndjson\nparam: [a=1, b=2]\nquiet: true\n";

static void job_files(void **state)
{
    (void)state;
    static const char *const texts[] = {
        night,
        "{\"provider\": \"omni\", \"to\": [{\"ndjson\": {\"target\": \"-\"}}]}",
        /* what is refused keeps the options that say how that is reported */
        "metrics: night.prom\nping: https://hc.example/1\nnonsense: 1\n",
        "metrics: night.prom\nto: [{csv: {target: out/, nonsense: 1}}]\n",
        "metrics: night.prom\nto: [{csv: {gzip: 6}}]\n",
        "metrics: night.prom\nto: [{nosuch: {}}]\n",
        "metrics: night.prom\nprovider: [a]\n",
        "metrics: night.prom\npassword: x\n",
        "metrics: night.prom\nid: &a [*a]\n",
        "metrics: night.prom\nid: '${TEST_NO_SUCH}'\n",
    };
    memory.spares_libraries = true;
    assert_int_equal(setenv("TEST_JOB", "s3cret", 1), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct job_work work = {.text = texts[i]};
        sweep(&(struct work){"a job file", false, job_begin, job_run, job_end, &work});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(job_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
