/* The subcommands: each reads its own arguments (argv[0] is its name) and returns the exit status. */
#ifndef LEADPIPE_CMD_COMMANDS_H
#define LEADPIPE_CMD_COMMANDS_H

#include "core/base/option.h"
#include "core/run/run.h"
#include "cmd/messages.h"

struct command {
    const char *name; /* NULL ends the table */
    const char *args; /* for its usage line */
    const char *help;
    const struct option_spec *options; /* NULL: none */
    int (*run)(struct messages *m, int argc, char *argv[]);
};

extern const struct command commands[];
extern const struct option_spec run_option_specs[];       /* beside those of export */
extern const struct option_spec check_option_specs[];     /* besides those of export: check.c */
extern const struct option_spec merge_option_specs[];     /* merge.c */
extern const struct option_spec providers_option_specs[]; /* those of export: options.h */
extern const struct option_spec destinations_option_specs[];
extern const struct option_spec status_option_specs[];
extern const struct option_spec tables_option_specs[];
extern const struct option_spec version_option_specs[];

const struct command *command_named(const char *name);

int command_export(struct messages *m, int argc, char *argv[]);
int command_list(struct messages *m, int argc, char *argv[]);
int command_run(struct messages *m, int argc, char *argv[]);
int command_status(struct messages *m, int argc, char *argv[]);
int command_check(struct messages *m, int argc, char *argv[]);
int command_merge(struct messages *m, int argc, char *argv[]);
int command_providers(struct messages *m, int argc, char *argv[]);
int command_sinks(struct messages *m, int argc, char *argv[]);
int command_destinations(struct messages *m, int argc, char *argv[]);
int command_tables(struct messages *m, int argc, char *argv[]);
int command_completion(struct messages *m, int argc, char *argv[]);
int command_help(struct messages *m, int argc, char *argv[]);
int command_version(struct messages *m, int argc, char *argv[]);

/* For the commands without options of their own: are there exactly `n` arguments, none of which
 * looks like an option? Else says what is wrong and returns false. */
bool command_takes(struct messages *m, int argc, char *argv[], int n);

/* For a command with options: reads them into `values` (zeroed) by its table, and adds its arguments,
 * which must be `n`. EXIT_STATUS_OK; or the status of what is wrong, which it has said. */
int command_read(struct messages *m, int argc, char *argv[], void *values,
                 struct text_list *arguments, size_t n, struct arena *memory);

/* No command of that name: says so, with the nearest one. */
int command_unknown(struct messages *m, const char *name);

#endif
