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
        .help = "where leads come from: a built-in provider (see \"leadpipe providers\") or the "
                "file of a profile",
    },
    {
        .name = "server",
        .arg = "NAME",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(server),
        .default_note = "the profile's first",
        .help = "one of the provider's servers",
    },
    {
        .name = "base-url",
        .arg = "URL",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(base_url),
        .secret_offset = AT(secret_urls),
        .help = "another server, in the place of the provider's, path included",
    },
    {
        .name = "param",
        .arg = "NAME=VALUE",
        .type = OPTION_LIST,
        .section = SECTION_PROVIDER,
        .offset = AT(params),
        .help = "a value for the provider's URL, such as agentId=A1; repeatable; a column of the "
                "input with that name beats it",
    },
    {
        .name = "api-key-file",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(api_key_file),
        .default_note = "the profile's variable",
        .file = FILE_READ,
        .help = "file that holds the API key; else it is taken from the environment, such as "
                "OMNI_API_KEY",
    },
    {
        .name = "allow-http",
        .type = OPTION_FLAG,
        .section = SECTION_PROVIDER,
        .offset = AT(allow_http),
        .help = "send the API key over plain http:// to other machines than this one",
    },
    {
        .name = "cacert",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(cacert),
        .default_note = "the system's",
        .file = FILE_READ,
        .help = "certificates (PEM) that a server's certificate is checked against",
    },
    {
        .name = "proxy",
        .arg = "URL",
        .type = OPTION_TEXT,
        .section = SECTION_PROVIDER,
        .offset = AT(proxy),
        .default_note = "the environment's, as with curl",
        .secret_offset = AT(secret_urls),
        .help = "proxy for the provider and for webhooks",
    },
    {
        .name = "http1.1",
        .type = OPTION_FLAG,
        .section = SECTION_PROVIDER,
        .offset = AT(http1),
        .help = "speak HTTP/1.1 only, to the provider and to webhooks",
    },
    {
        .name = "http2",
        .type = OPTION_FLAG,
        .section = SECTION_PROVIDER,
        .offset = AT(http2),
        .help = "offer HTTP/2, and speak HTTP/1.1 where the server does not (the default)",
    },
    /* ---- input ---- */
    {
        .name = "id",
        .arg = "ID",
        .type = OPTION_LIST,
        .section = SECTION_INPUT,
        .offset = AT(ids),
        .help = "a lead ID, in the place of FILE; repeatable",
    },
    {
        .name = "id-format",
        .arg = "FORMAT",
        .type = OPTION_CHOICE,
        .section = SECTION_INPUT,
        .offset = AT(id_format),
        .choices = "auto|lines|csv|ndjson",
        .default_text = "auto",
        .help = "form of the input: auto, lines, csv or ndjson",
    },
    {
        .name = "id-column",
        .arg = "NAME",
        .type = OPTION_TEXT,
        .section = SECTION_INPUT,
        .offset = AT(id_column),
        .default_note = "the first of id, lead_id, leadId",
        .help = "column or member that holds the ID in csv and ndjson input",
    },
    {
        .name = "expect",
        .arg = "N",
        .type = OPTION_NUMBER,
        .section = SECTION_INPUT,
        .offset = AT(expect),
        .max = INT64_MAX,
        .help = "exit with 3 unless exactly N unique IDs were read",
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
        .help = "requests in flight: N at most, or auto, which finds out how many (1 to 64) the "
                "server likes",
    },
    {
        .name = "rate",
        .arg = "N[/s|/m]",
        .type = OPTION_RATE,
        .section = SECTION_FETCHING,
        .offset = AT(rate_per_s),
        .default_note = "no limit",
        .help = "requests started a second or a minute, retries included",
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
        .help = "tries for each lead",
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
        .help = "the longest that one lead, one Retry-After or an outage may take",
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
        .help = "for each try, from when it is sent to the end of the answer",
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
        .help = "for the connection alone",
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
        .help = "largest payload, after decompression",
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
        .help =
            "memory for all leads together, whatever answers come; one that needs more by itself "
            "fails",
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
        .help = "where rows go (see \"leadpipe sinks\"); repeatable: every lead goes to each",
    },
    {
        .name = "order",
        .arg = "ORDER",
        .type = OPTION_CHOICE,
        .section = SECTION_OUTPUT,
        .offset = AT(order),
        .choices = "input|any",
        .default_text = "input",
        .help = "rows in the order of the IDs (input), or as leads arrive (any)",
    },
    {
        .name = "signed-urls",
        .arg = "HOW",
        .type = OPTION_CHOICE,
        .section = SECTION_OUTPUT,
        .offset = AT(signed_urls),
        .choices = "strip|keep|drop",
        .default_text = "strip",
        .help = "expiring URLs of documents: without their query (strip), whole (keep), or null "
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
        .help = "columns of a table; codes beyond that are in the rows of their own table only, "
                "other members in the column other_members",
    },
    {
        .name = "failed",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(failed),
        .file = FILE_WRITTEN,
        .help = "list of the leads that failed, as NDJSON; usable as FILE again",
    },
    {
        .name = "missing",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(missing),
        .file = FILE_WRITTEN,
        .help =
            "list of the leads that the provider does not have (404, 410), as NDJSON; usable as "
            "FILE again",
    },
    {
        .name = "max-missing",
        .arg = "N|P%",
        .type = OPTION_MISSING,
        .section = SECTION_OUTPUT,
        .offset = AT(max_missing),
        .default_note = "any number, but not all",
        .help = "publish no output, and exit with 3, when more leads than that are missing: N of "
                "them, or P percent of the unique IDs",
    },
    {
        .name = "manifest",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(manifest),
        .file = FILE_WRITTEN,
        .help = "summary of the run as JSON, written after every output",
    },
    {
        .name = "state",
        .arg = "FILE",
        .type = OPTION_TEXT,
        .section = SECTION_OUTPUT,
        .offset = AT(state),
        .file = FILE_DATABASE,
        .help = "remember the run in FILE: after a kill, a power cut or a stop the same command "
                "goes on with it",
    },
    {
        .name = "fresh",
        .type = OPTION_FLAG,
        .section = SECTION_OUTPUT,
        .offset = AT(fresh),
        .help = "forget an unfinished run in the state and begin anew",
    },
    {
        .name = "changed-only",
        .type = OPTION_FLAG,
        .section = SECTION_OUTPUT,
        .offset = AT(changed_only),
        .help =
            "only leads whose content differs from what all sinks accepted last (needs "
            "--state); files then hold the changed leads only, and have accepted them once they "
            "are published: load each before the next run, or see --resend",
    },
    {
        .name = "resend",
        .type = OPTION_FLAG,
        .section = SECTION_OUTPUT,
        .offset = AT(resend),
        .help = "with --changed-only: send all, as if nothing had been accepted before",
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
        .help = "a live line on a terminal (auto), also a line every 5 seconds without one "
                "(always), or never",
    },
    {
        .name = "quiet",
        .letter = 'q',
        .type = OPTION_FLAG,
        .section = SECTION_MESSAGES,
        .offset = AT(quiet),
        .help = "errors, and warnings about the input, only: no progress, no summary",
    },
    {
        .name = "verbose",
        .letter = 'v',
        .type = OPTION_COUNT,
        .section = SECTION_MESSAGES,
        .offset = AT(verbose),
        .help = "also a line for every lead that failed or is missing, and for what is unusual; "
                "-vv: for every retry",
    },
    {
        .name = "log-format",
        .arg = "FORMAT",
        .type = OPTION_CHOICE,
        .section = SECTION_MESSAGES,
        .offset = AT(log_format),
        .choices = "text|json",
        .default_text = "text",
        .help = "messages as text, or as one JSON object a line",
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
