#include "cmd/export_end.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmd/signals.h"
#include "cmd/summary.h"
#include "core/file/outfile.h"
#include "monitor/metrics.h"
#include "monitor/report.h"

#define SUMMARY_BYTES_MAX ((size_t)16 << 20)
#define METRICS_BYTES_MAX ((size_t)4 << 20)
#define REPORT_BYTES_MAX ((size_t)16 << 20)

/* Readable by all: metrics are collected by another user. */
#define METRICS_MODE 0644

/* Every summary in JSON begins with this: messages_json_begin(). */
static const char json_summary_begins[] = "{\"at\":\"";

/* ---- files ---------------------------------------------------------------------------------- */

static bool has_placeholder(const char *path)
{
    return strstr(path, "{date}") || strstr(path, "{run_id}") || strstr(path, "{shard}");
}

/* The path of an option. Placeholders are filled in by the run; NULL: there was no run to do that. */
static const char *path_of(const struct export_ended *ended, const char *option, const char *given)
{
    for (size_t i = 0; given && ended->cfg && i < ended->cfg->n_files; i++) {
        if (strcmp(ended->cfg->files[i].option, option) == 0)
            return ended->cfg->files[i].path;
    }
    return given && !has_placeholder(given) ? given : NULL;
}

static enum rc write_file(struct export *x, const char *path, unsigned mode, const struct buf *text,
                          struct err *e)
{
    const struct outfile_cfg cfg = {
        .places = x->cfg.places, .path = path, .mode = mode, .spool = true, .stop = x->cfg.stop};
    struct outfile *f = NULL;
    enum rc rc = buf_rc(text);
    if (rc != RC_OK)
        return err_set(e, rc, "%s: %s", path, rc_text(rc));
    rc = outfile_open_cfg(&f, &cfg, e);
    if (rc == RC_OK) {
        outfile_write(f, text->data, text->len);
        rc = outfile_complete(f, e);
    }
    if (rc == RC_OK)
        rc = outfile_publish(f, e);
    outfile_close(f, false);
    return rc;
}

/* May the file be written now? If the run was refused, it has not been checked that the file is not an input or another
 * output. Then the option must not be the reason, and an existing file must begin like the one that would be written. */
static bool may_write(const struct export_ended *ended, const char *option, const char *path,
                      const char *begins)
{
    char head[64] = "";
    size_t n = strlen(begins);
    if (ended->result)
        return true;
    if (strstr(ended->error, option) || !outfile_is_file(path) || outfile_is_url(path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT;
    ssize_t got = read(fd, head, sizeof head - 1);
    (void)close(fd); /* it was only read */
    return got == 0 || (got >= (ssize_t)n && memcmp(head, begins, n) == 0);
}

/* ---- the summary ---------------------------------------------------------------------------- */

static bool wants_json(const struct export_options *o)
{
    if (o->summary != OPTION_AUTO)
        return o->summary == SUMMARY_JSON;
    return o->summary_file || o->log_format == MESSAGES_JSON;
}

/* A summary that was not asked for explicitly is left out if the run did not begin, and with --quiet. */
static bool wants_summary(const struct export *x, const struct export_ended *ended)
{
    const struct export_options *o = &x->options;
    if (!wants_json(o) && (!ended->result || ended->result->refused))
        return false;
    if (o->summary != OPTION_AUTO || o->summary_file)
        return true;
    return !o->quiet && ended->result && !ended->result->refused;
}

void export_end_json(struct buf *out, const struct export *x, const struct export_ended *ended)
{
    if (ended->result)
        summary_json(out, ended->cfg, ended->result);
    else
        summary_json_refused(out, x->messages, ended->exit_status, ended->error);
}

static void make_summary(struct buf *out, const struct export *x, const struct export_ended *ended)
{
    if (!ended->result || wants_json(&x->options))
        export_end_json(out, x, ended);
    else
        summary_text(out, ended->cfg, ended->result);
}

static enum rc write_summary(struct export *x, const struct export_ended *ended, struct err *e)
{
    const char *path = path_of(ended, "summary-file", x->options.summary_file);
    struct buf text;
    if (!path || !wants_summary(x, ended) ||
        !may_write(ended, "--summary-file", path, json_summary_begins))
        return RC_OK;
    buf_init(&text, SUMMARY_BYTES_MAX);
    make_summary(&text, x, ended);
    enum rc rc = write_file(x, path, 0, &text, e);
    buf_free(&text);
    if (rc != RC_OK)
        err_prefix(e, "--summary-file");
    return rc;
}

/* ---- metrics -------------------------------------------------------------------------------- */

const char *export_job_name(const struct export *x)
{
    return x->options.job_name ? x->options.job_name : x->job_name;
}

static struct metrics metrics_of(const struct export *x, const struct export_ended *ended)
{
    return (struct metrics){
        .job = export_job_name(x),
        .started_wall_ms = ended->started_wall_ms,
        .ended_wall_ms = ended->ended_wall_ms,
        .exit_status = ended->exit_status,
        .cfg = ended->cfg,
        .result = ended->result,
    };
}

static enum rc write_metrics(struct export *x, const struct export_ended *ended, struct err *e)
{
    const char *path = path_of(ended, "metrics", x->options.metrics);
    struct metrics m = metrics_of(x, ended);
    struct buf text;
    if (!path || !may_write(ended, "--metrics", path, METRICS_BEGIN))
        return RC_OK;
    enum rc rc = RC_OK;
    if (ended->exit_status == EXIT_STATUS_OK)
        m.last_success_wall_ms = ended->ended_wall_ms;
    else
        rc = metrics_last_success(path, m.job, ended->ended_wall_ms, &m.last_success_wall_ms, e);
    if (rc == RC_SYNTAX) {
        messages_writef(x->messages, LOG_LEVEL_WARN_ALWAYS, "--metrics",
                        "%s; the time of the last success is lost", e->msg);
        rc = RC_OK;
    }
    buf_init(&text, METRICS_BYTES_MAX);
    metrics_put(&text, &m);
    if (rc == RC_OK)
        rc = write_file(x, path, METRICS_MODE, &text, e);
    buf_free(&text);
    if (rc != RC_OK)
        err_prefix(e, "--metrics");
    return rc;
}

/* ---- the report ----------------------------------------------------------------------------- */

static const char *signal_of(const struct export_ended *ended)
{
    int number = ended->exit_status - EXIT_STATUS_SIGNAL;
    return number > 0 ? signals_name(number) : NULL;
}

static enum rc write_report(struct export *x, const struct export_ended *ended, struct err *e)
{
    const char *path = path_of(ended, "report", x->options.report);
    struct buf text;
    if (!path || !may_write(ended, "--report", path, REPORT_BEGIN))
        return RC_OK;
    const struct report r = {
        .job = export_job_name(x),
        .version = LEADPIPE_VERSION,
        .started_wall_ms = ended->started_wall_ms,
        .ended_wall_ms = ended->ended_wall_ms,
        .exit_status = ended->exit_status,
        .signal = signal_of(ended),
        .error = ended->error,
        .arguments = (const char *const *)x->arguments.items,
        /* the command of a run that was refused may have a secret in a place where none is expected */
        .n_arguments = x->secrets_are_known ? x->arguments.n : 0,
        .secrets = x->secrets,
        .cfg = ended->cfg,
        .result = ended->result,
    };
    buf_init(&text, REPORT_BYTES_MAX);
    report_put(&text, &r);
    enum rc rc = write_file(x, path, 0, &text, e);
    buf_free(&text);
    if (rc != RC_OK)
        err_prefix(e, "--report");
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

int export_end_files(struct export *x, const struct export_ended *ended)
{
    static enum rc (*const writers[])(struct export *, const struct export_ended *,
                                      struct err *) = {write_summary, write_metrics, write_report};
    struct export_ended so_far = *ended;
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        struct err e;
        if (writers[i](x, &so_far, &e) == RC_OK)
            continue;
        messages_write(x->messages, LOG_LEVEL_ERROR, NULL, e.msg);
        if (so_far.exit_status == EXIT_STATUS_OK)
            so_far.exit_status = EXIT_STATUS_STOPPED;
    }
    return so_far.exit_status;
}

void export_end_messages(struct export *x, const struct export_ended *ended)
{
    struct buf text;
    if (ended->result)
        summary_errors(x->messages, ended->cfg, ended->result);
    else
        messages_write(x->messages, LOG_LEVEL_ERROR, NULL, ended->error);
    if (ended->below.len)
        messages_block(x->messages, ended->below);
    if (!ended->result && ended->exit_status > EXIT_STATUS_SIGNAL)
        messages_writef(x->messages, LOG_LEVEL_ERROR, NULL, "stopped by %s; nothing was published",
                        signals_name(ended->exit_status - EXIT_STATUS_SIGNAL));
    if (x->options.summary_file || !wants_summary(x, ended))
        return;
    buf_init(&text, SUMMARY_BYTES_MAX);
    make_summary(&text, x, ended);
    if (buf_rc(&text) == RC_OK)
        messages_block(x->messages, buf_str(&text));
    else
        messages_write(x->messages, LOG_LEVEL_ERROR, "summary", rc_text(buf_rc(&text)));
    buf_free(&text);
}
