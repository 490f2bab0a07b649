/* leadpipe export */
#include "cmd/export.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "core/base/credential_text.h"
#include "core/file/descriptor.h"
#include "monitor/hook.h"
#include "monitor/ping.h"
#include "cmd/credential.h"
#include "cmd/estimate.h"
#include "cmd/export_end.h"
#include "cmd/export_notify.h"
#include "cmd/export_objects.h"
#include "cmd/export_queue.h"
#include "cmd/help.h"
#include "cmd/job_save.h"
#include "cmd/signals.h"

void export_free(struct export *x)
{
    messages_set_stop(x->messages, NULL);
    stop_timer_close(&x->stop);
    for (size_t i = 0; i < x->n_specs; i++)
        sink_spec_free(&x->specs[i]);
    free(x->specs);
    free(x->run_sinks);
    export_objects_free(x->objects);
    export_queue_free(x->queue);
    free(x->files);
    settings_free(&x->settings);
    free(x->defaults);
    free(x->lists);
    buf_free(&x->base_url);
    buf_free(&x->state_path);
    buf_free(&x->rows_path);
    free((void *)(uintptr_t)x->rows.header.settings);
    settings_free(&x->rows_settings);
    settings_free(&x->shard_settings);
    credential_free(&x->credential);
    buf_free(&x->key_source);
    profile_free(x->profile);
    arguments_free(&x->arguments);
    options_free(&x->options);
    x->messages->secrets = NULL;
    secrets_free(x->secrets);
}

/* Registers the secrets of a URL within a file name or a sink's text: if the URL is not allowed there, the message
 * that refuses it may quote it. */
static enum rc register_url(struct export *x, const char *text)
{
    const char *url = strstr(text, "://");
    if (!url)
        return RC_OK;
    while (url > text && isalnum((unsigned char)url[-1]))
        url--;
    return secrets_add_url(x->secrets, url);
}

/* Registers the URLs in an argument of a command, because anyone who knows one can send to it. */
static enum rc register_urls(struct export *x, char *text)
{
    static const char ends[] = " \t\n'\"`;|<>()";
    enum rc rc = RC_OK;
    for (char *url; rc == RC_OK && (url = strstr(text, "http"));) {
        size_t n = strcspn(url, ends);
        bool is_last = url[n] == '\0', is_url = memmem(url, n, "://", 3) != NULL;
        url[n] = '\0';
        rc = is_url ? ping_add_secrets(x->secrets, url) : RC_OK;
        text = url + n + !is_last;
    }
    return rc;
}

/* Registers what looks like a secret in the arguments of a command. The command as a whole must not be registered: messages
 * that end as it begins ("no such email", with a command that begins with "mail") or name its program would be redacted.
 * Where options are shown, it is left out in any case. */
static enum rc register_command(struct export *x, const char *command)
{
    struct hook_words words = {0};
    struct err ignored;
    enum rc rc = hook_split(&words, command, &ignored);
    for (size_t i = 1; rc == RC_OK && i < words.n; i++) {
        const char *equals = strchr(words.items[i], '=');
        const char *value = equals ? equals + 1 : words.items[i];
        if (!strchr(value, '/') && credential_is_likely(value))
            rc = secrets_add(x->secrets, str_c(value));
        else
            rc = register_urls(x, words.items[i]);
    }
    hook_words_free(&words);
    return rc == RC_SYNTAX
               ? RC_OK
               : rc; /* a command that cannot be split is refused, in a message without it */
}

/* Registers the values of options with the table's secret flags. */
static enum rc register_option(struct export *x, const struct option_given *given)
{
    unsigned flags = given->spec->flags;
    const char *colon = flags & OPTION_SECRET_HEADER ? strchr(given->text, ':') : NULL;
    if (flags & OPTION_SECRET_HEADER)
        return secrets_add_header(x->secrets, "", str_c(colon ? colon + 1 : given->text));
    if (given->spec->arg && strcmp(given->spec->arg, "CMD") == 0)
        return register_command(x, given->text);
    if (flags & OPTION_SECRET)
        return secrets_add(x->secrets, str_c(given->text));
    if (flags & OPTION_SECRET_URL)
        return secrets_add_url(x->secrets, given->text);
    return flags & OPTION_SINK ? register_url(x, given->text) : RC_OK;
}

/* These variables stay in the environment: libcurl reads those of the proxies itself, and none is only a secret. */
enum rc export_register_secrets(struct export *x, struct err *e)
{
    static const char *const variables[] = {
        "http_proxy", "https_proxy",         "HTTPS_PROXY",      "all_proxy",
        "ALL_PROXY",  "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL};
    enum rc rc = secrets_new(&x->secrets);
    x->messages->secrets = x->secrets;
    for (size_t i = 0; rc == RC_OK && i < x->options.n_given; i++)
        rc = register_option(x, &x->options.given[i]);
    for (size_t i = 0; rc == RC_OK && i < x->options.files.n; i++)
        rc = register_url(x, x->options.files.items[i]);
    for (size_t i = 0; rc == RC_OK && variables[i]; i++) {
        const char *url = getenv(variables[i]);
        if (url)
            rc = secrets_add_url(x->secrets, url);
    }
    if (rc == RC_OK && x->options.ping)
        rc = ping_add_secrets(x->secrets, x->options.ping);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

bool export_wants_json(int argc, char *argv[])
{
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--log-format=json") == 0)
            json = true;
        else if (strcmp(argv[i], "--log-format") == 0 && i + 1 < argc)
            json = strcmp(argv[i + 1], "json") == 0;
    }
    return json;
}

void export_set_messages(struct messages *m, const struct export_options *o)
{
    m->format = (enum message_format)o->log_format;
    if (o->quiet)
        m->hook.level = LOG_LEVEL_WARN_ALWAYS;
    else if (o->verbose)
        m->hook.level = o->verbose == 1 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static bool reads_terminal(const struct export *x)
{
    bool reads_stdin = x->options.files.n == 0 && x->options.ids.n == 0 && !x->options.all;
    for (size_t i = 0; i < x->options.files.n; i++)
        reads_stdin |= descriptor_read(x->options.files.items[i]) == STDIN_FILENO;
    return reads_stdin && isatty(STDIN_FILENO);
}

static bool writes_terminal(const struct export *x)
{
    bool writes_stdout = false;
    for (size_t i = 0; i < x->n_specs; i++)
        writes_stdout |= descriptor_written(x->specs[i].target) == STDOUT_FILENO;
    return writes_stdout && isatty(STDOUT_FILENO);
}

/* A live line is only shown if no output goes to the same terminal. */
static void start_progress(struct export *x)
{
    bool types = reads_terminal(x);
    progress_init(&x->progress, x->messages, (enum progress_mode)x->options.progress,
                  x->options.quiet, isatty(STDERR_FILENO) && !types && !writes_terminal(x));
    if (x->progress.live || x->progress.lines)
        x->progress.estimate = estimate_ids(&x->options) / (x->cfg.shard.of ? x->cfg.shard.of : 1);
    /* So that somebody who forgot FILE sees why nothing happens. */
    if (types && !x->options.quiet)
        messages_write(x->messages, LOG_LEVEL_INFO, NULL,
                       "reading lead IDs from the terminal, one per line; end with Ctrl-D");
}

static bool stdin_is_null(void)
{
    struct stat in, null;
    return fstat(STDIN_FILENO, &in) == 0 && S_ISCHR(in.st_mode) && stat("/dev/null", &null) == 0 &&
           in.st_rdev == null.st_rdev;
}

enum rc export_check_input(const struct export_options *o, const char *job_file, struct err *e)
{
    if (o->files.n || o->ids.n || o->all)
        return RC_OK;
    if (job_file)
        return err_set(
            e, RC_USAGE,
            "%s: does not say where the IDs come from: add ids (a file, a list of files, or "
            "\"-\" for standard input), id, or all: true",
            job_file);
    if (!stdin_is_null())
        return RC_OK;
    return err_set(
        e, RC_USAGE,
        "no FILE, --id or --all is given, and standard input is /dev/null: name the source "
        "of the IDs (FILE \"-\" reads standard input anyway)");
}

static enum rc prepare(struct export *x, int argc, char *argv[], struct err *e)
{
    enum rc rc = export_register_secrets(x, e);
    if (rc == RC_OK)
        rc = arguments_copy(&x->arguments, argc, argv, &x->options, e);
    if (rc == RC_OK)
        rc = export_set_sinks(x, e);
    if (rc == RC_OK)
        rc = export_set_shard(x, e);
    if (rc == RC_OK)
        rc = export_set_provider(x, e);
    if (rc == RC_OK && x->options.all)
        rc = export_set_listing(x, e);
    if (rc == RC_OK)
        rc = export_set_run(x, e);
    if (rc == RC_OK)
        rc = export_set_queue(x, e);
    if (rc == RC_OK)
        rc = export_allow_open_files(x, e);
    if (rc == RC_OK)
        rc = export_set_objects(x, e);
    if (rc == RC_OK)
        rc = export_set_shard_sinks(x, e);
    if (rc == RC_OK && x->options.state_path)
        rc = export_set_settings(x, e);
    return rc == RC_OK ? export_check_input(&x->options, x->job_file, e) : rc;
}

static int execute(struct export *x, struct run *run)
{
    struct run_result result;
    start_progress(x);
    run_execute(run, &result);
    struct export_ended ended = {
        .exit_status = result.exit_status,
        .started_wall_ms = result.started_wall_ms,
        .ended_wall_ms = result.ended_wall_ms,
        .cfg = run_config(run),
        .result = &result,
    };
    /* Files for programs come first: they must be written even if nobody reads the messages, or a signal arrives. */
    ended.exit_status = result.exit_status = export_end_files(x, &ended);
    signals_forget(ended.exit_status);
    progress_end(&x->progress);
    export_end_messages(x, &ended);
    export_notify_end(x, &ended);
    return ended.exit_status;
}

/* Ends a run that has not begun. */
static int end_refused(struct export *x, int status, const struct err *e, struct str below)
{
    int64_t now_ms = clock_wall_ms(&clock_system);
    struct export_ended ended = {
        .exit_status = status,
        .started_wall_ms = x->started_wall_ms,
        .ended_wall_ms = now_ms,
        .error = e->msg,
        .below = below,
    };
    export_end_messages(x, &ended);
    ended.exit_status = export_end_files(x, &ended);
    export_notify_end(x, &ended);
    return ended.exit_status;
}

/* The exit status of a run that has not begun. */
static int status_unopened(enum rc rc)
{
    int number = signals_received();
    if (rc == RC_USAGE || rc == RC_BUSY)
        return EXIT_STATUS_USAGE;
    return number ? EXIT_STATUS_SIGNAL + number : EXIT_STATUS_STOPPED;
}

static int export_with_options(struct export *x, int argc, char *argv[])
{
    struct run *run = NULL;
    struct err e;
    enum rc rc = stop_timer_open(&x->stop, &e);
    if (rc == RC_OK)
        messages_set_stop(x->messages, &x->stop);
    if (rc == RC_OK)
        rc = prepare(x, argc, argv, &e);
    if (rc == RC_OK)
        rc = run_new(&run, &x->cfg, &e);
    if (rc != RC_OK)
        return end_refused(x, status_unopened(rc), &e, STR_NONE);
    arguments_redact(&x->arguments, x->secrets);
    x->secrets_are_known = true;
    export_notify_start(x, run_id(run));
    int status = execute(x, run);
    run_free(run);
    return status;
}

/* The command line is wrong. */
static int refuse(struct export *x, int argc, char *argv[], const struct err *e, struct str below)
{
    struct err ignored;
    int status = e->rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    bool is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (is_ready && options_parse_reporting(&x->options, argc, argv, &ignored) == RC_OK &&
        export_register_secrets(x, &ignored) == RC_OK)
        status = end_refused(x, status, e, below);
    else
        messages_write(x->messages, LOG_LEVEL_ERROR, NULL, e->msg);
    export_free(x);
    if (is_ready)
        curl_global_cleanup();
    return status;
}

static int save_job(struct export *x)
{
    struct err e;
    enum rc rc = job_save(&x->options, &e);
    if (rc == RC_OK)
        return EXIT_STATUS_OK;
    messages_write(x->messages, LOG_LEVEL_ERROR, NULL, e.msg);
    return rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
}

int command_export(struct messages *m, int argc, char *argv[])
{
    return export_job(m, JOB_NAME_DEFAULT, NULL, argc, argv);
}

static struct export export_new(struct messages *m, const char *job_name)
{
    return (struct export){.messages = m,
                           .job_name = job_name,
                           .stop = {.fd = -1},
                           .started_wall_ms = clock_wall_ms(&clock_system)};
}

int export_refuse_job(struct messages *m, const char *job_name, int argc, char *argv[],
                      const struct err *e, struct str below)
{
    struct export x = export_new(m, job_name);
    return refuse(&x, argc, argv, e, below);
}

int export_job(struct messages *m, const char *job_name, const char *job_file, int argc,
               char *argv[])
{
    struct export x = export_new(m, job_name);
    struct err e;
    x.job_file = job_file;
    if (export_wants_json(argc, argv))
        m->format = MESSAGES_JSON;
    enum rc rc = options_parse(&x.options, argc, argv, &e);
    if (rc == RC_USAGE && job_file)
        err_prefix(&e, "%s", job_file);
    if (rc != RC_OK)
        return refuse(&x, argc, argv, &e, STR_NONE);
    int status = EXIT_STATUS_OK;
    if (x.options.help) {
        help_print_command(stdout, command_named("export"));
    } else if (x.options.save_job) {
        status = save_job(&x);
    } else if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        messages_write(m, LOG_LEVEL_ERROR, NULL, "libcurl cannot be initialized");
        status = EXIT_STATUS_STOPPED;
    } else {
        export_set_messages(m, &x.options);
        status = export_with_options(&x, argc, argv);
        curl_global_cleanup();
    }
    export_free(&x);
    return status;
}
