/* The options of `leadpipe export`, in the order of its help text. */
#include "core/run/run.h"
#include "core/flatten/schema.h"
#include "cmd/options.h"

#define AT(member) offsetof(struct export_options, member)

#define HOUR_MS ((int64_t)3600 * 1000)
#define WEEK_MS (7 * 24 * HOUR_MS)
#define GIB ((int64_t)1 << 30)

const struct option_spec export_option_specs[] = {
    /* ---- provider ---- */
    {
        .name = "provider",
        .letter = 'p',
        .arg = "NAME|FILE",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(provider),
        .default_note = "required",
        .file = FILE_READ,
        .help = "where to fetch leads from: a built-in provider (see \"leadpipe providers\") or a "
                "profile file",
    },
    {
        .name = "server",
        .arg = "NAME",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(server),
        .default_note = "the profile's first",
        .help = "which of the provider's servers to use",
    },
    {
        .name = "base-url",
        .arg = "URL",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(base_url),
        .secret_offset = AT(secret_urls),
        .help = "use this server instead; replaces the whole server URL, path included",
    },
    {
        .name = "param",
        .arg = "NAME=VALUE",
        .type = OPTION_LIST,
        .section = SECTION_PROVIDER,
        .offset = AT(params),
        .help = "a parameter of the provider's URL, such as agentId=A1; repeatable; an input "
                "column of that name takes precedence",
    },
    {
        .name = "api-key-file",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(api_key_file),
        .default_note = "the profile's variable",
        .file = FILE_READ,
        .help = "read the API key from FILE instead of an environment variable such as "
                "OMNI_API_KEY",
    },
    {
        .name = "allow-http",
        .type = OPTION_FLAG,
        .section = SECTION_PROVIDER,
        .offset = AT(allow_http),
        .help = "allow the API key to be sent over plain http:// to other machines",
    },
    {
        .name = "cacert",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(cacert),
        .default_note = "the system's",
        .file = FILE_READ,
        .help = "CA certificates (PEM) to verify servers with",
    },
    {
        .name = "proxy",
        .arg = "URL",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(proxy),
        .default_note = "the environment's, as with curl",
        .secret_offset = AT(secret_urls),
        .help = "use this proxy for the provider and for webhooks",
    },
    {
        .name = "http1.1",
        .type = OPTION_FLAG,
        .section = SECTION_PROVIDER,
        .offset = AT(http1),
        .help = "use HTTP/1.1 only, for the provider and for webhooks",
    },
    {
        .name = "http2",
        .type = OPTION_FLAG,
        .section = SECTION_PROVIDER,
        .offset = AT(http2),
        .help = "offer HTTP/2, and use HTTP/1.1 where the server does not support it (the default)",
    },
    /* ---- input ---- */
    {
        .name = "id",
        .arg = "ID",
        .type = OPTION_LIST,
        .section = SECTION_INPUT,
        .offset = AT(ids),
        .help = "a lead ID, instead of FILE; repeatable",
    },
    {
        .name = "id-format",
        .arg = "FORMAT",
        .type = OPTION_CHOICE,
        .section = SECTION_INPUT,
        .offset = AT(id_format),
        .choices = "auto|lines|csv|ndjson",
        .default_text = "auto",
        .help = "format of the input: auto, lines, csv or ndjson",
    },
    {
        .name = "id-column",
        .arg = "NAME",
        .type = OPTION_TEXT,
        .section = SECTION_INPUT,
        .offset = AT(id_column),
        .default_note = "the first of id, lead_id, leadId",
        .help = "column or member that contains the ID in csv and ndjson input",
    },
    {
        .name = "expect",
        .arg = "N",
        .type = OPTION_NUMBER,
        .section = SECTION_INPUT,
        .offset = AT(expect),
        .max = INT64_MAX,
        .help = "exit with status 3 unless exactly N unique IDs were read",
    },
    /* ---- fetching ---- */
    {
        .name = "concurrency",
        .letter = 'j',
        .arg = "N|auto",
        .type = OPTION_NUMBER,
        .section = SECTION_FETCHING,
        .offset = AT(concurrency),
        .min = 1,
        .max = 4096,
        .choices = "auto",
        .default_text = "auto",
        .help = "requests in flight: at most N, or auto, which adapts to the server (1 to 64)",
    },
    {
        .name = "rate",
        .arg = "N[/s|/m]",
        .type = OPTION_RATE,
        .section = SECTION_FETCHING,
        .offset = AT(rate_per_s),
        .default_note = "no limit",
        .help = "maximum requests started per second or minute, retries included",
    },
    {
        .name = "attempts",
        .arg = "N",
        .type = OPTION_NUMBER,
        .section = SECTION_FETCHING,
        .offset = AT(attempts),
        .min = 1,
        .max = 100,
        .default_text = "6",
        .help = "maximum attempts per lead",
    },
    {
        .name = "retry-max-time",
        .arg = "DURATION",
        .type = OPTION_DURATION,
        .section = SECTION_FETCHING,
        .offset = AT(retry_max_time_ms),
        .min = 1,
        .max = WEEK_MS,
        .default_text = "5m",
        .help = "maximum time to retry a lead, honor a Retry-After or wait for an outage to end",
    },
    {
        .name = "timeout",
        .arg = "DURATION",
        .type = OPTION_DURATION,
        .section = SECTION_FETCHING,
        .offset = AT(timeout_ms),
        .min = 1,
        .max = 24 * HOUR_MS,
        .default_text = "30s",
        .help = "maximum time per attempt, from sending the request to the end of the response",
    },
    {
        .name = "connect-timeout",
        .arg = "DURATION",
        .type = OPTION_DURATION,
        .section = SECTION_FETCHING,
        .offset = AT(connect_timeout_ms),
        .min = 1,
        .max = 24 * HOUR_MS,
        .default_text = "10s",
        .help = "maximum time to connect",
    },
    {
        .name = "max-body",
        .arg = "SIZE",
        .type = OPTION_SIZE,
        .section = SECTION_FETCHING,
        .offset = AT(max_body_bytes),
        .min = 1,
        .max = GIB,
        .default_text = "32M",
        .help = "maximum size of a payload, after decompression",
    },
    {
        .name = "max-memory",
        .arg = "SIZE",
        .type = OPTION_SIZE,
        .section = SECTION_FETCHING,
        .offset = AT(max_memory_bytes),
        .min = RUN_MEMORY_MIN,
        .max = 1024 * GIB,
        .default_text = "512M",
        .help = "maximum memory for all leads together, whatever the responses; a lead that needs "
                "more by itself fails",
    },
    /* ---- output ---- */
    {
        .name = "to",
        .letter = 't',
        .arg = "SINK",
        .type = OPTION_LIST,
        .section = SECTION_OUTPUT,
        .offset = AT(sinks),
        .default_note = "required",
        .secret_offset = AT(secret_specs),
        .help = "where to write (see \"leadpipe sinks\"); repeatable: every lead goes to each sink",
    },
    {
        .name = "order",
        .arg = "ORDER",
        .type = OPTION_CHOICE,
        .section = SECTION_OUTPUT,
        .offset = AT(order),
        .choices = "input|any",
        .default_text = "input",
        .help = "write rows in the order of the IDs (input) or as leads arrive (any)",
    },
    {
        .name = "signed-urls",
        .arg = "HOW",
        .type = OPTION_CHOICE,
        .section = SECTION_OUTPUT,
        .offset = AT(signed_urls),
        .choices = "strip|keep|drop",
        .default_text = "strip",
        .help =
            "expiring URLs of documents: without the query string (strip), unchanged (keep), or null "
            "(drop)",
    },
    {
        .name = "max-columns",
        .arg = "N",
        .type = OPTION_NUMBER,
        .section = SECTION_OUTPUT,
        .offset = AT(max_columns),
        .min = 1,
        .max = SCHEMA_COLUMNS_MAX,
        .default_text = "2000",
        .help = "maximum columns per table; codes beyond that appear only in the rows of their own "
                "table, other members in the column other_members",
    },
    {
        .name = "failed",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(failed),
        .file = FILE_WRITTEN,
        .help = "write a list of the leads that failed, as NDJSON; usable as FILE in another run",
    },
    {
        .name = "missing",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(missing),
        .file = FILE_WRITTEN,
        .help =
            "write a list of the leads that the provider does not have (404, 410), as NDJSON; usable as "
            "FILE in another run",
    },
    {
        .name = "max-missing",
        .arg = "N|P%",
        .type = OPTION_MISSING,
        .section = SECTION_OUTPUT,
        .offset = AT(max_missing),
        .default_note = "any number, but not all",
        .help =
            "publish no output and exit with status 3 if more than N leads, or P percent of the "
            "unique IDs, are missing",
    },
    {
        .name = "manifest",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(manifest),
        .file = FILE_WRITTEN,
        .help = "write a summary of the run as JSON, after all outputs",
    },
    {
        .name = "state",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(state),
        .file = FILE_DATABASE,
        .help = "record progress in FILE: after a kill, a power cut or a stop the same command "
                "resumes the run",
    },
    {
        .name = "fresh",
        .type = OPTION_FLAG,
        .section = SECTION_OUTPUT,
        .offset = AT(fresh),
        .help = "discard the unfinished run in the state file and start over",
    },
    {
        .name = "changed-only",
        .type = OPTION_FLAG,
        .section = SECTION_OUTPUT,
        .offset = AT(changed_only),
        .help =
            "send only leads whose content differs from what all sinks last accepted (needs "
            "--state); files then contain the changed leads only, and count as accepted once they "
            "are published: load each before the next run, or see --resend",
    },
    {
        .name = "resend",
        .type = OPTION_FLAG,
        .section = SECTION_OUTPUT,
        .offset = AT(resend),
        .help = "with --changed-only: send all leads, as if none had been accepted before",
    },
    /* ---- messages ---- */
    {
        .name = "progress",
        .arg = "WHEN",
        .type = OPTION_CHOICE,
        .section = SECTION_MESSAGES,
        .offset = AT(progress),
        .choices = "auto|always|never",
        .default_text = "auto",
        .help =
            "show progress: a live line on a terminal (auto), also a line every 5 seconds where "
            "there is none (always), or never",
    },
    {
        .name = "quiet",
        .letter = 'q',
        .type = OPTION_FLAG,
        .section = SECTION_MESSAGES,
        .offset = AT(quiet),
        .help = "show only errors and warnings about the input: no progress, no summary",
    },
    {
        .name = "verbose",
        .letter = 'v',
        .type = OPTION_COUNT,
        .section = SECTION_MESSAGES,
        .offset = AT(verbose),
        .help =
            "also report every lead that failed or is missing, and unusual events; -vv: also every "
            "retry",
    },
    {
        .name = "log-format",
        .arg = "FORMAT",
        .type = OPTION_CHOICE,
        .section = SECTION_MESSAGES,
        .offset = AT(log_format),
        .choices = "text|json",
        .default_text = "text",
        .help = "write messages as text, or as one JSON object per line",
    },
    {
        .name = "help",
        .letter = 'h',
        .type = OPTION_FLAG,
        .section = SECTION_MESSAGES,
        .offset = AT(help),
        .help = "show this help",
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
    case SECTION_END:
        break;
    }
    return "";
}
