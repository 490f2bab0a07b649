/* The options of `leadpipe export`, in the order of its help text. */
#include "core/run/run.h"
#include "core/flatten/schema.h"
#include "cmd/options.h"

#define AT(type, member) OPTION_AT(struct export_options, type, member)

#define PARAM_HELP                                                                                 \
    "a parameter of the provider's URL, such as agentId=A1; repeatable; an input "                 \
    "column of that name takes precedence"

#define WHAT "lead"
#define BODY "payload"
#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define GIB ((int64_t)1 << 30)

const struct option_spec export_option_specs[] = {
/* ---- provider ---- */
#include "cmd/options_provider.inc"
    /* ---- input ---- */
    {
        .name = "id",
        .arg = "ID",
        AT(LIST, ids),
        .section = SECTION_INPUT,
        .flags = OPTION_MAY_CHANGE,
        .help = "a lead ID, instead of FILE; repeatable",
    },
    {
        .name = "id-format",
        .arg = "FORMAT",
        AT(CHOICE, id_format),
        .section = SECTION_INPUT,
        .choices = "auto|lines|csv|ndjson",
        .default_text = "auto",
        .flags = OPTION_MAY_CHANGE,
        .excludes = "all",
        .help = "format of the input: auto, lines, csv or ndjson",
    },
    {
        .name = "id-column",
        .arg = "NAME",
        AT(TEXT, id_column),
        .section = SECTION_INPUT,
        .default_note = "the first of id, lead_id, leadId",
        .flags = OPTION_MAY_CHANGE,
        .excludes = "all",
        .help = "column or member that contains the ID in csv and ndjson input",
    },
    {
        .name = "all",
        AT(FLAG, all),
        .section = SECTION_INPUT,
        .excludes = "id",
        .help = "export all leads that the provider lists, instead of FILE (see \"leadpipe help "
                "list\"); --param may then be given several times for one name",
    },
    {
        .name = "created-since",
        .arg = "TIME|DURATION",
        AT(TEXT, created_since),
        .section = SECTION_INPUT,
        .needs = "all",
        .help = "with --all: only leads created since then: an RFC 3339 time, a date (UTC), or a "
                "duration before now, such as 30d; for providers whose list has this filter",
    },
    {
        .name = "created-until",
        .arg = "TIME|DURATION",
        AT(TEXT, created_until),
        .section = SECTION_INPUT,
        .needs = "all",
        .help = "with --all: only leads created until then",
    },
    {
        .name = "follow",
        AT(FLAG, follow),
        .section = SECTION_INPUT,
        .flags = OPTION_MAY_CHANGE, /* there is no state */
        .excludes = "all",
        .help = "with FILE kafka://: go on until stopped, instead of ending where the topic ended "
                "when the run started; only with sinks that deliver (webhook, push, kafka)",
    },
    {
        .name = "expect",
        AT(NUMBER, expect),
        .section = SECTION_INPUT,
        .max = INT64_MAX,
        .flags = OPTION_MAY_CHANGE,
        .help = "exit with status 3 unless exactly N unique IDs were read",
    },
    {
        .name = "shard",
        .arg = "I/N",
        AT(TEXT, shard),
        .section = SECTION_INPUT,
        .default_note = "all leads",
        .flags = OPTION_RESOLVED,
        .excludes = "all",
        .help =
            "export only the leads of shard I (from 0) of N, so that N runs with the same IDs export "
            "each lead once; auto: take both numbers from an indexed job of Kubernetes, Slurm or AWS "
            "Batch; --rate is the rate of all shards together",
    },
    /* ---- fetching ---- */
    {
        .name = "concurrency",
        .letter = 'j',
        AT(NUMBER, concurrency),
        .section = SECTION_FETCHING,
        .min = 1,
        .max = 4096,
        .choices = "auto",
        .default_text = "auto",
        .flags = OPTION_MAY_CHANGE,
        .help = "requests in flight: at most N, or auto, which adapts to the server (1 to 64)",
    },
#include "cmd/options_fetching.inc"
    {
        .name = "max-memory",
        AT(SIZE, max_memory_bytes),
        .section = SECTION_FETCHING,
        .min = RUN_MEMORY_MIN,
        .max = 1024 * GIB,
        .default_text = "512M",
        .flags = OPTION_MAY_CHANGE,
        .help = "maximum memory for all leads together, whatever the responses; a lead that needs "
                "more by itself fails",
    },
    /* ---- output ---- */
    {
        .name = "to",
        .letter = 't',
        .arg = "SINK",
        AT(LIST, sinks),
        .section = SECTION_OUTPUT,
        .flags = OPTION_REQUIRED | OPTION_RESOLVED | OPTION_SINK,
        .help = "where to write (see \"leadpipe sinks\"); repeatable: every lead goes to each sink",
    },
    {
        .name = "order",
        .arg = "ORDER",
        AT(CHOICE, order),
        .section = SECTION_OUTPUT,
        .choices = "input|any",
        .default_text = "input",
        .help = "write rows in the order of the IDs (input) or as leads arrive (any)",
    },
    {
        .name = "signed-urls",
        .arg = "HOW",
        AT(CHOICE, signed_urls),
        .section = SECTION_OUTPUT,
        .choices = "strip|keep|drop",
        .default_text = "strip",
        .help =
            "expiring URLs of documents: without the query string (strip), unchanged (keep), or null "
            "(drop)",
    },
    {
        .name = "max-columns",
        AT(NUMBER, max_columns),
        .section = SECTION_OUTPUT,
        .min = 1,
        .max = SCHEMA_COLUMNS_MAX,
        .default_text = "2000",
        .help =
            "maximum columns per table, at most 1500 with a postgres sink, which is the default "
            "there; codes beyond that appear only in the rows of their own "
            "table, other members in the column other_members",
    },
    {
        .name = "failed",
        AT(TEXT, failed),
        .section = SECTION_OUTPUT,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_WRITTEN,
        .help = "write a list of the leads that failed, as NDJSON; usable as FILE in another run",
    },
    {
        .name = "missing",
        AT(TEXT, missing),
        .section = SECTION_OUTPUT,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_WRITTEN,
        .help =
            "write a list of the leads that the provider does not have (404, 410), as NDJSON; usable as "
            "FILE in another run",
    },
    {
        .name = "max-missing",
        AT(PORTION, max_missing),
        .section = SECTION_OUTPUT,
        .default_note = "any number, but not all",
        .flags = OPTION_MAY_CHANGE,
        .help =
            "publish no output and exit with status 3 if more than N leads, or P percent of the "
            "unique IDs, are missing",
    },
    {
        .name = "max-gone",
        AT(PORTION, max_gone),
        .section = SECTION_OUTPUT,
        .default_note = "10%, or 100 if that is more",
        .flags = OPTION_MAY_CHANGE,
        .help =
            "publish no output and exit with status 3 if a database sink would mark or delete more "
            "than N leads, or P percent of those in its tables, because they are gone (see deletes=)",
    },
    {
        .name = "schema",
        AT(TEXT, schema),
        .section = SECTION_OUTPUT,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_WRITTEN,
        .help = "write the columns, types and keys of every table as JSON, for loaders",
    },
    {
        .name = "manifest",
        AT(TEXT, manifest),
        .section = SECTION_OUTPUT,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_WRITTEN,
        .help = "write a summary of the run as JSON, after all outputs",
    },
    {
        .name = "s3-endpoint",
        .arg = "URL",
        AT(TEXT, s3_endpoint),
        .section = SECTION_OUTPUT,
        .default_note = "that of AWS for the region",
        .flags = OPTION_PACKING | OPTION_SECRET_URL,
        .help = "the server of outputs that are objects (s3://BUCKET/KEY)",
    },
    {
        .name = "s3-region",
        .arg = "NAME",
        AT(TEXT, s3_region),
        .section = SECTION_OUTPUT,
        .flags = OPTION_PACKING,
        .default_note = "AWS_REGION, AWS_DEFAULT_REGION, or us-east-1",
        .help = "the region of the buckets",
    },
    {
        .name = "s3-addressing",
        .arg = "HOW",
        AT(CHOICE, s3_addressing),
        .section = SECTION_OUTPUT,
        .flags = OPTION_PACKING,
        .choices = "auto|path|virtual",
        .default_text = "auto",
        .help = "where requests name the bucket: path (ENDPOINT/BUCKET/KEY), virtual "
                "(BUCKET.ENDPOINT/KEY) or auto: path with --s3-endpoint, else virtual",
    },
    {
        .name = "spool-dir",
        .arg = "DIR",
        AT(TEXT, spool_dir),
        .section = SECTION_OUTPUT,
        .flags = OPTION_PACKING,
        .default_note = "TMPDIR, or /var/tmp",
        .help = "directory for the unfinished files of CSV objects, which are rewritten before "
                "they are uploaded if columns appear late",
    },
    {
        .name = "state",
        AT(TEXT, state),
        .section = SECTION_OUTPUT,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_DATABASE,
        .help = "record progress in FILE: after a kill, a power cut or a stop the same command "
                "resumes the run",
    },
    {
        .name = "fresh",
        AT(FLAG, fresh),
        .section = SECTION_OUTPUT,
        .flags = OPTION_MAY_CHANGE,
        .needs = "state",
        .help = "discard the unfinished run in the state file and start over",
    },
    {
        .name = "changed-only",
        AT(FLAG, changed_only),
        .section = SECTION_OUTPUT,
        .needs = "state",
        .help =
            "send only leads whose content differs from what all sinks last accepted (needs "
            "--state); files then contain the changed leads only, and count as accepted once they "
            "are published: load each before the next run, or see --resend",
    },
    {
        .name = "resend",
        AT(FLAG, resend),
        .section = SECTION_OUTPUT,
        .needs = "changed-only",
        .help = "with --changed-only: send all leads, as if none had been accepted before",
    },
    {
        .name = "save-job",
        .arg = "FILE",
        AT(TEXT, save_job),
        .section = SECTION_OUTPUT,
        .flags = OPTION_MAY_CHANGE,
        .help =
            "write a job file of this command line, for \"leadpipe run FILE\", and do nothing else; "
            "FILE must not exist (-: standard output)",
    },
    /* ---- messages ---- */
    {
        .name = "progress",
        .arg = "WHEN",
        AT(CHOICE, progress),
        .section = SECTION_MESSAGES,
        .choices = "auto|always|never",
        .default_text = "auto",
        .flags = OPTION_MAY_CHANGE,
        .help =
            "show progress: a live line on a terminal (auto), also a line every 5 seconds where "
            "there is none (always), or never",
    },
    {
        .name = "quiet",
        .letter = 'q',
        AT(FLAG, quiet),
        .section = SECTION_MESSAGES,
        .flags = OPTION_MAY_CHANGE,
        .excludes = "verbose",
        .help = "show only errors and warnings about the input: no progress, no summary",
    },
    {
        .name = "verbose",
        .letter = 'v',
        AT(COUNT, verbose),
        .section = SECTION_MESSAGES,
        .flags = OPTION_MAY_CHANGE,
        .help =
            "also report every lead that failed or is missing, and unusual events; -vv: also every "
            "retry",
    },
    {
        .name = "log-format",
        .arg = "FORMAT",
        AT(CHOICE, log_format),
        .section = SECTION_MESSAGES,
        .choices = "text|json",
        .default_text = "text",
        .flags = OPTION_MAY_CHANGE,
        .help = "write messages as text, or as one JSON object per line",
    },
    {
        .name = "summary",
        .arg = "FORMAT",
        AT(CHOICE, summary),
        .section = SECTION_MESSAGES,
        .choices = "text|json",
        .default_note = "as --log-format; json with --summary-file",
        .flags = OPTION_MAY_CHANGE,
        .help = "write the summary at the end as text, or as one JSON object, also with --quiet",
    },
    {
        .name = "summary-file",
        AT(TEXT, summary_file),
        .section = SECTION_MESSAGES,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_WRITTEN,
        .help = "write the summary to FILE instead of standard error, whatever the end of the run",
    },
    {
        .name = "help",
        .letter = 'h',
        AT(FLAG, help),
        .section = SECTION_MESSAGES,
        .flags = OPTION_MAY_CHANGE,
        .help = "show this help",
    },
    /* ---- monitoring ---- */
    {
        .name = "metrics",
        AT(TEXT, metrics),
        .section = SECTION_MONITORING,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_WRITTEN,
        .help = "write figures of the run for Prometheus, whatever the end of the run, such as "
                "for the textfile collector of node_exporter",
    },
    {
        .name = "report",
        AT(TEXT, report),
        .section = SECTION_MONITORING,
        .flags = OPTION_MAY_CHANGE,
        .file = FILE_WRITTEN,
        .help =
            "write a report on the run as one HTML page, however the run ends: outcomes, charts over "
            "time, why leads failed, what each sink received",
    },
    {
        .name = "job-name",
        .arg = "NAME",
        AT(TEXT, job_name),
        .section = SECTION_MONITORING,
        .default_note = "leadpipe",
        .flags = OPTION_MAY_CHANGE,
        .help =
            "what monitoring calls the run: the label \"job\" of --metrics, the heading of --report; with a job "
            "file, it is by default the name of the file without .yaml",
    },
    {
        .name = "ping",
        .arg = "URL",
        AT(TEXT, ping),
        .section = SECTION_MONITORING,
        .flags = OPTION_MAY_CHANGE | OPTION_SECRET,
        .help = "tell a monitoring service when the run starts and how it ends, as healthchecks.io "
                "expects it: URL/start, then URL, or URL/STATUS if the exit status is not 0",
    },
    {
        .name = "on-success",
        .arg = "CMD",
        AT(TEXT, on_success),
        .section = SECTION_MONITORING,
        .flags = OPTION_MAY_CHANGE | OPTION_SECRET,
        .help =
            "run CMD (without a shell) after a run with exit status 0, with the summary in JSON "
            "on its standard input",
    },
    {
        .name = "on-failure",
        .arg = "CMD",
        AT(TEXT, on_failure),
        .section = SECTION_MONITORING,
        .flags = OPTION_MAY_CHANGE | OPTION_SECRET,
        .help = "run CMD after a run with another exit status, also if it was stopped or refused",
    },
    {.name = NULL},
};

const char *option_section_title(enum option_section s)
{
    switch (s) {
    case SECTION_PROVIDER:
        return "Provider";
    case SECTION_INPUT:
        return "Input";
    case SECTION_FETCHING:
        return "Fetching";
    case SECTION_OUTPUT:
        return "Output";
    case SECTION_MESSAGES:
        return "Messages";
    case SECTION_MONITORING:
        return "Monitoring";
    case SECTION_END:
        break;
    }
    return "";
}
