#include "cmd/commands.h"

#include <string.h>

#include "cmd/command_line.h"
#include "cmd/completion.h"
#include "cmd/options.h"
#include "core/base/suggest.h"

const struct command commands[] = {
    {"export", "-p PROVIDER -t SINK [-t SINK]... [options] [FILE]...",
     "fetch leads and write them to sinks", export_option_specs, command_export},
    {"list", "-p PROVIDER [options]", "list the IDs of all leads of a provider, as NDJSON",
     list_option_specs, command_list},
    {"run", "JOB.yaml [OPTIONS]", "run an export whose options are in a job file", run_option_specs,
     command_run},
    {"status", "[--json] STATE|TOPIC",
     "show the last run in a state, or the lag of a consumer group", status_option_specs,
     command_status},
    {"check", "JOB.yaml [OPTIONS] | -p PROVIDER -t SINK [FILE]...",
     "find out before a run what would go wrong in it", check_option_specs, command_check},
    {"merge", "-t SINK [-t SINK]... [options] MANIFEST...",
     "combine the outputs of all shards into those of one run", merge_option_specs, command_merge},
    {"providers", "[--show NAME]", "list the built-in providers, or print the profile of one",
     providers_option_specs, command_providers},
    {"sinks", "[SINK]", "list the sinks and their options, or those of one", NULL, command_sinks},
    {"destinations", "[--show NAME | --check FILE -p PROVIDER]",
     "list the built-in destinations of the sink push, or check one", destinations_option_specs,
     command_destinations},
    {"tables", "PROVIDER [--json | --ddl DIALECT]",
     "list the tables of a provider, and the types of their columns", tables_option_specs,
     command_tables},
    {"completion", COMPLETION_SHELLS, "print the script with which a shell completes command lines",
     NULL, command_completion},
    {"help", "[COMMAND]", "show this help, or the help of a command", NULL, command_help},
    {"version", "[--json]", "show the version, and those of the libraries", version_option_specs,
     command_version},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct command *command_named(const char *name)
{
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

/* `unexpected`: the first surplus argument; NULL: one is missing. */
static int refuse_number(struct messages *m, const struct command *c, const char *unexpected)
{
    if (!unexpected)
        return messages_usage(m, "%s: missing argument; usage: leadpipe %s %s", c->name, c->name,
                              c->args);
    return messages_usage(m, "%s: unexpected argument %s; usage: leadpipe %s%s%s", c->name,
                          unexpected, c->name, *c->args ? " " : "", c->args);
}

int command_read(struct messages *m, int argc, char *argv[], void *values,
                 struct text_list *arguments, size_t n, struct arena *memory)
{
    const struct command *c = command_named(argv[0]);
    if (!c)
        return command_unknown(m, argv[0]);
    struct option_reader r = {
        .table = c->options, .values = values, .dashes = "--", .memory = memory};
    struct err e;
    enum rc rc = option_begin(&r, &e);
    if (rc == RC_OK)
        rc = command_line_read(&r, arguments, argc, argv, &e);
    if (rc == RC_OK)
        rc = option_check(&r, &e);
    if (rc != RC_OK) {
        messages_write(m, LOG_LEVEL_ERROR, NULL, e.msg);
        return rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    }
    if (arguments->n != n)
        return refuse_number(m, c, arguments->n > n ? arguments->items[n] : NULL);
    return EXIT_STATUS_OK;
}

bool command_takes(struct messages *m, int argc, char *argv[], int n)
{
    const struct command *c = command_named(argv[0]);
    if (!c) {
        (void)command_unknown(m, argv[0]);
        return false;
    }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            (void)messages_usage(m, "%s: unknown option %s; usage: leadpipe %s %s", argv[0],
                                 argv[i], argv[0], c->args);
            return false;
        }
    }
    if (argc - 1 == n)
        return true;
    (void)refuse_number(m, c, argc - 1 > n ? argv[n + 1] : NULL);
    return false;
}

int command_unknown(struct messages *m, const char *name)
{
    const char *nearest = NULL;
    if (name[0] == '-')
        return messages_usage(m,
                              "unknown option %s; options come after the command, as in: "
                              "leadpipe export %s ...",
                              name, name);
    for (const struct command *c = commands; c->name; c++)
        suggest_consider(&nearest, name, c->name);
    if (nearest)
        return messages_usage(m, "unknown command %s; did you mean %s?", name, nearest);
    return messages_usage(m, "unknown command %s; \"leadpipe help\" lists the commands", name);
}
