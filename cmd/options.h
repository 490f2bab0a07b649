/* The command line of `leadpipe export`: one table that drives the parser and `--help`, and that
 * the man page is checked against. */
#ifndef LEADPIPE_CMD_OPTIONS_H
#define LEADPIPE_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/file/file_use.h"
#include "core/run/run.h"
#include "core/sink.h"

/* In the order of the choices in the table. */
enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };
enum order_mode { ORDER_INPUT, ORDER_ANY };

/* What was asked for. Texts point into argv. */
struct export_options {
    const char *provider, *server, *base_url, *api_key_file;
    struct text_list params;

    struct text_list files, ids; /* files: the arguments that are no options */
    int id_format;               /* enum id_format */
    const char *id_column;
    int64_t expect; /* -1: not given */

    int64_t concurrency; /* 0: adapts */
    double rate_per_s;   /* 0: no limit */
    int64_t attempts;
    int64_t retry_max_time_ms, timeout_ms, connect_timeout_ms;
    int64_t max_body_bytes;
    int64_t max_memory_bytes;
    int64_t max_columns;
    const char *cacert, *proxy;
    bool allow_http, http1, http2;

    struct text_list sinks;
    int order;       /* enum order_mode */
    int signed_urls; /* enum signed_urls */
    const char *failed, *missing, *manifest;
    struct missing_limit max_missing;
    const char *state;
    bool fresh, changed_only, resend;

    int progress; /* enum progress_mode */
    bool quiet;
    int64_t verbose;
    int log_format; /* enum message_format */
    bool help;

    /* Values as they stand in argv that must not be passed on as they are: see arguments.h. */
    struct text_list secret_specs, secret_urls;
};

enum option_section {
    SECTION_PROVIDER,
    SECTION_INPUT,
    SECTION_FETCHING,
    SECTION_OUTPUT,
    SECTION_MESSAGES,
    SECTION_END,
};

enum option_type {
    OPTION_FLAG,     /* bool */
    OPTION_COUNT,    /* int64_t: how often it was given; no value */
    OPTION_CHOICE,   /* int: index in `choices` ("a|b|c") */
    OPTION_NUMBER,   /* int64_t, min..max; with `choices` a word that stands for 0 */
    OPTION_DURATION, /* int64_t milliseconds, min..max */
    OPTION_SIZE,     /* int64_t bytes, min..max */
    OPTION_RATE,     /* double, a second */
    OPTION_MISSING,  /* struct missing_limit: a number or a share */
    OPTION_TEXT,     /* const char * */
    OPTION_LIST,     /* struct text_list: every mention adds one */
};

struct option_spec {
    const char *name; /* NULL ends the table */
    char letter;      /* 0: none */
    const char *arg;  /* what stands for the value in help texts; NULL: takes none */
    enum option_type type;
    enum option_section section;
    size_t offset; /* in struct export_options */
    int64_t min, max;
    const char *choices;
    const char *default_text; /* parsed like a value given by the user; NULL: zero */
    const char *default_note; /* where the default is no value: said in help texts */
    size_t secret_offset;     /* of the list that notes values with secrets; 0: none */
    enum file_use file; /* of an OPTION_TEXT whose value is a file: what the run does with it */
    const char *help;
};

extern const struct option_spec export_option_specs[];

const char *option_section_title(enum option_section s);

/* Reads `argv` (argv[0] is the command). RC_USAGE with one line that names the option and what is
 * allowed; RC_NOMEM. Checks values, not files; combinations too. */
enum rc options_parse(struct export_options *out, int argc, char *const argv[], struct err *e);
void options_free(struct export_options *o);

/* Sets one option from its text. For the parser; `o` is partly filled when it fails. */
enum rc option_set(struct export_options *o, const struct option_spec *spec, const char *text,
                   struct err *e);

/* Adds to a list. */
enum rc text_list_add(struct text_list *list, const char *text, struct err *e);

#endif
