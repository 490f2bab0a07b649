/* leadpipe check: finds out before a run what would go wrong in it. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "check/check_command.h"
#include "check/check_limits.h"
#include "check/check_ping.h"
#include "check/check_provider.h"
#include "cmd/commands.h"
#include "cmd/escape.h"
#include "cmd/export.h"
#include "cmd/export_queue.h"
#include "cmd/export_objects.h"
#include "cmd/job_command.h"
#include "core/base/loopback.h"
#include "core/base/shell_quote.h"
#include "core/json/json.h"
#include "core/run/run_probe.h"

#define LINE_BYTES_MAX ((size_t)1 << 20)

/* The options of export, and --json. */
struct check_options {
    struct export_options export;
    bool json;
};

const struct option_spec check_option_specs[] = {
    {
        .name = "json",
        OPTION_AT(struct check_options, FLAG, json),
        .help = "print each point as a JSON object on a line of its own",
    },
    {.name = NULL},
};

struct check {
    struct messages *messages;
    struct check_options options; /* those on the command line */
    struct job_command job;
    struct export export;
    struct findings findings;
    unsigned failures;
    bool has_key;
};

/* ---- lines ---------------------------------------------------------------------------------- */

static const char *const level_names[] = {"ok", "warn", "FAIL"};

static void put_json(struct buf *out, const char *level, const char *subject, const char *text)
{
    struct buf escaped;
    buf_init(&escaped, LINE_BYTES_MAX);
    text_escape(&escaped, text);
    buf_addf(out, "{\"level\":\"%s\",\"subject\":", level);
    json_write_string(out, str_c(subject));
    buf_adds(out, ",\"message\":");
    json_write_string(out, buf_str(&escaped));
    buf_adds(out, "}\n");
    buf_free(&escaped);
}

/* Each line is printed at once, because the next point may wait for a server. */
static void on_finding(void *ctx, enum finding_level level, const char *subject, const char *text)
{
    struct check *c = ctx;
    struct buf line;
    char *own = strdup(text);
    c->failures += level == FINDING_FAIL;
    if (own && c->messages->secrets)
        secrets_redact(c->messages->secrets, own, strlen(own) + 1);
    /* Without memory for redaction: better no text than one with a secret. */
    const char *shown = own ? own : SECRETS_LEFT_OUT;
    buf_init(&line, LINE_BYTES_MAX);
    if (c->options.json) {
        put_json(&line, level_names[level], subject, shown);
    } else {
        buf_addf(&line, "%-4s  %-9s  ", level_names[level], subject);
        text_escape(&line, shown);
        buf_addc(&line, '\n');
    }
    if (buf_rc(&line) == RC_OK)
        (void)fwrite(line.data, 1, line.len, stdout); /* checked when standard output is closed */
    else
        (void)fputs("FAIL  check      out of memory\n", stdout);
    (void)fflush(stdout);
    buf_free(&line);
    free(own);
}

static void fail(struct check *c, const char *subject, const struct err *e)
{
    findings_add(&c->findings, FINDING_FAIL, subject, "%s", e->msg);
}

/* ---- the key -------------------------------------------------------------------------------- */

/* Only the permissions: whether it can be read, and is one line, is checked where it is read. */
static void check_key_file(struct check *c)
{
    struct stat st;
    const char *file = c->export.options.api_key_file;
    if (!file || stat(file, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    unsigned mode = (unsigned)st.st_mode & 0777;
    struct buf word;
    buf_init(&word, LINE_BYTES_MAX);
    shell_quote_path(&word, file);
    if (mode & 0027)
        findings_add(&c->findings, FINDING_WARN, "key",
                     "%s: other users can %s it (mode %04o); run: chmod g-w,o= %s", file,
                     mode & 0022 ? "change" : "read", mode, buf_cstr(&word));
    else
        findings_add(&c->findings, FINDING_OK, "key",
                     "%s: other users can neither read nor change it (mode %04o)", file, mode);
    buf_free(&word);
}

/* False: there is no provider to check. If only the key is missing, the rest is checked nevertheless. */
static bool set_provider(struct check *c)
{
    struct err e;
    struct export *x = &c->export;
    enum rc rc = export_set_provider(x, &e);
    c->has_key = rc == RC_OK;
    if (rc != RC_OK)
        fail(c, x->cfg.profile ? "key" : "job", &e);
    if (x->cfg.profile)
        check_key_file(c);
    return x->cfg.profile != NULL;
}

/* ---- limits --------------------------------------------------------------------------------- */

static void check_limits(struct check *c)
{
    struct err e;
    struct rlimit limit;
    if (export_allow_open_files(&c->export, &e) != RC_OK)
        fail(c, "files", &e);
    else if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        findings_add(&c->findings, FINDING_OK, "files", "%llu open files are allowed",
                     (unsigned long long)limit.rlim_cur);
    check_memory((uint64_t)c->export.options.max_memory_bytes, &c->findings);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static bool set_all(struct check *c)
{
    struct err e;
    struct export *x = &c->export;
    enum rc rc = export_register_secrets(x, &e);
    if (rc == RC_OK)
        rc = export_set_sinks(x, &e);
    if (rc == RC_OK)
        rc = export_set_shard(x, &e);
    if (rc != RC_OK) {
        fail(c, "job", &e);
        return false;
    }
    if (!set_provider(c))
        return false;
    rc = x->options.all ? export_set_listing(x, &e) : RC_OK;
    if (rc == RC_OK)
        rc = export_set_run(x, &e);
    if (rc == RC_OK)
        rc = export_set_queue(x, &e);
    if (rc == RC_OK)
        rc = export_set_objects(x, &e);
    if (rc == RC_OK)
        rc = export_set_shard_sinks(x, &e);
    if (rc == RC_OK && x->options.state_path)
        rc = export_set_settings(x, &e);
    if (rc != RC_OK)
        fail(c, "job", &e);
    return rc == RC_OK;
}

static void check_all(struct check *c, const char *job)
{
    struct export *x = &c->export;
    const struct export_options *o = &x->options;
    struct err e;
    if (!set_all(c))
        return;
    bool has_input = !job || export_check_input(o, job, &e) == RC_OK;
    if (!has_input)
        fail(c, "job", &e);
    else
        findings_add(&c->findings, FINDING_OK, "job", "%s: %zu option%s, %zu sink%s",
                     job ? job : "the command line", o->n_given, o->n_given == 1 ? "" : "s",
                     x->n_specs, x->n_specs == 1 ? "" : "s");
    check_limits(c);
    export_check_queue(x, &c->findings);
    check_provider(&x->cfg, c->has_key && has_input, &c->findings);
    run_probe(&x->cfg, &c->findings);
    if (o->ping)
        check_ping(o->ping, url_bypasses_proxy(o->ping, o->allow_http) ? "" : o->proxy, &x->cfg,
                   &c->findings);
    if (o->on_success)
        check_command("--on-success", o->on_success, &c->findings);
    if (o->on_failure)
        check_command("--on-failure", o->on_failure, &c->findings);
}

/* Limits of a check, which reports the present condition and does not wait for a better one. */
#define HURRY_MS 30000

static void hurry(struct export_options *o)
{
    o->attempts = 1;
    o->retry_max_time_ms = o->retry_max_time_ms < HURRY_MS ? o->retry_max_time_ms : HURRY_MS;
    o->timeout_ms = o->timeout_ms < HURRY_MS ? o->timeout_ms : HURRY_MS;
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* A single argument is a job file, unless --provider is given and its name does not look like one. */
static const char *job_of(const struct check *c)
{
    const struct text_list *a = &c->job.arguments;
    if (a->n != 1)
        return NULL;
    bool is_named_so = ends_in(a->items[0], ".yaml") || ends_in(a->items[0], ".yml");
    return is_named_so || !c->options.export.provider ? a->items[0] : NULL;
}

static int read_command_line(struct check *c, int argc, char *argv[])
{
    struct err e;
    enum rc rc = job_command_read(&c->job, argc, argv, &e);
    const struct export_options *o = &c->options.export;
    if (rc == RC_OK && o->save_job)
        rc = err_set(&e, RC_USAGE, "check: --save-job: check writes no files; use it with export");
    if (rc == RC_OK && !job_of(c) && !o->provider)
        rc = err_set(&e, RC_USAGE,
                     "check: give one job file, or the options of export; usage: leadpipe check "
                     "JOB.yaml [OPTIONS]");
    if (rc == RC_OK)
        return EXIT_STATUS_OK;
    messages_write(c->messages, LOG_LEVEL_ERROR, NULL, e.msg);
    return rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
}

static void check_job(struct check *c)
{
    struct err e;
    const char *job = job_of(c);
    enum rc rc = job_command_make(&c->job, job, &e);
    if (rc == RC_OK) {
        rc = options_parse(&c->export.options, c->job.argc, c->job.argv, &e);
        if (rc == RC_USAGE && job)
            err_prefix(&e, "%s", job);
    }
    if (rc == RC_OK && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        rc = err_set(&e, RC_INTERNAL, "libcurl cannot be initialized");
    if (rc != RC_OK) {
        fail(c, "job", &e);
        return;
    }
    hurry(&c->export.options);
    check_all(c, job);
    curl_global_cleanup();
}

int command_check(struct messages *m, int argc, char *argv[])
{
    struct check c = {.messages = m,
                      .export = {.messages = m, .stop = {.fd = -1}, .only_checks = true}};
    c.findings = (struct findings){.ctx = &c, .add = on_finding};
    c.job = (struct job_command){.own = check_option_specs, .values = &c.options};
    if (export_wants_json(argc, argv))
        m->format = MESSAGES_JSON;
    int status = read_command_line(&c, argc, argv);
    if (status == EXIT_STATUS_OK) {
        check_job(&c);
        status = c.failures ? EXIT_STATUS_STOPPED : EXIT_STATUS_OK;
    }
    export_free(&c.export);
    job_command_free(&c.job);
    return status;
}
