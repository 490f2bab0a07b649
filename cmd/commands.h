/* The subcommands. Each parses its own arguments (argv[0] is its name) and returns the exit status. */
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
/* The tables of options; those of export and list are in options.h. */
extern const struct option_spec run_option_specs[];   /* in addition to those of export */
extern const struct option_spec check_option_specs[]; /* likewise */
extern const struct option_spec merge_option_specs[];
extern const struct option_spec providers_option_specs[];
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

/* For commands without options: checks that there are exactly `n` arguments, none of which looks like an
 * option. If not, writes a message and returns false. */
bool command_takes(struct messages *m, int argc, char *argv[], int n);

/* For commands with options: parses them into `values` (zeroed) by the command's table, and adds the arguments,
 * of which there must be `n`. Returns EXIT_STATUS_OK; or writes a message and returns another exit status. */
int command_read(struct messages *m, int argc, char *argv[], void *values,
                 struct text_list *arguments, size_t n, struct arena *memory);

/* Reports that there is no command of that name, and suggests the most similar one. Returns the exit status. */
int command_unknown(struct messages *m, const char *name);

#endif
