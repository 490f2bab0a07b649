/* Reads the command line of `leadpipe export`. */
#include "cmd/options.h"

#include <string.h>

#include "cmd/command_line.h"
#include "core/file/outfile.h"
#include "monitor/hook.h"
#include "monitor/ping.h"

#define EXAMPLE "for example: leadpipe export -p omni -t csv:out/ ids.txt"

static enum rc check_text(const char *option, const char *text,
                          enum rc (*check)(const char *text, struct err *e), struct err *e)
{
    enum rc rc = text ? check(text, e) : RC_OK;
    if (rc != RC_OK)
        err_prefix(e, "%s", option);
    return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
}

/* For files that are written at the end of every run, even a refused one. */
static enum rc check_replaceable(const char *option, const char *path, struct err *e)
{
    if (!path || (outfile_is_file(path) && !outfile_is_url(path)))
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "%s: %s is not a file that can be replaced; standard output, pipes, devices and "
                   "object storage are not possible here",
                   option, path);
}

static enum rc check_monitoring(const struct export_options *o, struct err *e)
{
    size_t n = o->job_name ? strlen(o->job_name) : 0;
    if (n > JOB_NAME_BYTES_MAX || !utf8_valid(o->job_name ? o->job_name : "", n))
        return err_set(e, RC_USAGE, "--job-name: NAME must be UTF-8 of at most %d bytes",
                       JOB_NAME_BYTES_MAX);
    enum rc rc = check_replaceable("--metrics", o->metrics, e);
    if (rc == RC_OK)
        rc = check_replaceable("--report", o->report, e);
    if (rc == RC_OK)
        rc = check_text("--ping", o->ping, ping_check, e);
    if (rc == RC_OK)
        rc = check_text("--on-success", o->on_success, hook_check, e);
    return rc == RC_OK ? check_text("--on-failure", o->on_failure, hook_check, e) : rc;
}

/* Rules that are not in the table. */
static enum rc check_combinations(const struct export_options *o, struct err *e)
{
    if (!o->provider && !o->sinks.n)
        return err_set(e, RC_USAGE, "-p PROVIDER and -t SINK are required; " EXAMPLE);
    if (!o->provider)
        return err_set(e, RC_USAGE, "-p PROVIDER is required; " EXAMPLE);
    if (!o->sinks.n)
        return err_set(e, RC_USAGE, "-t SINK is required; " EXAMPLE);
    if (o->ids.n && o->files.n)
        return err_set(e, RC_USAGE, "--id and FILE (%s) cannot be used together",
                       o->files.items[0]);
    if (o->all && o->files.n)
        return err_set(e, RC_USAGE, "--all and FILE (%s) cannot be used together",
                       o->files.items[0]);
    if (o->quiet && o->progress == PROGRESS_ALWAYS)
        return err_set(e, RC_USAGE, "--quiet and --progress always cannot be used together");
    return check_monitoring(o, e);
}

enum rc options_parse(struct export_options *out, int argc, char *const argv[], struct err *e)
{
    struct export_options o = {.provider = NULL};
    arena_init(&o.memory, SIZE_MAX / 2);
    struct option_reader r = {
        .table = export_option_specs,
        .values = &o,
        .dashes = "--",
        .memory = &o.memory,
    };
    enum rc rc = option_begin(&r, e);
    if (rc == RC_OK)
        rc = command_line_read(&r, &o.files, argc, argv, e);
    if (rc == RC_OK && !o.help && o.all && o.shard)
        rc = err_set(
            e, RC_USAGE,
            "--shard and --all cannot be used together, because each shard would read a list "
            "of its own; save the list once with \"leadpipe list\", and give that file to "
            "every shard");
    if (rc == RC_OK && !o.help)
        rc = option_check(&r, e);
    if (rc == RC_OK && !o.help)
        rc = check_combinations(&o, e);
    if (rc != RC_OK) {
        options_free(&o);
        return rc;
    }
    o.given = r.given;
    o.n_given = r.n_given;
    *out = o;
    return RC_OK;
}

/* ---- of a command line that is refused ------------------------------------------------------ */

static const struct option_spec *option_of_letter(char letter)
{
    for (const struct option_spec *o = export_option_specs; o->name; o++) {
        if (o->letter == letter)
            return o;
    }
    return NULL;
}

/* "-qvp": is the next element the value of the last letter? */
static bool letters_take_next(const char *letters)
{
    for (; *letters; letters++) {
        const struct option_spec *o = option_of_letter(*letters);
        if (!o)
            return false;
        if (option_takes_value(o))
            return !letters[1];
    }
    return false;
}

/* Takes `element`, with its value if that is `next`, if it is one of the options about reporting. */
static enum rc take_reporting(struct option_reader *r, const char *element, const char *next,
                              bool *took_next, struct err *e)
{
    *took_next = false;
    if (element[0] != '-' || !element[1])
        return RC_OK;
    if (element[1] != '-') {
        *took_next = letters_take_next(element + 1);
        return RC_OK;
    }
    struct str name = {element + 2, strcspn(element + 2, "=")};
    const char *value = name.ptr[name.len] ? name.ptr + name.len + 1 : NULL;
    const struct option_spec *o = option_named(r->table, name);
    if (!o || !option_takes_value(o))
        return RC_OK;
    *took_next = !value;
    value = value ? value : next;
    enum rc rc = value && (o->flags & OPTION_REPORTING) ? option_take(r, o, value, e) : RC_OK;
    return rc == RC_USAGE ? RC_OK : rc; /* the error has been reported already */
}

enum rc options_parse_reporting(struct export_options *out, int argc, char *const argv[],
                                struct err *e)
{
    struct export_options o = {.provider = NULL};
    bool took_next = false;
    arena_init(&o.memory, SIZE_MAX / 2);
    struct option_reader r = {
        .table = export_option_specs, .values = &o, .dashes = "--", .memory = &o.memory};
    enum rc rc = option_begin(&r, e);
    for (int i = 1; rc == RC_OK && i < argc && strcmp(argv[i], "--") != 0; i += 1 + took_next)
        rc = take_reporting(&r, argv[i], argv[i + 1], &took_next, e); /* argv ends with NULL */
    if (rc != RC_OK) {
        options_free(&o);
        return rc;
    }
    o.given = r.given;
    o.n_given = r.n_given;
    *out = o;
    return RC_OK;
}

void options_free(struct export_options *o)
{
    arena_free(&o->memory);
    *o = (struct export_options){.provider = NULL};
}
