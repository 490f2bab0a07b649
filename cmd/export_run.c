/* The rest of a run's configuration: sinks, input, limits. */
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/loopback.h"
#include "core/base/open_files.h"
#include "core/http/proxy.h"
#include "cmd/export.h"
#include "cmd/export_objects.h"
#include "cmd/signals.h"

#define CONCURRENCY_MAX_AUTO 64

/* Open files besides connections: inputs, outputs, libraries, the program itself. */
#define FILES_OF_RUN 64
#define FILES_OF_SINK 64

static enum http_version_policy http_version(const struct export_options *o)
{
    return o->http1 ? HTTP_VERSION_1_1_ONLY : HTTP_VERSION_AUTOMATIC;
}

/* ---- sinks ---------------------------------------------------------------------------------- */

static struct sink_cfg sink_cfg(const struct export *x, const struct sink_spec *spec)
{
    return (struct sink_cfg){
        .spec = spec->label,
        .target = spec->target,
        .opts = spec->opts,
        .want_sha256 = x->options.manifest_path != NULL,
        .max_memory = (size_t)x->options.max_memory_bytes,
        .http = &x->sink_http,
        .clock = &clock_system,
        .log = &x->messages->hook,
        .secrets = x->secrets,
    };
}

enum rc export_set_sinks(struct export *x, struct err *e)
{
    x->sink_http = (struct sink_http_cfg){
        .cacert = x->options.cacert,
        .proxy = x->options.proxy,
        .version = http_version(&x->options),
        .user_agent = EXPORT_USER_AGENT,
        .allow_http = x->options.allow_http,
        .retry = &x->cfg.retry,
    };
    const struct text_list *texts = &x->options.sinks;
    if (texts->n > RUN_SINKS_MAX)
        return err_set(e, RC_USAGE, "--to: at most %d sinks are allowed", RUN_SINKS_MAX);
    x->specs = calloc(texts->n, sizeof *x->specs);
    x->run_sinks = calloc(texts->n + 1, sizeof *x->run_sinks); /* one more for the companion */
    if (!x->specs || !x->run_sinks)
        return err_nomem(e);
    for (; x->n_specs < texts->n; x->n_specs++) {
        struct sink_spec *spec = &x->specs[x->n_specs];
        enum rc rc = sink_spec_parse(spec, texts->items[x->n_specs], e);
        if (rc != RC_OK) {
            err_prefix(e, "--to");
            return rc;
        }
        x->run_sinks[x->n_specs] = (struct run_sink_cfg){spec->ops, sink_cfg(x, spec), NULL};
    }
    x->cfg.sinks = x->run_sinks;
    x->cfg.n_sinks = x->n_specs;
    return RC_OK;
}

static bool is_object(const char *target)
{
    static const char scheme[] = "s3://";
    return target && strncmp(target, scheme, sizeof scheme - 1) == 0;
}

bool export_has_objects(const struct export *x)
{
    bool has = false;
    for (size_t i = 0; i < x->cfg.n_files; i++)
        has |= x->cfg.files[i].use == FILE_WRITTEN && is_object(x->cfg.files[i].path);
    for (size_t i = 0; i < x->n_specs; i++)
        has |= is_object(x->specs[i].target);
    return has;
}

/* ---- checks --------------------------------------------------------------------------------- */

static enum rc check_cacert(const char *file, struct err *e)
{
    struct stat st;
    if (!file)
        return RC_OK;
    if (stat(file, &st) != 0 || access(file, R_OK) != 0)
        return err_sys(e, RC_USAGE, errno, "--cacert: %s cannot be read", file);
    if (S_ISDIR(st.st_mode))
        return err_set(e, RC_USAGE, "--cacert: %s is a directory; give a file of certificates",
                       file);
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return err_nomem(e);
    bool holds_some = X509_STORE_load_file(store, file) == 1;
    X509_STORE_free(store);
    return holds_some
               ? RC_OK
               : err_set(e, RC_USAGE, "--cacert: %s contains no certificate in PEM format", file);
}

/* Checks --proxy, or the environment's proxy for the provider; sinks check the proxies for their URLs. */
static enum rc check_proxy(const struct export *x, struct err *e)
{
    const char *given = x->options.proxy;
    if (!given && url_bypasses_proxy(x->cfg.base_url, x->options.allow_http))
        return RC_OK;
    return proxy_check_for(x->cfg.base_url, given, e);
}

static enum rc check_ids(const struct text_list *ids, struct err *e)
{
    for (size_t i = 0; i < ids->n; i++) {
        enum rc rc = id_check(str_c(ids->items[i]), e);
        if (rc == RC_OK)
            continue;
        err_prefix(e, "--id");
        return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
    }
    return RC_OK;
}

enum rc export_allow_open_files(const struct export *x, struct err *e)
{
    int most =
        x->options.concurrency == OPTION_AUTO ? CONCURRENCY_MAX_AUTO : (int)x->options.concurrency;
    char who[64];
    (void)snprintf(who, sizeof(who), "--concurrency: %d requests in flight", most);
    return open_files_allow((uint64_t)most + FILES_OF_RUN + FILES_OF_SINK * (uint64_t)x->n_specs,
                            who, e);
}

/* ---- the run -------------------------------------------------------------------------------- */

static void set_input(struct export *x)
{
    static const char *const standard_input[] = {"-"};
    const struct export_options *o = &x->options;
    bool from_stdin = !o->ids.n && !o->files.n && !o->all;
    x->cfg.ids = (struct ids_cfg){
        .files = from_stdin ? standard_input : o->files.items,
        .n_files = from_stdin ? 1 : o->files.n,
        .ids = o->ids.items,
        .n_ids = o->ids.n,
        .format = (enum id_format)o->id_format,
        .column = o->id_column,
        .profile = x->profile,
        .defaults = x->defaults,
    };
    x->cfg.listing = o->all ? &x->listing : NULL;
    x->cfg.has_expect = o->expect >= 0;
    x->cfg.expect = o->expect >= 0 ? (uint64_t)o->expect : 0;
}

/* By the table of options. */
static enum rc set_files(struct export *x, struct err *e)
{
    size_t most = x->options.n_given + option_table_size(export_option_specs);
    x->files = calloc(most + 1, sizeof *x->files);
    if (!x->files)
        return err_nomem(e);
    for (const struct option_spec *o = export_option_specs; o->name; o++) {
        const char *const *paths = NULL;
        size_t n = option_paths(o, &x->options, &paths);
        bool is_name = n && paths[0] == x->options.provider && x->profile->is_builtin;
        for (size_t i = 0; i < n && !is_name; i++)
            x->files[x->cfg.n_files++] =
                (struct run_file){.path = paths[i], .option = o->name, .use = o->file};
    }
    x->cfg.files = x->files;
    return RC_OK;
}

enum rc export_set_fetching(struct export *x, struct err *e)
{
    const struct export_options *o = &x->options;
    enum rc rc = check_cacert(o->cacert, e);
    if (rc == RC_OK)
        rc = check_proxy(x, e);
    if (rc != RC_OK)
        return rc;
    x->cfg.concurrency = o->concurrency == OPTION_AUTO ? 0 : (unsigned)o->concurrency;
    x->cfg.concurrency_max = CONCURRENCY_MAX_AUTO;
    x->cfg.rate_per_s = o->rate_per_s / (x->cfg.shard.of ? x->cfg.shard.of : 1);
    x->cfg.retry = (struct http_retry_cfg){
        .attempts = (unsigned)o->attempts,
        .retry_max_time_ms = o->retry_max_time_ms,
        .timeout_ms = o->timeout_ms,
        .connect_timeout_ms = o->connect_timeout_ms,
    };
    x->cfg.max_body = (size_t)o->max_body_bytes;
    x->cfg.user_agent = EXPORT_USER_AGENT;
    x->cfg.cacert = o->cacert;
    x->cfg.proxy = url_bypasses_proxy(x->cfg.base_url, o->allow_http) ? "" : o->proxy;
    x->cfg.http_version = http_version(o);
    return RC_OK;
}

/* The default of --max-columns is the smallest limit of the sinks. */
static size_t max_columns(const struct export *x)
{
    size_t max = (size_t)x->options.max_columns;
    for (size_t i = 0; i < x->options.n_given; i++) {
        if (strcmp(x->options.given[i].spec->name, "max-columns") == 0)
            return max;
    }
    for (size_t i = 0; i < x->cfg.n_sinks; i++) {
        size_t most = x->cfg.sinks[i].ops->columns_max;
        max = most && most < max ? most : max;
    }
    return max;
}

static void set_output(struct export *x)
{
    const struct export_options *o = &x->options;
#define RUN_OPTION(type, member, ...) x->cfg.member = o->member;
#include "core/run/run_options.inc"
#undef RUN_OPTION
    x->cfg.version = LEADPIPE_VERSION;
    x->cfg.max_memory = (size_t)o->max_memory_bytes;
    x->cfg.max_columns = max_columns(x);
    x->cfg.wants_figures = o->report != NULL;
    x->cfg.arguments = (const char *const *)x->arguments.items;
    x->cfg.n_arguments = x->arguments.n;
    x->cfg.clock = &clock_system;
    x->cfg.stop = &x->stop;
    x->cfg.stoppable = signals_watch;
    x->cfg.log = &x->messages->hook;
    x->cfg.secrets = x->secrets;
    x->cfg.progress = progress_show;
    x->cfg.progress_ctx = &x->progress;
    x->cfg.progress_interval_ms = PROGRESS_INTERVAL_MS;
}

enum rc export_set_run(struct export *x, struct err *e)
{
    enum rc rc = export_set_fetching(x, e);
    if (rc == RC_OK)
        rc = check_ids(&x->options.ids, e);
    if (rc == RC_OK)
        rc = set_files(x, e);
    if (rc != RC_OK)
        return rc;
    set_input(x);
    set_output(x);
    return RC_OK;
}
