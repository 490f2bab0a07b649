/* The options of `leadpipe export` and `leadpipe list`: their tables, and the structs that they fill. */
#ifndef LEADPIPE_CMD_OPTIONS_H
#define LEADPIPE_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/option.h"

/* In the order of the choices in the table. */
enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };
enum order_mode { ORDER_INPUT, ORDER_ANY };
enum summary_format { SUMMARY_TEXT, SUMMARY_JSON };
enum addressing_mode { ADDRESSING_AUTO, ADDRESSING_PATH, ADDRESSING_VIRTUAL };

#define JOB_NAME_DEFAULT "leadpipe"
#define JOB_NAME_BYTES_MAX 255

/* The values of the options. Texts point into argv. */
struct export_options {
    const char *provider, *server, *base_url, *api_key_file;
    struct text_list params;

    struct text_list files, ids; /* files: the arguments that are not options */
    int id_format;               /* enum id_format */
    const char *id_column;
    int64_t expect;    /* OPTION_AUTO: not given */
    const char *shard; /* "I/N" or "auto" */
    bool follow;       /* a FILE kafka:// has no end */
    bool all;
    const char *created_since, *created_until;

    int64_t concurrency; /* OPTION_AUTO: adapts */
    double rate_per_s;   /* 0: no limit */
    int64_t attempts;
    int64_t retry_max_time_ms, timeout_ms, connect_timeout_ms;
    int64_t max_body_bytes;
    int64_t max_memory_bytes;
    int64_t max_columns;
    const char *cacert, *proxy;
    bool allow_http, http1;
    bool http2; /* the default: it only excludes http1 */

    struct text_list sinks;
    int order;       /* enum order_mode */
    int signed_urls; /* enum signed_urls */
    const char *failed, *missing, *schema, *manifest;
    struct portion max_missing, max_gone;
    const char *s3_endpoint, *s3_region, *spool_dir;
    int s3_addressing; /* enum addressing_mode */
    const char *state;
    const char *save_job;
    bool fresh, changed_only, resend;

    int progress; /* enum progress_mode */
    bool quiet;
    int64_t verbose;
    int log_format; /* enum message_format */
    int summary;    /* enum summary_format, or OPTION_AUTO: as `log_format` */
    const char *summary_file;
    const char *metrics, *job_name, *report, *ping;
    const char *on_success, *on_failure;
    bool help;

    const struct option_given *given; /* all options, in the order of argv */
    size_t n_given;
    struct arena memory; /* owns the lists */
};

/* Sections of the help text. */
enum option_section {
    SECTION_PROVIDER,
    SECTION_INPUT,
    SECTION_FETCHING,
    SECTION_OUTPUT,
    SECTION_MESSAGES,
    SECTION_MONITORING,
    SECTION_END,
};

extern const struct option_spec export_option_specs[];

/* The values of the options of `leadpipe list`. */
struct list_options {
    struct export_options common; /* provider, fetching, messages */
    const char *output;
};

extern const struct option_spec list_option_specs[];

const char *option_section_title(enum option_section s);

/* Parses `argv` (argv[0] is the command). Checks values and combinations of options, but not whether files exist.
 * RC_USAGE: the message names the option and says what is allowed; RC_NOMEM. */
enum rc options_parse(struct export_options *out, int argc, char *const argv[], struct err *e);
void options_free(struct export_options *o);

/* Is it about how the end of a run is reported? Such options are used even if the others are refused. */
bool option_is_reporting(const struct option_spec *o);

/* For a command line that options_parse() has refused: parses only the options about reporting, as far as that is
 * possible. RC_NOMEM. */
enum rc options_parse_reporting(struct export_options *out, int argc, char *const argv[],
                                struct err *e);

#endif
