/* Reads the command line of `leadpipe export`. */
#include "cmd/options.h"

#include "cmd/command_line.h"

#define EXAMPLE "for example: leadpipe export -p omni -t csv:out/ ids.txt"

/* What the table does not say. */
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
    if (o->quiet && o->progress == PROGRESS_ALWAYS)
        return err_set(e, RC_USAGE, "--quiet and --progress always cannot be used together");
    return RC_OK;
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

void options_free(struct export_options *o)
{
    arena_free(&o->memory);
    *o = (struct export_options){.provider = NULL};
}
