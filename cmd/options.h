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
enum summary_format { SUMMARY_TEXT, SUMMARY_JSON };
enum addressing_mode { ADDRESSING_AUTO, ADDRESSING_PATH, ADDRESSING_VIRTUAL };

#define JOB_NAME_DEFAULT "leadpipe"
#define JOB_NAME_BYTES_MAX 255

/* The values of the options. Texts point into argv. */
struct export_options {
    struct text_list files; /* the arguments that are not options */
#define OPTION(type, member, ...) OPTION_C_##type member;
#define RUN_OPTION OPTION
#include "cmd/options_export.inc"
#undef OPTION
#undef RUN_OPTION
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

/* For a command line that options_parse() has refused: parses only the options about reporting, as far as that is
 * possible. RC_NOMEM. */
enum rc options_parse_reporting(struct export_options *out, int argc, char *const argv[],
                                struct err *e);

#endif
