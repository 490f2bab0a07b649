#include "cmd/help.h"

#include <string.h>

#include "cmd/options.h"
#include "sinks/registry.h"

#define OPTION_INDENT 26

void help_print_wrapped(FILE *f, size_t at, size_t indent, const char *text)
{
    if (at && at >= indent) {
        (void)fputc('\n', f);
        at = 0;
    }
    (void)fprintf(f, "%*s", (int)(indent - at), "");
    for (size_t column = indent; *text;) {
        size_t len = strcspn(text, " ");
        if (column > indent && column + 1 + len > HELP_WIDTH) {
            (void)fprintf(f, "\n%*s", (int)indent, "");
            column = indent;
        }
        (void)fprintf(f, "%s%.*s", column > indent ? " " : "", (int)len, text);
        column += len + (column > indent);
        text += len;
        text += strspn(text, " ");
    }
    (void)fputc('\n', f);
}

static void print_option(FILE *f, const struct option_spec *spec)
{
    char letter[8] = "    ";
    struct buf arg, text;
    buf_init(&arg, HELP_BYTES_MAX);
    buf_init(&text, HELP_BYTES_MAX);
    option_put_arg(&arg, spec);
    option_put_help(&text, spec);
    if (spec->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", spec->letter);
    int used = fprintf(f, "  %s--%s%s%s", letter, spec->name, arg.len ? " " : "", buf_cstr(&arg));
    help_print_wrapped(f, used < 0 ? 0 : (size_t)used, OPTION_INDENT, buf_cstr(&text));
    buf_free(&arg);
    buf_free(&text);
}

/* Prints the options of one section of the table, unless there are none. */
static void print_section(FILE *f, const struct option_spec *table, unsigned section,
                          const char *title)
{
    bool has_title = false;
    for (const struct option_spec *spec = table; spec->name; spec++) {
        if (spec->section != section)
            continue;
        if (!has_title)
            (void)fprintf(f, "\n%s:\n", title);
        has_title = true;
        print_option(f, spec);
    }
}

static void print_sinks_summary(FILE *f)
{
    (void)fputs("\nSinks, as KIND[,OPTION[=VALUE]]...:TARGET (\"leadpipe sinks\" lists the "
                "options):\n",
                f);
    for (size_t i = 0; sink_registry[i]; i++) {
        int used = fprintf(f, "  %s", sink_registry[i]->name);
        help_print_wrapped(f, used < 0 ? 0 : (size_t)used, 12, sink_registry[i]->help);
    }
}

static const char exit_statuses[] =
    "\nExit status:\n"
    "  0      every lead is exported, unchanged or missing, and at least one was\n"
    "         found (or there were no IDs)\n"
    "  1      the run stopped early: credentials refused from the start, disk full,\n"
    "         refused by a database, server down for too long, ...; no output was\n"
    "         published\n"
    "  2      wrong usage or configuration; nothing was done\n"
    "  3      the run finished, but leads failed, --expect was not met, no lead was\n"
    "         found, or more were missing or gone than --max-missing or --max-gone\n"
    "         allows (in the last three cases no output was published)\n"
    "  128+n  stopped by signal n after finishing the requests in flight; a second\n"
    "         signal stops immediately\n";

static const char environment[] =
    "\nEnvironment:\n"
    "  OMNI_API_KEY, CONVOCORE_API_KEY\n"
    "         the API key, unless --api-key-file is given; a custom profile names\n"
    "         its own variable\n"
    "  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN\n"
    "         the credentials for object storage\n"
    "  AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE\n"
    "         if they are not set: the profile to use (default: default), and the\n"
    "         file it is in (default: ~/.aws/credentials)\n"
    "  AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS\n"
    "         the server of objects: the first that is set (none if the last is\n"
    "         true), unless --s3-endpoint is given\n"
    "  AWS_REGION, AWS_DEFAULT_REGION\n"
    "         the region of the buckets, unless --s3-region is given\n"
    "  PGPASSWORD\n"
    "         the password for postgres; libpq's other variables apply, too\n"
    "  https_proxy, http_proxy, all_proxy, no_proxy\n"
    "         proxies, as for curl, unless --proxy is given\n"
    "  JOB_COMPLETION_INDEX, JOB_COMPLETIONS\n"
    "  SLURM_ARRAY_TASK_ID, SLURM_ARRAY_TASK_MIN, SLURM_ARRAY_TASK_MAX\n"
    "  SLURM_ARRAY_TASK_COUNT, SLURM_ARRAY_TASK_STEP\n"
    "  AWS_BATCH_JOB_ARRAY_INDEX, AWS_BATCH_JOB_ARRAY_SIZE\n"
    "         the shard of --shard auto\n"
    "  LEADPIPE_SHARD_RUN, SLURM_ARRAY_JOB_ID, AWS_BATCH_JOB_ID\n"
    "         the run that it is a part of, as --shard-run\n"
    "  TMPDIR\n"
    "         directory for temporary files (default: /var/tmp)\n";

static const char export_input[] =
    "\n"
    "FILE contains lead IDs as lines, CSV or NDJSON, optionally gzip-compressed. With\n"
    "no FILE, or when FILE is -, IDs are read from standard input. FILE may also be a\n"
    "Kafka topic: 'kafka://BROKERS/TOPIC?group=GROUP'. Every ID is fetched once and\n"
    "has exactly one outcome.\n";

static const char run_text[] =
    "\n"
    "The keys of the file are the long options of \"leadpipe export\", and ids, as in\n"
    "\n"
    "  provider: omni\n"
    "  ids: ids.txt\n"
    "  to: [csv: out/]\n"
    "\n"
    "Relative paths in the file are relative to its folder. The options of leadpipe\n"
    "export can be given, too; they take precedence over the file.\n"
    "See also: man leadpipe-run\n";

static const char check_text[] =
    "\n"
    "Prints a line for each point, which begins with ok, warn or FAIL. A lead is\n"
    "fetched to see whether the key is accepted, and the servers, databases, brokers\n"
    "and buckets of the job are contacted. No lead is sent, and nothing is left\n"
    "behind. The options are those of leadpipe export; given with a job file, they\n"
    "take precedence over it.\n";

static const char check_statuses[] = "\nExit status:\n"
                                     "  0      nothing failed; there may be warnings\n"
                                     "  1      something failed\n"
                                     "  2      wrong usage\n";

static const char merge_statuses[] =
    "\nExit status:\n"
    "  0      the outputs of all shards have been combined\n"
    "  1      a file could not be read or written\n"
    "  2      wrong usage, or not all shards are of one run; nothing was written\n"
    "  3      leads failed; or too many are missing, and no output was published\n";

static const char status_statuses[] =
    "\nExit status:\n"
    "  0      the state or the lag was shown\n"
    "  1      the brokers of TOPIC did not answer\n"
    "  2      wrong usage, STATE is not a valid state, or TOPIC does not exist\n";

static const char examples[] =
    "\nExamples:\n"
    "  leadpipe export -p omni -t csv:out/ ids.txt\n"
    "  leadpipe export -p omni -t csv:- --id 4711 --id 4712\n"
    "  leadpipe export -p convocore --param agentId=A1 --failed failed.ndjson \\\n"
    "      -t ndjson:leads.ndjson.gz -t msgpack:leads.msgpack.gz ids.txt\n"
    "  psql -Atc 'select id from leads' | leadpipe export -p omni \\\n"
    "      -t webhook,batch=50,secret-env=HOOK_SECRET:https://crm.example/hook\n";

static void print_usage_lines(FILE *f)
{
    for (const struct command *c = commands; c->name; c++)
        (void)fprintf(f, "%s leadpipe %s%s%s\n", c == commands ? "usage:" : "      ", c->name,
                      *c->args ? " " : "", c->args);
}

void help_print_short(FILE *f)
{
    print_usage_lines(f);
    (void)fputs("\nSee \"leadpipe help\" for details.\n", f);
}

static const char list_text[] =
    "\n"
    "Writes one JSON object per line, with the ID and the parameters of a lead, which\n"
    "\"leadpipe export\" reads as it is. Every ID of every page is listed once. If rows\n"
    "move while pages are read, the list is read again, up to 3 times.\n"
    "\n"
    "The list is not a snapshot: leads that are created or deleted while it is read\n"
    "may be in it or not. Leads that the provider's API leaves out of its list are\n"
    "not in it: that of omni has neither deleted nor test leads.\n";

static const char list_statuses[] =
    "\nExit status:\n"
    "  0      the list has been read to its end\n"
    "  1      the list was refused, or reading it stopped early: FILE was not written\n"
    "  2      wrong usage or configuration; nothing was done\n"
    "  3      leads may be missing: the list changed each time that it was read,\n"
    "         would not end, or has elements without a valid ID; FILE was written\n"
    "  128+n  stopped by signal n\n";

static void print_sections(FILE *f, const struct option_spec *table)
{
    for (unsigned section = 0; section < SECTION_END; section++)
        print_section(f, table, section, option_section_title((enum option_section)section));
}

static void print_export(FILE *f)
{
    print_sections(f, export_option_specs);
    print_sinks_summary(f);
    (void)fputs(exit_statuses, f);
    (void)fputs(environment, f);
    (void)fputs(examples, f);
}

static void print_statuses(FILE *f, const struct command *c)
{
    const struct {
        int (*run)(struct messages *m, int argc, char *argv[]);
        const char *text;
    } texts[] = {{command_run, exit_statuses},
                 {command_check, check_statuses},
                 {command_merge, merge_statuses},
                 {command_status, status_statuses}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (c->run == texts[i].run)
            (void)fputs(texts[i].text, f);
    }
}

void help_print_command(FILE *f, const struct command *c)
{
    (void)fprintf(f, "usage: leadpipe %s%s%s\n\n", c->name, *c->args ? " " : "", c->args);
    help_print_wrapped(f, 0, 0, c->help);
    if (c->run == command_export) {
        (void)fputs(export_input, f);
        print_export(f);
    } else if (c->run == command_list) {
        (void)fputs(list_text, f);
        print_sections(f, list_option_specs);
        (void)fputs(list_statuses, f);
    } else {
        if (c->run == command_run)
            (void)fputs(run_text, f);
        if (c->run == command_check)
            (void)fputs(check_text, f);
        if (c->options)
            print_section(f, c->options, 0, "Options");
        print_statuses(f, c);
    }
}

static int print_help(FILE *f)
{
    print_usage_lines(f);
    (void)fputs("\n"
                "Fetches leads by ID from a provider's HTTP API, many at once, flattens each\n"
                "into tables, and writes them to files (CSV, NDJSON, MessagePack, Parquet),\n"
                "databases (PostgreSQL, SQLite), Kafka, webhooks or CRMs.\n"
                "\nCommands:\n",
                f);
    for (const struct command *c = commands; c->name; c++)
        (void)fprintf(f, "  %-12s %s\n", c->name, c->help);
    (void)fputs("\nOptions of leadpipe export:\n", f);
    print_export(f);
    return EXIT_STATUS_OK;
}

int command_help(struct messages *m, int argc, char *argv[])
{
    if (argc == 1)
        return print_help(stdout);
    if (!command_takes(m, argc, argv, 1))
        return EXIT_STATUS_USAGE;
    const struct command *c = command_named(argv[1]);
    if (!c)
        return command_unknown(m, argv[1]);
    help_print_command(stdout, c);
    return EXIT_STATUS_OK;
}
