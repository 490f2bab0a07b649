/* leadpipe list */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/command_line.h"
#include "cmd/commands.h"
#include "cmd/export.h"
#include "cmd/help.h"
#include "cmd/signals.h"
#include "core/base/open_files.h"
#include "core/file/outfile.h"
#include "core/source/list_read.h"

#define ERROR_BODY_BYTES_MAX ((size_t)64 * 1024)
/* For libraries, connections and the output: far more than are ever open. */
#define FILES_OF_LIST 32
#define LINE_BYTES_MAX ((size_t)1 << 20)
#define EXAMPLE "for example: leadpipe list -p omni -o ids.ndjson"

struct list {
    struct export export; /* the parts that both commands share */
    struct list_options options;
    struct outfile *file; /* NULL: standard output */
    struct buf line;
    struct buf key_value; /* secret */
    struct rng rng;
    int write_errno; /* of standard output; 0: none */
};

/* ---- output ---------------------------------------------------------------------------------- */

static void put_member(struct buf *b, struct str name, struct str value)
{
    buf_addc(b, b->len ? ',' : '{');
    json_write_string(b, name);
    buf_addc(b, ':');
    json_write_string(b, value);
}

/* Writes one lead as a line of NDJSON, which export can read. */
static enum rc on_found(void *ctx, struct str id, const struct str *params, struct err *e)
{
    struct list *l = ctx;
    const struct profile *p = l->export.profile;
    buf_clear(&l->line);
    put_member(&l->line, STR("id"), id);
    for (size_t i = 0; i < p->n_params; i++)
        put_member(&l->line, p->params[i], params[i]);
    buf_adds(&l->line, "}\n");
    if (buf_rc(&l->line) != RC_OK)
        return err_nomem(e);
    if (l->file)
        outfile_write(l->file, l->line.data, l->line.len);
    else if (fwrite(l->line.data, 1, l->line.len, stdout) != l->line.len && !l->write_errno)
        l->write_errno = errno;
    return RC_OK;
}

/* Writes the leads of a page before the next page is requested. */
static enum rc on_page_end(void *ctx, const struct lister_page *page, struct err *e)
{
    struct list *l = ctx;
    (void)page;
    if (l->file)
        return outfile_rc(l->file, e);
    if (!l->write_errno && fflush(stdout) != 0)
        l->write_errno = errno;
    if (l->write_errno)
        return err_sys(e, RC_IO, l->write_errno, "standard output");
    return RC_OK;
}

/* EPIPE: nobody reads the list any more. Ends without a message, like other tools in a pipe. */
static void die_of_pipe(void)
{
    sigset_t pipes;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&pipes);
    (void)sigaddset(&pipes, SIGPIPE);
    (void)sigprocmask(SIG_UNBLOCK, &pipes, NULL);
    (void)raise(SIGPIPE);
}

static bool is_stdout(const char *path)
{
    return !path || strcmp(path, "-") == 0;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The output must not replace the key, the certificates or the profile. */
static enum rc check_output(const struct list *l, struct err *e)
{
    for (const struct option_spec *o = list_option_specs; o->name; o++) {
        const char *const *paths = NULL;
        size_t n = o->file == FILE_READ ? option_paths(o, &l->options, &paths) : 0;
        bool is_name = n && paths[0] == l->options.common.provider && l->export.profile->is_builtin;
        if (n && !is_name && is_same_file(paths[0], l->options.output))
            return err_set(e, RC_USAGE, "--output: %s is also read (--%s)", l->options.output,
                           o->name);
    }
    return RC_OK;
}

static enum rc open_output(struct list *l, struct err *e)
{
    const char *path = l->options.output;
    size_t len = path ? strlen(path) : 0;
    if (is_stdout(path))
        return RC_OK;
    if (len > 3 && strcmp(path + len - 3, ".gz") == 0)
        return err_set(e, RC_USAGE,
                       "--output: %s: the list is not compressed; give a name without .gz, or pipe "
                       "standard output to gzip",
                       path);
    enum rc rc = check_output(l, e);
    if (rc != RC_OK)
        return rc;
    const struct outfile_cfg cfg = {.path = path, .spool = true};
    rc = outfile_open_cfg(&l->file, &cfg, e);
    if (rc != RC_OK)
        err_prefix(e, "--output");
    return rc;
}

/* ---- preparing ------------------------------------------------------------------------------- */

static enum rc set_provider(struct list *l, struct err *e)
{
    struct export *x = &l->export;
    x->options = l->options.common;
    x->options.all = true;
    enum rc rc = export_register_secrets(x, e);
    if (rc == RC_OK)
        rc = export_set_provider(x, e);
    if (rc == RC_OK)
        rc = export_set_listing(x, e);
    return rc == RC_OK ? export_set_fetching(x, e) : rc;
}

static enum rc set_engine(struct list *l, struct http_header *key, struct http_engine_cfg *out,
                          struct err *e)
{
    const struct run_cfg *cfg = &l->export.cfg;
    buf_add_str(&l->key_value, cfg->profile->key_prefix);
    buf_adds(&l->key_value, cfg->credential);
    *key = (struct http_header){cfg->profile->key_header.ptr, buf_cstr(&l->key_value)};
    rng_seed_system(&l->rng);
    *out = (struct http_engine_cfg){
        .clock = &clock_system,
        .rng = &l->rng,
        .log = &l->export.messages->hook,
        .subject = cfg->base_url,
        .headers = key,
        .n_headers = cfg->profile->key_header.len ? 1 : 0,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = cfg->proxy,
        .version = cfg->http_version,
        .concurrency = 1,
        .concurrency_max = 1,
        .rate_per_s = cfg->rate_per_s,
        .retry = cfg->retry,
        .max_body = cfg->max_body,
        .max_error_body = ERROR_BODY_BYTES_MAX,
    };
    return buf_rc(&l->key_value) == RC_OK ? RC_OK : err_nomem(e);
}

static struct lister_cfg lister_cfg(struct list *l)
{
    struct lister_cfg cfg = l->export.listing;
    cfg.found = on_found;
    cfg.page_end = on_page_end;
    cfg.ctx = l;
    return cfg;
}

/* ---- running --------------------------------------------------------------------------------- */

static int status_of(struct list *l, enum rc rc, int signal_number, const struct err *e)
{
    struct messages *m = l->export.messages;
    if (l->write_errno == EPIPE)
        die_of_pipe();
    if (signal_number) {
        messages_writef(m, LOG_LEVEL_ERROR, NULL, "stopped by %s; %s was not written",
                        signals_name(signal_number), l->options.output);
        return EXIT_STATUS_SIGNAL + signal_number;
    }
    messages_write(m, LOG_LEVEL_ERROR, NULL, e->msg);
    return rc == RC_USAGE || rc == RC_BUSY ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
}

static int finish(struct list *l, const struct lister_result *result)
{
    struct messages *m = l->export.messages;
    struct err e;
    enum rc rc = l->file ? outfile_complete(l->file, &e) : RC_OK;
    if (rc == RC_OK && l->file)
        rc = outfile_publish(l->file, &e);
    if (rc != RC_OK)
        return status_of(l, rc == RC_USAGE ? RC_IO : rc, 0, &e);
    if (result->bad)
        messages_writef(m, LOG_LEVEL_ERROR, NULL,
                        "%" PRIu64 " element%s of the list %s no valid ID and %s left out",
                        result->bad, result->bad == 1 ? "" : "s", result->bad == 1 ? "has" : "have",
                        result->bad == 1 ? "was" : "were");
    if (!l->options.common.quiet)
        messages_writef(m, LOG_LEVEL_INFO, NULL,
                        "%" PRIu64 " lead%s listed, %" PRIu64 " page%s read", result->leads,
                        result->leads == 1 ? "" : "s", result->pages,
                        result->pages == 1 ? "" : "s");
    return result->incomplete || result->bad ? EXIT_STATUS_LEADS : EXIT_STATUS_OK;
}

static int list_with_options(struct list *l)
{
    struct list_read_cfg cfg;
    struct http_header key;
    struct lister_result result;
    struct err e;
    int signal_number = 0;
    enum rc rc = open_files_allow(FILES_OF_LIST, "the list and what it is written to", &e);
    if (rc == RC_OK)
        rc = set_provider(l, &e);
    if (rc == RC_OK)
        rc = set_engine(l, &key, &cfg.engine, &e);
    if (rc == RC_OK)
        rc = open_output(l, &e);
    if (rc == RC_OK) {
        cfg.lister = lister_cfg(l);
        /* With standard output, signals end the program at once: what was written cannot be taken back. */
        signals_watch(NULL);
        cfg.takes_signals = l->file != NULL;
        rc = list_read(&cfg, &result, &signal_number, &e);
    }
    if (rc != RC_OK)
        return status_of(l, rc, signal_number, &e);
    return finish(l, &result);
}

static enum rc read_options(struct list *l, int argc, char *argv[], struct err *e)
{
    struct list_options *o = &l->options;
    struct text_list arguments = {NULL, 0};
    arena_init(&o->common.memory, SIZE_MAX / 2);
    struct option_reader r = {
        .table = list_option_specs, .values = o, .dashes = "--", .memory = &o->common.memory};
    enum rc rc = option_begin(&r, e);
    if (rc == RC_OK)
        rc = command_line_read(&r, &arguments, argc, argv, e);
    if (rc != RC_OK || o->common.help)
        return rc;
    if (!o->common.provider)
        return err_set(e, RC_USAGE, "-p PROVIDER is required; " EXAMPLE);
    if (arguments.n)
        return err_set(e, RC_USAGE, "list: unexpected argument %s; " EXAMPLE, arguments.items[0]);
    o->common.given = r.given;
    o->common.n_given = r.n_given;
    return option_check(&r, e);
}

static void list_free(struct list *l)
{
    if (l->file)
        outfile_close(l->file, false);
    buf_free(&l->line);
    if (l->key_value.data)
        explicit_bzero(l->key_value.data, l->key_value.cap);
    buf_free(&l->key_value);
    l->export.options = l->options.common; /* a copy: `common` still owns the memory */
    export_free(&l->export);
}

int command_list(struct messages *m, int argc, char *argv[])
{
    struct list l = {.export = {.messages = m, .stop = {.fd = -1}}};
    struct err e;
    int status = EXIT_STATUS_OK;
    buf_init(&l.line, LINE_BYTES_MAX);
    buf_init(&l.key_value, LINE_BYTES_MAX);
    if (export_wants_json(argc, argv))
        m->format = MESSAGES_JSON;
    enum rc rc = read_options(&l, argc, argv, &e);
    if (rc != RC_OK) {
        messages_write(m, LOG_LEVEL_ERROR, NULL, e.msg);
        status = rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    } else if (l.options.common.help) {
        help_print_command(stdout, command_named("list"));
    } else if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        messages_write(m, LOG_LEVEL_ERROR, NULL, "libcurl cannot be initialized");
        status = EXIT_STATUS_STOPPED;
    } else {
        export_set_messages(m, &l.options.common);
        status = list_with_options(&l);
        curl_global_cleanup();
    }
    list_free(&l);
    return status;
}
