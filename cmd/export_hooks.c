#include "cmd/export_hooks.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/signals.h"
#include "monitor/hook.h"

#define ENVIRONMENT_BYTES_MAX ((size_t)16 << 20)
#define VALUE_BYTES 512
#define PREFIX "LEADPIPE_"

/* ---- the environment of a command ----------------------------------------------------------- */

struct environment {
    char **items; /* owned, and so is each item; ends with NULL */
    size_t n;
};

static void environment_free(struct environment *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->items[i]);
    free(v->items);
    *v = (struct environment){0};
}

/* Does the variable contain a secret of the run? */
static bool holds_secret(struct secrets *s, const char *entry)
{
    char *copy = strdup(entry);
    if (!copy)
        return true;
    secrets_redact(s, copy, strlen(copy) + 1);
    bool holds = strcmp(copy, entry) != 0;
    free(copy);
    return holds;
}

/* A run that was refused may not have read its secrets. */
static bool is_named_like_secret(const char *entry)
{
    static const char *const words[] = {"KEY",    "SECRET", "TOKEN",      "PASSWORD",
                                        "PASSWD", "PASS",   "CREDENTIAL", "AUTH"};
    char name[128];
    size_t n = strcspn(entry, "=");
    if (n >= sizeof name)
        return true;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)toupper((unsigned char)entry[i]);
    name[n] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(name, words[i]))
            return true;
    }
    return false;
}

/* The program's own environment, without secrets and without the variables that are set below. */
static enum rc add_own(struct environment *v, const struct export *x,
                       const struct export_ended *ended)
{
    for (char **at = environ; *at; at++) {
        if (strncmp(*at, PREFIX, sizeof PREFIX - 1) == 0 || holds_secret(x->secrets, *at) ||
            (!ended->result && is_named_like_secret(*at)))
            continue;
        v->items[v->n] = strdup(*at);
        if (!v->items[v->n])
            return RC_NOMEM;
        v->n++;
    }
    return RC_OK;
}

static enum rc add_text(struct environment *v, const char *name, const char *value)
{
    struct buf b;
    buf_init(&b, ENVIRONMENT_BYTES_MAX);
    buf_addf(&b, PREFIX "%s=%s", name, value);
    char *entry = buf_rc(&b) == RC_OK ? strdup(buf_cstr(&b)) : NULL;
    buf_free(&b);
    if (entry)
        v->items[v->n++] = entry;
    return entry ? RC_OK : RC_NOMEM;
}

static enum rc add_count(struct environment *v, const char *name, uint64_t n)
{
    char value[32];
    (void)snprintf(value, sizeof value, "%" PRIu64, n);
    return add_text(v, name, value);
}

static enum rc add_time(struct environment *v, const char *name, int64_t wall_ms)
{
    char value[25];
    clock_format(wall_ms, value);
    return add_text(v, name, value);
}

#define ADDED_MAX 16

static enum rc add_run(struct environment *v, const struct export *x,
                       const struct export_ended *ended)
{
    static const struct run_result none = {.exit_status = 0};
    const struct run_result *r = ended->result ? ended->result : &none;
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        {"EXIT_STATUS", (uint64_t)ended->exit_status},
        {"EXPORTED", r->ledger.exported},
        {"UNCHANGED", r->ledger.unchanged},
        {"MISSING", r->ledger.missing},
        {"FAILED", r->ledger.failed},
        {"PENDING", r->ledger.pending},
    };
    enum rc rc = add_text(v, "JOB", export_job_name(x));
    if (rc == RC_OK)
        rc = add_text(v, "RUN_ID", r->run_id);
    if (rc == RC_OK)
        rc = add_text(v, "PUBLISHED", r->published ? "true" : "false");
    if (rc == RC_OK)
        rc = add_time(v, "STARTED_AT", ended->started_wall_ms);
    if (rc == RC_OK)
        rc = add_time(v, "ENDED_AT", ended->ended_wall_ms);
    for (size_t i = 0; rc == RC_OK && i < sizeof counts / sizeof *counts; i++)
        rc = add_count(v, counts[i].name, counts[i].n);
    return rc;
}

static enum rc make_environment(struct environment *v, const struct export *x,
                                const struct export_ended *ended)
{
    size_t n = 0;
    while (environ[n])
        n++;
    *v = (struct environment){.items = calloc(n + ADDED_MAX + 1, sizeof *v->items)};
    enum rc rc = v->items ? add_own(v, x, ended) : RC_NOMEM;
    return rc == RC_OK ? add_run(v, x, ended) : rc;
}

/* ---- running it ----------------------------------------------------------------------------- */

static void report(struct messages *m, const char *option, const struct hook_end *end)
{
    if (end->timed_out)
        messages_writef(m, LOG_LEVEL_WARN_ALWAYS, option,
                        "the command had not ended after %d seconds and was killed",
                        HOOK_MS_MAX / 1000);
    else if (end->signal)
        messages_writef(m, LOG_LEVEL_WARN_ALWAYS, option, "the command was killed by signal %d",
                        end->signal);
    else if (end->exit_status)
        messages_writef(m, LOG_LEVEL_WARN_ALWAYS, option, "the command ended with exit status %d",
                        end->exit_status);
    else
        log_msg(&m->hook, LOG_LEVEL_INFO, option, "the command ended with exit status 0");
}

void export_hooks_run(struct export *x, const struct export_ended *ended, const struct buf *summary)
{
    bool ok = ended->exit_status == EXIT_STATUS_OK;
    const char *command = ok ? x->options.on_success : x->options.on_failure;
    const char *option = ok ? "--on-success" : "--on-failure";
    struct environment environment = {0};
    struct hook_words words = {0};
    struct hook_end end;
    struct err e;
    if (!command)
        return;
    signals_watch(NULL); /* there may have been no run to set this */
    enum rc rc = hook_split(&words, command, &e);
    if (rc == RC_SYNTAX)
        return; /* that is why the run was refused */
    if (rc == RC_OK && make_environment(&environment, x, ended) != RC_OK)
        rc = err_nomem(&e);
    if (rc == RC_OK) {
        const struct hook_cfg cfg = {
            .words = words.items,
            .environment = environment.items,
            .input = buf_str(summary),
            .output_fd = STDERR_FILENO,
            .limit_ms = HOOK_MS_MAX,
            .kill_ms = HOOK_KILL_MS,
            .clock = &clock_system,
            .started = signals_hook,
        };
        rc = hook_run(&cfg, &end, &e);
    }
    if (rc == RC_OK)
        report(x->messages, option, &end);
    else
        messages_write(x->messages, LOG_LEVEL_WARN_ALWAYS, option, e.msg);
    environment_free(&environment);
    hook_words_free(&words);
}
